//! API Gateway HTTP API with payload format 2.0: decodes the path, truncates it at the first decoded `?`, and merges
//! slashes. It adds headers to requests without a body.

use percent_encoding::percent_decode_str;
use serde_json::Value;
use signpost::rejection::Rejection;

use super::client_request::ClientRequest;
use super::{check_path_encoding, payload_v2};

pub(super) fn build_event(request: &ClientRequest<'_>) -> Result<Value, Rejection> {
    check_path_encoding(request.path())?;
    let decoded = percent_decode_str(request.path()).decode_utf8_lossy();
    let options = payload_v2::PayloadOptions {
        raw_path: &path_in_event(&decoded),
        // The library recognizes the front by this name, so the client's Host header must not replace it.
        domain_name: "local.execute-api.us-east-1.amazonaws.com",
        keep_cookie_header: false,
    };
    let mut event = payload_v2::build_event(request, &options);
    if request.body.is_empty() {
        add_headers(&mut event["headers"]);
    }
    Ok(event)
}

/// The gateway adds these headers to a request without a body
/// ([important notes](https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html)).
fn add_headers(headers: &mut Value) {
    for (name, value) in [("content-length", "0"), ("content-type", "application/octet-stream")] {
        if headers[name].is_null() {
            headers[name] = value.into();
        }
    }
}

/// Returns the decoded path up to its first `?`, which the gateway treats as the start of the query, with a single slash
/// in the place of several.
pub(super) fn path_in_event(decoded: &str) -> String {
    let mut path = decoded.split('?').next().unwrap_or_default().to_owned();
    while path.contains("//") {
        path = path.replace("//", "/");
    }
    path
}
