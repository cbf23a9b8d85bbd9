//! API Gateway HTTP API with payload format 2.0: decodes the path and truncates it at the first decoded `?`.

use percent_encoding::percent_decode_str;
use serde_json::Value;
use signpost::rejection::Rejection;

use super::client_request::ClientRequest;
use super::{check_path_encoding, payload_v2};

pub(super) fn build_event(request: &ClientRequest<'_>) -> Result<Value, Rejection> {
    check_path_encoding(request.path())?;
    let decoded = percent_decode_str(request.path()).decode_utf8_lossy();
    let options = payload_v2::PayloadOptions {
        raw_path: truncate_at_question_mark(&decoded),
        // The library recognizes the front by this name, so the client's Host header must not replace it.
        domain_name: "local.execute-api.us-east-1.amazonaws.com",
        keep_cookie_header: false,
    };
    Ok(payload_v2::build_event(request, &options))
}

/// Returns the decoded path up to its first `?`, which the gateway treats as the start of the query.
pub(super) fn truncate_at_question_mark(decoded: &str) -> &str {
    decoded.split('?').next().unwrap_or_default()
}
