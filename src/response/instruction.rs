//! Responses that contain presigned URLs: redirects, text, JSON, and the results of a bulk request.

use std::fmt::Write as _;

use http::{HeaderName, StatusCode, header};
use serde_json::{Map, json};

use super::failure::RequestError;
use super::http::{ApiResponse, JSON, TEXT, set_header, to_json, with_body, with_json};
use super::problem::bulk_problem;
use super::text::rfc3339;
use crate::encoding::escape_invisible;
use crate::key::ObjectKey;
use crate::operation::Operation;
use crate::plan::{Instruction, PresignPlan};
use crate::request::{ApiRequest, ResponseFormat};
use crate::wire::{BulkResultBody, InstructionBody};

/// Returns an instruction in the requested format.
pub fn instruction(request: &ApiRequest, instruction: &Instruction, form: ResponseFormat) -> ApiResponse {
    let url = instruction.url.expose();
    match form {
        ResponseFormat::Redirect => redirect(request, instruction),
        ResponseFormat::Text => with_body(StatusCode::OK, TEXT, format!("{url}\n")),
        ResponseFormat::KeyAndText => with_body(
            StatusCode::OK,
            TEXT,
            format!("{}\n{url}\n", escape_invisible(instruction.plan.public_key.as_str())),
        ),
        ResponseFormat::Json => with_json(&instruction_body(instruction)),
        ResponseFormat::GoExample => go_example(instruction),
    }
}

/// Adds a request header to those on which the response depends, so that no cache uses it for another value.
pub fn vary_by(response: &mut ApiResponse, name: &HeaderName) {
    let vary = response.headers().get(header::VARY).and_then(|vary| vary.to_str().ok());
    let vary = vary.map_or_else(|| name.to_string(), |vary| format!("{vary}, {name}"));
    set_header(response, header::VARY, &vary);
}

/// The result of one request in a bulk request.
pub struct BulkResult {
    /// The public key, if it could be parsed.
    pub key: Option<ObjectKey>,
    /// The instruction, or the reason why there is none.
    pub outcome: Result<Instruction, RequestError>,
}

/// The space in a bulk response for one more instruction, and for the errors of the remaining items.
const RESERVED_BYTES: usize = 624 * 1024;

/// The results of a bulk request, in the order of the request.
pub struct BulkResults<'a> {
    request: &'a ApiRequest,
    results: Vec<String>,
    /// The size of the results in the JSON of a front, which contains them as a text.
    bytes: usize,
}

impl<'a> BulkResults<'a> {
    /// Creates an empty list for the response to `request`.
    pub const fn new(request: &'a ApiRequest) -> Self {
        Self {
            request,
            results: Vec::new(),
            bytes: 0,
        }
    }

    /// Adds the next result.
    pub fn push(&mut self, result: &BulkResult) {
        let result = to_json(&match &result.outcome {
            Ok(instruction) => BulkResultBody::Instruction(instruction_body(instruction)),
            Err(error) => BulkResultBody::Rejected {
                error: bulk_problem(self.request, result.key.as_ref(), error),
            },
        });
        let escaped = result.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
        self.bytes += result.len() + escaped;
        self.results.push(result);
    }

    /// Returns true if the response has no space for another instruction.
    pub const fn is_full(&self) -> bool {
        self.bytes + RESERVED_BYTES >= self.request.max_response_bytes
    }

    /// Returns the number of results.
    pub const fn len(&self) -> usize {
        self.results.len()
    }

    /// Returns true if there are no results.
    pub const fn is_empty(&self) -> bool {
        self.results.is_empty()
    }

    /// Returns the response.
    pub fn into_response(self) -> ApiResponse {
        with_body(StatusCode::OK, JSON, format!("[{}]", self.results.join(",")))
    }
}

fn redirect(request: &ApiRequest, instruction: &Instruction) -> ApiResponse {
    let body = redirect_text(request, &instruction.plan);
    let mut response = with_body(StatusCode::TEMPORARY_REDIRECT, TEXT, body);
    set_header(&mut response, header::LOCATION, instruction.url.expose());
    if let Some(cache_for) = instruction.cache_for {
        let cache = format!("private, max-age={}", cache_for.as_secs());
        set_header(&mut response, header::CACHE_CONTROL, &cache);
        // After a sign-in or sign-out, a browser must not use a redirect that it cached before.
        set_header(&mut response, header::VARY, "Accept, Origin, Authorization, Cookie");
    }
    response
}

/// The text for clients that do not follow redirects. It gives the command that does. For a dialect, this is a command for the
/// object, because the path of the dialect is only for its client.
fn redirect_text(request: &ApiRequest, plan: &PresignPlan) -> String {
    let target = match request.dialect() {
        None => request.curl_target(),
        Some(_) => request.curl_target_at(&plan.public_key.to_path()),
    };
    let (outcome, arguments) = redirect_command(plan.operation);
    let command = target.follow(arguments);
    let mut text = format!(
        "Nothing has been {outcome} yet: this is a redirect, and the client did not follow it.\nFollow it:  {command}\n"
    );
    if plan.operation == Operation::PutObject {
        writeln!(text, "Above about 4.5 MB:  {}", target.two_steps()).expect("writing to a String cannot fail");
    }
    text
}

/// Returns what has not been done yet, and the arguments of the command that does it.
const fn redirect_command(operation: Operation) -> (&'static str, &'static str) {
    match operation {
        Operation::PutObject => ("stored", "-T FILE"),
        Operation::DeleteObject => ("deleted", "-X DELETE"),
        Operation::GetObject | Operation::HeadObject => ("sent", "-O"),
        Operation::CreateMultipartUpload => ("started", "-X POST"),
        Operation::UploadPart => ("stored", "-T PART"),
        Operation::ListParts => ("listed", ""),
        Operation::CompleteMultipartUpload => ("completed", "--data-binary @PARTS.xml"),
        Operation::AbortMultipartUpload => ("aborted", "-X DELETE"),
    }
}

fn instruction_body(instruction: &Instruction) -> InstructionBody {
    let plan = &instruction.plan;
    InstructionBody {
        expires_at: rfc3339(instruction.expires_at),
        expires_in: instruction.expires_in.as_secs(),
        headers: plan.headers.iter().cloned().collect(),
        key: plan.public_key.as_str().to_owned(),
        method: plan.operation.method().as_str().to_owned(),
        url: instruction.url.clone(),
    }
}

/// Returns an instruction with the field names of Go's `http.Request`, for the example client in Go.
fn go_example(instruction: &Instruction) -> ApiResponse {
    let headers: Map<_, _> = instruction
        .plan
        .headers
        .iter()
        .map(|(name, value)| (go_header_name(name), json!([value])))
        .collect();
    with_json(&json!({
        "URL": instruction.url.expose(),
        "Method": instruction.plan.operation.method().as_str(),
        "Header": headers,
    }))
}

/// Returns a header name as Go's `http.CanonicalHeaderKey` does: `Content-Length` for `content-length`.
fn go_header_name(name: &str) -> String {
    let words = name.split('-').map(|word| match word.split_at_checked(1) {
        Some((first, rest)) => first.to_ascii_uppercase() + rest,
        None => String::new(),
    });
    words.collect::<Vec<_>>().join("-")
}
