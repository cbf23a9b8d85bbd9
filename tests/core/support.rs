//! Helpers of the integration tests: a handler with known credentials, and short constructors of requests.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::config::Credentials;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use signpost::config::Settings;
use signpost::key::PathEncoding;
use signpost::outbound::aws::CredentialSource;
use signpost::request::{ApiRequest, BodyLength};
use signpost::response::ApiResponse;
use signpost::service::handler::Handler;

pub(crate) const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
pub(crate) const SESSION_TOKEN: &str = "session/token+with=signs";

/// Rules that allow everything to anyone, like the local server.
pub(crate) const OPEN_RULES: &str = r#"
version = 1
[[rule]]
id = "open"
who = ["anyone"]
can = ["read", "write", "delete"]
on = ["**"]
allow_anonymous_write = true
client_may_set = ["versionId", "response-content-type", "x-amz-storage-class", "x-amz-tagging"]
"#;

/// 2026-07-10T19:19:04Z.
pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_783_711_144)
}

pub(crate) fn credentials(token: Option<&str>, expiry: Option<SystemTime>) -> Credentials {
    Credentials::new(
        "AKIAIOSFODNN7EXAMPLE",
        SECRET_KEY,
        token.map(str::to_owned),
        expiry,
        "test",
    )
}

pub(crate) fn settings(more: &[(&str, &str)]) -> Settings {
    let base = [("SIGNPOST_BUCKET", "example-bucket"), ("AWS_REGION", "eu-central-1")];
    let env = more
        .iter()
        .chain(&base)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Settings::from_env(env).expect("the settings are good")
}

/// A handler with these rules.
pub(crate) async fn handler(rules: &str) -> Handler {
    handler_with(&[("SIGNPOST_RULES", rules)], credentials(None, None)).await
}

pub(crate) async fn handler_with(env: &[(&str, &str)], credentials: Credentials) -> Handler {
    let source = CredentialSource::from_provider(credentials);
    Handler::start(settings(env), source).await.expect("the handler starts")
}

/// A request without body and headers.
pub(crate) fn ask(method: &str, path_and_query: &str) -> ApiRequest {
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    ApiRequest {
        method: method.into(),
        path: path.into(),
        encoding: PathEncoding::Percent,
        query: pairs.map(|(name, value)| (name.into(), value.into())).collect(),
        headers: HeaderMap::new(),
        length: BodyLength::Unknown,
        base_url: "https://files.example.com".into(),
        max_response_bytes: 6 << 20,
        request_id: "request-1".into(),
        invocation: "invocation-1".into(),
        body: Bytes::new(),
        gateway: None,
        parse_error: None,
    }
}

/// Adds headers and a body's length to a request.
pub(crate) trait With {
    #[must_use]
    fn with(self, name: &str, value: &str) -> Self;
    #[must_use]
    fn sized(self, length: u64) -> Self;
}

impl With for ApiRequest {
    fn with(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
        self.headers
            .append(name, HeaderValue::from_bytes(value.as_bytes()).expect("a header value"));
        self
    }

    fn sized(mut self, length: u64) -> Self {
        self.length = BodyLength::Declared(length);
        self
    }
}

pub(crate) fn header<'a>(response: &'a ApiResponse, name: &str) -> &'a str {
    response
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().expect("ASCII"))
}

pub(crate) fn body(response: &ApiResponse) -> &str {
    std::str::from_utf8(response.body()).expect("UTF-8")
}

pub(crate) fn json(response: &ApiResponse) -> serde_json::Value {
    serde_json::from_slice(response.body()).unwrap_or_else(|error| panic!("{error}: {:?}", response.body()))
}

/// The value of a parameter in a URL, unescaped.
pub(crate) fn parameter(url: &str, name: &str) -> Option<String> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let value = query
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    Some(
        percent_encoding::percent_decode_str(value)
            .decode_utf8()
            .expect("UTF-8")
            .into_owned(),
    )
}
