//! One buffered request, and the parts of an event that all fronts build in the same way.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{self, HeaderMap, HeaderName};
use http::request::Parts;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

/// Headers that apply to one connection only. No front forwards them.
const HOP_BY_HOP_HEADERS: [HeaderName; 8] = [
    header::CONNECTION,
    header::EXPECT,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// Headers that the front sets itself.
const FRONT_HEADERS: [&str; 4] = [
    "x-amzn-trace-id",
    "x-forwarded-for",
    "x-forwarded-port",
    "x-forwarded-proto",
];

/// One request with its complete body.
#[derive(Debug)]
pub(crate) struct ClientRequest<'a> {
    /// The request line and the headers.
    pub(crate) parts: &'a Parts,
    /// The body.
    pub(crate) body: &'a [u8],
    /// The address of the client.
    pub(crate) peer: SocketAddr,
    /// The address that received the request.
    pub(crate) local: SocketAddr,
    /// The request id that the front assigned.
    pub(crate) request_id: &'a str,
}

impl ClientRequest<'_> {
    /// Returns the method.
    pub(crate) fn method(&self) -> &str {
        self.parts.method.as_str()
    }

    /// Returns the undecoded path, or `/` if the request has none.
    pub(crate) fn path(&self) -> &str {
        request_path(self.parts)
    }

    /// Returns the undecoded query.
    pub(crate) fn raw_query(&self) -> &str {
        self.parts.uri.query().unwrap_or_default()
    }

    /// Returns the undecoded names and values of the query.
    pub(crate) fn raw_pairs(&self) -> impl Iterator<Item = (String, String)> {
        let pairs = self.raw_query().split('&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name.to_owned(), value.to_owned())
        })
    }

    /// Returns the names and values of the query, form-decoded.
    pub(crate) fn decoded_pairs(&self) -> impl Iterator<Item = (String, String)> {
        self.raw_pairs()
            .map(|(name, value)| (form_decode(&name), form_decode(&value)))
    }

    /// Returns the authority that the client addressed.
    pub(crate) fn host(&self) -> String {
        request_host(self.parts)
    }

    /// Returns the headers that reach the function, with lower-case names. A repeated header has one element per value.
    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        let sent = &self.parts.headers;
        // A Content-Length header is not valid for a chunked body (RFC 9112, section 6.3).
        let is_chunked = sent.contains_key(header::TRANSFER_ENCODING);
        let is_dropped = |name: &HeaderName| {
            HOP_BY_HOP_HEADERS.contains(name)
                || FRONT_HEADERS.contains(&name.as_str())
                || *name == header::HOST
                || (is_chunked && *name == header::CONTENT_LENGTH)
        };
        let forwarded = sent.iter().filter(|(name, _)| !is_dropped(name));
        let mut headers: Vec<_> = forwarded
            .map(|(name, value)| (name.as_str().to_owned(), header_text(value)))
            .collect();
        headers.push(("host".into(), self.host()));
        headers.push(("x-amzn-trace-id".into(), self.trace_id()));
        headers.push(("x-forwarded-for".into(), self.forwarded_for()));
        headers.push(("x-forwarded-port".into(), self.local.port().to_string()));
        headers.push(("x-forwarded-proto".into(), "http".into()));
        headers
    }

    /// Returns the body in Base64, or `null` if it is empty, and whether it is Base64.
    pub(crate) fn base64_body(&self) -> (Value, bool) {
        if self.body.is_empty() {
            return (Value::Null, false);
        }
        (json!(STANDARD.encode(self.body)), true)
    }

    /// Returns the body as text if its media type is textual, otherwise in Base64.
    pub(crate) fn text_or_base64_body(&self) -> (Value, bool) {
        match std::str::from_utf8(self.body) {
            Ok(body) if !body.is_empty() && is_text(&self.parts.headers) => (json!(body), false),
            _ => self.base64_body(),
        }
    }

    fn forwarded_for(&self) -> String {
        let previous = self.parts.headers.get("x-forwarded-for").map(header_text);
        previous.map_or_else(String::new, |previous| previous + ", ") + &self.peer.ip().to_string()
    }

    /// Formats the request id as an AWS trace id.
    fn trace_id(&self) -> String {
        let digits: String = self.request_id.chars().filter(char::is_ascii_hexdigit).collect();
        let (time, rest) = digits.split_at(digits.len().min(8));
        format!("Root=1-{time}-{rest}")
    }
}

/// Returns the path of a request, or `/` for `*` and for the authority of a CONNECT.
pub(crate) fn request_path(parts: &Parts) -> &str {
    let path = parts.uri.path();
    if path.starts_with('/') { path } else { "/" }
}

/// Returns the authority that the client addressed, or an empty string.
pub(crate) fn request_host(parts: &Parts) -> String {
    let uri_authority = parts.uri.authority().map(ToString::to_string);
    let host_header = || parts.headers.get(header::HOST).map(header_text);
    uri_authority.or_else(host_header).unwrap_or_default()
}

/// Converts pairs to an object with the last value of each name, or `null` if there are no pairs.
pub(crate) fn last_values(pairs: impl IntoIterator<Item = (String, String)>) -> Value {
    let object: Map<_, _> = pairs.into_iter().map(|(name, value)| (name, json!(value))).collect();
    object_or_null(object)
}

/// Converts pairs to an object of lists, or `null` if there are no pairs.
pub(crate) fn all_values(pairs: impl IntoIterator<Item = (String, String)>) -> Value {
    let mut object = Map::new();
    for (name, value) in pairs {
        let values = object.entry(name).or_insert_with(|| json!([]));
        values
            .as_array_mut()
            .expect("every entry is inserted as a list")
            .push(json!(value));
    }
    object_or_null(object)
}

/// Converts pairs to an object that joins repeated values with commas, or `null` if there are no pairs.
pub(crate) fn joined_values(pairs: impl IntoIterator<Item = (String, String)>) -> Value {
    let mut object = Map::new();
    for (name, value) in pairs {
        let joined = match object.get(&name).and_then(Value::as_str) {
            Some(previous) => format!("{previous},{value}"),
            None => value,
        };
        object.insert(name, json!(joined));
    }
    object_or_null(object)
}

fn object_or_null(object: Map<String, Value>) -> Value {
    if object.is_empty() {
        Value::Null
    } else {
        Value::Object(object)
    }
}

fn header_text(value: &http::HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn form_decode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

fn is_text(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).map(header_text).unwrap_or_default();
    let essence = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let text_types = ["application/json", "application/javascript", "application/xml"];
    !headers.contains_key(header::CONTENT_ENCODING) && (essence.starts_with("text/") || text_types.contains(&&*essence))
}
