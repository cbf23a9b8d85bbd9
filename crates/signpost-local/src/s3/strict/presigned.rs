//! Requests that carry their signature in the query.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>

use std::time::{Duration, SystemTime};

use http::request::Parts;

use super::query::Query;
use super::scope::{Scope, parse_date, show};
use super::signature::Claim;
use super::{Refusal, Strict, canonical, header_auth};

const WEEK: u64 = 604_800;
const SKEW: Duration = Duration::from_mins(15);

/// The authentication parameters of a presigned URL.
struct Presigned<'a> {
    credential: &'a str,
    date: &'a str,
    expires: &'a str,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
    token: Option<&'a str>,
}

/// Refuses a presigned request that is not exactly what its signer signed, now.
pub(super) fn verify(strict: &Strict, head: &Parts, query: &Query, now: SystemTime) -> Result<(), Refusal> {
    let url = Presigned::parse(query)?;
    let expires = lifetime(url.expires)?;
    let scope =
        Scope::parse(url.credential, &strict.region, url.date).map_err(|what| malformed("Credential", &what))?;
    check_window(url.date, expires, now)?;
    header_auth::refuse_unsigned(&head.headers, &url.signed_headers)?;
    let signer = strict.signer(&scope.access_key, url.token, now)?;
    let payload = payload_hash(head, query, &url.signed_headers);
    let canonical_request = canonical::request(head, query, &url.signed_headers, payload)?;
    Claim {
        scope: &scope,
        date: url.date,
        canonical_request,
        signature: url.signature,
    }
    .verify(signer)
}

impl<'a> Presigned<'a> {
    fn parse(query: &'a Query) -> Result<Self, Refusal> {
        let get = |name| {
            query
                .only(name)
                .filter(|value| !value.is_empty())
                .ok_or_else(incomplete)
        };
        if get("X-Amz-Algorithm")? != "AWS4-HMAC-SHA256" {
            let what = "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\"";
            return Err(Refusal::QueryParameters(what.into()));
        }
        let tokens = query.names().filter(|name| *name == "X-Amz-Security-Token").count();
        if tokens > 1 {
            return Err(incomplete());
        }
        Ok(Self {
            credential: get("X-Amz-Credential")?,
            date: get("X-Amz-Date")?,
            expires: get("X-Amz-Expires")?,
            signed_headers: get("X-Amz-SignedHeaders")?.split(';').collect(),
            signature: get("X-Amz-Signature")?,
            token: query.only("X-Amz-Security-Token"),
        })
    }
}

fn incomplete() -> Refusal {
    let what = "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, \
                X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.";
    Refusal::QueryParameters(what.into())
}

fn malformed(parameter: &str, what: &str) -> Refusal {
    Refusal::QueryParameters(format!("Error parsing the X-Amz-{parameter} parameter; {what}"))
}

fn lifetime(expires: &str) -> Result<Duration, Refusal> {
    let refuse = |what: &str| Err(Refusal::QueryParameters(what.into()));
    match expires.parse::<i64>().map(u64::try_from) {
        Err(_) => refuse("X-Amz-Expires should be a number"),
        Ok(Err(_)) => refuse("X-Amz-Expires must be non-negative"),
        Ok(Ok(seconds)) if seconds > WEEK => refuse(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds",
        ),
        Ok(Ok(seconds)) => Ok(Duration::from_secs(seconds)),
    }
}

fn check_window(date: &str, lifetime: Duration, now: SystemTime) -> Result<(), Refusal> {
    let begin = parse_date(date).ok_or_else(|| {
        Refusal::QueryParameters("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"".into())
    })?;
    if begin > now + SKEW {
        return Err(Refusal::NotYetValid);
    }
    let end = begin + lifetime;
    if now > end {
        return Err(Refusal::Expired {
            expires: show(end),
            now: show(now),
        });
    }
    Ok(())
}

/// The body of a presigned request is not signed, unless its hash is a signed parameter or header.
fn payload_hash<'a>(head: &'a Parts, query: &'a Query, signed_headers: &[&str]) -> &'a str {
    const NAME: &str = "x-amz-content-sha256";
    let header = head.headers.get(NAME).filter(|_| signed_headers.contains(&NAME));
    let header = header.and_then(|value| value.to_str().ok());
    header
        .or_else(|| query.only("X-Amz-Content-Sha256"))
        .unwrap_or("UNSIGNED-PAYLOAD")
}
