//! Uploads must tell their length: S3 takes no chunked ones.

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, Method};

use super::Refusal;

/// The most bytes of one PUT.
const MOST: u64 = 5 * 1024 * 1024 * 1024;

const DECODED: &str = "x-amz-decoded-content-length";

/// Refuses an upload without a usable length.
pub(super) fn check(head: &Parts, is_form: bool) -> Result<(), Refusal> {
    let is_upload = is_form || (head.method == Method::PUT && names_an_object(head.uri.path()));
    if !is_upload {
        return Ok(());
    }
    let decoded = length(&head.headers, DECODED)?;
    if head.headers.contains_key(TRANSFER_ENCODING) && decoded.is_none() {
        return Err(Refusal::TransferEncoding);
    }
    let length = length(&head.headers, CONTENT_LENGTH.as_str())?;
    match decoded.or(length) {
        None => Err(Refusal::MissingLength),
        Some(length) if length > MOST => Err(Refusal::TooLarge),
        Some(_) => Ok(()),
    }
}

fn length(headers: &HeaderMap, name: &str) -> Result<Option<u64>, Refusal> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let value = value.to_str().ok().and_then(|text| text.parse().ok());
    value.map(Some).ok_or(Refusal::InvalidLength)
}

fn names_an_object(path: &str) -> bool {
    path.trim_start_matches('/')
        .split_once('/')
        .is_some_and(|(_, key)| !key.is_empty())
}
