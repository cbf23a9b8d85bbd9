//! JSON Web Tokens ([RFC 7519](https://www.rfc-editor.org/rfc/rfc7519)): parsed without trust, then verified
//! with keys and algorithms that the token cannot choose.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;

use super::algorithm::Algorithm;
use super::claim_values::exact_text;
use super::error::bad_credential;
use super::jwks::KeySet;
use crate::rejection::{CredentialRemedy, Rejection};

/// The maximum length of a token. No front passes longer headers.
const MAX_LENGTH: usize = 16 * 1024;

/// A token that has not been verified yet.
pub(super) struct Jwt<'a> {
    algorithm: String,
    kid: Option<String>,
    claims: Claims,
    signed: &'a str,
    signature: Vec<u8>,
}

/// The claims of a token. Each name is unique.
#[derive(Clone, PartialEq)]
pub(super) struct Claims(BTreeMap<String, Value>);

/// Returns true if a bearer token has the form of a JSON Web Token. Tokens of `signpost token new` do not.
pub(super) fn is_jwt(text: &str) -> bool {
    text.split('.').count() == 3
}

impl<'a> Jwt<'a> {
    /// Parses a token without verifying it.
    pub(super) fn parse(text: &'a str) -> Result<Self, Rejection> {
        let malformed = || {
            bad_credential(
                CredentialRemedy::CheckIssuer,
                "the bearer token is not a JSON Web Token",
            )
        };
        if text.len() > MAX_LENGTH {
            return Err(bad_credential(
                CredentialRemedy::CheckIssuer,
                "the bearer token is too long",
            ));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or_else(malformed)?;
        let (header, claims) = signed.split_once('.').ok_or_else(malformed)?;
        let header = decode_claims(header).ok_or_else(malformed)?;
        let claims = decode_claims(claims).ok_or_else(malformed)?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|_| malformed())?;
        if header.0.contains_key("crit") {
            return Err(bad_credential(
                CredentialRemedy::CheckIssuer,
                "the bearer token has an unsupported \"crit\" header",
            ));
        }
        if !header.0.get("typ").is_none_or(is_supported_type) {
            return Err(bad_credential(
                CredentialRemedy::CheckIssuer,
                "the bearer token has an unsupported \"typ\" header",
            ));
        }
        let kid = match header.0.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(malformed()),
        };
        Ok(Self {
            algorithm: header.text("alg").ok_or_else(malformed)?.to_owned(),
            kid,
            claims,
            signed,
            signature,
        })
    }

    /// Returns the issuer that the token names.
    pub(super) fn issuer(&self) -> Option<&str> {
        self.claims.text("iss")
    }

    /// Returns the id of the key that the token names.
    pub(super) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Returns the claims if one of `keys` signed them with one of `algorithms`.
    pub(super) fn verify(self, keys: &KeySet, algorithms: &[Algorithm]) -> Result<Claims, Rejection> {
        let algorithm = algorithms.iter().find(|algorithm| algorithm.is_named(&self.algorithm));
        let algorithm = algorithm.ok_or_else(|| {
            bad_credential(
                CredentialRemedy::CheckIssuer,
                "the rules do not allow the signature algorithm of the bearer token",
            )
        })?;
        let candidates = keys.candidates(*algorithm, self.kid.as_deref());
        if candidates.is_empty() {
            return Err(bad_credential(
                CredentialRemedy::CheckIssuer,
                "the issuer of the bearer token does not publish its signing key",
            ));
        }
        let is_valid = candidates
            .into_iter()
            .any(|key| key.verifies(*algorithm, self.signed.as_bytes(), &self.signature));
        if is_valid {
            Ok(self.claims)
        } else {
            Err(bad_credential(
                CredentialRemedy::CheckIssuer,
                "the signature of the bearer token is invalid",
            ))
        }
    }
}

/// Returns true for access tokens and ID tokens. Other tokens, such as logout tokens, do not prove an identity
/// ([RFC 8725](https://www.rfc-editor.org/rfc/rfc8725#section-3.11)).
fn is_supported_type(value: &Value) -> bool {
    let Some(name) = value.as_str() else { return false };
    let name = name.to_ascii_lowercase();
    matches!(name.strip_prefix("application/").unwrap_or(&name), "jwt" | "at+jwt")
}

fn decode_claims(encoded: &str) -> Option<Claims> {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()
}

impl Claims {
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Returns a claim that is a non-empty text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// Returns the claims with a single exact value, as texts.
    pub(super) fn texts(&self) -> BTreeMap<String, String> {
        let claims = self.0.iter();
        claims
            .filter_map(|(name, value)| Some((name.clone(), exact_text(value)?)))
            .collect()
    }
}

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(UniqueNames)
    }
}

/// Rejects an object that contains a name twice: of two such members, one parser may use the first and another parser
/// the second.
struct UniqueNames;

impl<'de> Visitor<'de> for UniqueNames {
    type Value = Claims;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with unique names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Claims, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a name occurs twice"));
            }
        }
        Ok(Claims(members))
    }
}
