//! A refusal, with what was known of the request by then: the client is told the one, the log both.

use crate::key::ObjectKey;
use crate::operation::Operation;
use crate::rejection::Rejection;
use crate::request::ObjectRequest;

/// Why a request is refused, and what was known of it by then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What the client is told.
    pub rejection: Rejection,
    /// What the log is told besides.
    pub known: Box<Known>,
}

/// What has been found out of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Who asks, by [`crate::auth::Principal::uid`].
    pub uid: Option<String>,
    /// The id of the rule that decided.
    pub rule: Option<String>,
    /// What was asked for.
    pub operation: Option<Operation>,
    /// The key.
    pub key: Option<ObjectKey>,
}

impl Known {
    pub(super) fn of(wanted: &ObjectRequest) -> Self {
        Self {
            operation: Some(wanted.operation),
            key: Some(wanted.key.clone()),
            ..Self::default()
        }
    }
}

impl From<Rejection> for Refused {
    fn from(rejection: Rejection) -> Self {
        Self {
            rejection,
            known: Box::default(),
        }
    }
}
