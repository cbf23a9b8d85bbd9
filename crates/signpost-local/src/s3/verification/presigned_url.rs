//! Verifies presigned URLs, which contain the signature in the query.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>

use std::time::{Duration, SystemTime};

use http::request::Parts;

use super::credential_scope::{CredentialScope, format_date, parse_date};
use super::query_string::QueryString;
use super::signature_check::SignatureCheck;
use super::{RequestVerifier, S3Rejection, authorization_header, canonical_request};

const MAX_EXPIRES_SECONDS: u64 = 604_800;
const MAX_CLOCK_SKEW: Duration = Duration::from_mins(15);

/// The authentication parameters of a presigned URL.
struct PresignedParameters<'a> {
    credential: &'a str,
    date: &'a str,
    expires: &'a str,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
    token: Option<&'a str>,
}

/// Rejects a request that differs from the presigned URL, or whose URL is not valid at this time.
pub(super) fn verify_presigned_url(
    verifier: &RequestVerifier,
    head: &Parts,
    query: &QueryString,
    now: SystemTime,
) -> Result<(), S3Rejection> {
    let url = PresignedParameters::parse(query)?;
    let expires = parse_expires(url.expires)?;
    let scope = CredentialScope::parse(url.credential, &verifier.region, url.date)
        .map_err(|error| error.into_rejection(|message| malformed_parameter("Credential", &message)))?;
    check_validity_period(url.date, expires, now)?;
    authorization_header::require_signed_headers(&head.headers, &url.signed_headers)?;
    let signer = verifier.find_signer(&scope.access_key, url.token, now)?;
    let payload = payload_hash(head, query, &url.signed_headers);
    let canonical_request = canonical_request::build_canonical_request(head, query, &url.signed_headers, payload)?;
    SignatureCheck {
        scope: &scope,
        signature: url.signature,
    }
    .verify_request(signer, url.date, canonical_request)
}

impl<'a> PresignedParameters<'a> {
    fn parse(query: &'a QueryString) -> Result<Self, S3Rejection> {
        let get = |name| {
            query
                .single_value(name)
                .filter(|value| !value.is_empty())
                .ok_or_else(missing_parameters)
        };
        if get("X-Amz-Algorithm")? != "AWS4-HMAC-SHA256" {
            return Err(unsupported_algorithm());
        }
        let tokens = query.names().filter(|name| *name == "X-Amz-Security-Token").count();
        if tokens > 1 {
            return Err(missing_parameters());
        }
        Ok(Self {
            credential: get("X-Amz-Credential")?,
            date: get("X-Amz-Date")?,
            expires: get("X-Amz-Expires")?,
            signed_headers: get("X-Amz-SignedHeaders")?.split(';').collect(),
            signature: get("X-Amz-Signature")?,
            token: query.single_value("X-Amz-Security-Token"),
        })
    }
}

/// Returns the rejection of another signature algorithm.
pub(super) fn unsupported_algorithm() -> S3Rejection {
    let message = "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\"";
    S3Rejection::QueryParameters(message.into())
}

fn missing_parameters() -> S3Rejection {
    let message = "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, \
                X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.";
    S3Rejection::QueryParameters(message.into())
}

fn malformed_parameter(parameter: &str, message: &str) -> S3Rejection {
    S3Rejection::QueryParameters(format!("Error parsing the X-Amz-{parameter} parameter; {message}"))
}

fn parse_expires(expires: &str) -> Result<Duration, S3Rejection> {
    let reject = |message: &str| Err(S3Rejection::QueryParameters(message.into()));
    match expires.parse::<i64>().map(u64::try_from) {
        Err(_) => reject("X-Amz-Expires should be a number"),
        Ok(Err(_)) => reject("X-Amz-Expires must be non-negative"),
        Ok(Ok(seconds)) if seconds > MAX_EXPIRES_SECONDS => reject(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds",
        ),
        Ok(Ok(seconds)) => Ok(Duration::from_secs(seconds)),
    }
}

fn check_validity_period(date: &str, lifetime: Duration, now: SystemTime) -> Result<(), S3Rejection> {
    let begin = parse_date(date).ok_or_else(|| {
        S3Rejection::QueryParameters("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"".into())
    })?;
    if begin > now + MAX_CLOCK_SKEW {
        return Err(S3Rejection::NotYetValid);
    }
    let end = begin + lifetime;
    if now > end {
        return Err(S3Rejection::Expired {
            lifetime: lifetime.as_secs(),
            expires: format_date(end),
            now: format_date(now),
        });
    }
    Ok(())
}

/// Returns the hash of the body if it is a signed parameter or header. Otherwise the body is not signed.
fn payload_hash<'a>(head: &'a Parts, query: &'a QueryString, signed_headers: &[&str]) -> &'a str {
    const NAME: &str = "x-amz-content-sha256";
    let header = head.headers.get(NAME).filter(|_| signed_headers.contains(&NAME));
    let header = header.and_then(|value| value.to_str().ok());
    header
        .or_else(|| query.single_value("X-Amz-Content-Sha256"))
        .unwrap_or("UNSIGNED-PAYLOAD")
}
