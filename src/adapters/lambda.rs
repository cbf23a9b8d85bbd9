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

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::GetAll;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use lambda_http::lambda_runtime::{LambdaEvent, Runtime, service_fn};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
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
    let handler = Arc::new(Handler::start(settings, CredentialSource::environment().await).await?);
    let service = service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let handler = Arc::clone(&handler);
        async move {
            let now = SystemTime::now();
            Ok::<_, Infallible>(answer(&handler, event.payload.get(), &event.context.request_id, now).await)
        }
    });
    // Not `lambda_runtime::run`, which puts a span around each event, dearer than the line that it is written into.
    Runtime::new(service).run().await.map_err(RunError::Runtime)
}

/// One JSON line for each log event, on standard output as Lambda wants it.
fn log_as(level: LevelFilter) {
    log_to(std::io::stdout, level).init();
}

/// Of other crates only errors are told: at `trace` the runtime logs whole requests with their credentials, and the
/// signer what it signs.
fn log_to(
    writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static,
    level: LevelFilter,
) -> impl Subscriber + Send + Sync {
    let others = level.min(LevelFilter::ERROR);
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true);
    let filter = Targets::new().with_default(others).with_target("signpost", level);
    tracing_subscriber::registry()
        .with(lines.with_target(false).with_writer(writer))
        .with(filter)
}

/// Answers one event, as JSON for the front that sent it. `invocation` is Lambda's own id of the request.
#[expect(
    clippy::missing_panics_doc,
    reason = "an answer of strings and numbers is always JSON"
)]
pub async fn respond(handler: &Handler, event: &str, invocation: &str, now: SystemTime) -> String {
    let answer = answer(handler, event, invocation, now).await;
    serde_json::to_string(&answer).expect("an answer of strings and numbers is JSON")
}

