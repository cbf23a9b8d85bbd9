//! The format of an instruction, and how a client chooses it.

use http::Method;

use super::accept::{names_type, preferred_type};
use super::{ApiRequest, BodyLength, bad_value};
use crate::rejection::Rejection;

/// The media type of an instruction. No library requests it by default.
pub(crate) const INSTRUCTION_TYPE: &str = "application/vnd.signpost+json";

/// The format of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseFormat {
    /// A redirect.
    Redirect,
    /// JSON with method, URL and headers.
    Json,
    /// The URL as plain text.
    Text,
    /// The key and the URL as plain text, each on its own line.
    KeyAndText,
    /// The JSON of the AWS SDK for Go's presign example.
    GoExample,
}

impl ResponseFormat {
    /// The format for a client that does not know the key yet.
    pub(crate) fn with_key(request: &ApiRequest) -> Self {
        let offers = ["text/plain", "application/json", INSTRUCTION_TYPE];
        let is_json = request.has_parameter("json") || preferred_type(&request.headers, &offers) != "text/plain";
        if is_json && !request.has_parameter("url") {
            Self::Json
        } else {
            Self::KeyAndText
        }
    }

    /// Selects the format of the response to a request for an object.
    ///
    /// Only `?url`, `?json` and the media type of instructions select another format than a redirect. Many libraries accept JSON
    /// or text by default, but expect the object.
    pub(super) fn select(request: &ApiRequest) -> Result<Self, Rejection> {
        // The response to a HEAD has no body.
        if request.method == Method::HEAD.as_str() {
            return Ok(Self::Redirect);
        }
        let (url, json) = (request.has_parameter("url"), request.has_parameter("json"));
        if url && json {
            return Err(bad_value("json", "cannot be combined with `url`"));
        }
        let format = match (url, json || names_type(&request.headers, INSTRUCTION_TYPE)) {
            (true, _) => Self::Text,
            (false, true) => Self::Json,
            (false, false) => return Ok(Self::Redirect),
        };
        check_no_body(request)?;
        Ok(format)
    }
}

/// Rejects a request for an instruction that has a body. Signpost does not store the body, and the client could regard the
/// status 200 as a successful upload.
pub(crate) fn check_no_body(request: &ApiRequest) -> Result<(), Rejection> {
    match request.length {
        BodyLength::Chunked | BodyLength::Declared(1..) => Err(Rejection::InstructionWithBody),
        BodyLength::Declared(0) | BodyLength::Unknown | BodyLength::Missing => Ok(()),
    }
}
