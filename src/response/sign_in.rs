//! Responses of the sign-in and the sign-out: the cookies, and pages that work without a script.

use askama::Template;
use http::{HeaderValue, StatusCode, header};

use super::http::{ApiResponse, TEXT, set_header, with_body};
use super::links::login_url;
use super::page::{PageShell, html_page};
use super::status::rejection_status;
use super::text::sentence;
use crate::auth::keyring::SignedToken;
use crate::auth::session::{self, NewSession};
use crate::auth::sign_in::{ATTEMPT_LIFE, COOKIE};
use crate::decide::SignInState;
use crate::rejection::Rejection;
use crate::request::ApiRequest;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    shell: PageShell,
    heading: &'static str,
    /// What was wrong with the previous token, and what to do.
    problem: Option<(String, String)>,
    form: Option<TokenForm>,
    link: Option<PageLink>,
    /// The URL at which the browser continues without an action of the user.
    refresh: Option<String>,
}

struct TokenForm {
    action: String,
    next: String,
}

struct PageLink {
    href: String,
    name: &'static str,
}

/// Returns the page on which a user enters a token. `problem` is the error of the previous attempt.
pub fn token_page(request: &ApiRequest, next: &str, problem: Option<&Rejection>) -> ApiResponse {
    let page = SignInPage {
        problem: problem.map(|problem| (sentence(&problem.to_string()), problem.remedy(&request.curl_target()))),
        form: Some(TokenForm {
            action: format!("{}/-/login", request.base_url),
            next: next.to_owned(),
        }),
        ..SignInPage::new(request, "Sign in")
    };
    page.response(problem.map_or(StatusCode::OK, rejection_status))
}

/// Redirects the browser to the sign-in page of an issuer.
pub fn redirect_to_issuer(url: &str, cookie: &SignedToken) -> ApiResponse {
    let mut response = with_body(StatusCode::SEE_OTHER, TEXT, "Continue at the sign-in page.\n");
    set_header(&mut response, header::LOCATION, url);
    set_cookie(&mut response, COOKIE, cookie.expose(), ATTEMPT_LIFE.as_secs());
    response
}

/// Starts a session. The response is a page and not a redirect: browsers apply the `form-action` directive of the form
/// to redirects, and `next` may redirect to S3.
pub fn signed_in(request: &ApiRequest, session: &NewSession, next: &str) -> ApiResponse {
    let next = format!("{}{next}", request.base_url);
    let page = SignInPage {
        refresh: Some(next.clone()),
        link: Some(PageLink {
            href: next,
            name: "Continue",
        }),
        ..SignInPage::new(request, "You are signed in")
    };
    let mut response = page.response(StatusCode::OK);
    let cookie = session.cookie.expose();
    set_cookie(&mut response, session::COOKIE, cookie, session.life.as_secs());
    set_cookie(&mut response, COOKIE, "", 0);
    response
}

/// Ends a session.
pub fn signed_out(request: &ApiRequest) -> ApiResponse {
    let page = SignInPage {
        link: Some(PageLink {
            href: login_url(request, "/"),
            name: "Sign in",
        }),
        ..SignInPage::new(request, "You are signed out")
    };
    let mut response = page.response(StatusCode::OK);
    clear_session(&mut response);
    response
}

impl SignInPage {
    fn new(request: &ApiRequest, heading: &'static str) -> Self {
        Self {
            shell: PageShell::with_title(request, "sign-in", heading, SignInState::Disabled),
            heading,
            problem: None,
            form: None,
            link: None,
            refresh: None,
        }
    }

    fn response(&self, status: StatusCode) -> ApiResponse {
        let mut response = html_page(status, self, "img-src 'self'; form-action 'self'");
        // With `no-referrer`, browsers send `Origin: null` with the form.
        response
            .headers_mut()
            .insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        response
    }
}

/// Deletes the session cookie.
pub fn clear_session(response: &mut ApiResponse) {
    set_cookie(response, session::COOKIE, "", 0);
}

fn set_cookie(response: &mut ApiResponse, name: &str, value: &str, max_age: u64) {
    let cookie = format!("{name}={value}; Path=/; Max-Age={max_age}; Secure; HttpOnly; SameSite=Lax");
    let cookie = HeaderValue::try_from(cookie).expect("signed values are ASCII");
    response.headers_mut().append(header::SET_COOKIE, cookie);
}
