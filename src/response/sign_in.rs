//! Signing in and out as HTTP: plain pages that work without script, and the cookies.

use askama::Template;
use http::{HeaderValue, StatusCode, header};

use super::page::{Shell, page};
use super::problem::status;
use super::{ApiResponse, TEXT, answer, set};
use crate::auth::keyring::SignedToken;
use crate::auth::session::{self, NewSession};
use crate::auth::sign_in::{ATTEMPT_LIFE, COOKIE};
use crate::key::QUERY;
use crate::rejection::Rejection;
use crate::request::ApiRequest;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    shell: Shell,
    title: &'static str,
    problem: Option<String>,
    form: Option<TokenForm>,
    link: Option<Link>,
    /// Where the browser goes by itself.
    refresh: Option<String>,
}

struct TokenForm {
    action: String,
    next: String,
}

struct Link {
    href: String,
    name: &'static str,
}

/// The page that asks for a token, after one that was wrong with what was wrong with it.
pub fn ask_for_token(request: &ApiRequest, next: &str, problem: Option<&Rejection>) -> ApiResponse {
    let page = SignInPage {
        problem: problem.map(ToString::to_string),
        form: Some(TokenForm {
            action: format!("{}/-/login", request.base_url),
            next: next.to_owned(),
        }),
        ..SignInPage::new(request, "Sign in")
    };
    page.answer(problem.map_or(StatusCode::OK, status))
}

/// Sends the browser to an issuer.
pub fn authorize(url: &str, cookie: &SignedToken) -> ApiResponse {
    let mut response = answer(StatusCode::SEE_OTHER, TEXT, "To the place where you sign in.\n".into());
    set(&mut response, header::LOCATION, url);
    set_cookie(&mut response, COOKIE, cookie.expose(), ATTEMPT_LIFE.as_secs());
    response
}

/// Begins a session. It is a page and no redirect: a browser that comes from a form would go no further than the form
/// may, and `next` may lead to S3.
pub fn signed_in(request: &ApiRequest, session: &NewSession, next: &str) -> ApiResponse {
    let next = format!("{}{next}", request.base_url);
    let page = SignInPage {
        refresh: Some(next.clone()),
        link: Some(Link {
            href: next,
            name: "Go on",
        }),
        ..SignInPage::new(request, "You are signed in")
    };
    let mut response = page.answer(StatusCode::OK);
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
    let page = SignInPage {
        link: Some(Link {
            href: login_url(request, "/"),
            name: "Sign in",
        }),
        ..SignInPage::new(request, "You are signed out")
    };
    let mut response = page.answer(StatusCode::OK);
    forget(&mut response);
    response
}

impl SignInPage {
    fn new(request: &ApiRequest, title: &'static str) -> Self {
        Self {
            shell: Shell::plain(request, "sign-in", title),
            title,
            problem: None,
            form: None,
            link: None,
            refresh: None,
        }
    }

    fn answer(&self, status: StatusCode) -> ApiResponse {
        let mut response = page(status, self, "img-src 'self'; form-action 'self'");
        // Without a referrer, browsers would tell no origin when the form is sent.
        response
            .headers_mut()
            .insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        response
    }
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
