//! Requires a length for uploads, because S3 does not accept chunked ones.

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, Method};

use super::S3Rejection;

/// Maximum size of one PUT.
const MAX_PUT_BYTES: u64 = 5 * 1024 * 1024 * 1024;

const DECODED_LENGTH: &str = "x-amz-decoded-content-length";

/// Rejects an upload without a valid length.
pub(super) fn check_content_length(head: &Parts, is_form_upload: bool) -> Result<(), S3Rejection> {
    let is_upload = is_form_upload || (head.method == Method::PUT && is_object_path(head.uri.path()));
    if !is_upload {
        return Ok(());
    }
    let decoded = parse_length(&head.headers, DECODED_LENGTH)?;
    if head.headers.contains_key(TRANSFER_ENCODING) && decoded.is_none() {
        return Err(S3Rejection::TransferEncoding);
    }
    let length = parse_length(&head.headers, CONTENT_LENGTH.as_str())?;
    match decoded.or(length) {
        None => Err(S3Rejection::MissingLength),
        Some(length) if length > MAX_PUT_BYTES => Err(S3Rejection::TooLarge {
            size: length,
            max: MAX_PUT_BYTES,
        }),
        Some(_) => Ok(()),
    }
}

fn parse_length(headers: &HeaderMap, name: &str) -> Result<Option<u64>, S3Rejection> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let value = value.to_str().ok().and_then(|text| text.parse().ok());
    value.map(Some).ok_or(S3Rejection::InvalidLength)
}

/// Returns true if the path of a request names an object.
pub(crate) fn is_object_path(path: &str) -> bool {
    path.trim_start_matches('/')
        .split_once('/')
        .is_some_and(|(_, key)| !key.is_empty())
}
