//! The fronts: the AWS services in front of the function. This module parses their events and renders responses for them.
//!
//! A module imports only from modules above it in this list:
//!
//! 1. [`authorizer`]: the identity that a front has verified.
//! 2. [`event`]: the fields of the events.
//! 3. [`key_path`]: the path of the key without stage and base path.
//! 4. [`content_length`]: the length of the upload.
//! 5. [`front_response`]: the response in the format of a front.
//! 6. [`query`]: the query without tracking parameters.
//! 7. [`payload2`]: payload format 2.0, which two fronts use.
//! 8. [`rest`]: REST APIs.
//! 9. [`http_api`]: HTTP APIs.
//! 10. [`function_url`]: function URLs.
//! 11. [`alb`]: Application Load Balancers.

mod alb;
mod authorizer;
mod content_length;
mod event;
mod front_response;
mod function_url;
mod http_api;
mod key_path;
mod payload2;
mod query;
mod rest;

use std::borrow::Cow;

use bytes::Bytes;
use http::uri::Scheme;
use http::{HeaderMap, header};
use serde::{Serialize, Serializer};

use crate::encoding::without_default_port;
use crate::rejection::Rejection;
use crate::request::{ApiRequest, BodyLength, GatewayIdentity, Pairs};
use crate::response::{ApiResponse, ServiceFailure};
use event::FrontEvent;
use front_response::FrontResponse;
use key_path::KeyPath;

/// The limit of Lambda on the response of a function
/// ([Lambda quotas](https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)).
const MAX_LAMBDA_BYTES: usize = 6 * 1024 * 1024;

/// The limit of an ALB on the response of a function
/// ([Lambda functions as targets](https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html)).
const MAX_ALB_BYTES: usize = 1024 * 1024;

/// The AWS service in front of the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    /// A REST API of API Gateway.
    Rest,
    /// An HTTP API of API Gateway.
    HttpApi,
    /// A Lambda function URL.
    FunctionUrl,
    /// An Application Load Balancer.
    Alb,
    /// An Application Load Balancer that uses multi-value headers.
    AlbMultiValue,
}

/// The address of the service, as far as its settings define it.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServiceAddress<'a> {
    /// The base path, for fronts that do not report it.
    pub base_path: &'a str,
    /// The URL that clients use, from the scheme on.
    pub public_url: Option<&'a str>,
}

impl Front {
    /// Parses the event of a front. `invocation` is Lambda's own id of the request.
    ///
    /// A request that cannot be read has a [`ApiRequest::parse_error`]. The event of an unknown front is a [`ServiceFailure`].
    pub fn parse(
        event: &str,
        address: ServiceAddress<'_>,
        invocation: &str,
    ) -> Result<(Self, ApiRequest), ServiceFailure> {
        let event: FrontEvent<'_> = serde_json::from_str(event).map_err(|_| ServiceFailure::UnknownFront {
            problem: "the event is not an HTTP request of a front",
        })?;
        let front = Self::of_event(&event)?;
        let request = front.request(&event, address, invocation)?;
        Ok((front, request))
    }

    /// Returns the front that sent `event`.
    fn of_event(event: &FrontEvent<'_>) -> Result<Self, ServiceFailure> {
        let context = &event.request_context;
        if context.elb.is_some() {
            let multi_value = event.has_multi_value_headers();
            return Ok(if multi_value { Self::AlbMultiValue } else { Self::Alb });
        }
        let domain = context.domain_name.as_deref();
        match (event.version.as_deref(), &context.http, &context.resource_id) {
            (Some("2.0"), Some(_), _) if function_url::is_domain_name(domain) => Ok(Self::FunctionUrl),
            (Some("2.0"), Some(_), _) => Ok(Self::HttpApi),
            (None, None, Some(_)) if event.http_method.is_some() => Ok(Self::Rest),
            (Some("1.0"), ..) | (None, None, None) if event.http_method.is_some() => {
                Err(ServiceFailure::UnknownFront {
                    problem: "an HTTP API must use payload format 2.0; format 1.0 does not contain the exact key",
                })
            }
            _ => Err(ServiceFailure::UnknownFront {
                problem: "the event is not an HTTP request of a front",
            }),
        }
    }

    fn request(
        self,
        event: &FrontEvent<'_>,
        address: ServiceAddress<'_>,
        invocation: &str,
    ) -> Result<ApiRequest, ServiceFailure> {
        let KeyPath { path, encoding, prefix } = self.key_path(event, address.base_path)?;
        let mut parse_error = path.is_none().then_some(Rejection::OutsideBasePath);
        let mut headers = or_reject(event.header_map(), HeaderMap::new(), &mut parse_error);
        let is_caller_hidden = self.remove_own_headers(event, &mut headers);
        let query = or_reject(self.query(event), Pairs::new(), &mut parse_error);
        let length = or_reject(self.body_length(event, &headers), BodyLength::Unknown, &mut parse_error);
        let body = or_reject(event.post_body(), Bytes::new(), &mut parse_error);
        let reported_url = || origin(event, &headers).map(|origin| origin + &prefix);
        let base_url = address.public_url.map(str::to_owned).or_else(reported_url);
        let request_id = event.request_context.request_id.as_deref();
        Ok(ApiRequest {
            method: event.method().to_owned(),
            path: path.map(Cow::into_owned).unwrap_or_default(),
            encoding,
            query,
            length,
            body,
            base_url: base_url.unwrap_or_default(),
            max_response_bytes: self.max_response_bytes(),
            request_id: request_id.unwrap_or(invocation).to_owned(),
            invocation: invocation.to_owned(),
            gateway: self.identity(event).filter(|_| !is_caller_hidden),
            headers,
            parse_error,
        })
    }

    /// Removes the headers that the front adds and that look like headers of the client. Returns true if the verified
    /// identity is that of the front itself.
    fn remove_own_headers(self, event: &FrontEvent<'_>, headers: &mut HeaderMap) -> bool {
        match self {
            Self::HttpApi => {
                http_api::remove_added_headers(event, headers);
                false
            }
            Self::FunctionUrl => function_url::remove_cloudfront_signature(headers),
            Self::Rest | Self::Alb | Self::AlbMultiValue => false,
        }
    }

    /// The maximum size of a response, as JSON.
    pub const fn max_response_bytes(self) -> usize {
        match self {
            Self::Rest | Self::HttpApi | Self::FunctionUrl => MAX_LAMBDA_BYTES,
            Self::Alb | Self::AlbMultiValue => MAX_ALB_BYTES,
        }
    }

    fn key_path<'a>(self, event: &'a FrontEvent<'_>, base_path: &str) -> Result<KeyPath<'a>, ServiceFailure> {
        match self {
            Self::Rest => rest::key_path(event),
            Self::HttpApi => http_api::key_path(event, base_path),
            Self::FunctionUrl => function_url::key_path(event, base_path),
            Self::Alb | Self::AlbMultiValue => alb::key_path(event, base_path),
        }
    }

    fn query(self, event: &FrontEvent<'_>) -> Result<Pairs, Rejection> {
        match self {
            Self::Rest => Ok(rest::query(event)),
            Self::HttpApi | Self::FunctionUrl => payload2::query(event),
            Self::Alb | Self::AlbMultiValue => alb::query(event),
        }
    }

    fn body_length(self, event: &FrontEvent<'_>, headers: &HeaderMap) -> Result<BodyLength, Rejection> {
        match self {
            Self::Rest => rest::body_length(event, headers),
            Self::HttpApi | Self::FunctionUrl | Self::Alb | Self::AlbMultiValue => {
                content_length::from_headers(headers, event.body_bytes())
            }
        }
    }

    fn identity(self, event: &FrontEvent<'_>) -> Option<GatewayIdentity> {
        match self {
            Self::Rest => rest::identity(event),
            Self::HttpApi | Self::FunctionUrl => payload2::identity(event),
            Self::Alb | Self::AlbMultiValue => None,
        }
    }

    fn render(self, response: &ApiResponse) -> FrontResponse<'_> {
        match self {
            Self::Rest => rest::render(response),
            Self::HttpApi | Self::FunctionUrl => payload2::render(response),
            Self::Alb => alb::render(response),
            Self::AlbMultiValue => alb::render_multi_value(response),
        }
    }
}

