//! Emulates the fronts: converts a request to the JSON event that AWS sends, and the function's response to HTTP.
//!
//! The library parses these events with the same code as on AWS.

mod alb;
mod function_response;
mod client_request;
mod function_url;
mod http_api;
mod payload_v2;
mod rest;

use signpost::key::{KeyError, ObjectKey, PathEncoding};
use signpost::rejection::Rejection;

pub(crate) use client_request::{ClientRequest, request_host, request_path};
pub(crate) use function_response::to_http_response;

/// Lambda's limit on the size of an event, which contains a binary body as Base64
/// ([Lambda quotas](https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)).
const MAX_EVENT_BYTES: usize = 6 * 1024 * 1024;

/// The limit of an ALB on a request body for Lambda
/// ([Lambda functions as targets](https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html)).
const MAX_ALB_BODY_BYTES: usize = 1024 * 1024;

/// Lambda's limit on the size of a response.
const MAX_RESPONSE_BYTES: usize = 6 * 1024 * 1024;

/// The limit of an ALB on the size of a response of Lambda.
const MAX_ALB_RESPONSE_BYTES: usize = 1024 * 1024;

/// The largest body whose Base64 form fits into an event, with 64 KiB reserved for the headers.
const MAX_BASE64_BODY_BYTES: u64 = (MAX_EVENT_BYTES as u64 - 64 * 1024) / 4 * 3;

/// The emulated AWS service in front of the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum EmulatedFront {
    /// API Gateway REST API: preserves keys exactly; the template's default.
    Rest,
    /// API Gateway HTTP API with payload format 2.0: truncates a key at a `?` and merges `//`.
    HttpApi,
    /// Lambda function URL.
    FunctionUrl,
    /// Application Load Balancer.
    Alb,
    /// Application Load Balancer with multi-value headers.
    AlbMultiValue,
}

impl EmulatedFront {
    /// Builds the event that this front sends for a request.
    pub(crate) fn build_event(self, request: &ClientRequest<'_>) -> Result<String, Rejection> {
        let event = match self {
            Self::Rest => rest::build_event(request)?,
            Self::HttpApi => http_api::build_event(request)?,
            Self::FunctionUrl => function_url::build_event(request),
            Self::Alb => alb::build_event(request, alb::RepeatedValues::LastOnly),
            Self::AlbMultiValue => alb::build_event(request, alb::RepeatedValues::All),
        };
        let event = event.to_string();
        if event.len() > MAX_EVENT_BYTES {
            return Err(self.body_too_large());
        }
        Ok(event)
    }

    /// Returns the largest number of bytes to read from a body. A longer body never fits into an event.
    pub(crate) const fn max_body_bytes(self) -> usize {
        match self {
            Self::Rest | Self::HttpApi | Self::FunctionUrl => MAX_EVENT_BYTES,
            Self::Alb | Self::AlbMultiValue => MAX_ALB_BODY_BYTES,
        }
    }

    /// Returns the maximum size of the function's response. AWS returns 502 instead of a larger one.
    pub(crate) const fn max_response_bytes(self) -> usize {
        match self {
            Self::Rest | Self::HttpApi | Self::FunctionUrl => MAX_RESPONSE_BYTES,
            Self::Alb | Self::AlbMultiValue => MAX_ALB_RESPONSE_BYTES,
        }
    }

    /// Returns the rejection of a body that does not fit.
    pub(crate) const fn body_too_large(self) -> Rejection {
        let max_bytes = match self {
            Self::Rest | Self::HttpApi | Self::FunctionUrl => MAX_BASE64_BODY_BYTES,
            Self::Alb | Self::AlbMultiValue => MAX_ALB_BODY_BYTES as u64,
        };
        Rejection::BodyTooLarge { max_bytes }
    }

    /// Returns the path as this front reports it, decoded for the log.
    pub(crate) fn logged_path(self, path: &str) -> String {
        let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
        let logged = match self {
            Self::HttpApi => http_api::path_in_event(&decoded),
            Self::Rest | Self::FunctionUrl | Self::Alb | Self::AlbMultiValue => decoded.into_owned(),
        };
        logged.strip_prefix('/').unwrap_or(&logged).to_owned()
    }

    /// Returns the name of the front on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::HttpApi => "http-api",
            Self::FunctionUrl => "function-url",
            Self::Alb => "alb",
            Self::AlbMultiValue => "alb-multi-value",
        }
    }
}

/// Rejects a path with invalid percent-encoding, which a front that decodes paths cannot forward.
fn check_path_encoding(path: &str) -> Result<(), Rejection> {
    match ObjectKey::from_path(path, PathEncoding::Percent) {
        Err(error @ (KeyError::BadEscape | KeyError::NotUtf8)) => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
