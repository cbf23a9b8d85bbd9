//! The only place that knows status codes and response headers: decisions, refusals and failures as HTTP.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use serde_json::json;

use crate::config::{CorsOrigins, PREFLIGHT_MAX_AGE};
use crate::decide::Shared;
use crate::operation::Operation;
use crate::plan::{Instruction, PresignError};
use crate::rejection::{Rejection, methods, two_steps};
use crate::request::{ApiRequest, Form, preferred};

/// An answer.
pub type ApiResponse = Response<Bytes>;

/// What went wrong on our side; the log has the details.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A plan could not be signed.
    #[error(transparent)]
    Presign(#[from] PresignError),
    /// The event is none that Signpost knows how to read exactly.
    #[error("the front is not supported: {problem}")]
    UnknownFront {
        /// What is wrong with the event, and which fronts there are.
        problem: &'static str,
    },
}

const COMMON_HEADERS: [(header::HeaderName, HeaderValue); 4] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::VARY, HeaderValue::from_static("Accept, Origin")),
];

/// The headers that pages may read, of our own answers.
const EXPOSED: HeaderValue = HeaderValue::from_static("Allow, Location, Retry-After");

const CHALLENGE: HeaderValue =
    HeaderValue::from_static("Basic realm=\"signpost\", charset=\"UTF-8\", Bearer realm=\"signpost\"");

/// Tells a signed request in the form that was asked for.
pub fn instruction(request: &ApiRequest, instruction: &Instruction, form: Form) -> ApiResponse {
    match form {
        Form::Redirect => redirect(request, instruction),
        Form::Text => answer(StatusCode::OK, TEXT, format!("{}\n", instruction.url.expose())),
        Form::Json => answer(StatusCode::OK, JSON, instruction_json(instruction)),
        Form::GoExample => answer(StatusCode::OK, JSON, go_example_json(instruction)),
    }
}

/// Tells a share link: as JSON where that is asked for, else the URL alone.
pub fn shared(request: &ApiRequest, shared: &Shared) -> ApiResponse {
    let path = shared.place.to_path();
    let url = format!("{}{path}?share={}", request.base_url, shared.token.expose());
    if preferred(&request.headers, &["application/json"]).is_none() {
        return answer(StatusCode::OK, TEXT, format!("{url}\n"));
    }
    let body = json!({
        "url": url,
        "id": shared.link.id,
        "methods": shared.link.methods,
        "expires_at": humantime::format_rfc3339_seconds(shared.link.ends()).to_string(),
    });
    answer(StatusCode::OK, JSON, body.to_string())
}

/// Says that the service is up; touches nothing else.
pub fn health() -> ApiResponse {
    let body = json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")});
    answer(StatusCode::OK, JSON, body.to_string())
}

/// Answers `OPTIONS`. A preflight is never redirected, since browsers do not follow.
pub fn preflight(allow: &[Method]) -> ApiResponse {
    let mut response = answer(StatusCode::NO_CONTENT, TEXT, String::new());
    response.headers_mut().remove(header::CONTENT_TYPE);
    set(&mut response, header::ALLOW, &methods(allow));
    response
}

/// Refuses a request that is the client's to mend.
pub fn rejection(request: &ApiRequest, rejection: &Rejection) -> ApiResponse {
    let problem = Problem {
        status: status(rejection),
        code: rejection.code(),
        wrong: rejection.to_string(),
        remedy: rejection.remedy(&request.url()),
        request_id: &request.request_id,
    };
    let mut response = problem.answer(&request.headers);
    match rejection {
        Rejection::MethodNotAllowed { allow } => set(&mut response, header::ALLOW, &methods(allow)),
        Rejection::BadCredential { .. } | Rejection::CredentialRequired => {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, CHALLENGE);
        }
        _ => {}
    }
    response
}

