//! The length of the upload, from the headers of a request.

use http::{HeaderMap, header};

use crate::rejection::Rejection;
use crate::request::BodyLength;

/// Returns the length for a front that passes on `Content-Length`. A body without it was sent in chunks.
pub(super) fn from_headers(headers: &HeaderMap, body_bytes: u64) -> Result<BodyLength, Rejection> {
    if is_chunked(headers) {
        return Ok(BodyLength::Chunked);
    }
    match declared(headers)? {
        Some(length) => Ok(BodyLength::Declared(length)),
        None if body_bytes > 0 => Ok(BodyLength::Chunked),
        None => Ok(BodyLength::Missing),
    }
}

/// Returns true if the client sent the body in chunks.
pub(super) fn is_chunked(headers: &HeaderMap) -> bool {
    let mut encodings = headers.get_all(header::TRANSFER_ENCODING).iter();
    encodings.any(|encoding| encoding.as_bytes().to_ascii_lowercase().ends_with(b"chunked"))
}

/// Returns the value of `Content-Length`.
pub(super) fn declared(headers: &HeaderMap) -> Result<Option<u64>, Rejection> {
    let Some(length) = headers.get(header::CONTENT_LENGTH) else {
        return Ok(None);
    };
    let length = length.to_str().ok().and_then(|length| length.parse().ok());
    length.map(Some).ok_or_else(|| Rejection::BadValue {
        name: header::CONTENT_LENGTH.as_str().into(),
        problem: "must be a whole number of bytes".into(),
    })
}
