//! One buffered request, and what every front tells of it alike.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{self, HeaderMap, HeaderName};
use http::request::Parts;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

/// Headers that speak of one connection, and that no front passes on.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    header::EXPECT,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// Headers of which the front tells its own.
const FORWARDED: [&str; 4] = [
    "x-amzn-trace-id",
    "x-forwarded-for",
    "x-forwarded-port",
    "x-forwarded-proto",
];

/// One request, its body read to the end.
#[derive(Debug)]
pub(crate) struct Delivery<'a> {
    /// The request line and the headers.
    pub(crate) parts: &'a Parts,
    /// The body.
    pub(crate) body: &'a [u8],
    /// The client.
    pub(crate) peer: SocketAddr,
    /// Where the request came in.
    pub(crate) local: SocketAddr,
    /// The front's id of the request.
    pub(crate) request_id: &'a str,
}

impl Delivery<'_> {
    /// The method.
    pub(crate) fn method(&self) -> &str {
        self.parts.method.as_str()
    }

    /// The path as it was sent, from its first slash on; requests without one are for the root.
    pub(crate) fn path(&self) -> &str {
        path(self.parts)
    }

    /// The query as it was sent.
    pub(crate) fn raw_query(&self) -> &str {
        self.parts.uri.query().unwrap_or_default()
    }

    /// The query's names and values as they were sent.
    pub(crate) fn raw_pairs(&self) -> impl Iterator<Item = (String, String)> {
        let pairs = self.raw_query().split('&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name.to_owned(), value.to_owned())
        })
    }

    /// The query's names and values, decoded as a form is.
    pub(crate) fn decoded_pairs(&self) -> impl Iterator<Item = (String, String)> {
        self.raw_pairs()
            .map(|(name, value)| (form_decode(&name), form_decode(&value)))
    }

    /// The authority that the client addressed.
    pub(crate) fn host(&self) -> String {
        host(self.parts)
    }

    /// The headers that reach the function, by lower-case name, repeated ones one after the other.
    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        let sent = &self.parts.headers;
        // A chunked body has no length, whatever else the request says.
        let chunked = sent.contains_key(header::TRANSFER_ENCODING);
        let dropped = |name: &HeaderName| {
            HOP_BY_HOP.contains(name)
                || FORWARDED.contains(&name.as_str())
                || *name == header::HOST
                || (chunked && *name == header::CONTENT_LENGTH)
        };
        let kept = sent.iter().filter(|(name, _)| !dropped(name));
        let mut headers: Vec<_> = kept
            .map(|(name, value)| (name.as_str().to_owned(), text(value)))
            .collect();
        headers.push(("host".into(), self.host()));
        headers.push(("x-amzn-trace-id".into(), self.trace_id()));
        headers.push(("x-forwarded-for".into(), self.forwarded_for()));
        headers.push(("x-forwarded-port".into(), self.local.port().to_string()));
        headers.push(("x-forwarded-proto".into(), "http".into()));
        headers
    }

    /// The body in Base64, or nothing.
    pub(crate) fn base64_body(&self) -> (Value, bool) {
        if self.body.is_empty() {
            return (Value::Null, false);
        }
        (json!(STANDARD.encode(self.body)), true)
    }

    /// The body as it is where its media type is one of text, and else in Base64.
    pub(crate) fn typed_body(&self) -> (Value, bool) {
        match std::str::from_utf8(self.body) {
            Ok(body) if !body.is_empty() && is_text(&self.parts.headers) => (json!(body), false),
            _ => self.base64_body(),
        }
    }

    fn forwarded_for(&self) -> String {
        let before = self.parts.headers.get("x-forwarded-for").map(text);
        before.map_or_else(String::new, |before| before + ", ") + &self.peer.ip().to_string()
    }

    /// The request id in the form that AWS gives to a trace.
    fn trace_id(&self) -> String {
        let digits: String = self.request_id.chars().filter(char::is_ascii_hexdigit).collect();
        let (time, rest) = digits.split_at(digits.len().min(8));
        format!("Root=1-{time}-{rest}")
    }
}

/// The path of a request; `*` and the authority of a CONNECT name the root.
pub(crate) fn path(parts: &Parts) -> &str {
    let path = parts.uri.path();
    if path.starts_with('/') { path } else { "/" }
}

/// The authority that the client addressed, or nothing.
pub(crate) fn host(parts: &Parts) -> String {
    let named = parts.uri.authority().map(ToString::to_string);
    let told = || parts.headers.get(header::HOST).map(text);
    named.or_else(told).unwrap_or_default()
}

/// Pairs as an object that keeps the last value of each name; `null` when there are none.
pub(crate) fn last_values(pairs: impl IntoIterator<Item = (String, String)>) -> Value {
    let object: Map<_, _> = pairs.into_iter().map(|(name, value)| (name, json!(value))).collect();
    if object.is_empty() {
        Value::Null
    } else {
        Value::Object(object)
    }
}

/// Pairs as an object of lists; `null` when there are none.
pub(crate) fn all_values(pairs: impl IntoIterator<Item = (String, String)>) -> Value {
    let mut object = Map::new();
    for (name, value) in pairs {
        let values = object.entry(name).or_insert_with(|| json!([]));
        values
            .as_array_mut()
            .expect("every entry is made a list")
            .push(json!(value));
    }
    if object.is_empty() {
        Value::Null
    } else {
        Value::Object(object)
    }
}

/// Pairs as an object that joins repeated values by commas; `null` when there are none.
pub(crate) fn joined_values(pairs: impl IntoIterator<Item = (String, String)>) -> Value {
    let mut object = Map::new();
    for (name, value) in pairs {
        let joined = match object.get(&name).and_then(Value::as_str) {
            Some(before) => format!("{before},{value}"),
            None => value,
        };
        object.insert(name, json!(joined));
    }
    if object.is_empty() {
        Value::Null
    } else {
        Value::Object(object)
    }
}

fn text(value: &http::HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn form_decode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

fn is_text(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).map(text).unwrap_or_default();
    let essence = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let known = ["application/json", "application/javascript", "application/xml"];
    !headers.contains_key(header::CONTENT_ENCODING) && (essence.starts_with("text/") || known.contains(&&*essence))
}
