//! Calculates and compares signatures.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Refusal;
use super::scope::Scope;
use crate::s3::config::S3Credentials;
use crate::s3::store::ids::hex;

/// What a client signed, as this side understood it.
pub(super) struct Claim<'a> {
    pub(super) scope: &'a Scope,
    pub(super) date: &'a str,
    pub(super) canonical_request: String,
    pub(super) signature: &'a str,
}

impl Claim<'_> {
    /// Refuses a signature that is not the signer's.
    pub(super) fn verify(self, signer: &S3Credentials) -> Result<(), Refusal> {
        let string_to_sign = format!(
            "AWS4-HMAC-SHA256\n{}\n{}\n{}",
            self.date,
            self.scope,
            hex(&Sha256::digest(&self.canonical_request))
        );
        let expected = hex(&sign(&self.signing_key(signer), string_to_sign.as_bytes()));
        if bool::from(expected.as_bytes().ct_eq(self.signature.as_bytes())) {
            return Ok(());
        }
        let canonical_request = redact_token(self.canonical_request, signer);
        Err(Refusal::SignatureDoesNotMatch {
            string_to_sign,
            canonical_request,
        })
    }

    fn signing_key(&self, signer: &S3Credentials) -> Vec<u8> {
        let secret = format!("AWS4{}", signer.secret_access_key.expose());
        let steps = [self.scope.date.as_str(), &self.scope.region, "s3", "aws4_request"];
        steps
            .iter()
            .fold(secret.into_bytes(), |key, step| sign(&key, step.as_bytes()))
    }
}

fn sign(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// The token stands in the canonical request, which goes into the answer.
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
