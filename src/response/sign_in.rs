//! Signing in and out as HTTP: plain pages that work without script, and the cookies.

use http::{HeaderValue, StatusCode, header};

use super::problem::{escape, status};
use super::{ApiResponse, HTML, answer, set};
use crate::auth::keyring::Sealed;
use crate::auth::session::{self, NewSession};
use crate::auth::sign_in::{ATTEMPT_LIFE, COOKIE};
use crate::key::QUERY;
use crate::rejection::Rejection;
use crate::request::ApiRequest;

/// Nothing but the page itself; its form goes nowhere else.
const POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'");

/// The page that asks for a token, after one that was wrong with what was wrong with it.
pub fn ask_for_token(request: &ApiRequest, next: &str, problem: Option<&Rejection>) -> ApiResponse {
    let told = problem.map_or_else(String::new, |problem| {
        format!("<p role=\"alert\">{}</p>\n", escape(&problem.to_string()))
    });
    let body = format!(
        "<h1>Sign in</h1>\n{told}<form method=\"post\" action=\"{action}\">\n\
         <input type=\"hidden\" name=\"next\" value=\"{next}\">\n\
         <p><label>Token: <input type=\"password\" name=\"token\" autocomplete=\"current-password\" required \
         autofocus></label></p>\n<p><button>Sign in</button></p>\n</form>",
        action = escape(&format!("{}/-/login", request.base_url)),
        next = escape(next),
    );
    page(problem.map_or(StatusCode::OK, status), "Sign in", &body)
}

/// Sends the browser to an issuer.
pub fn authorize(url: &str, cookie: &Sealed) -> ApiResponse {
    let mut response = page(
        StatusCode::SEE_OTHER,
        "Sign in",
        "<p>To the place where you sign in.</p>",
    );
    set(&mut response, header::LOCATION, url);
    set_cookie(&mut response, COOKIE, cookie.expose(), ATTEMPT_LIFE.as_secs());
    response
}

/// Begins a session. It is a page and no redirect: a browser that comes from a form would go no further than the form
/// may, and `next` may lead to S3.
pub fn signed_in(request: &ApiRequest, session: &NewSession, next: &str) -> ApiResponse {
    let next = escape(&format!("{}{next}", request.base_url));
    let body = format!(
        "<meta http-equiv=\"refresh\" content=\"0; url={next}\">\n<p>You are signed in. <a href=\"{next}\">Go on</a></p>"
    );
    let mut response = page(StatusCode::OK, "Signed in", &body);
    set_cookie(
        &mut response,
        session::COOKIE,
        session.cookie.expose(),
        session.life.as_secs(),
    );
    set_cookie(&mut response, COOKIE, "", 0);
    response
}

/// Ends a session.
pub fn signed_out(request: &ApiRequest) -> ApiResponse {
    let login = escape(&login_url(request, "/"));
    let body = format!("<p>You are signed out. <a href=\"{login}\">Sign in</a></p>");
    let mut response = page(StatusCode::OK, "Signed out", &body);
    forget(&mut response);
    response
}

/// Takes away the cookie of the session.
pub fn forget(response: &mut ApiResponse) {
    set_cookie(response, session::COOKIE, "", 0);
}

/// Where one signs in, to go to `next` then: a path below our own base.
pub(super) fn login_url(request: &ApiRequest, next: &str) -> String {
    let next = percent_encoding::utf8_percent_encode(next, QUERY);
    format!("{}/-/login?next={next}", request.base_url)
}

fn set_cookie(response: &mut ApiResponse, name: &str, value: &str, life: u64) {
    let cookie = format!("{name}={value}; Path=/; Max-Age={life}; Secure; HttpOnly; SameSite=Lax");
    let cookie = HeaderValue::try_from(cookie).expect("what is sealed is ASCII");
    response.headers_mut().append(header::SET_COOKIE, cookie);
}

fn page(status: StatusCode, title: &str, body: &str) -> ApiResponse {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    );
    let mut response = answer(status, HTML, html);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY);
    // Without a referrer, browsers would tell no origin when the form is sent.
    response
        .headers_mut()
        .insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}
