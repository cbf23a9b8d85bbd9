//! Adapts a verified request to `s3s`, which parses some headers more strictly than AWS.
//!
//! - The signature is removed, because the verification is complete. `s3s` verifies only bodies that consist of signed
//!   chunks. This also allows changes to headers that the client signed.
//! - A `Range` that S3 ignores is removed.
//! - The headers that S3 stores as text, such as `Expires`, and the `response-*` parameters become extensions.

use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, EXPIRES, RANGE,
};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, Method, Uri};
use s3s::dto::Range;

use super::latin1;
use super::request_body::is_upload;
use super::verification::{AuthMechanism, QueryString, S3Rejection};

const PAYLOAD_HASH: &str = "x-amz-content-sha256";

/// The headers that S3 stores and returns unchanged.
const SYSTEM_HEADERS: [HeaderName; 6] = [
    CACHE_CONTROL,
    CONTENT_DISPOSITION,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_TYPE,
    EXPIRES,
];

/// Marks a request whose signature has been verified, an extension of the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VerifiedSigner;

/// The headers that are stored with an object, an extension of the request.
#[derive(Clone, Debug, Default)]
pub(crate) struct SystemHeaders(pub(crate) HeaderMap);

/// The headers that `response-*` parameters replace in the response, an extension of the request.
#[derive(Clone, Debug, Default)]
pub(crate) struct ResponseOverrides(pub(crate) HeaderMap);

/// The requested range in the words of the client, an extension of the request.
#[derive(Clone, Debug)]
pub(crate) struct RequestedRange(pub(crate) String);

/// Returns the hash of the body that the client declares, or `STREAMING-…` if the body consists of chunks.
pub(crate) fn signed_payload(head: &Parts, mechanism: AuthMechanism, query: &QueryString) -> Option<String> {
    let header = || head.headers.get(PAYLOAD_HASH).and_then(|value| value.to_str().ok());
    let payload = match mechanism {
        AuthMechanism::Query => header().or_else(|| query.single_value("X-Amz-Content-Sha256")),
        AuthMechanism::Header => header(),
        AuthMechanism::Form => None,
    };
    payload
        .filter(|payload| *payload != "UNSIGNED-PAYLOAD")
        .map(str::to_owned)
}

/// Returns true if `s3s` must verify and decode the body.
pub(crate) fn is_chunked_payload(payload: Option<&str>) -> bool {
    payload.is_some_and(|payload| payload.starts_with("STREAMING-"))
}

/// Adapts a verified request. `is_chunked` requests retain their signature and their headers.
pub(crate) fn adapt_request(head: &mut Parts, query: &QueryString, is_chunked: bool) -> Result<(), S3Rejection> {
    head.extensions.insert(ResponseOverrides(response_overrides(query)?));
    take_system_headers(head, is_chunked);
    if is_chunked {
        return Ok(());
    }
    head.extensions.insert(VerifiedSigner);
    head.headers.remove(AUTHORIZATION);
    head.headers.remove(PAYLOAD_HASH);
    take_range(head);
    remove_parameters(&mut head.uri)
}

fn take_system_headers(head: &mut Parts, is_chunked: bool) {
    let creates_upload = head.method == Method::POST && head.uri.query().is_some_and(has_uploads);
    if !is_upload(head) && !creates_upload {
        return;
    }
    let mut taken = HeaderMap::new();
    for name in SYSTEM_HEADERS {
        let value = if is_chunked {
            head.headers.get(&name).cloned()
        } else {
            head.headers.remove(&name)
        };
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            taken.insert(name, value);
        }
    }
    head.extensions.insert(SystemHeaders(taken));
}

fn has_uploads(query: &str) -> bool {
    query.split('&').any(|pair| pair == "uploads" || pair == "uploads=")
}

/// S3 ignores several ranges, other units and malformed ranges.
fn take_range(head: &mut Parts) {
    let values: Vec<_> = head.headers.get_all(RANGE).iter().cloned().collect();
    let text = match values.as_slice() {
        [value] => value.to_str().ok().map(str::to_owned),
        _ => None,
    };
    match text.filter(|text| text != "bytes=-" && Range::parse(text).is_ok()) {
        Some(text) => drop(head.extensions.insert(RequestedRange(text))),
        None => drop(head.headers.remove(RANGE)),
    }
}

fn response_overrides(query: &QueryString) -> Result<HeaderMap, S3Rejection> {
    let mut headers = HeaderMap::new();
    for (name, value) in query.pairs() {
        let header = name.strip_prefix("response-").and_then(|name| {
            let mut known = SYSTEM_HEADERS.into_iter();
            known.find(|header| header.as_str() == name)
        });
        let Some(header) = header else { continue };
        let encoded = latin1::encode_header(value).ok_or_else(|| S3Rejection::NotLatin1 {
            parameter: name.to_owned(),
            value: value.to_owned(),
        })?;
        headers.insert(header, encoded);
    }
    Ok(headers)
}

/// Removes the parameters that have been evaluated, and an empty marker, which `s3s` does not parse.
fn remove_parameters(uri: &mut Uri) -> Result<(), S3Rejection> {
    let Some(query) = uri.query() else { return Ok(()) };
    let retained: Vec<_> = query.split('&').filter(|pair| !is_evaluated(pair)).collect();
    let target = if retained.is_empty() {
        uri.path().to_owned()
    } else {
        format!("{}?{}", uri.path(), retained.join("&"))
    };
    *uri = Uri::from(PathAndQuery::try_from(target).map_err(|_| S3Rejection::InvalidUri)?);
    Ok(())
}

fn is_evaluated(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or_default();
    name.starts_with("X-Amz-") || name.starts_with("response-") || pair == "part-number-marker="
}