async fn answer(handler: &Handler, event: &str, invocation: &str, now: SystemTime) -> Answer {
    let delivered = serde_json::from_str(event)
        .map_err(|_| Failure::UnknownFront {
            problem: "the event is not an HTTP request of a front",
        })
        .and_then(|event: Event<'_>| event.deliver(handler.base_path(), invocation));
    match delivered {
        Ok((shape, request)) => Answer {
            shape,
            response: handler.handle(&request, now).await,
        },
        Err(failure) => {
            tracing::error!(request.invocation = invocation, error = %failure, "could not read the event");
            Answer {
                shape: Shape::MultiValue,
                response: response::failure(&HeaderMap::new(), invocation, &failure),
            }
        }
    }
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
    #[serde(borrow, default)]
    path_parameters: Option<PathParameters<'a>>,
    #[serde(borrow, default)]
    headers: Option<BTreeMap<Text<'a>, Text<'a>>>,
    #[serde(borrow, default)]
    multi_value_headers: Option<BTreeMap<Text<'a>, Vec<Text<'a>>>>,
    #[serde(borrow, default)]
    query_string_parameters: Option<BTreeMap<Text<'a>, Text<'a>>>,
    #[serde(borrow, default)]
    multi_value_query_string_parameters: Option<BTreeMap<Text<'a>, Vec<Text<'a>>>>,
    #[serde(borrow)]
    request_context: RequestContext<'a>,
    #[serde(borrow, default)]
    body: Option<Cow<'a, str>>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Deserialize)]
struct PathParameters<'a> {
    #[serde(borrow, default)]
    proxy: Option<Cow<'a, str>>,
}

/// A name or a value, borrowed from the event unless it has escapes there.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

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
        let body = self.post_body().unwrap_or_else(|rejection| {
            defect = Some(rejection);
            Bytes::new()
        });
        let request = ApiRequest {
            body,
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
            invocation: invocation.to_owned(),
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
        // Without a proxy parameter only slashes stand behind the place, and all but the first are the key.
        let key = if proxy.is_empty() { "" } else { &path[before.len()..] };
        let whole = self.request_context.path.as_deref().unwrap_or(path);
        if !whole.ends_with(key) && whole.contains("//") {
            return Err(Failure::UnknownFront {
                problem: "the path of the request context spells the key in another way",
            });
        }
        // An emulator may tell the resource there, and not the path.
        let whole = if whole.ends_with(key) { whole } else { path };
        let before = &whole[..whole.len() - key.len()];
        let place = before.trim_end_matches('/');
        let path = format!("{}{key}", &before[place.len()..]);
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
        for (Text(name), Text(value)) in multiple.chain(single) {
            let bad = || Rejection::BadValue {
                name: name.escape_debug().to_string(),
                problem: "is not a header".into(),
            };
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
            let value = HeaderValue::from_str(value).map_err(|_| bad())?;
            headers.try_append(header, value).map_err(|_| bad())?;
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
        let decode = |text: &str| {
            if front == Front::Alb {
                form_decode(text)
            } else {
                Ok(text.to_owned())
            }
        };
        let multiple = self.multi_value_query_string_parameters.iter().flatten();
        let multiple = multiple.flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
        let only_single = self.multi_value_query_string_parameters.is_none();
        let single = self.query_string_parameters.iter().flatten().filter(|_| only_single);
        multiple
            .chain(single)
            .map(|(Text(name), Text(value))| Ok((decode(name)?, decode(value)?)))
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

    fn post_body(&self) -> Result<Bytes, Rejection> {
        let body = self
            .body
            .as_deref()
            .filter(|_| self.method() == "POST")
            .unwrap_or_default();
        if !self.is_base64_encoded {
            return Ok(Bytes::copy_from_slice(body.as_bytes()));
        }
        let bad = |_| Rejection::BadValue {
            name: "body".into(),
            problem: "did not arrive whole".into(),
        };
        BASE64_STANDARD.decode(body).map(Bytes::from).map_err(bad)
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

/// An answer, and the shape in which it is written.
struct Answer {
    shape: Shape,
    response: ApiResponse,
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { shape, response } = self;
        let headers = response.headers();
        let multiple = matches!(shape, Shape::MultiValue | Shape::AlbMultiValue);
        let described = matches!(shape, Shape::AlbSingleValue | Shape::AlbMultiValue);
        let fields = AnswerFields {
            status_code: response.status().as_u16(),
            status_description: described.then(|| response.status().to_string()),
            headers: (!multiple).then_some(SingleValues(headers)),
            multi_value_headers: multiple.then_some(MultipleValues(headers)),
            body: std::str::from_utf8(response.body()).expect("every body of ours is text"),
            is_base64_encoded: false,
            cookies: (*shape == Shape::Payload2).then_some([]),
        };
        fields.serialize(serializer)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AnswerFields<'a> {
    status_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<SingleValues<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    multi_value_headers: Option<MultipleValues<'a>>,
    body: &'a str,
    is_base64_encoded: bool,
    /// Nothing is ever set; but readers of payload 2.0 may want the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    cookies: Option<[&'a str; 0]>,
}

/// The first value of each header.
struct SingleValues<'a>(&'a HeaderMap);

impl Serialize for SingleValues<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let first = |name| self.0.get(name).map(text);
        serializer.collect_map(self.0.keys().map(|name| (name.as_str(), first(name))))
    }
}

/// Every value of each header.
struct MultipleValues<'a>(&'a HeaderMap);

impl Serialize for MultipleValues<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.keys().map(|name| (name.as_str(), Values(self.0.get_all(name)))))
    }
}

struct Values<'a>(GetAll<'a, HeaderValue>);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(text))
    }
}

fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_level_lets_other_crates_log_requests() {
        let lines = Lines::default();
        let writer = lines.clone();
        tracing::subscriber::with_default(log_to(move || writer.clone(), LevelFilter::TRACE), || {
            tracing::trace!(target: "lambda_runtime::layers::api_response", body = "secret", "raw event");
            tracing::error!(target: "lambda_runtime", "broken");
            tracing::trace!(target: "signpost::adapters::handler", "signed");
        });
        let lines = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(lines.contains("broken") && lines.contains("signed"), "{lines}");
        assert!(!lines.contains("secret"), "{lines}");
    }

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
