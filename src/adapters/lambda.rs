//! The Lambda fronts: their events as [`ApiRequest`]s, and answers in the shape that each wants back.
//!
//! The events are read field by field and not through `lambda_http::Request`, whose URI is lossy and whose building
//! panics on a malformed host or query. Of `lambda_http` this uses the runtime.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use lambda_http::lambda_runtime::{self, LambdaEvent, service_fn};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::adapters::aws::CredentialSource;
use crate::adapters::handler::{Handler, chain};
use crate::adapters::identity::{self, Authorizer, RestIdentity};
use crate::config::{ConfigError, Settings};
use crate::key::PathEncoding;
use crate::rejection::Rejection;
use crate::request::{ApiRequest, BodyLength, GatewayIdentity};
use crate::response::{self, ApiResponse, Failure};

/// Why the function ended.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the Lambda runtime ended")]
    Runtime(#[source] lambda_http::Error),
}

/// Runs the function until the sandbox ends; what stops the start-up is logged.
pub async fn run() -> ExitCode {
    match start().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("signpost: {}", chain(&error));
            ExitCode::FAILURE
        }
    }
}

async fn start() -> Result<(), RunError> {
    let settings = Settings::from_env(std::env::vars())?;
    log_as(settings.log);
    let handler = Arc::new(Handler::start(settings, CredentialSource::environment()).await?);
    let service = service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let handler = Arc::clone(&handler);
        async move {
            let now = SystemTime::now();
            let answer = respond(&handler, event.payload.get(), &event.context.request_id, now).await;
            Ok::<_, Infallible>(RawValue::from_string(answer).expect("the answer was written as JSON"))
        }
    });
    lambda_runtime::run(service).await.map_err(RunError::Runtime)
}

/// One JSON line for each event, on standard output as Lambda wants it. Other crates may only warn: at their loudest
/// they log whole requests, signatures and tokens among them.
fn log_as(level: LevelFilter) {
    let quiet = Targets::new().with_default(level.min(LevelFilter::WARN));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_target(false)
        .with_max_level(level)
        .finish()
        .with(quiet.with_target("signpost", level))
        .init();
}

/// Answers one event, as JSON for the front that sent it. `invocation` is Lambda's own id of the request.
pub async fn respond(handler: &Handler, event: &str, invocation: &str, now: SystemTime) -> String {
    let delivered = serde_json::from_str(event)
        .map_err(|_| Failure::UnknownFront {
            problem: "the event is not an HTTP request of a front",
        })
        .and_then(|event: Event<'_>| event.deliver(handler.base_path(), invocation));
    let (shape, response) = match delivered {
        Ok((shape, request)) => (shape, handler.handle(&request, now).await),
        Err(failure) => {
            tracing::error!(request.id = invocation, error = %failure, "could not read the event");
            (
                Shape::MultiValue,
                response::failure(&HeaderMap::new(), invocation, &failure),
            )
        }
    };
    shape.write(&response)
}

/// The union of the events' fields; what tells the key, the caller or the length, and nothing else.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    #[serde(borrow, default)]
    version: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    http_method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    path: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    raw_path: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    raw_query_string: Option<Cow<'a, str>>,
    #[serde(default)]
    path_parameters: Option<PathParameters>,
    #[serde(default)]
    headers: Option<BTreeMap<String, String>>,
    #[serde(default)]
    multi_value_headers: Option<BTreeMap<String, Vec<String>>>,
    #[serde(default)]
    query_string_parameters: Option<BTreeMap<String, String>>,
    #[serde(default)]
    multi_value_query_string_parameters: Option<BTreeMap<String, Vec<String>>>,
    #[serde(borrow)]
    request_context: RequestContext<'a>,
    #[serde(borrow, default)]
    body: Option<Cow<'a, str>>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Deserialize)]
struct PathParameters {
    proxy: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    #[serde(default)]
    elb: Option<serde::de::IgnoredAny>,
    #[serde(borrow, default)]
    http: Option<HttpContext<'a>>,
    #[serde(borrow, default)]
    resource_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    path: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    stage: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    domain_name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    request_id: Option<Cow<'a, str>>,
    #[serde(default)]
    authorizer: Option<Authorizer>,
    #[serde(default)]
    identity: Option<RestIdentity>,
}

#[derive(Deserialize)]
struct HttpContext<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
}