/// A response, and the front that receives it. It is serialized in the format of this front.
#[derive(Debug)]
pub(crate) struct EventResponse {
    pub(crate) front: Front,
    pub(crate) response: ApiResponse,
}

impl Serialize for EventResponse {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.front.render(&self.response).serialize(serializer)
    }
}

/// Returns the value, or `default` after recording the rejection.
fn or_reject<T>(value: Result<T, Rejection>, default: T, parse_error: &mut Option<Rejection>) -> T {
    value.unwrap_or_else(|rejection| {
        *parse_error = Some(rejection);
        default
    })
}

/// Returns scheme and host for the commands in our texts: the host in the request, or else the domain name of the front.
fn origin(event: &FrontEvent<'_>, headers: &HeaderMap) -> Option<String> {
    let in_request = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let domain_name = event.request_context.domain_name.as_deref();
    let host = in_request
        .into_iter()
        .chain(domain_name)
        .find(|host| is_plain_host(host))?;
    let insecure = headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "http");
    let scheme = if insecure { Scheme::HTTP } else { Scheme::HTTPS };
    let host = without_default_port(&scheme, host);
    Some(format!("{scheme}://{host}"))
}

/// The maximum length of a host name with a port. Every error of a bulk response can contain the host.
const MAX_HOST: usize = 260;

/// Returns true if a host can be part of a command that is pasted into a shell.
pub fn is_plain_host(host: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':' | b'[' | b']');
    (1..=MAX_HOST).contains(&host.len()) && host.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the base URL of a request to a function URL with this `Host`.
    fn base_url(host: &str) -> String {
        let event = serde_json::json!({
            "version": "2.0",
            "rawPath": "/a",
            "headers": { "host": host, "x-forwarded-proto": "http" },
            "requestContext": {
                "domainName": "x.lambda-url.us-east-1.on.aws",
                "http": { "method": "GET" },
            },
        });
        let (_, request) = Front::parse(&event.to_string(), ServiceAddress::default(), "id")
            .unwrap_or_else(|failure| panic!("{failure}"));
        request.base_url
    }

    #[test]
    fn texts_name_the_host_of_the_request_if_it_is_plain() {
        assert_eq!(base_url("127.0.0.1:8080"), "http://127.0.0.1:8080");
        assert_eq!(base_url("127.0.0.1:80"), "http://127.0.0.1");
        for forged in ["", "$(id)", "a' b", "a/b", "a@b"] {
            assert_eq!(base_url(forged), "http://x.lambda-url.us-east-1.on.aws", "{forged:?}");
        }
    }
}
