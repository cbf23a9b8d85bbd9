//! Refusals and failures as HTTP.

use std::sync::Arc;

use askama::Template;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::listing::printable;
use super::page::{Shell, page, visible};
use super::sign_in::login_url;
use super::{ApiResponse, HTML, TEXT, Trouble, answer, set};
use crate::decide::RejectedRequest;
use crate::key::ObjectKey;
use crate::plan::{PresignError, StorageError};
use crate::rejection::{Rejection, method_list};
use crate::request::{ApiRequest, preferred_type};

/// What went wrong on our side; the log has the details.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A plan could not be signed.
    #[error(transparent)]
    Presign(#[from] PresignError),
    /// The issuer of a token does not tell its keys.
    #[error("a credential can't be verified just now")]
    Unverifiable,
    /// S3 did not do what Signpost itself asked of it.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The event is none that Signpost knows how to read exactly.
    #[error("the front is not supported: {problem}")]
    UnknownFront {
        /// What is wrong with the event, and which fronts there are.
        problem: &'static str,
    },
    /// No rules are in force, since their source gives none.
    #[error("there are no rules in force")]
    NoRules,
    /// Whom the service had to ask took too long.
    #[error("what the service depends on took too long")]
    TooSlow,
    /// The table that must be asked first gives no answer.
    #[error("the table gives no answer")]
    NoTable(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

const CHALLENGE: HeaderValue =
    HeaderValue::from_static("Basic realm=\"signpost\", charset=\"UTF-8\", Bearer realm=\"signpost\"");

/// For a browser that can sign in by a page, and so need not ask for a password itself.
const BEARER: HeaderValue = HeaderValue::from_static("Bearer realm=\"signpost\"");

const PROBLEM_JSON: &str = "application/problem+json";

/// Refuses a request that is the client's to mend. `sign_in` tells whether one can sign in here, which a page is then told.
pub fn rejection(request: &ApiRequest, rejection: &Rejection, sign_in: bool) -> ApiResponse {
    let mut problem = Problem::of_rejection(rejection, &request.url());
    if sign_in && problem.status == StatusCode::UNAUTHORIZED {
        problem.login = Some(login_url(request, &here(request)));
    }
    let mut response = problem.answer(Some(request), &request.request_id);
    match rejection {
        Rejection::MethodNotAllowed { allow } => set(&mut response, header::ALLOW, &method_list(allow)),
        Rejection::BadCredential { .. } | Rejection::CredentialRequired => {
            let browser = response.headers().get(header::CONTENT_TYPE) == Some(&HeaderValue::from_static(HTML));
            let challenge = if sign_in && browser { BEARER } else { CHALLENGE };
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        _ => {}
    }
    response
}

/// Owns up to a failure of ours, without its details. Where the request could not be read, there is none to answer to.
pub fn failure(request: Option<&ApiRequest>, request_id: &str, failure: &Failure) -> ApiResponse {
    let problem = Problem::of_failure(failure);
    let mut response = problem.answer(request, request_id);
    if problem.status == StatusCode::SERVICE_UNAVAILABLE {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

/// What is wrong with one request of many.
pub(super) fn of_one(request: &ApiRequest, key: Option<&ObjectKey>, trouble: &Trouble) -> Value {
    let problem = match trouble {
        Trouble::Rejected(RejectedRequest { rejection, .. }) => {
            let path = key.map_or_else(|| "/".to_owned(), ObjectKey::to_path);
            Problem::of_rejection(rejection, &format!("{}{path}", request.base_url))
        }
        Trouble::Failed(failure) => Problem::of_failure(failure),
    };
    problem.json()
}

pub(super) const fn status(rejection: &Rejection) -> StatusCode {
    match rejection {
        Rejection::BadKey(_)
        | Rejection::BadQuery
        | Rejection::UnknownParameter { .. }
        | Rejection::ConflictingParameter { .. }
        | Rejection::BadValue { .. }
        | Rejection::UnsupportedHeader { .. } => StatusCode::BAD_REQUEST,
        Rejection::BadCredential { .. } | Rejection::CredentialRequired => StatusCode::UNAUTHORIZED,
        Rejection::NotClientSettable { .. }
        | Rejection::AccessDenied { .. }
        | Rejection::NotGrantedByLink
        | Rejection::ExistenceHidden
        | Rejection::CrossSite
        | Rejection::FormCanOverwrite => StatusCode::FORBIDDEN,
        Rejection::UnknownReservedPath
        | Rejection::OutsideBasePath
        | Rejection::SharingOff
        | Rejection::SignInOff
        | Rejection::NoSuchKey
        | Rejection::NoSuchUpload => StatusCode::NOT_FOUND,
        Rejection::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
        Rejection::NoLength | Rejection::LengthRequired { .. } | Rejection::ObjectSizeRequired { .. } => {
            StatusCode::LENGTH_REQUIRED
        }
        Rejection::TooLarge { .. } | Rejection::PutTooLarge { .. } | Rejection::BodyTooLarge { .. } => {
            StatusCode::PAYLOAD_TOO_LARGE
        }
        Rejection::MediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
    }
}

/// The path of a request below our base, to come back to; that of signing in itself is none.
fn here(request: &ApiRequest) -> String {
    let url = request.url();
    let path = url.strip_prefix(request.base_url.as_str()).unwrap_or("/");
    let own = path.starts_with("/-/") || request.method != "GET";
    if own { "/".into() } else { path.into() }
}

struct Problem {
    status: StatusCode,
    code: &'static str,
    wrong: String,
    remedy: String,
    /// Where one can sign in.
    login: Option<String>,
}

impl Problem {
    fn of_rejection(rejection: &Rejection, url: &str) -> Self {
        Self {
            status: status(rejection),
            code: rejection.code(),
            wrong: rejection.to_string(),
            remedy: rejection.remedy(url),
            login: None,
        }
    }

    fn of_failure(failure: &Failure) -> Self {
        let (status, code, wrong, remedy) = match failure {
            Failure::Storage(error) if error.is_transient() => (
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceUnavailable",
                "S3 does not answer just now".to_owned(),
                "Try again in a moment.",
            ),
            Failure::Presign(PresignError::CredentialsExpire)
            | Failure::Storage(StorageError::Presign(PresignError::CredentialsExpire)) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceUnavailable",
                "the service can't sign just now".to_owned(),
                "Try again in a moment.",
            ),
            Failure::Unverifiable | Failure::TooSlow => (
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceUnavailable",
                failure.to_string(),
                "Try again in a moment.",
            ),
            Failure::NoTable(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceUnavailable",
                "the service can't look up or count just now what this takes".to_owned(),
                "Try again in a moment; if it stays, tell the operator the request id.",
            ),
            Failure::NoRules => (
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceUnavailable",
                "the service has no rules to decide by just now".to_owned(),
                "Try again in a moment; if it stays, tell the operator the request id.",
            ),
            Failure::UnknownFront { .. } => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalError",
                failure.to_string(),
                "The operator should put a REST API, an HTTP API with payload 2.0, a function URL or an ALB in front.",
            ),
            Failure::Presign(
                PresignError::NoCredentials(_) | PresignError::SessionPolicy { .. } | PresignError::Signer(_),
            )
            | Failure::Storage(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalError",
                "the service could not handle the request".to_owned(),
                "Try again; if it stays, tell the operator the request id.",
            ),
        };
        Self {
            status,
            code,
            wrong,
            remedy: remedy.to_owned(),
            login: None,
        }
    }

    fn answer(&self, request: Option<&ApiRequest>, request_id: &str) -> ApiResponse {
        let offers = ["application/problem+json", "application/json", "text/html"];
        let form = request.and_then(|request| Some((request, preferred_type(&request.headers, &offers)?)));
        match form {
            Some((request, "text/html")) => self.page(request, request_id),
            Some(_) => {
                let mut body = self.json();
                body["request_id"] = request_id.into();
                answer(self.status, PROBLEM_JSON, body.to_string())
            }
            None => answer(self.status, TEXT, self.text(request_id)),
        }
    }

    /// [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457).
    fn json(&self) -> Value {
        json!({
            "type": "about:blank",
            "title": self.status.canonical_reason(),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.wrong,
            "remedy": self.remedy,
        })
    }

    fn text(&self, request_id: &str) -> String {
        let (wrong, remedy) = (printable(&self.wrong), printable(&self.remedy));
        format!("{}: {wrong} (request {request_id})\n{remedy}\n", self.code)
    }

    fn page(&self, request: &ApiRequest, request_id: &str) -> ApiResponse {
        let template = ErrorPage {
            shell: Shell::plain(request, "error", self.code),
            code: self.code,
            wrong: visible(&self.wrong),
            remedy: visible(&self.remedy),
            request_id,
            sign_in: self.login.as_deref(),
        };
        page(self.status, &template, "img-src 'self'")
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    shell: Shell,
    code: &'a str,
    wrong: String,
    remedy: String,
    request_id: &'a str,
    sign_in: Option<&'a str>,
}
