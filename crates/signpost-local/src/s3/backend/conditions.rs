//! The conditions of requests: those of reads are decided here, those of writes in the store's transaction.

use http::header::{ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue};
use s3s::S3Result;
use s3s::dto::{ETagCondition, Timestamp, TimestampFormat};

use super::{failure, seconds, timestamp};
use crate::s3::store::records::{Object, Version};
use crate::s3::store::{EtagMatch, WriteCondition};

/// The conditions of a GET or HEAD.
#[derive(Debug, Default)]
pub(super) struct ReadCondition {
    pub(super) matches: Option<ETagCondition>,
    pub(super) none_match: Option<ETagCondition>,
    pub(super) modified_since: Option<Timestamp>,
    pub(super) unmodified_since: Option<Timestamp>,
}

impl ReadCondition {
    /// Answers 412 or 304 in the order of RFC 9110: an `ETag` condition rules out that of a date.
    pub(super) fn check(&self, version: &Version, object: &Object) -> S3Result<()> {
        let later_than = |date: &Timestamp| version.modified > seconds(date);
        let failed = match (&self.matches, &self.unmodified_since) {
            (Some(wanted), _) => !matcher(wanted).names(object),
            (None, Some(date)) => later_than(date),
            (None, None) => false,
        };
        if failed {
            return Err(failure::precondition_failed());
        }
        let unchanged = match (&self.none_match, &self.modified_since) {
            (Some(unwanted), _) => matcher(unwanted).names(object),
            (None, Some(date)) => !later_than(date),
            (None, None) => false,
        };
        if unchanged {
            Err(failure::not_modified(validators(version, object)))
        } else {
            Ok(())
        }
    }
}

/// The condition of a write.
pub(super) fn of_write(if_match: Option<&ETagCondition>, if_none_match: Option<&ETagCondition>) -> WriteCondition {
    WriteCondition {
        if_match: if_match.map(matcher),
        if_none_match: if_none_match.map(matcher),
    }
}

fn matcher(condition: &ETagCondition) -> EtagMatch {
    condition
        .as_etag()
        .map_or(EtagMatch::Any, |etag| EtagMatch::Etag(etag.value().to_owned()))
}

fn validators(version: &Version, object: &Object) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut date = Vec::new();
    let _ = timestamp(version.modified).format(TimestampFormat::HttpDate, &mut date);
    if let (Ok(etag), Ok(date)) = (
        HeaderValue::from_str(&format!("\"{}\"", object.etag)),
        HeaderValue::from_bytes(&date),
    ) {
        headers.insert(ETAG, etag);
        headers.insert(LAST_MODIFIED, date);
    }
    headers
}
