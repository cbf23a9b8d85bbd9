//! URLs in responses. They are relative if possible, because the service may not know the stage or base path of its URL.

use std::fmt::Write as _;

use percent_encoding::utf8_percent_encode;

use crate::key::{QUERY, decode_path, to_relative};
use crate::request::ApiRequest;

/// Returns the URL of the request, relative to itself, with the `changed` parameters added or replaced.
pub(super) fn with_query(request: &ApiRequest, changed: &[(&str, &str)]) -> String {
    let current = request
        .query
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let unchanged = current.filter(|(name, _)| !changed.iter().any(|(changed, _)| changed == name));
    let mut url = String::new();
    for (name, value) in unchanged.chain(changed.iter().copied()) {
        let separator = if url.is_empty() { '?' } else { '&' };
        let (name, value) = (utf8_percent_encode(name, QUERY), utf8_percent_encode(value, QUERY));
        write!(url, "{separator}{name}={value}").expect("writing to a String cannot fail");
    }
    url
}

/// Returns the relative URL of the root of the service: one `../` per slash in the path below the root. An escaped slash
/// does not count, because browsers resolve relative URLs against the path as it was sent.
pub(super) fn root_url(request: &ApiRequest) -> String {
    let below = request.path.strip_prefix('/').unwrap_or(&request.path);
    match below.matches('/').count() {
        0 => "./".to_owned(),
        steps => "../".repeat(steps),
    }
}

/// Returns the URL of the sign-in page. After the sign-in, the browser continues at `next`, a path below the base URL.
pub(super) fn login_url(request: &ApiRequest, next: &str) -> String {
    let next = utf8_percent_encode(next, QUERY);
    format!("{}/-/login?next={next}", request.base_url)
}

/// Returns the path of a page below the base URL, without its query.
pub(super) fn page_path(request: &ApiRequest) -> String {
    let path = decode_path(&request.path, request.encoding).unwrap_or_default();
    format!("/{}", to_relative(&path))
}

/// Returns the path at which the browser continues after a rejected request and a sign-in. It is the path of a GET request
/// for a key or prefix, otherwise the root.
pub(super) fn return_path(request: &ApiRequest) -> String {
    let url = request.url();
    let path = url.strip_prefix(request.base_url.as_str()).unwrap_or("/");
    if path.starts_with("/-/") || request.method != "GET" {
        "/".into()
    } else {
        path.into()
    }
}
