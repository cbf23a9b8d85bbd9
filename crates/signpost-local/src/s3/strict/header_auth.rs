//! Requests that carry their signature in the `Authorization` header.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::query::Query;
use super::scope::{Scope, parse_date};
use super::signature::Claim;
use super::{Refusal, Strict, canonical};

const SKEW: Duration = Duration::from_mins(15);

/// The one `x-amz-` header that may go unsigned: its value is part of the canonical request anyway.
const EXEMPT: &str = "x-amz-content-sha256";

/// Refuses a request whose `Authorization` header does not sign it, now.
pub(super) fn verify(strict: &Strict, head: &Parts, query: &Query, now: SystemTime) -> Result<(), Refusal> {
    let authorization = only(&head.headers, AUTHORIZATION.as_str())
        .ok_or_else(|| Refusal::AuthorizationHeader("expecting one value".into()))?;
    let fields = Fields::parse(authorization).map_err(|what| Refusal::AuthorizationHeader(what.into()))?;
    let date = only(&head.headers, "x-amz-date").ok_or(Refusal::MissingHeader("x-amz-date"))?;
    let payload = only(&head.headers, EXEMPT).ok_or(Refusal::MissingHeader(EXEMPT))?;
    let scope = Scope::parse(fields.credential, &strict.region, date).map_err(Refusal::AuthorizationHeader)?;
    check_skew(date, now)?;
    refuse_unsigned(&head.headers, &fields.signed_headers)?;
    let token = only(&head.headers, "x-amz-security-token");
    let signer = strict.signer(&scope.access_key, token, now)?;
    let canonical_request = canonical::request(head, query, &fields.signed_headers, payload)?;
    Claim {
        scope: &scope,
        date,
        canonical_request,
        signature: fields.signature,
    }
    .verify(signer)
}

/// Refuses `x-amz-` headers and a host that are not among the signed ones.
pub(super) fn refuse_unsigned(headers: &HeaderMap, signed: &[&str]) -> Result<(), Refusal> {
    let must_be_signed = |name: &str| name == "host" || (name.starts_with("x-amz-") && name != EXEMPT);
    let names = headers.keys().map(http::HeaderName::as_str);
    let mut unsigned: Vec<_> = names
        .filter(|name| must_be_signed(name) && !signed.contains(name))
        .map(str::to_owned)
        .collect();
    if unsigned.is_empty() {
        return Ok(());
    }
    unsigned.sort_unstable();
    Err(Refusal::HeadersNotSigned(unsigned))
}

struct Fields<'a> {
    credential: &'a str,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Fields<'a> {
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

fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

fn check_skew(date: &str, now: SystemTime) -> Result<(), Refusal> {
    let date = parse_date(date).ok_or(Refusal::MissingHeader("x-amz-date"))?;
    let skew = now.duration_since(date).unwrap_or_else(|early| early.duration());
    if skew > SKEW { Err(Refusal::TooSkewed) } else { Ok(()) }
}
