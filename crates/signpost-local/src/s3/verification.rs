//! Verifies requests: rejects, before the body is read, requests that AWS rejects but `s3s` accepts.
//!
//! This module verifies the signature over the canonical request of AWS (`s3s` also accepts an unescaped path). It then
//! copies signed query parameters to the headers, where `s3s` reads them. It has no side effects: the inputs are the
//! request head and the time, the output is the mechanism or a rejection.

mod canonical_request;
mod authorization_header;
mod signed_parameters;
mod content_length;
mod presigned_url;
mod query_string;
mod rejection;
mod credential_scope;
mod signature_check;

#[cfg(test)]
mod tests;

use std::time::SystemTime;

use http::Method;
use http::header::AUTHORIZATION;
use http::request::Parts;
use subtle::ConstantTimeEq;

use super::config::S3Credentials;

pub(crate) use self::canonical_request::{decode_path, encode_path, encode_query};
pub(crate) use self::content_length::is_object_path;
pub(crate) use self::query_string::QueryString;
pub(crate) use self::rejection::S3Rejection;

use self::credential_scope::CredentialScope;
use self::signature_check::SignatureCheck;

/// The accepted credentials and the region.
#[derive(Debug)]
pub(crate) struct RequestVerifier {
    region: String,
    credentials: Vec<S3Credentials>,
}

/// The authentication mechanism of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthMechanism {
    Query,
    Header,
    /// A form contains its signature in the body.
    Form,
}

/// The fields of a form that contain its signature.
#[derive(Debug)]
pub(crate) struct SignedForm<'a> {
    pub(crate) signature: &'a str,
    pub(crate) algorithm: &'a str,
    pub(crate) credential: &'a str,
    pub(crate) date: &'a str,
    pub(crate) policy: &'a str,
    pub(crate) token: Option<&'a str>,
}

impl RequestVerifier {
    /// Creates a verifier that accepts signatures of these credentials for this region.
    pub(crate) fn new(region: String, credentials: Vec<S3Credentials>) -> Self {
        Self { region, credentials }
    }

    /// Verifies a request and copies its signed parameters to the headers. Returns its mechanism and its query.
    pub(crate) fn verify_request(
        &self,
        head: &mut Parts,
        now: SystemTime,
    ) -> Result<(AuthMechanism, QueryString), S3Rejection> {
        let query = QueryString::parse(head.uri.query().unwrap_or_default())?;
        let mechanism = auth_mechanism(head, &query)?;
        match mechanism {
            AuthMechanism::Query => {
                presigned_url::verify_presigned_url(self, head, &query, now)?;
                signed_parameters::decode_metadata_headers(&mut head.headers);
                signed_parameters::apply_signed_parameters(&mut head.headers, &query)?;
                canonical_request::normalize_path(&mut head.uri)?;
            }
            AuthMechanism::Header => {
                authorization_header::verify_authorization_header(self, head, &query, now)?;
                signed_parameters::decode_metadata_headers(&mut head.headers);
                canonical_request::normalize_path(&mut head.uri)?;
            }
            AuthMechanism::Form => {}
        }
        content_length::check_content_length(head, mechanism == AuthMechanism::Form)?;
        Ok((mechanism, query))
    }

    /// Verifies the signature of a form, which covers its policy.
    pub(crate) fn verify_form(&self, form: &SignedForm<'_>, now: SystemTime) -> Result<(), S3Rejection> {
        if form.algorithm != "AWS4-HMAC-SHA256" {
            return Err(presigned_url::unsupported_algorithm());
        }
        let scope = CredentialScope::parse(form.credential, &self.region, form.date)
            .map_err(|error| error.into_rejection(S3Rejection::QueryParameters))?;
        let signer = self.find_signer(&scope.access_key, form.token, now)?;
        SignatureCheck {
            scope: &scope,
            signature: form.signature,
        }
        .verify_text(signer, form.policy.to_owned(), None)
    }

    /// Returns the access key ids with their secret keys, for `s3s`.
    pub(crate) fn key_pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.credentials.iter().map(|credentials| {
            (
                credentials.access_key_id.as_str(),
                credentials.secret_access_key.expose(),
            )
        })
    }

    fn find_signer(
        &self,
        access_key: &str,
        token: Option<&str>,
        now: SystemTime,
    ) -> Result<&S3Credentials, S3Rejection> {
        let known = self
            .credentials
            .iter()
            .find(|credentials| credentials.access_key_id == access_key);
        let signer = known.ok_or_else(|| S3Rejection::UnknownAccessKey(access_key.to_owned()))?;
        match (&signer.session_token, token) {
            (None, None) => {}
            // AWS returns this error for temporary credentials without a token.
            (Some(_), None) => return Err(S3Rejection::UnknownAccessKey(access_key.to_owned())),
            (Some(expected), Some(given)) if bool::from(expected.as_bytes().ct_eq(given.as_bytes())) => {}
            (_, Some(_)) => return Err(S3Rejection::InvalidToken),
        }
        match signer.expires_at {
            Some(end) if end <= now => Err(S3Rejection::ExpiredToken),
            _ => Ok(signer),
        }
    }
}

fn auth_mechanism(head: &Parts, query: &QueryString) -> Result<AuthMechanism, S3Rejection> {
    let is_signature_v4 = query
        .names()
        .any(|name| name == "X-Amz-Signature" || name == "X-Amz-Algorithm");
    let is_signature_v2 = query
        .names()
        .any(|name| name == "Signature" || name == "AWSAccessKeyId");
    let authorization = head.headers.get(AUTHORIZATION);
    match (is_signature_v4 || is_signature_v2, authorization) {
        (true, Some(_)) => Err(S3Rejection::MultipleMechanisms),
        (true, None) if is_signature_v2 => Err(S3Rejection::SignatureV2),
        (true, None) => Ok(AuthMechanism::Query),
        (false, Some(value)) if value.as_bytes().starts_with(b"AWS ") => Err(S3Rejection::SignatureV2),
        (false, Some(value)) if !value.as_bytes().starts_with(b"AWS4-") => Err(S3Rejection::UnsupportedAuthorization),
        (false, Some(_)) => Ok(AuthMechanism::Header),
        (false, None) if is_form_upload(head) => Ok(AuthMechanism::Form),
        (false, None) => Err(S3Rejection::Unsigned),
    }
}

/// S3 treats each unsigned POST request to a bucket as a form upload.
fn is_form_upload(head: &Parts) -> bool {
    let bucket = head.uri.path().trim_matches('/');
    head.method == Method::POST && head.uri.query().is_none() && !bucket.is_empty() && !bucket.contains('/')
}