/// Which service stands in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Front {
    Rest,
    HttpApi,
    FunctionUrl,
    Alb,
}

/// A path without what the front put before the key, and what that was.
struct KeyPath<'a> {
    path: Cow<'a, str>,
    encoding: PathEncoding,
    before: Cow<'a, str>,
}

impl Event<'_> {
    fn deliver(self, base_path: &str, invocation: &str) -> Result<(Shape, ApiRequest), Failure> {
        let front = self.front()?;
        let shape = self.shape(front);
        let KeyPath { path, encoding, before } = self.key_path(front, base_path)?;
        let mut defect = (!under(&path, "")).then_some(Rejection::OutsideBasePath);
        let headers = self.header_map().unwrap_or_else(|rejection| {
            defect = Some(rejection);
            HeaderMap::new()
        });
        let query = self.query(front).unwrap_or_else(|rejection| {
            defect = Some(rejection);
            Vec::new()
        });
        let length = self.body_length(front, &headers).unwrap_or_else(|rejection| {
            defect = Some(rejection);
            BodyLength::Untold
        });
        let request = ApiRequest {
            method: self.method().to_owned(),
            path: path.clone().into_owned(),
            encoding,
            query,
            length,
            base_url: self
                .origin(&headers)
                .map_or_else(String::new, |origin| origin + &before),
            request_id: self
                .request_context
                .request_id
                .as_deref()
                .unwrap_or(invocation)
                .to_owned(),
            gateway: self.gateway(front),
            headers,
            defect,
        };
        Ok((shape, request))
    }

    fn front(&self) -> Result<Front, Failure> {
        let context = &self.request_context;
        if context.elb.is_some() {
            return Ok(Front::Alb);
        }
        match (self.version.as_deref(), &context.http, &context.resource_id) {
            (Some("2.0"), Some(_), _) if is_function_url(context.domain_name.as_deref()) => Ok(Front::FunctionUrl),
            (Some("2.0"), Some(_), _) => Ok(Front::HttpApi),
            (None, None, Some(_)) if self.http_method.is_some() => Ok(Front::Rest),
            (Some("1.0"), ..) | (None, None, None) if self.http_method.is_some() => Err(Failure::UnknownFront {
                problem: "an HTTP API must send payload format 2.0, not 1.0, which does not tell the key exactly",
            }),
            _ => Err(Failure::UnknownFront {
                problem: "the event is not an HTTP request of a front",
            }),
        }
    }

    fn shape(&self, front: Front) -> Shape {
        match front {
            Front::Rest => Shape::MultiValue,
            Front::HttpApi | Front::FunctionUrl => Shape::Payload2,
            Front::Alb if self.multi_value_headers.is_some() => Shape::AlbMultiValue,
            Front::Alb => Shape::AlbSingleValue,
        }
    }

    fn method(&self) -> &str {
        let payload2 = self.request_context.http.as_ref().map(|http| &*http.method);
        payload2.or(self.http_method.as_deref()).unwrap_or_default()
    }

    fn gateway(&self, front: Front) -> Option<GatewayIdentity> {
        let RequestContext {
            authorizer, identity, ..
        } = &self.request_context;
        match front {
            Front::Rest => identity::of_rest(authorizer.as_ref(), identity.as_ref()),
            Front::HttpApi | Front::FunctionUrl => identity::of_payload2(authorizer.as_ref()?),
            Front::Alb => None,
        }
    }

    fn key_path(&self, front: Front, base_path: &str) -> Result<KeyPath<'_>, Failure> {
        let no_path = Failure::UnknownFront {
            problem: "the event has no path",
        };
        match front {
            Front::Rest => self.rest_path(),
            Front::HttpApi => {
                let stage = self.request_context.stage.as_deref().unwrap_or("$default");
                let before = if stage == "$default" {
                    String::new()
                } else {
                    format!("/{stage}")
                };
                let path = self.raw_path.as_deref().ok_or(no_path)?;
                let Some(path) = path.strip_prefix(&before).filter(|path| under(path, "")) else {
                    return Err(Failure::UnknownFront {
                        problem: "the path does not begin with the stage",
                    });
                };
                Ok(below(path, PathEncoding::Decoded, before, base_path))
            }
            Front::FunctionUrl => {
                let path = self.raw_path.as_deref().ok_or(no_path)?;
                Ok(below(path, PathEncoding::Percent, String::new(), base_path))
            }
            Front::Alb => {
                let path = self.path.as_deref().ok_or(no_path)?;
                Ok(below(path, PathEncoding::Percent, String::new(), base_path))
            }
        }
    }

    /// A REST API keeps the escapes in `path` but collapses a leading `//` there, which `requestContext.path` keeps;
    /// `pathParameters.proxy` tells where the key begins but loses a trailing `/`.
    fn rest_path(&self) -> Result<KeyPath<'_>, Failure> {
        let path = self.path.as_deref().ok_or(Failure::UnknownFront {
            problem: "the event has no path",
        })?;
        let proxy = self
            .path_parameters
            .as_ref()
            .and_then(|parameters| parameters.proxy.as_deref())
            .unwrap_or_default();
        let found = path.trim_end_matches('/').strip_suffix(proxy.trim_end_matches('/'));
        let Some(before) = found else {
            return Err(Failure::UnknownFront {
                problem: "the path does not end with the proxy parameter",
            });
        };
        let key = if proxy.is_empty() { "" } else { &path[before.len()..] };
        let whole = self.request_context.path.as_deref().unwrap_or(path);
        // An emulator may tell the resource there, and not the path.
        let whole = if whole.ends_with(key) { whole } else { path };
        let before = &whole[..whole.len() - key.len()];
        let place = before.trim_end_matches('/');
        let path = format!("{}{key}", if key.is_empty() { "/" } else { &before[place.len()..] });
        Ok(KeyPath {
            path: path.into(),
            encoding: PathEncoding::Percent,
            before: place.into(),
        })
    }

    fn header_map(&self) -> Result<HeaderMap, Rejection> {
        let mut headers = HeaderMap::new();
        let multiple = self.multi_value_headers.iter().flatten();
        let multiple = multiple.flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
        let single = self
            .headers
            .iter()
            .flatten()
            .filter(|_| self.multi_value_headers.is_none());
        for (name, value) in multiple.chain(single) {
            let bad = || Rejection::BadValue {
                name: name.escape_debug().to_string(),
                problem: "is not a header".into(),
            };
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
            headers.append(header, HeaderValue::from_str(value).map_err(|_| bad())?);
        }
        Ok(headers)
    }

    /// A REST API decodes the query; payload 2.0 tells it raw, and an ALB leaves names and values as they were sent.
    fn query(&self, front: Front) -> Result<Vec<(String, String)>, Rejection> {
        if let Some(raw) = self
            .raw_query_string
            .as_deref()
            .filter(|_| matches!(front, Front::HttpApi | Front::FunctionUrl))
        {
            let pairs = raw.split('&').filter(|pair| !pair.is_empty());
            let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
            return pairs
                .map(|(name, value)| Ok((form_decode(name)?, form_decode(value)?)))
                .collect();
        }
        let decode = |text: &String| {
            if front == Front::Alb {
                form_decode(text)
            } else {
                Ok(text.clone())
            }
        };
        let multiple = self.multi_value_query_string_parameters.iter().flatten();
        let multiple = multiple.flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
        let only_single = self.multi_value_query_string_parameters.is_none();
        let single = self.query_string_parameters.iter().flatten().filter(|_| only_single);
        multiple
            .chain(single)
            .map(|(name, value)| Ok((decode(name)?, decode(value)?)))
            .collect()
    }

    /// A REST API tells no `Content-Length`, and elsewhere a body without one came in chunks.
    fn body_length(&self, front: Front, headers: &HeaderMap) -> Result<BodyLength, Rejection> {
        let encodings = headers.get_all(header::TRANSFER_ENCODING).iter();
        if encodings
            .into_iter()
            .any(|encoding| encoding.as_bytes().to_ascii_lowercase().ends_with(b"chunked"))
        {
            return Ok(BodyLength::Chunked);
        }
        let delivered = self.delivered_bytes();
        match headers.get(header::CONTENT_LENGTH) {
            _ if front == Front::Rest && delivered > 0 => Ok(BodyLength::Declared(delivered)),
            Some(length) => {
                let length = length.to_str().ok().and_then(|length| length.parse().ok());
                length.map(BodyLength::Declared).ok_or_else(|| Rejection::BadValue {
                    name: header::CONTENT_LENGTH.as_str().into(),
                    problem: "must be a whole number of bytes".into(),
                })
            }
            None if front == Front::Rest => Ok(BodyLength::Untold),
            None if delivered > 0 => Ok(BodyLength::Chunked),
            None => Ok(BodyLength::Undeclared),
        }
    }

    fn delivered_bytes(&self) -> u64 {
        let body = self.body.as_deref().unwrap_or_default();
        let bytes = if self.is_base64_encoded {
            body.trim_end_matches('=').len() * 3 / 4
        } else {
            body.len()
        };
        bytes as u64
    }

    /// Scheme and host, for the commands in our texts: the host that the client addressed, or else the front's name.
    fn origin(&self, headers: &HeaderMap) -> Option<String> {
        let told = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let named = self.request_context.domain_name.as_deref();
        let host = told.into_iter().chain(named).find(|host| is_plain_host(host))?;
        let insecure = headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "http");
        let scheme = if insecure { "http" } else { "https" };
        Some(format!("{scheme}://{host}"))
    }
}

