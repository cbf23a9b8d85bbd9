//! Lambda function URL: the event contains the path as the client sent it.

use serde_json::Value;

use super::client_request::ClientRequest;
use super::payload_v2;

/// The library recognizes a function URL by this domain name. The `Host` header contains the actual host.
const DOMAIN_NAME: &str = "local.lambda-url.us-east-1.on.aws";

pub(super) fn build_event(request: &ClientRequest<'_>) -> Value {
    let options = payload_v2::PayloadOptions {
        raw_path: request.path(),
        domain_name: DOMAIN_NAME,
        keep_cookie_header: true,
    };
    payload_v2::build_event(request, &options)
}
