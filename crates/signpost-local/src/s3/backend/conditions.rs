//! Conditional requests. Read conditions are evaluated here, write conditions in the transaction of the store.

use http::header::{ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue};
use s3s::dto::{ETagCondition, Timestamp};
use s3s::{S3Error, S3Result, s3_error};

use super::{s3_errors, to_unix_seconds};
use crate::s3::error_report;
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
            (Some(expected), _) if !etag_match(expected).matches(object) => Some("If-Match"),
            (None, Some(date)) if is_modified_after(date) => Some("If-Unmodified-Since"),
            _ => None,
        };
        if let Some(condition) = failed {
            return Err(s3_errors::precondition_failed(condition));
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

/// Returns true if the range of a request with this `If-Range` header applies
/// ([RFC 9110](https://www.rfc-editor.org/rfc/rfc9110.html#name-if-range)).
pub(super) fn range_applies(if_range: &HeaderValue, version: &VersionRecord, object: &ObjectRecord) -> bool {
    let headers = validator_headers(version, object);
    headers.get(ETAG) == Some(if_range) || headers.get(LAST_MODIFIED) == Some(if_range)
}

/// Converts the condition of a write. S3 does not implement all of them.
pub(super) fn write_condition(
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<WriteCondition> {
    match (if_match, if_none_match) {
        (Some(_), Some(_)) => Err(not_implemented(
            "If-Match,If-None-Match",
            "Multiple conditional request headers present in the request".into(),
        )),
        (Some(ETagCondition::Any), None) => Err(unaccepted_value("If-Match")),
        (None, Some(ETagCondition::ETag(_))) => Err(unaccepted_value("If-None-Match")),
        (if_match, if_none_match) => Ok(WriteCondition {
            if_match: if_match.map(etag_match),
            if_none_match: if_none_match.map(etag_match),
        }),
    }
}

/// Converts the condition of a deletion, which can also be `*`.
pub(super) fn delete_condition(if_match: Option<&ETagCondition>) -> WriteCondition {
    WriteCondition {
        if_match: if_match.map(etag_match),
        if_none_match: None,
    }
}

fn unaccepted_value(header: &'static str) -> S3Error {
    let message = format!("We don't accept the provided value of {header} header for this API");
    not_implemented(header, message)
}

fn not_implemented(header: &'static str, additional: String) -> S3Error {
    error_report::report_details([("Header", header.to_owned()), ("additionalMessage", additional)]);
    s3_error!(
        NotImplemented,
        "A header you provided implies functionality that is not implemented"
    )
}

fn etag_match(condition: &ETagCondition) -> EtagMatch {
    condition
        .as_etag()
        .map_or(EtagMatch::Any, |etag| EtagMatch::Etag(etag.value().to_owned()))
}

fn validator_headers(version: &VersionRecord, object: &ObjectRecord) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(etag) = HeaderValue::from_str(&format!("\"{}\"", object.etag)) {
        headers.insert(ETAG, etag);
    }
    headers.insert(LAST_MODIFIED, s3_errors::http_date(version.modified));
    headers
}