/// Whether a host can stand in a command that is pasted into a shell.
pub fn is_plain_host(host: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':' | b'[' | b']');
    !host.is_empty() && host.bytes().all(plain)
}

fn is_function_url(domain: Option<&str>) -> bool {
    domain.is_some_and(|domain| domain.contains(".lambda-url.") && domain.ends_with(".on.aws"))
}

/// Whether `path` is `base` or lies below it.
fn under(path: &str, base: &str) -> bool {
    path.strip_prefix(base)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Drops the base path; a path outside keeps none of its slashes, by which `deliver` knows it.
fn below<'a>(path: &'a str, encoding: PathEncoding, before: String, base_path: &str) -> KeyPath<'a> {
    if under(path, base_path) {
        KeyPath {
            path: path[base_path.len()..].into(),
            encoding,
            before: (before + base_path).into(),
        }
    } else {
        KeyPath {
            path: path.trim_start_matches('/').into(),
            encoding,
            before: before.into(),
        }
    }
}

fn form_decode(text: &str) -> Result<String, Rejection> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced)
        .decode_utf8()
        .map_err(|_| Rejection::BadQuery)?;
    Ok(decoded.into_owned())
}

/// The shape of the answer that a front wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    MultiValue,
    Payload2,
    AlbSingleValue,
    AlbMultiValue,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    status_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<BTreeMap<&'a str, &'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    multi_value_headers: Option<BTreeMap<&'a str, Vec<&'a str>>>,
    body: &'a str,
    is_base64_encoded: bool,
}

