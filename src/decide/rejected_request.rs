//! A rejection together with what was known about the request. The response contains the rejection; the log contains both.

use crate::plan::PresignPlan;
use crate::rejection::Rejection;
use crate::request::{ListingRequest, ObjectRequest};

/// A rejected request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRequest {
    /// The rejection, for the response.
    pub rejection: Rejection,
    /// The facts about the request, for the log.
    pub context: Box<RejectionContext>,
}

/// What was known about a request when it was rejected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RejectionContext {
    /// The caller, by [`crate::auth::Principal::user_id`].
    pub user_id: Option<String>,
    /// The id of the rule that decided.
    pub rule: Option<String>,
    /// The requested operation, by its name in the S3 API.
    pub operation: Option<&'static str>,
    /// The public key, or the prefix of a listing.
    pub key: Option<String>,
}

impl RejectionContext {
    pub(super) fn from_object_request(request: &ObjectRequest) -> Self {
        Self {
            operation: Some(request.operation.name()),
            key: Some(request.key.as_str().to_owned()),
            ..Self::default()
        }
    }

    pub(super) fn from_listing_request(request: &ListingRequest) -> Self {
        Self {
            operation: Some(request.listing.name()),
            key: Some(request.prefix.clone()),
            ..Self::default()
        }
    }
}

impl RejectedRequest {
    /// The rejection of a request for which a plan exists already.
    pub fn from_plan<K>(plan: &PresignPlan<K>, rejection: Rejection) -> Self {
        let context = RejectionContext {
            user_id: Some(plan.scope.user_id.clone()),
            rule: Some(plan.scope.rule.clone()),
            operation: Some(plan.operation.name()),
            key: Some(plan.public_key.as_str().to_owned()),
        };
        Self {
            rejection,
            context: Box::new(context),
        }
    }
}

impl From<Rejection> for RejectedRequest {
    fn from(rejection: Rejection) -> Self {
        Self {
            rejection,
            context: Box::default(),
        }
    }
}
