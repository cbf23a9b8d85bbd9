//! The response type, the headers of all responses, and functions that build a response.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Serialize;

/// The response to a request.
pub type ApiResponse = Response<Bytes>;

const COMMON_HEADERS: [(HeaderName, HeaderValue); 4] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::VARY, HeaderValue::from_static("Accept, Origin")),
];

pub(super) const TEXT: &str = "text/plain; charset=utf-8";
pub(super) const JSON: &str = "application/json";
/// The media type of git-lfs.
pub(super) const LFS_JSON: &str = "application/vnd.git-lfs+json";
pub(super) const HTML: &str = "text/html; charset=utf-8";

/// Returns a response with the common headers.
pub(super) fn with_body(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> ApiResponse {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().extend(COMMON_HEADERS);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Returns a response with status 200 and a JSON body.
pub(super) fn with_json(body: &impl Serialize) -> ApiResponse {
    with_body(StatusCode::OK, JSON, to_json(body))
}

/// Serializes a response body.
pub(super) fn to_json(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("response bodies contain only strings, numbers, lists and maps with string keys")
}

/// Sets a header to a value that the service has generated.
pub(super) fn set_header(response: &mut ApiResponse, name: HeaderName, value: &str) {
    let value = HeaderValue::from_str(value).expect("generated values are ASCII");
    response.headers_mut().insert(name, value);
}