/// Owns up to a failure of ours, without its details.
pub fn failure(headers: &HeaderMap, request_id: &str, failure: &Failure) -> ApiResponse {
    let (status, code, wrong, remedy) = match failure {
        Failure::Presign(PresignError::CredentialsExpire) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "ServiceUnavailable",
            "the service can't sign just now".to_owned(),
            "Try again in a moment.",
        ),
        Failure::UnknownFront { .. } => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalError",
            failure.to_string(),
            "The operator should put a REST API, an HTTP API with payload 2.0, a function URL or an ALB in front.",
        ),
        Failure::Presign(
            PresignError::NoCredentials(_) | PresignError::SessionPolicy { .. } | PresignError::Signer(_),
        ) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalError",
            "the service could not handle the request".to_owned(),
            "Try again; if it stays, tell the operator the request id.",
        ),
    };
    let mut response = Problem {
        status,
        code,
        wrong,
        remedy: remedy.to_owned(),
        request_id,
    }
    .answer(headers);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

/// Adds what browsers need to let a page of an allowed origin see the answer, and drops the body of a HEAD.
pub fn finish(request: &ApiRequest, cors: &CorsOrigins, mut response: ApiResponse) -> ApiResponse {
    let allowed = request
        .headers
        .get(header::ORIGIN)
        .and_then(|origin| cors.allow(origin));
    if let Some(origin) = allowed {
        response
            .headers_mut()
            .insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        response
            .headers_mut()
            .insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        if request.method == Method::OPTIONS.as_str() {
            allow_request(request, &mut response);
        }
    }
    if request.method == Method::HEAD.as_str() {
        *response.body_mut() = Bytes::new();
    }
    response
}

fn allow_request(request: &ApiRequest, response: &mut ApiResponse) {
    let allow = response
        .headers()
        .get(header::ALLOW)
        .cloned()
        .unwrap_or(HeaderValue::from_static(""));
    response
        .headers_mut()
        .insert(header::ACCESS_CONTROL_ALLOW_METHODS, allow);
    set(
        response,
        header::ACCESS_CONTROL_MAX_AGE,
        &PREFLIGHT_MAX_AGE.as_secs().to_string(),
    );
    if let Some(wanted) = request.headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        response
            .headers_mut()
            .insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
}

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const PROBLEM_JSON: &str = "application/problem+json";
const HTML: &str = "text/html; charset=utf-8";

fn answer(status: StatusCode, content_type: &'static str, body: String) -> ApiResponse {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response.headers_mut().extend(COMMON_HEADERS);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn set(response: &mut ApiResponse, name: header::HeaderName, value: &str) {
    let value = HeaderValue::from_str(value).expect("the value is ASCII of our own making");
    response.headers_mut().insert(name, value);
}

fn redirect(request: &ApiRequest, instruction: &Instruction) -> ApiResponse {
    let body = redirect_text(&request.url(), instruction.plan.operation);
    let mut response = answer(StatusCode::TEMPORARY_REDIRECT, TEXT, body);
    set(&mut response, header::LOCATION, instruction.url.expose());
    response
}

/// What a client that does not follow redirects prints: that nothing has happened, and the command that works.
fn redirect_text(url: &str, operation: Operation) -> String {
    let (outcome, command) = match operation {
        Operation::PutObject => ("stored", format!("curl -fL -T FILE '{url}'")),
        Operation::DeleteObject => ("deleted", format!("curl -fL -X DELETE '{url}'")),
        Operation::GetObject | Operation::HeadObject => ("sent", format!("curl -fL -O '{url}'")),
        Operation::CreateMultipartUpload => ("begun", format!("curl -fL -X POST '{url}?uploads'")),
        Operation::UploadPart => (
            "stored",
            format!("curl -fL -T PART '{url}?partNumber=NUMBER&uploadId=ID'"),
        ),
        Operation::ListParts => ("listed", format!("curl -fL '{url}?uploadId=ID'")),
        Operation::CompleteMultipartUpload => (
            "completed",
            format!("curl -fL --data-binary @PARTS.xml '{url}?uploadId=ID'"),
        ),
        Operation::AbortMultipartUpload => ("aborted", format!("curl -fL -X DELETE '{url}?uploadId=ID'")),
    };
    let mut text = format!(
        "Nothing has been {outcome} yet: this is a redirect, and the client did not follow it.\nFollow it:  {command}\n"
    );
    if operation == Operation::PutObject {
        writeln!(text, "Above about 4.5 MB:  {}", two_steps(url)).expect("a String takes every write");
    }
    text
}

