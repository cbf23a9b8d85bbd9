//! A refusal, with what was known of the request by then: the client is told the one, the log both.

use crate::plan::PresignPlan;
use crate::rejection::Rejection;
use crate::request::{ListRequest, ObjectRequest};

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
    /// Who asks, by [`crate::auth::Principal::user_id`].
    pub user_id: Option<String>,
    /// The id of the rule that decided.
    pub rule: Option<String>,
    /// What was asked for, by its name in the S3 API.
    pub operation: Option<&'static str>,
    /// The key, or the prefix of a listing.
    pub key: Option<String>,
}

impl Known {
    pub(super) fn of(wanted: &ObjectRequest) -> Self {
        Self {
            operation: Some(wanted.operation.name()),
            key: Some(wanted.key.as_str().to_owned()),
            ..Self::default()
        }
    }

    pub(super) fn of_listing(wanted: &ListRequest) -> Self {
        Self {
            operation: Some(wanted.listing.name()),
            key: Some(wanted.prefix.clone()),
            ..Self::default()
        }
    }
}

impl Refused {
    /// A refusal of what was planned already.
    pub fn of_plan<K>(plan: &PresignPlan<K>, rejection: Rejection) -> Self {
        let known = Known {
            user_id: Some(plan.scope.user_id.clone()),
            rule: Some(plan.scope.rule.clone()),
            operation: Some(plan.operation.name()),
            key: Some(plan.name.as_str().to_owned()),
        };
        Self {
            rejection,
            known: Box::new(known),
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
