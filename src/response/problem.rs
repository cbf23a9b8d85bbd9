//! Responses for rejections and failures: as text, as a problem document, or as a page.

use askama::Template;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;

use super::failure::{RequestError, ServiceFailure};
use super::http::{ApiResponse, JSON, LFS_JSON, TEXT, set_header, to_json, with_body};
use super::links::{login_url, return_path};
use super::page::{PageShell, html_page};
use super::status::{failure_status, rejection_status};
use super::text::sentence;

use crate::decide::{RejectedRequest, SignInState};
use crate::dialect::Dialect;
use crate::encoding::escape_invisible;
use crate::key::ObjectKey;
use crate::plan::{PresignError, StorageError};
use crate::rejection::{CurlCredential, CurlTarget, Rejection, method_list};
use crate::request::{ApiRequest, INSTRUCTION_TYPE, is_navigation, is_script, preferred_type};
use crate::wire::ProblemDocument;

const CHALLENGE: HeaderValue =
    HeaderValue::from_static("Basic realm=\"signpost\", charset=\"UTF-8\", Bearer realm=\"signpost\"");

/// The challenge for a browser that shows the sign-in page or runs a script. With `Basic`, the browser would prompt for a
/// password itself.
const BROWSER_CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"signpost\"");

/// The challenge of git-lfs. Unlike `WWW-Authenticate`, REST APIs and function URLs do not rename it.
const LFS_AUTHENTICATE: HeaderName = HeaderName::from_static("lfs-authenticate");

const LFS_CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"signpost\"");

const PROBLEM_JSON: &str = "application/problem+json";

const RETRY: &str = "Try again in a moment.";

const RETRY_OR_REPORT: &str = "Try again in a moment. If the error occurs again, send the request id to the operator.";

/// Returns the response for a request that the client must correct. Error pages show `sign_in`, and link to the sign-in page
/// if it can solve the problem.
pub fn rejection(request: &ApiRequest, rejection: &Rejection, sign_in: SignInState) -> ApiResponse {
    let has_sign_in = sign_in != SignInState::Disabled;
    let mut problem = Problem::from_rejection(rejection, &request.curl_target());
    if has_sign_in && problem.status == StatusCode::UNAUTHORIZED && !problem.concerns_link {
        problem.login = Some(login_url(request, &return_path(request)));
    }
    problem.sign_in = sign_in;
    let mut response = problem.response(Some(request), &request.request_id);
    match rejection {
        Rejection::MethodNotAllowed { allow } => set_header(&mut response, header::ALLOW, &method_list(allow)),
        Rejection::BadCredential { .. } | Rejection::CredentialRequired => {
            add_challenge(request, &mut response, has_sign_in);
        }
        _ => {}
    }
    response
}

fn add_challenge(request: &ApiRequest, response: &mut ApiResponse, sign_in: bool) {
    let headers = &request.headers;
    let is_browser = is_script(headers) || (sign_in && is_navigation(headers));
    let challenge = if is_browser { BROWSER_CHALLENGE } else { CHALLENGE };
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    if request.dialect() == Some(Dialect::Lfs) {
        response.headers_mut().insert(LFS_AUTHENTICATE, LFS_CHALLENGE);
    }
}

