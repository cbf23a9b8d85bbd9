//! Events of an HTTP API of API Gateway, payload format 2.0.

use http::{HeaderMap, header};

use super::event::FrontEvent;
use super::key_path::{KeyPath, is_below, required};
use crate::key::PathEncoding;
use crate::response::ServiceFailure;

/// Returns the path of the key. An HTTP API decodes the path and puts a named stage in front of it.
pub(super) fn key_path<'a>(event: &'a FrontEvent<'_>, base_path: &str) -> Result<KeyPath<'a>, ServiceFailure> {
    let stage = match event.request_context.stage.as_deref() {
        None | Some("$default") => String::new(),
        Some(stage) => format!("/{stage}"),
    };
    let path = required(event.raw_path.as_ref())?;
    let Some(path) = path.strip_prefix(&stage).filter(|path| is_below(path, "")) else {
        return Err(ServiceFailure::UnknownFront {
            problem: "the path does not begin with the stage",
        });
    };
    let is_public = is_execute_api(event.request_context.domain_name.as_deref());
    let public_stage = if is_public { stage } else { String::new() };
    Ok(KeyPath::below_base(
        path,
        PathEncoding::Decoded,
        public_stage,
        base_path,
    ))
}

/// Returns true if this is the own domain name of an API, whose URLs contain the stage. Those of a custom domain name do
/// not.
fn is_execute_api(domain: Option<&str>) -> bool {
    domain.is_none_or(|domain| domain.contains(".execute-api."))
}

/// Removes the `Content-Type` that the gateway adds to a request without a body, whose `Content-Length` is then 0
/// ([important notes](https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html)).
pub(super) fn remove_added_headers(event: &FrontEvent<'_>, headers: &mut HeaderMap) {
    let length = headers.get(header::CONTENT_LENGTH);
    if event.body_bytes() == 0 && length.is_none_or(|length| length == "0") {
        headers.remove(header::CONTENT_TYPE);
    }
}
