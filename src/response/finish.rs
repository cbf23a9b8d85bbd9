//! The last step of every response: CORS and HTTPS headers, compression, and HEAD requests. It also handles CORS preflight requests.

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};

use super::compress::compress;
use super::http::{ApiResponse, TEXT, set_header, with_body};
use crate::config::{CorsOrigins, PREFLIGHT_MAX_AGE};
use crate::rejection::method_list;
use crate::request::ApiRequest;

/// The response headers that scripts of other origins may read, in responses of the service itself.
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static("Allow, Location, Retry-After");

/// Browsers ignore the header in a response by plain HTTP
/// ([RFC 6797](https://www.rfc-editor.org/rfc/rfc6797#section-8.1)).
const ONE_YEAR_OF_HTTPS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Responds to `OPTIONS`. The response is never a redirect, because browsers do not follow redirects of preflight requests.
pub fn preflight(allow: &[Method]) -> ApiResponse {
    let mut response = with_body(StatusCode::NO_CONTENT, TEXT, "");
    response.headers_mut().remove(header::CONTENT_TYPE);
    set_header(&mut response, header::ALLOW, &method_list(allow));
    response
}

/// Adds the CORS headers for an allowed origin, makes browsers use HTTPS if the client does, compresses the body, and removes the body if the method is HEAD.
pub fn finish(request: &ApiRequest, cors: &CorsOrigins, mut response: ApiResponse) -> ApiResponse {
    let origin = request.headers.get(header::ORIGIN);
    if let Some(origin) = origin.and_then(|origin| cors.allow(origin)) {
        allow_origin(request, origin, &mut response);
    }
    if request.base_url.starts_with("https://") {
        let headers = response.headers_mut();
        headers.insert(header::STRICT_TRANSPORT_SECURITY, ONE_YEAR_OF_HTTPS);
    }
    compress(&request.headers, &mut response);
    if request.method == Method::HEAD.as_str() {
        *response.body_mut() = Bytes::new();
    }
    response
}

fn allow_origin(request: &ApiRequest, origin: HeaderValue, response: &mut ApiResponse) {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
    if request.method == Method::OPTIONS.as_str() {
        allow_preflight(request, response);
    }
}

fn allow_preflight(request: &ApiRequest, response: &mut ApiResponse) {
    let max_age = PREFLIGHT_MAX_AGE.as_secs().to_string();
    set_header(response, header::ACCESS_CONTROL_MAX_AGE, &max_age);
    let headers = response.headers_mut();
    let allow = headers.get(header::ALLOW).cloned();
    let allow = allow.unwrap_or(HeaderValue::from_static(""));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allow);
    if let Some(requested) = request.headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, requested.clone());
    }
}