impl Shape {
    fn write(self, response: &ApiResponse) -> String {
        let status = response.status();
        let described = matches!(self, Self::AlbSingleValue | Self::AlbMultiValue);
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()));
        let mut grouped: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, value) in headers {
            grouped.entry(name).or_default().push(value);
        }
        let multiple = matches!(self, Self::MultiValue | Self::AlbMultiValue);
        let single = || grouped.iter().map(|(name, values)| (*name, values[0])).collect();
        let answer = Answer {
            status_code: status.as_u16(),
            status_description: described.then(|| status.to_string()),
            headers: (!multiple).then(single),
            body: std::str::from_utf8(response.body()).expect("every body of ours is text"),
            is_base64_encoded: false,
            multi_value_headers: multiple.then_some(grouped),
        };
        serde_json::to_string(&answer).expect("an answer of strings and numbers is JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The base URL of a function URL's request whose `Host` and whose own name are these.
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
        let event = event.to_string();
        let event: Event<'_> = serde_json::from_str(&event).unwrap();
        event
            .deliver("", "id")
            .unwrap_or_else(|failure| panic!("{failure}"))
            .1
            .base_url
    }

    #[test]
    fn texts_name_the_host_that_the_client_addressed_if_it_is_one() {
        assert_eq!(base_url("127.0.0.1:8080"), "http://127.0.0.1:8080");
        for forged in ["", "$(id)", "a' b", "a/b", "a@b"] {
            assert_eq!(base_url(forged), "http://x.lambda-url.us-east-1.on.aws", "{forged:?}");
        }
    }
}