fn instruction_json(instruction: &Instruction) -> String {
    let headers: serde_json::Map<_, _> = instruction
        .plan
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    let body = json!({
        "method": instruction.plan.operation.method().as_str(),
        "url": instruction.url.expose(),
        "headers": headers,
        "key": instruction.plan.key.as_str(),
        "expires_in": instruction.expires_in.as_secs(),
        "expires_at": humantime::format_rfc3339_seconds(instruction.expires_at).to_string(),
    });
    body.to_string()
}

/// The names of Go's `http.Request`, so that its example client reads the answer as it is.
fn go_example_json(instruction: &Instruction) -> String {
    let headers: serde_json::Map<_, _> = instruction
        .plan
        .headers
        .iter()
        .map(|(name, value)| (canonical_header(name), json!([value])))
        .collect();
    let body = json!({
        "URL": instruction.url.expose(),
        "Method": instruction.plan.operation.method().as_str(),
        "Header": headers,
    });
    body.to_string()
}

/// `Content-Length` for `content-length`, as Go's `http.CanonicalHeaderKey` writes it.
fn canonical_header(name: &str) -> String {
    let words = name.split('-').map(|word| match word.split_at_checked(1) {
        Some((first, rest)) => first.to_ascii_uppercase() + rest,
        None => String::new(),
    });
    words.collect::<Vec<_>>().join("-")
}

const fn status(rejection: &Rejection) -> StatusCode {
    match rejection {
        Rejection::BadKey(_)
        | Rejection::BadQuery
        | Rejection::UnknownParameter { .. }
        | Rejection::ConflictingParameter { .. }
        | Rejection::BadValue { .. }
        | Rejection::UnsupportedHeader { .. } => StatusCode::BAD_REQUEST,
        Rejection::BadCredential { .. } | Rejection::CredentialRequired => StatusCode::UNAUTHORIZED,
        Rejection::NotAccepted { .. } | Rejection::AccessDenied { .. } | Rejection::NotLent => StatusCode::FORBIDDEN,
        Rejection::UnknownReservedPath | Rejection::OutsideBasePath | Rejection::SharingOff => StatusCode::NOT_FOUND,
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

struct Problem<'a> {
    status: StatusCode,
    code: &'static str,
    wrong: String,
    remedy: String,
    request_id: &'a str,
}

impl Problem<'_> {
    fn answer(&self, headers: &HeaderMap) -> ApiResponse {
        let offers = ["application/problem+json", "application/json", "text/html"];
        match preferred(headers, &offers) {
            Some("text/html") => answer(self.status, HTML, self.html()),
            Some(_) => answer(self.status, PROBLEM_JSON, self.json()),
            None => answer(self.status, TEXT, self.text()),
        }
    }

    /// [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457).
    fn json(&self) -> String {
        let body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason(),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.wrong,
            "remedy": self.remedy,
            "request_id": self.request_id,
        });
        body.to_string()
    }

    fn text(&self) -> String {
        format!(
            "{}: {} (request {})\n{}\n",
            self.code, self.wrong, self.request_id, self.remedy
        )
    }

    fn html(&self) -> String {
        format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width\"><title>{code}</title><h1>{code}</h1><p>{wrong}</p><p>{remedy}</p>\
             <p>Request {id}</p></html>\n",
            code = self.code,
            wrong = escape(&self.wrong),
            remedy = escape(&self.remedy),
            id = escape(self.request_id),
        )
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '<' | '>' | '&' | '"' | '\'' => {
                write!(escaped, "&#{};", u32::from(char)).expect("a String takes every write");
            }
            char => escaped.push(char),
        }
    }
    escaped
}
