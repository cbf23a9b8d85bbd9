//! The kind of client, from the headers that browsers and curl add to their requests.

use http::{HeaderMap, HeaderName, header};

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const X_REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// The value of `X-Requested-With` with which the script of our pages requests the current page.
const PAGE_SCRIPT: &str = "signpost-page";

/// Returns true if the user opens the URL in a browser.
///
/// Browsers send `Sec-Fetch-Mode` only to HTTPS and loopback addresses. To other addresses they send
/// `Upgrade-Insecure-Requests`.
pub(crate) fn is_navigation(headers: &HeaderMap) -> bool {
    match headers.get(SEC_FETCH_MODE) {
        Some(mode) => mode == "navigate",
        None => headers
            .get(header::UPGRADE_INSECURE_REQUESTS)
            .is_some_and(|value| value == "1"),
    }
}

/// Returns true if a script sends the request, or a page loads it as a part. For a Basic challenge, the browser would prompt the
/// user for a password.
pub(crate) fn is_script(headers: &HeaderMap) -> bool {
    let mode = headers.get(SEC_FETCH_MODE);
    mode.is_some_and(|mode| mode != "navigate") || headers.contains_key(X_REQUESTED_WITH)
}

/// Returns true if the response is shown as one of our pages.
pub(super) fn shows_page(headers: &HeaderMap) -> bool {
    let requested_with = headers.get(X_REQUESTED_WITH);
    is_navigation(headers) || requested_with.is_some_and(|value| value == PAGE_SCRIPT)
}

/// Returns true for the command `curl`. Its users read the response in a terminal.
pub(super) fn is_curl(headers: &HeaderMap) -> bool {
    let user_agent = headers.get(header::USER_AGENT);
    user_agent.is_some_and(|value| value.as_bytes().starts_with(b"curl/"))
}
