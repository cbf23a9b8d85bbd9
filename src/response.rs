//! The only place that knows status codes and response headers: decisions, refusals and failures as HTTP.

mod assets;
mod compress;
mod document;
mod post_form;
mod listing;
mod page;
mod problem;
mod sign_in;

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use percent_encoding::utf8_percent_encode;
use serde_json::{Value, json};

use crate::config::{CorsOrigins, PREFLIGHT_MAX_AGE};
use crate::decide::{NewShareLink, RejectedRequest};
use crate::key::{ObjectKey, QUERY};
use crate::operation::Operation;
use crate::plan::Instruction;
use crate::rejection::{method_list, two_steps};
use crate::request::{ApiRequest, ResponseFormat, preferred_type};

pub use assets::asset;
pub use document::document;
pub use listing::listing;
pub use page::{delete_page, deleted, object_page};
pub use post_form::{form_json, form_page};
pub use problem::{Failure, failure, rejection};
pub use sign_in::{ask_for_token, authorize, forget, signed_in, signed_out};

/// An answer.
pub type ApiResponse = Response<Bytes>;

const COMMON_HEADERS: [(header::HeaderName, HeaderValue); 4] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::VARY, HeaderValue::from_static("Accept, Origin")),
];

/// The headers that pages may read, of our own answers.
const EXPOSED: HeaderValue = HeaderValue::from_static("Allow, Location, Retry-After");

/// Tells a signed request in the form that was asked for.
pub fn instruction(request: &ApiRequest, instruction: &Instruction, form: ResponseFormat) -> ApiResponse {
    match form {
        ResponseFormat::Redirect => redirect(request, instruction),
        ResponseFormat::Text => answer(StatusCode::OK, TEXT, format!("{}\n", instruction.url.expose())),
        ResponseFormat::KeyAndText => {
            let text = format!("{}\n{}\n", instruction.plan.public_key, instruction.url.expose());
            answer(StatusCode::OK, TEXT, text)
        }
        ResponseFormat::Json => answer(StatusCode::OK, JSON, instruction_json(instruction).to_string()),
        ResponseFormat::GoExample => answer(StatusCode::OK, JSON, go_example_json(instruction)),
    }
}

/// One of many requests, carried out.
pub struct Told {
    /// The key, as far as it could be read.
    pub key: Option<ObjectKey>,
    /// What came of it.
    pub outcome: Result<Instruction, Trouble>,
}

/// Why there is no instruction.
pub enum Trouble {
    /// The client's fault.
    Rejected(RejectedRequest),
    /// Ours.
    Failed(Failure),
}

/// Tells the instructions for many requests, in their order; in place of each that there is none for, an error.
pub fn instructions(request: &ApiRequest, told: &[Told]) -> ApiResponse {
    let elements = told.iter().map(|told| match &told.outcome {
        Ok(instruction) => instruction_json(instruction),
        Err(trouble) => json!({"error": problem::of_one(request, told.key.as_ref(), trouble)}),
    });
    answer(StatusCode::OK, JSON, Value::Array(elements.collect()).to_string())
}

/// Tells a share link: as JSON where that is asked for, else the URL alone.
pub fn shared(request: &ApiRequest, shared: &NewShareLink) -> ApiResponse {
    let path = shared.target.to_path();
    let url = format!("{}{path}?share={}", request.base_url, shared.token.expose());
    if preferred_type(&request.headers, &["application/json"]).is_none() {
        return answer(StatusCode::OK, TEXT, format!("{url}\n"));
    }
    let mut body = json!({
        "url": url,
        "id": shared.link.id,
        "methods": shared.link.methods,
        "expires_at": humantime::format_rfc3339_seconds(shared.link.ends()).to_string(),
    });
    if let Some(uses) = shared.link.uses {
        body["uses"] = uses.into();
    }
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
    set(&mut response, header::ALLOW, &method_list(allow));
    response
}

/// Compresses what may be, adds what browsers need to let a page of an allowed origin see the answer, and drops the body
/// of a HEAD.
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
    compress::compress(&request.headers, &mut response);
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

/// The URL of this request with these parameters instead of its own of their names; relative, so that stages and base paths
/// need not be known.
fn with_query(request: &ApiRequest, told: &[(&str, &str)]) -> String {
    let own = request
        .query
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let kept = own.filter(|(name, _)| !told.iter().any(|(told, _)| told == name));
    let mut url = String::new();
    for (name, value) in kept.chain(told.iter().copied()) {
        let separator = if url.is_empty() { '?' } else { '&' };
        let (name, value) = (utf8_percent_encode(name, QUERY), utf8_percent_encode(value, QUERY));
        write!(url, "{separator}{name}={value}").expect("a String takes every write");
    }
    url
}

fn redirect(request: &ApiRequest, instruction: &Instruction) -> ApiResponse {
    let body = redirect_text(&request.url(), instruction.plan.operation);
    let mut response = answer(StatusCode::TEMPORARY_REDIRECT, TEXT, body);
    set(&mut response, header::LOCATION, instruction.url.expose());
    if let Some(cache_for) = instruction.cache_for {
        let cache = format!("private, max-age={}", cache_for.as_secs());
        set(&mut response, header::CACHE_CONTROL, &cache);
        // Whoever signs out or in must ask anew.
        set(&mut response, header::VARY, "Accept, Origin, Authorization, Cookie");
    }
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

fn instruction_json(instruction: &Instruction) -> Value {
    let headers: serde_json::Map<_, _> = instruction
        .plan
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    json!({
        "method": instruction.plan.operation.method().as_str(),
        "url": instruction.url.expose(),
        "headers": headers,
        "key": instruction.plan.public_key.as_str(),
        "expires_in": instruction.expires_in.as_secs(),
        "expires_at": humantime::format_rfc3339_seconds(instruction.expires_at).to_string(),
    })
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
