//! The strict layer: refuses what AWS refuses and `s3s` lets pass, before any body is read.
//!
//! It verifies the signature itself, by AWS's own canonical form (`s3s` also accepts a path signed unescaped), and
//! then writes what the signed query sets into the headers, where `s3s` reads it. Pure: request head and clock in,
//! admission or refusal out.

mod canonical;
mod header_auth;
mod hoist;
mod length;
mod presigned;
mod query;
mod refusal;
mod scope;
mod signature;

#[cfg(test)]
mod tests;

use std::time::SystemTime;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, Method};
use subtle::ConstantTimeEq;

use super::config::S3Credentials;

pub(crate) use self::canonical::decode_path;
pub(crate) use self::refusal::Refusal;

use self::query::Query;

/// Who may ask, and where.
#[derive(Debug)]
pub(crate) struct Strict {
    region: String,
    credentials: Vec<S3Credentials>,
}

/// The way in which a request says who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mechanism {
    Query,
    Header,
    /// A form carries its signature in its body, which `s3s` verifies.
    Form,
}

impl Strict {
    /// A layer that accepts signatures of these credentials for this region.
    pub(crate) fn new(region: String, credentials: Vec<S3Credentials>) -> Self {
        Self { region, credentials }
    }

    /// Admits a request, and makes its head say what the signed query sets; or refuses it.
    pub(crate) fn admit(&self, head: &mut Parts, now: SystemTime) -> Result<Mechanism, Refusal> {
        let query = Query::parse(head.uri.query().unwrap_or_default())?;
        let mechanism = mechanism(head, &query)?;
        length::check(head, mechanism == Mechanism::Form)?;
        match mechanism {
            Mechanism::Query => {
                presigned::verify(self, head, &query, now)?;
                hoist::apply(&mut head.headers, &query)?;
                canonical::normalize(&mut head.uri)?;
            }
            Mechanism::Header => {
                header_auth::verify(self, head, &query, now)?;
                canonical::normalize(&mut head.uri)?;
            }
            Mechanism::Form => {}
        }
        Ok(mechanism)
    }

    /// Admits a form by what its fields present: `s3s` verifies the signature, but knows no token and no end.
    pub(crate) fn admit_form(&self, access_key: &str, token: Option<&str>, now: SystemTime) -> Result<(), Refusal> {
        self.signer(access_key, token, now).map(|_| ())
    }

    /// The pairs of public and secret keys, for `s3s`.
    pub(crate) fn key_pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.credentials
            .iter()
            .map(|one| (one.access_key_id.as_str(), one.secret_access_key.expose()))
    }

    fn signer(&self, access_key: &str, token: Option<&str>, now: SystemTime) -> Result<&S3Credentials, Refusal> {
        let known = self.credentials.iter().find(|one| one.access_key_id == access_key);
        let signer = known.ok_or(Refusal::UnknownAccessKey)?;
        match (&signer.session_token, token) {
            (None, None) => {}
            // AWS does not know temporary keys without their token.
            (Some(_), None) => return Err(Refusal::UnknownAccessKey),
            (Some(wanted), Some(given)) if bool::from(wanted.as_bytes().ct_eq(given.as_bytes())) => {}
            (_, Some(_)) => return Err(Refusal::InvalidToken),
        }
        match signer.expires_at {
            Some(end) if end <= now => Err(Refusal::ExpiredToken),
            _ => Ok(signer),
        }
    }
}

fn mechanism(head: &Parts, query: &Query) -> Result<Mechanism, Refusal> {
    let in_query = query
        .names()
        .any(|name| name == "X-Amz-Signature" || name == "X-Amz-Algorithm");
    let old_query = query
        .names()
        .any(|name| name == "Signature" || name == "AWSAccessKeyId");
    let authorization = head.headers.get(AUTHORIZATION);
    match (in_query || old_query, authorization) {
        (true, Some(_)) => Err(Refusal::TwoMechanisms),
        (true, None) if old_query => Err(Refusal::OldSignature),
        (true, None) => Ok(Mechanism::Query),
        (false, Some(value)) if value.as_bytes().starts_with(b"AWS ") => Err(Refusal::OldSignature),
        (false, Some(_)) => Ok(Mechanism::Header),
        (false, None) if is_form(&head.method, &head.headers) => Ok(Mechanism::Form),
        (false, None) => Err(Refusal::Unsigned),
    }
}

fn is_form(method: &Method, headers: &HeaderMap) -> bool {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    method == Method::POST
        && content_type
            .trim_start()
            .to_ascii_lowercase()
            .starts_with("multipart/form-data")
}