/// Returns the response for a failure of the service, without details. `request` is `None` if the event could not be
/// parsed.
pub fn failure(request: Option<&ApiRequest>, request_id: &str, failure: &ServiceFailure) -> ApiResponse {
    let problem = Problem::from_failure(failure);
    let mut response = problem.response(request, request_id);
    if problem.status == StatusCode::SERVICE_UNAVAILABLE {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

/// Returns the status and the message of a problem with one object of a batch of git-lfs.
pub(super) fn lfs_object_problem(error: &RequestError) -> (u16, String) {
    let problem = match error {
        RequestError::Rejected(RejectedRequest { rejection, .. }) => {
            Problem::from_rejection(rejection, &CurlTarget::new(String::new(), CurlCredential::None))
        }
        RequestError::Failed(failure) => Problem::from_failure(failure),
    };
    let status = lfs_problem_status(problem.status).as_u16();
    (status, format!("{} {}", sentence(&problem.detail), problem.remedy))
}

/// The status of a problem in the git-lfs API, which has a status of its own for invalid values.
fn lfs_problem_status(status: StatusCode) -> StatusCode {
    if status == StatusCode::BAD_REQUEST {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        status
    }
}

/// Returns the problem document of one request in a bulk request.
pub(super) fn bulk_problem(request: &ApiRequest, key: Option<&ObjectKey>, error: &RequestError) -> ProblemDocument {
    let problem = match error {
        RequestError::Rejected(RejectedRequest { rejection, .. }) => {
            let path = key.map_or_else(|| "/".to_owned(), ObjectKey::to_path);
            Problem::from_rejection(rejection, &request.curl_target_at(&path))
        }
        RequestError::Failed(failure) => Problem::from_failure(failure),
    };
    problem.document(None)
}

/// The format of an error.
enum ProblemFormat<'a> {
    Text,
    Json,
    Page(&'a ApiRequest),
    Dialect(Dialect),
}

impl<'a> ProblemFormat<'a> {
    fn select(request: &'a ApiRequest) -> Self {
        if let Some(dialect) = request.dialect() {
            return Self::Dialect(dialect);
        }
        let offers = [
            "text/plain",
            PROBLEM_JSON,
            "application/json",
            INSTRUCTION_TYPE,
            "text/html",
        ];
        match preferred_type(&request.headers, &offers) {
            _ if request.has_parameter("json") => Self::Json,
            "text/plain" => Self::Text,
            "text/html" => Self::Page(request),
            _ => Self::Json,
        }
    }
}

struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    remedy: String,
    /// The URL of the sign-in page, if signing in can solve the problem.
    login: Option<String>,
    /// The state of the sign-in, for an error page.
    sign_in: SignInState,
    /// True if the credential of the request is a share link, and the link is invalid.
    concerns_link: bool,
}

impl Problem {
    fn from_rejection(rejection: &Rejection, target: &CurlTarget) -> Self {
        Self {
            status: rejection_status(rejection),
            code: rejection.code(),
            detail: rejection.to_string(),
            remedy: rejection.remedy(target),
            login: None,
            sign_in: SignInState::Disabled,
            concerns_link: matches!(rejection, Rejection::BadCredential { remedy, .. } if remedy.concerns_link()),
        }
    }

    fn from_failure(failure: &ServiceFailure) -> Self {
        let status = failure_status(failure);
        let (detail, remedy) = failure_texts(failure);
        Self {
            status,
            code: if status == StatusCode::SERVICE_UNAVAILABLE {
                "ServiceUnavailable"
            } else {
                "InternalError"
            },
            detail,
            remedy: remedy.to_owned(),
            login: None,
            sign_in: SignInState::Disabled,
            concerns_link: false,
        }
    }

    fn response(&self, request: Option<&ApiRequest>, request_id: &str) -> ApiResponse {
        match request.map_or(ProblemFormat::Text, ProblemFormat::select) {
            ProblemFormat::Page(request) => self.page(request, request_id),
            ProblemFormat::Json => with_body(self.status, PROBLEM_JSON, to_json(&self.document(Some(request_id)))),
            ProblemFormat::Text => with_body(self.status, TEXT, self.text(request_id)),
            ProblemFormat::Dialect(dialect) => self.for_dialect(dialect, request_id),
        }
    }

    /// Returns the response in the format of the tool.
    fn for_dialect(&self, dialect: Dialect, request_id: &str) -> ApiResponse {
        let message = format!("{} {}", sentence(&self.detail), self.remedy);
        match dialect {
            Dialect::Turborepo => {
                let error = json!({"error": {"code": self.code, "message": message}});
                with_body(self.status, JSON, to_json(&error))
            }
            // Nx compares the media type exactly.
            Dialect::Nx => with_body(self.status, "text/plain", self.text(request_id)),
            Dialect::Lfs => {
                let error = json!({"message": message, "request_id": request_id});
                with_body(lfs_problem_status(self.status), LFS_JSON, to_json(&error))
            }
        }
    }

    fn document(&self, request_id: Option<&str>) -> ProblemDocument {
        ProblemDocument {
            code: self.code.to_owned(),
            detail: self.detail.clone(),
            remedy: Some(self.remedy.clone()),
            request_id: request_id.map(str::to_owned),
            status: self.status.as_u16(),
            title: self.status.canonical_reason().unwrap_or_default().to_owned(),
            problem_type: "about:blank".to_owned(),
        }
    }

    fn text(&self, request_id: &str) -> String {
        let (detail, remedy) = (escape_invisible(&self.detail), escape_invisible(&self.remedy));
        format!("{}: {detail} (request {request_id})\n{remedy}\n", self.code)
    }

    fn page(&self, request: &ApiRequest, request_id: &str) -> ApiResponse {
        let heading = self.heading(request);
        let template = ErrorPage {
            shell: PageShell::with_title(request, "error", heading, self.sign_in.clone()),
            heading,
            code: self.code,
            detail: escape_invisible(&sentence(&self.detail)),
            remedy: escape_invisible(&self.remedy),
            request_id,
            sign_in: self.login.as_deref(),
        };
        html_page(self.status, &template, "img-src 'self'; form-action 'self'")
    }

    /// Returns the heading of the error page, for people who do not know the error codes.
    fn heading(&self, request: &ApiRequest) -> &'static str {
        let is_folder = request.path.is_empty() || request.path.ends_with('/');
        match self.code {
            _ if self.login.is_some() && is_folder => "Sign in to see these files",
            _ if self.login.is_some() => "Sign in to see this file",
            _ if self.concerns_link => "This link does not work",
            "AccessDenied" => "You do not have access",
            "CredentialRequired" => "This page requires a credential",
            "NoSuchKey" => "This page does not exist",
            "ServiceUnavailable" | "InternalError" => "Something went wrong",
            _ => "This request is not valid",
        }
    }
}

