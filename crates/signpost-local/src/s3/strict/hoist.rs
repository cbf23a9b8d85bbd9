//! Signed query parameters that S3 applies as if they were headers.
//!
//! So a signer can enforce create-only writes, metadata or encryption for a client that sends nothing of the kind.
//! Checksums in the query are ignored, as are parameters that S3 does not know (`x-signpost=…`).

use http::{HeaderMap, HeaderName, HeaderValue};

use super::Refusal;
use super::query::Query;

const NAMES: [&str; 6] = [
    "if-match",
    "if-none-match",
    "x-amz-acl",
    "x-amz-checksum-mode",
    "x-amz-storage-class",
    "x-amz-tagging",
];
const PREFIXES: [&str; 2] = ["x-amz-meta-", "x-amz-server-side-encryption"];

/// Sets the headers that a verified query stands for; they win over what the client sent.
pub(super) fn apply(headers: &mut HeaderMap, query: &Query) -> Result<(), Refusal> {
    for (name, value) in query.pairs() {
        let lower = name.to_ascii_lowercase();
        if !is_applied(&lower) {
            continue;
        }
        let refuse = || Refusal::InvalidQueryValue(name.to_owned());
        let header = HeaderName::try_from(lower).map_err(|_| refuse())?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| refuse())?;
        headers.insert(header, value);
    }
    Ok(())
}

fn is_applied(name: &str) -> bool {
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}
