//! Requests that a page of another site makes a browser send.
//!
//! A browser adds credentials that it has cached, such as a password, to such a request, and it follows redirects to S3.
//! CORS does not prevent this: a form, or `fetch` in mode `no-cors`, needs no permission to send a POST.

use http::HeaderMap;

use crate::config::CorsOrigins;
use crate::rejection::Rejection;
use crate::request::ApiRequest;

/// Rejects a request that changes something, if a page sends it that is not of this service and not of `origins`.
///
/// Browsers report the page in headers that no page can set
/// ([Fetch Metadata](https://www.w3.org/TR/fetch-metadata/)). Requests of other clients do not have these headers.
pub fn check_page(request: &ApiRequest, origins: &CorsOrigins) -> Result<(), Rejection> {
    let is_read_only = matches!(request.method.as_str(), "GET" | "HEAD" | "OPTIONS");
    if is_read_only || !is_from_another_site(&request.headers) || is_allowed(&request.headers, origins) {
        return Ok(());
    }
    Err(Rejection::CrossSite)
}

/// Returns true if the browser says that a page of another origin caused the request. A page of another subdomain
/// (`same-site`) can be under the control of someone else.
fn is_from_another_site(headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all("sec-fetch-site").iter();
    sites.any(|site| site != "same-origin" && site != "none")
}

/// Returns true if the settings allow pages of the origin. If they allow every origin, the request must be in mode `cors`:
/// in this mode, browsers do not follow the redirect of a request with credentials.
fn is_allowed(headers: &HeaderMap, origins: &CorsOrigins) -> bool {
    let allowed = headers
        .get(http::header::ORIGIN)
        .and_then(|origin| origins.allow(origin))
        .is_some();
    let is_cors = headers.get("sec-fetch-mode").is_some_and(|mode| mode == "cors");
    allowed && (is_cors || *origins != CorsOrigins::Any)
}