/// Returns what is wrong, and what the client can do.
fn failure_texts(failure: &ServiceFailure) -> (String, &'static str) {
    match failure {
        ServiceFailure::Storage(error) if error.is_transient() => {
            ("S3 does not respond at the moment".to_owned(), RETRY)
        }
        ServiceFailure::Presign(PresignError::CredentialsExpire)
        | ServiceFailure::Storage(StorageError::Presign(PresignError::CredentialsExpire)) => {
            ("the service cannot sign requests at the moment".to_owned(), RETRY)
        }
        ServiceFailure::Presign(PresignError::MountUnavailable { .. })
        | ServiceFailure::Storage(StorageError::Presign(PresignError::MountUnavailable { .. })) => (
            "the bucket of this key is temporarily unavailable".to_owned(),
            RETRY_OR_REPORT,
        ),
        ServiceFailure::KeysUnavailable | ServiceFailure::Timeout => (failure.to_string(), RETRY),
        ServiceFailure::IdTable(_) => ("the id table is temporarily unavailable".to_owned(), RETRY_OR_REPORT),
        ServiceFailure::NoPolicy => ("the service could not load its policy".to_owned(), RETRY_OR_REPORT),
        ServiceFailure::UnknownFront { .. } => (
            failure.to_string(),
            "The operator should put a REST API, an HTTP API with payload 2.0, a function URL or an ALB in front.",
        ),
        ServiceFailure::Presign(
            PresignError::NoCredentials(_) | PresignError::SessionPolicy { .. } | PresignError::ClaimsTooLong { .. },
        )
        | ServiceFailure::Storage(_) => (
            "the service could not handle the request".to_owned(),
            "Try again. If the error occurs again, send the request id to the operator.",
        ),
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    shell: PageShell,
    heading: &'a str,
    code: &'a str,
    detail: String,
    remedy: String,
    request_id: &'a str,
    sign_in: Option<&'a str>,
}
