//! Applies signed query parameters as if they were headers, as S3 does.
//!
//! This lets a signer enforce create-only writes, metadata or encryption, even if the client does not send the headers.
//! Checksums in the query are ignored, and so are parameters that S3 does not define (`x-signpost=…`).

use http::{HeaderMap, HeaderName, HeaderValue};

use super::S3Rejection;
use super::query_string::QueryString;
use crate::s3::latin1;

const METADATA_PREFIX: &str = "x-amz-meta-";

const APPLIED_NAMES: [&str; 6] = [
    "if-match",
    "if-none-match",
    "x-amz-acl",
    "x-amz-checksum-mode",
    "x-amz-storage-class",
    "x-amz-tagging",
];
const APPLIED_PREFIXES: [&str; 2] = [METADATA_PREFIX, "x-amz-server-side-encryption"];

/// Reads the metadata headers of the client as Latin-1, as S3 does. Signed parameters are UTF-8.
pub(super) fn decode_metadata_headers(headers: &mut HeaderMap) {
    for (name, value) in headers.iter_mut() {
        if name.as_str().starts_with(METADATA_PREFIX) && !value.as_bytes().is_ascii() {
            let text = latin1::decode(value.as_bytes());
            if let Ok(decoded) = HeaderValue::from_bytes(text.as_bytes()) {
                *value = decoded;
            }
        }
    }
}

/// Sets the headers from a verified query. They replace the headers of the client.
pub(super) fn apply_signed_parameters(headers: &mut HeaderMap, query: &QueryString) -> Result<(), S3Rejection> {
    for (name, value) in query.pairs() {
        let lower = name.to_ascii_lowercase();
        if !is_applied(&lower) {
            continue;
        }
        let invalid_value = || S3Rejection::InvalidQueryValue(name.to_owned());
        let header = HeaderName::try_from(lower).map_err(|_| invalid_value())?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| invalid_value())?;
        headers.insert(header, value);
    }
    Ok(())
}

fn is_applied(name: &str) -> bool {
    APPLIED_NAMES.contains(&name) || APPLIED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}
