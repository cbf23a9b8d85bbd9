//! Calculates and compares signatures.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use signpost::encoding::hex;
use subtle::ConstantTimeEq;

use super::S3Rejection;
use super::credential_scope::CredentialScope;
use crate::s3::config::S3Credentials;

/// A signature and its credential scope.
pub(super) struct SignatureCheck<'a> {
    pub(super) scope: &'a CredentialScope,
    pub(super) signature: &'a str,
}

impl SignatureCheck<'_> {
    /// Rejects a signature of a canonical request that differs from the signature of `signer`.
    pub(super) fn verify_request(
        &self,
        signer: &S3Credentials,
        date: &str,
        canonical_request: String,
    ) -> Result<(), S3Rejection> {
        let string_to_sign = format!(
            "AWS4-HMAC-SHA256\n{date}\n{}\n{}",
            self.scope,
            hex(&Sha256::digest(&canonical_request))
        );
        self.verify_text(signer, string_to_sign, Some(canonical_request))
    }

    /// Rejects a signature of a text that differs from the signature of `signer`.
    pub(super) fn verify_text(
        &self,
        signer: &S3Credentials,
        string_to_sign: String,
        canonical_request: Option<String>,
    ) -> Result<(), S3Rejection> {
        let expected = hex(&hmac_sha256(&self.signing_key(signer), string_to_sign.as_bytes()));
        if bool::from(expected.as_bytes().ct_eq(self.signature.as_bytes())) {
            return Ok(());
        }
        Err(S3Rejection::SignatureDoesNotMatch {
            access_key: self.scope.access_key.clone(),
            signature: self.signature.to_owned(),
            string_to_sign,
            canonical_request: canonical_request.map(|request| redact_token(request, signer)),
        })
    }

    fn signing_key(&self, signer: &S3Credentials) -> Vec<u8> {
        let secret = format!("AWS4{}", signer.secret_access_key.expose());
        let steps = [self.scope.date.as_str(), &self.scope.region, "s3", "aws4_request"];
        steps
            .iter()
            .fold(secret.into_bytes(), |key, step| hmac_sha256(&key, step.as_bytes()))
    }
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC accepts keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// Removes the session token from the canonical request, because the error response contains it.
fn redact_token(canonical_request: String, signer: &S3Credentials) -> String {
    let lines = canonical_request.lines().map(|line| {
        if line.starts_with("x-amz-security-token:") {
            return "x-amz-security-token:[redacted]".to_owned();
        }
        let parameters = line.split('&').map(|parameter| match parameter.split_once('=') {
            Some(("X-Amz-Security-Token", _)) => "X-Amz-Security-Token=[redacted]",
            _ => parameter,
        });
        parameters.collect::<Vec<_>>().join("&")
    });
    match signer.session_token {
        None => canonical_request,
        Some(_) => lines.collect::<Vec<_>>().join("\n"),
    }
}
