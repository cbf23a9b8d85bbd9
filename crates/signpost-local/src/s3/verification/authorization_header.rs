//! Verifies requests that contain their signature in the `Authorization` header.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::credential_scope::{CredentialScope, parse_date};
use super::query_string::QueryString;
use super::signature_check::SignatureCheck;
use super::{RequestVerifier, S3Rejection, canonical_request};

const MAX_CLOCK_SKEW: Duration = Duration::from_mins(15);

/// The only `x-amz-` header that can be unsigned, because the canonical request contains its value.
const PAYLOAD_HASH_HEADER: &str = "x-amz-content-sha256";

/// Rejects a request whose `Authorization` header is not valid at this time.
pub(super) fn verify_authorization_header(
    verifier: &RequestVerifier,
    head: &Parts,
    query: &QueryString,
    now: SystemTime,
) -> Result<(), S3Rejection> {
    let authorization = single_header(&head.headers, AUTHORIZATION.as_str())
        .ok_or_else(|| S3Rejection::AuthorizationHeader("expecting one value".into()))?;
    let fields =
        AuthorizationFields::parse(authorization).map_err(|what| S3Rejection::AuthorizationHeader(what.into()))?;
    let date = single_header(&head.headers, "x-amz-date").ok_or(S3Rejection::MissingHeader("x-amz-date"))?;
    let payload =
        single_header(&head.headers, PAYLOAD_HASH_HEADER).ok_or(S3Rejection::MissingHeader(PAYLOAD_HASH_HEADER))?;
    let scope = CredentialScope::parse(fields.credential, &verifier.region, date)
        .map_err(|error| error.into_rejection(S3Rejection::AuthorizationHeader))?;
    check_clock_skew(date, now)?;
    require_signed_headers(&head.headers, &fields.signed_headers)?;
    let token = single_header(&head.headers, "x-amz-security-token");
    let signer = verifier.find_signer(&scope.access_key, token, now)?;
    let canonical_request = canonical_request::build_canonical_request(head, query, &fields.signed_headers, payload)?;
    SignatureCheck {
        scope: &scope,
        signature: fields.signature,
    }
    .verify_request(signer, date, canonical_request)
}

/// Rejects a request with an unsigned `x-amz-` header or an unsigned host.
pub(super) fn require_signed_headers(headers: &HeaderMap, signed: &[&str]) -> Result<(), S3Rejection> {
    let must_be_signed = |name: &str| name == "host" || (name.starts_with("x-amz-") && name != PAYLOAD_HASH_HEADER);
    let names = headers.keys().map(http::HeaderName::as_str);
    let mut unsigned: Vec<_> = names
        .filter(|name| must_be_signed(name) && !signed.contains(name))
        .map(str::to_owned)
        .collect();
    if unsigned.is_empty() {
        return Ok(());
    }
    unsigned.sort_unstable();
    Err(S3Rejection::HeadersNotSigned(unsigned))
}

struct AuthorizationFields<'a> {
    credential: &'a str,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> AuthorizationFields<'a> {
    fn parse(authorization: &'a str) -> Result<Self, &'static str> {
        let fields = authorization
            .strip_prefix("AWS4-HMAC-SHA256 ")
            .ok_or("expecting AWS4-HMAC-SHA256")?;
        let get = |name| {
            let mut values = fields.split(',').filter_map(|field| field.trim().split_once('='));
            values.find(|(found, _)| *found == name).map(|(_, value)| value)
        };
        Ok(Self {
            credential: get("Credential").ok_or("missing Credential")?,
            signed_headers: get("SignedHeaders")
                .ok_or("missing SignedHeaders")?
                .split(';')
                .collect(),
            signature: get("Signature").ok_or("missing Signature")?,
        })
    }
}

fn single_header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

fn check_clock_skew(date: &str, now: SystemTime) -> Result<(), S3Rejection> {
    let date = parse_date(date).ok_or(S3Rejection::MissingHeader("x-amz-date"))?;
    let skew = now.duration_since(date).unwrap_or_else(|early| early.duration());
    if skew > MAX_CLOCK_SKEW {
        Err(S3Rejection::TooSkewed)
    } else {
        Ok(())
    }
}
