//! The fronts: what each does to a request before the function sees it, as the JSON event that it sends.
//!
//! The events have the shape that AWS sends, and are read by the very code that reads them there.

mod alb;
mod answer;
mod delivery;
mod function_url;
mod http_api;
mod payload2;
mod rest;

use signpost::key::{KeyError, ObjectKey, PathEncoding};
use signpost::rejection::Rejection;

pub(crate) use answer::to_http;
pub(crate) use delivery::{Delivery, host, path};

/// Lambda's limit on an event, in which a binary body stands as Base64
/// ([Lambda quotas](https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)).
const MAX_EVENT_BYTES: usize = 6 * 1024 * 1024;

/// An ALB's own limit on a body for Lambda
/// ([Lambda functions as targets](https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html)).
const MAX_ALB_BYTES: usize = 1024 * 1024;

/// What remains of an event for a body in Base64, with a little room for the headers.
const MAX_BASE64_BODY_BYTES: u64 = (MAX_EVENT_BYTES as u64 - 64 * 1024) / 4 * 3;

/// The service that stands in front of the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Front {
    /// API Gateway, REST API: exact keys; the template's default.
    Rest,
    /// API Gateway, HTTP API with payload 2.0: cuts a key at a `?`.
    HttpApi,
    /// A Lambda function URL.
    FunctionUrl,
    /// An Application Load Balancer.
    Alb,
    /// An Application Load Balancer with multi-value headers.
    AlbMultiValue,
}

impl Front {
    /// The event that this front sends for a request.
    pub(crate) fn event(self, delivery: &Delivery<'_>) -> Result<String, Rejection> {
        let event = match self {
            Self::Rest => rest::event(delivery),
            Self::HttpApi => http_api::event(delivery)?,
            Self::FunctionUrl => function_url::event(delivery),
            Self::Alb => alb::event(delivery, alb::Values::Last),
            Self::AlbMultiValue => alb::event(delivery, alb::Values::All),
        };
        let event = event.to_string();
        if event.len() > MAX_EVENT_BYTES {
            return Err(self.body_too_large());
        }
        Ok(event)
    }

    /// The most that is read of a body; what is longer can't fit.
    pub(crate) const fn max_read_bytes(self) -> usize {
        match self {
            Self::Rest | Self::HttpApi | Self::FunctionUrl => MAX_EVENT_BYTES,
            Self::Alb | Self::AlbMultiValue => MAX_ALB_BYTES,
        }
    }

    /// The refusal of a body that does not fit.
    pub(crate) const fn body_too_large(self) -> Rejection {
        let max_bytes = match self {
            Self::Rest | Self::HttpApi | Self::FunctionUrl => MAX_BASE64_BODY_BYTES,
            Self::Alb | Self::AlbMultiValue => MAX_ALB_BYTES as u64,
        };
        Rejection::BodyTooLarge { max_bytes }
    }

    /// The path as this front tells it, decoded for the log.
    pub(crate) fn shown_path(self, path: &str) -> String {
        let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
        let shown = match self {
            Self::HttpApi => http_api::cut(&decoded),
            Self::Rest | Self::FunctionUrl | Self::Alb | Self::AlbMultiValue => &decoded,
        };
        shown.strip_prefix('/').unwrap_or(shown).to_owned()
    }

    /// Its name on the command line.
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

/// Whether a path decodes at all, which a front that decodes must know.
fn check_escapes(path: &str) -> Result<(), Rejection> {
    match ObjectKey::from_path(path, PathEncoding::Percent) {
        Err(error @ (KeyError::BadEscape | KeyError::NotUtf8)) => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
