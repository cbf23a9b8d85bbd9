//! Requests of Nx ([its API](https://nx.dev/recipes/running-tasks/self-hosted-caching)).

use super::authorize::presign;
use super::caller::CallerContext;
use super::dialect::DialectDecision;
use super::rejected_request::RejectedRequest;
use super::{Decision, instruct};
use crate::key::ObjectKey;
use crate::operation::Operation;
use crate::rejection::Rejection;
use crate::request::{ObjectRequest, Pairs, ResponseFormat};

/// Decides about a request for the task with `hash`. `at` is the prefix of the artifacts.
pub(super) fn decide(caller: &CallerContext<'_>, at: &str, hash: &str) -> Result<Decision, RejectedRequest> {
    let key = ObjectKey::with_path(format!("{at}{hash}")).map_err(Rejection::from)?;
    let is_upload = caller.request.method == "PUT";
    let operation = if is_upload {
        Operation::PutObject
    } else {
        Operation::GetObject
    };
    let mut object_request = ObjectRequest::from_query(operation, key, ResponseFormat::Redirect, &Pairs::new())?;
    if !is_upload {
        return instruct(caller, object_request);
    }
    object_request.length = caller.request.length;
    object_request.content_type = Some("application/octet-stream".to_owned());
    let plan = presign(caller, object_request)?;
    Ok(Decision::Dialect(DialectDecision::NxUpload(plan)))
}
