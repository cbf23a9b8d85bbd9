//! The canonical request of Signature Version 4, as S3 builds it.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>

use std::borrow::Cow;

use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::S3Rejection;
use super::query_string::QueryString;

const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const PATH: &AsciiSet = &QUERY.remove(b'/');

/// Decodes a path as S3 does: an unescaped `+` is a space.
pub(crate) fn decode_path(raw: &str) -> Option<String> {
    let spaced: Cow<'_, str> = if raw.contains('+') {
        raw.replace('+', "%20").into()
    } else {
        raw.into()
    };
    percent_decode_str(&spaced).decode_utf8().ok().map(Cow::into_owned)
}

/// Escapes a path in the canonical way.
pub(crate) fn encode_path(path: &str) -> String {
    utf8_percent_encode(path, PATH).to_string()
}

/// Escapes a name or a value of a query in the canonical way.
pub(crate) fn encode_query(text: &str) -> String {
    utf8_percent_encode(text, QUERY).to_string()
}

/// Builds the canonical request for these signed headers and this payload hash.
pub(super) fn build_canonical_request(
    head: &Parts,
    query: &QueryString,
    signed_headers: &[&str],
    payload_hash: &str,
) -> Result<String, S3Rejection> {
    let path = decode_path(head.uri.path()).ok_or(S3Rejection::InvalidUri)?;
    let headers: String = signed_headers
        .iter()
        .map(|name| canonical_header(&head.headers, name))
        .collect();
    Ok(format!(
        "{method}\n{path}\n{query}\n{headers}\n{names}\n{payload_hash}",
        method = head.method,
        path = encode_path(&path),
        query = canonical_query(query),
        names = signed_headers.join(";"),
    ))
}

/// Escapes the path in the canonical way, so that `s3s` decodes it to the key that was verified.
pub(super) fn normalize_path(uri: &mut Uri) -> Result<(), S3Rejection> {
    let path = decode_path(uri.path()).ok_or(S3Rejection::InvalidUri)?;
    let path = encode_path(&path);
    let target = uri
        .query()
        .map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
    let target = PathAndQuery::try_from(target).map_err(|_| S3Rejection::InvalidUri)?;
    *uri = Uri::from(target);
    Ok(())
}

fn canonical_query(query: &QueryString) -> String {
    let mut pairs: Vec<_> = query
        .pairs()
        .filter(|(name, _)| *name != "X-Amz-Signature")
        .map(|(name, value)| (encode_query(name), encode_query(value)))
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<_> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

/// Formats a signed header. A missing header has an empty value, so that the signature does not match.
fn canonical_header(headers: &HeaderMap, name: &str) -> String {
    let values: Vec<_> = headers
        .get_all(name)
        .iter()
        .map(|value| trim_spaces(value.as_bytes()))
        .collect();
    format!("{name}:{}\n", values.join(","))
}

fn trim_spaces(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    text.split(' ')
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}
