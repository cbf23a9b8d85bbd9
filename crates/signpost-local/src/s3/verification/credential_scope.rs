//! The credential scope and the date of a signature.

use std::fmt;
use std::time::SystemTime;

use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use super::S3Rejection;

/// The parts of a credential: `KEY/date/region/s3/aws4_request`.
#[derive(Debug)]
pub(super) struct CredentialScope {
    pub(super) access_key: String,
    pub(super) date: String,
    pub(super) region: String,
}

/// The reason for rejecting a credential.
pub(super) struct ScopeError {
    message: String,
    expected_region: Option<String>,
}

impl ScopeError {
    /// Returns the rejection. `malformed` creates it from a message.
    pub(super) fn into_rejection(self, malformed: impl FnOnce(String) -> S3Rejection) -> S3Rejection {
        let rejection = malformed(self.message);
        match self.expected_region {
            None => rejection,
            Some(region) => S3Rejection::WrongRegion {
                rejection: Box::new(rejection),
                region,
            },
        }
    }
}

impl From<&str> for ScopeError {
    fn from(message: &str) -> Self {
        Self {
            message: message.to_owned(),
            expected_region: None,
        }
    }
}

impl CredentialScope {
    /// Parses a credential and compares it with the region and the date of the request. The error has a message of AWS.
    pub(super) fn parse(credential: &str, region: &str, request_date: &str) -> Result<Self, ScopeError> {
        let fields: Vec<_> = credential.rsplitn(5, '/').collect();
        let [terminator, service, named_region, date, access_key] = fields[..] else {
            let expected = "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request";
            return Err(format!("the Credential is mal-formed; expecting \"{expected}\".")
                .as_str()
                .into());
        };
        if terminator != "aws4_request" {
            return Err("incorrect terminal; this endpoint uses \"aws4_request\"".into());
        }
        if service != "s3" {
            return Err("incorrect service; this endpoint belongs to \"s3\"".into());
        }
        if named_region != region {
            return Err(ScopeError {
                message: format!("the region '{named_region}' is wrong; expecting '{region}'"),
                expected_region: Some(region.to_owned()),
            });
        }
        if !request_date.starts_with(date) || date.len() != 8 {
            return Err("the date is not the same as X-Amz-Date".into());
        }
        Ok(Self {
            access_key: access_key.into(),
            date: date.into(),
            region: region.into(),
        })
    }
}

impl fmt::Display for CredentialScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/s3/aws4_request", self.date, self.region)
    }
}

/// Parses a date such as `20130524T000000Z`.
pub(super) fn parse_date(text: &str) -> Option<SystemTime> {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    PrimitiveDateTime::parse(text, format)
        .ok()
        .map(|date| date.assume_utc().into())
}

/// Formats a date such as `2013-05-24T00:00:00Z`.
pub(super) fn format_date(time: SystemTime) -> String {
    let time = OffsetDateTime::from(time);
    let (hour, minute, second) = time.to_hms();
    format!("{}T{hour:02}:{minute:02}:{second:02}Z", time.date())
}
