//! JSON Web Tokens ([RFC 7519](https://www.rfc-editor.org/rfc/rfc7519)): read without belief, then verified with keys and
//! algorithms that the token has no say in.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;

use super::jwks::KeySet;
use super::refused;
use crate::rejection::Rejection;

/// No front lets longer headers through.
const MAX_LENGTH: usize = 16 * 1024;

/// A signature algorithm ([RFC 7518](https://www.rfc-editor.org/rfc/rfc7518)). None of them shares a key with its verifier, so
/// a public key can't be passed off as a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// ECDSA over P-384 with SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

/// A token of which nothing is believed yet.
pub(super) struct Jwt<'a> {
    algorithm: String,
    kid: Option<String>,
    claims: Claims,
    signed: &'a str,
    signature: Vec<u8>,
}

/// What a token says of its subject, each name once.
#[derive(Clone, PartialEq)]
pub(super) struct Claims(BTreeMap<String, Value>);

impl Algorithm {
    const ALL: [Self; 9] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// Its name in a token.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl FromStr for Algorithm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|algorithm| algorithm.name() == text);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("{text:?} is none of {names}")
        })
    }
}

/// Whether a bearer's text is a token of this kind, and not one that `signpost token new` has made.
pub(super) fn is_one(text: &str) -> bool {
    text.split('.').count() == 3
}

impl<'a> Jwt<'a> {
    /// Takes a token apart.
    pub(super) fn read(text: &'a str) -> Result<Self, Rejection> {
        let malformed = || refused("the bearer token is not a JSON Web Token");
        if text.len() > MAX_LENGTH {
            return Err(refused("the bearer token is too long"));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or_else(malformed)?;
        let (header, claims) = signed.split_once('.').ok_or_else(malformed)?;
        let header = members(header).ok_or_else(malformed)?;
        let claims = members(claims).ok_or_else(malformed)?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|_| malformed())?;
        if header.0.contains_key("crit") {
            return Err(refused("the bearer token wants something understood that is not"));
        }
        if !header.0.get("typ").is_none_or(is_plain_type) {
            return Err(refused("the bearer token is of a type that is no credential"));
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

    /// The issuer that it names.
    pub(super) fn issuer(&self) -> Option<&str> {
        self.claims.text("iss")
    }

    /// The key that it names.
    pub(super) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// What it says, if one of `keys` has signed that by one of `algorithms`.
    pub(super) fn verify(self, keys: &KeySet, algorithms: &[Algorithm]) -> Result<Claims, Rejection> {
        let named = algorithms.iter().find(|algorithm| algorithm.name() == self.algorithm);
        let algorithm = named.ok_or_else(|| refused("the bearer token is not signed by an algorithm of the rules"))?;
        let candidates = keys.candidates(*algorithm, self.kid.as_deref());
        if candidates.is_empty() {
            return Err(refused(
                "the bearer token is not signed with a key that its issuer tells",
            ));
        }
        let signed = candidates
            .into_iter()
            .any(|key| key.verifies(*algorithm, self.signed.as_bytes(), &self.signature));
        if signed {
            Ok(self.claims)
        } else {
            Err(refused("the signature of the bearer token is wrong"))
        }
    }
}

/// Access tokens and ID tokens; others, such as logout tokens, prove nobody's identity
/// ([RFC 8725](https://www.rfc-editor.org/rfc/rfc8725#section-3.11)).
fn is_plain_type(value: &Value) -> bool {
    let Some(name) = value.as_str() else { return false };
    let name = name.to_ascii_lowercase();
    matches!(name.strip_prefix("application/").unwrap_or(&name), "jwt" | "at+jwt")
}

fn members(encoded: &str) -> Option<Claims> {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()
}

impl Claims {
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A claim that is a text, and not an empty one.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// The claims that have one value, as texts.
    pub(super) fn texts(&self) -> BTreeMap<String, String> {
        let text = |value: &Value| match value {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(truth) => Some(truth.to_string()),
            Value::String(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
        };
        self.0
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), text(value)?)))
            .collect()
    }
}

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Once)
    }
}

/// Two parsers may each take another one of two members of the same name, so there is no such token.
struct Once;

impl<'de> Visitor<'de> for Once {
    type Value = Claims;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object in which no name stands twice")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Claims, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a name stands twice"));
            }
        }
        Ok(Claims(members))
    }
}
