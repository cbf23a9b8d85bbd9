//! The public keys that an issuer publishes as a JWK set ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517)).

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::signature::{self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};
use serde::Deserialize;
use serde_json::Value;

use super::algorithm::Algorithm;

/// The maximum number of keys of an issuer. No known issuer has more at a time.
const MAX_KEYS: usize = 100;

/// The public keys that an issuer signs with.
#[derive(Clone, Debug, Default)]
pub struct KeySet(Vec<PublicKey>);

/// The error for a text that is not a JWK set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a set of at most {MAX_KEYS} JSON Web Keys")]
pub struct KeySetError;

/// A public key with the algorithm for which its issuer intends it.
#[derive(Clone, Debug)]
pub(super) struct PublicKey {
    kid: Option<String>,
    algorithm: Option<String>,
    material: KeyMaterial,
}

#[derive(Clone, Debug)]
enum KeyMaterial {
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    /// The uncompressed point.
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Parses a JWK set. It ignores keys that cannot verify a token, as the specification recommends.
    pub fn parse(text: &[u8]) -> Result<Self, KeySetError> {
        let set: JwkSet = serde_json::from_slice(text).map_err(|_| KeySetError)?;
        if set.keys.len() > MAX_KEYS {
            return Err(KeySetError);
        }
        let keys = set
            .keys
            .into_iter()
            .filter_map(|key| Jwk::deserialize(key).ok()?.into_public_key());
        Ok(Self(keys.collect()))
    }

    /// Returns true if the set contains a key with this id.
    pub fn contains(&self, kid: &str) -> bool {
        self.0.iter().any(|key| key.kid.as_deref() == Some(kid))
    }

    /// Returns the keys that may have made a signature. If the token names no key and several keys are possible, returns
    /// none.
    pub(super) fn candidates(&self, algorithm: Algorithm, kid: Option<&str>) -> Vec<&PublicKey> {
        let usable = self.0.iter().filter(|key| key.supports(algorithm));
        match kid {
            Some(kid) => usable.filter(|key| key.kid.as_deref() == Some(kid)).collect(),
            None => Some(usable.collect::<Vec<_>>())
                .filter(|keys| keys.len() == 1)
                .unwrap_or_default(),
        }
    }
}

impl Jwk {
    fn into_public_key(self) -> Option<PublicKey> {
        let signs = self.usage.as_deref().is_none_or(|usage| usage == "sig");
        let verifies = self
            .key_ops
            .as_ref()
            .is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !signs || !verifies {
            return None;
        }
        let material = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => KeyMaterial::Rsa(RsaPublicKeyComponents {
                n: integer(self.n.as_deref()?)?,
                e: integer(self.e.as_deref()?)?,
            }),
            ("EC", Some("P-256")) => KeyMaterial::P256(self.point(32)?),
            ("EC", Some("P-384")) => KeyMaterial::P384(self.point(48)?),
            ("OKP", Some("Ed25519")) => KeyMaterial::Ed25519(coordinate(self.x.as_deref()?, 32)?),
            _ => return None,
        };
        Some(PublicKey {
            kid: self.kid,
            algorithm: self.alg,
            material,
        })
    }

    fn point(&self, length: usize) -> Option<Vec<u8>> {
        let (x, y) = (
            coordinate(self.x.as_deref()?, length)?,
            coordinate(self.y.as_deref()?, length)?,
        );
        Some([&[4], &*x, &*y].concat())
    }
}

/// Decodes a number and removes leading zeros, which some issuers write.
fn integer(text: &str) -> Option<Vec<u8>> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    Some(bytes[zeros..].to_vec())
}

fn coordinate(text: &str, length: usize) -> Option<Vec<u8>> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
    (bytes.len() == length).then_some(bytes)
}

impl PublicKey {
    /// Returns true if the key can be used with `algorithm`: its type fits, and its issuer intends it.
    fn supports(&self, algorithm: Algorithm) -> bool {
        let is_intended = self.algorithm.as_deref().is_none_or(|name| algorithm.is_named(name));
        is_intended
            && match &self.material {
                KeyMaterial::Rsa(_) => rsa(algorithm).is_some(),
                KeyMaterial::P256(_) => algorithm == Algorithm::Es256,
                KeyMaterial::P384(_) => algorithm == Algorithm::Es384,
                KeyMaterial::Ed25519(_) => algorithm == Algorithm::Ed25519,
            }
    }

    /// Returns true if `signature` is a valid signature of `message` by this key.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let plain = |scheme: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(scheme, key).verify(message, signature).is_ok()
        };
        match &self.material {
            KeyMaterial::Rsa(key) => {
                rsa(algorithm).is_some_and(|scheme| key.verify(scheme, message, signature).is_ok())
            }
            KeyMaterial::P256(point) => plain(&signature::ECDSA_P256_SHA256_FIXED, point),
            KeyMaterial::P384(point) => plain(&signature::ECDSA_P384_SHA384_FIXED, point),
            KeyMaterial::Ed25519(key) => plain(&signature::ED25519, key),
        }
    }
}

/// Returns the RSA parameters of an algorithm. They require keys of at least 2,048 bits.
const fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::Ed25519 => None,
    }
}
