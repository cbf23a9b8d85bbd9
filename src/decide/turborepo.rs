//! Requests of Turborepo ([its API](https://turborepo.com/docs/openapi)).

use http::header;

use super::authorize::presign;
use super::caller::CallerContext;
use super::dialect::DialectDecision;
use super::rejected_request::RejectedRequest;
use super::{Decision, instruct};
use crate::dialect::TurborepoPath;
use crate::dialect::turborepo::artifact_key;
use crate::key::ObjectKey;
use crate::operation::Operation;
use crate::rejection::Rejection;
use crate::request::{ApiRequest, ObjectRequest, Pairs, ResponseFormat, bad_value, check_names};

/// The header with the signature of an artifact. S3 returns no header with this name.
const TAG: &str = "x-artifact-tag";

/// Decides about a request for a path of Turborepo. `at` is the prefix of the artifacts.
pub(super) fn decide(caller: &CallerContext<'_>, at: &str, path: TurborepoPath) -> Result<Decision, RejectedRequest> {
    match path {
        TurborepoPath::Artifact { hash } => artifact(caller, at, &hash),
        TurborepoPath::Status => {
            caller.principal()?;
            Ok(Decision::Dialect(DialectDecision::TurborepoStatus))
        }
        // Turborepo sends them without its credential.
        TurborepoPath::Events => Ok(Decision::Dialect(DialectDecision::TurborepoEvents)),
    }
}

fn artifact(caller: &CallerContext<'_>, at: &str, hash: &str) -> Result<Decision, RejectedRequest> {
    let request = caller.request;
    check_names(&request.query)?;
    check_signature(request)?;
    let key = ObjectKey::with_path(artifact_key(at, team(&request.query), hash)?).map_err(Rejection::from)?;
    let preflight = request.method == "OPTIONS";
    let method = if preflight {
        request.header(header::ACCESS_CONTROL_REQUEST_METHOD.as_str())?
    } else {
        Some(request.method.as_str())
    };
    let mut object_request =
        ObjectRequest::from_query(operation(method)?, key, ResponseFormat::Redirect, &Pairs::new())?;
    object_request.content_type = Some("application/octet-stream".to_owned());
    if !preflight && object_request.operation.stores_body() {
        object_request.length = request.length;
    }
    if preflight {
        let plan = presign(caller, object_request)?;
        return Ok(Decision::Dialect(DialectDecision::TurborepoPreflight(plan)));
    }
    instruct(caller, object_request)
}

fn operation(method: Option<&str>) -> Result<Operation, Rejection> {
    match method {
        Some("GET") => Ok(Operation::GetObject),
        Some("HEAD") => Ok(Operation::HeadObject),
        Some("PUT") => Ok(Operation::PutObject),
        _ => Err(bad_value("access-control-request-method", "must be GET, HEAD or PUT")),
    }
}

/// The team of a request: its `slug`, or its `teamId`.
fn team(query: &Pairs) -> Option<&str> {
    let value = |name: &str| {
        let (_, value) = query.iter().find(|(found, _)| found == name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    };
    value("slug").or_else(|| value("teamId"))
}

/// Rejects an artifact with a signature, because every download would fail its verification.
fn check_signature(request: &ApiRequest) -> Result<(), Rejection> {
    if request.headers.contains_key(TAG) {
        return Err(bad_value(
            TAG,
            "is not supported, because S3 cannot return this header; set `remoteCache.signature` to false in turbo.json",
        ));
    }
    Ok(())
}
