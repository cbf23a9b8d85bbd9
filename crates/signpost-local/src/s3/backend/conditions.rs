//! Conditional requests. Read conditions are evaluated here, write conditions in the transaction of the store.

use http::header::{ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue};
use s3s::S3Result;
use s3s::dto::{ETagCondition, Timestamp, TimestampFormat};

use super::{s3_errors, to_timestamp, to_unix_seconds};
use crate::s3::store::records::{ObjectRecord, VersionRecord};
use crate::s3::store::{EtagMatch, WriteCondition};

/// The conditions of a GET or HEAD request.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_field_names,
    reason = "the fields have the names of the request headers"
)]
pub(super) struct ReadCondition {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
    pub(super) if_modified_since: Option<Timestamp>,
    pub(super) if_unmodified_since: Option<Timestamp>,
}

impl ReadCondition {
    /// Returns an error 412 or 304 in the order of RFC 9110. An `ETag` condition takes precedence over a date.
    pub(super) fn check(&self, version: &VersionRecord, object: &ObjectRecord) -> S3Result<()> {
        let is_modified_after = |date: &Timestamp| version.modified > to_unix_seconds(date);
        let failed = match (&self.if_match, &self.if_unmodified_since) {
            (Some(expected), _) => !etag_match(expected).matches(object),
            (None, Some(date)) => is_modified_after(date),
            (None, None) => false,
        };
        if failed {
            return Err(s3_errors::precondition_failed());
        }
        let unchanged = match (&self.if_none_match, &self.if_modified_since) {
            (Some(excluded), _) => etag_match(excluded).matches(object),
            (None, Some(date)) => !is_modified_after(date),
            (None, None) => false,
        };
        if unchanged {
            Err(s3_errors::not_modified(validator_headers(version, object)))
        } else {
            Ok(())
        }
    }
}

/// Converts the condition of a write.
pub(super) fn write_condition(
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> WriteCondition {
    WriteCondition {
        if_match: if_match.map(etag_match),
        if_none_match: if_none_match.map(etag_match),
    }
}

fn etag_match(condition: &ETagCondition) -> EtagMatch {
    condition
        .as_etag()
        .map_or(EtagMatch::Any, |etag| EtagMatch::Etag(etag.value().to_owned()))
}

fn validator_headers(version: &VersionRecord, object: &ObjectRecord) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut date = Vec::new();
    let _ = to_timestamp(version.modified).format(TimestampFormat::HttpDate, &mut date);
    if let (Ok(etag), Ok(date)) = (
        HeaderValue::from_str(&format!("\"{}\"", object.etag)),
        HeaderValue::from_bytes(&date),
    ) {
        headers.insert(ETAG, etag);
        headers.insert(LAST_MODIFIED, date);
    }
    headers
}
