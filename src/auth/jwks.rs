//! The public keys of an issuer, as its JWK set tells them ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517)).

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::signature::{self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};
use serde::Deserialize;
use serde_json::Value;

use super::jwt::Algorithm;

/// More than this no issuer has at a time.
const MAX_KEYS: usize = 100;

/// The public keys that an issuer signs with.
#[derive(Clone, Debug, Default)]
pub struct KeySet(Vec<PublicKey>);

/// A text is not a JWK set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a set of up to {MAX_KEYS} JSON Web Keys")]
pub struct KeySetError;

/// A key, and what its issuer says it is for.
#[derive(Clone, Debug)]
pub(super) struct PublicKey {
    kid: Option<String>,
    algorithm: Option<String>,
    material: Material,
}

#[derive(Clone, Debug)]
enum Material {
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    /// The point, uncompressed.
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Deserialize)]
struct Set {
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
    /// Reads a JWK set. Keys that verify nothing here are left out, as the specification wants it.
    pub fn parse(text: &[u8]) -> Result<Self, KeySetError> {
        let set: Set = serde_json::from_slice(text).map_err(|_| KeySetError)?;
        if set.keys.len() > MAX_KEYS {
            return Err(KeySetError);
        }
        let keys = set
            .keys
            .into_iter()
            .filter_map(|key| Jwk::deserialize(key).ok()?.read());
        Ok(Self(keys.collect()))
    }

    /// Whether there is a key of this id.
    pub fn holds(&self, kid: &str) -> bool {
        self.0.iter().any(|key| key.kid.as_deref() == Some(kid))
    }

    /// The keys that can have made a signature; none where a token that names no key could mean several.
    pub(super) fn candidates(&self, algorithm: Algorithm, kid: Option<&str>) -> Vec<&PublicKey> {
        let fitting = self.0.iter().filter(|key| key.fits(algorithm));
        match kid {
            Some(kid) => fitting.filter(|key| key.kid.as_deref() == Some(kid)).collect(),
            None => Some(fitting.collect::<Vec<_>>())
                .filter(|keys| keys.len() == 1)
                .unwrap_or_default(),
        }
    }
}

impl Jwk {
    fn read(self) -> Option<PublicKey> {
        let signs = self.usage.as_deref().is_none_or(|usage| usage == "sig");
        let verifies = self
            .key_ops
            .as_ref()
            .is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !signs || !verifies {
            return None;
        }
        let material = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => Material::Rsa(RsaPublicKeyComponents {
                n: integer(self.n.as_deref()?)?,
                e: integer(self.e.as_deref()?)?,
            }),
            ("EC", Some("P-256")) => Material::P256(self.point(32)?),
            ("EC", Some("P-384")) => Material::P384(self.point(48)?),
            ("OKP", Some("Ed25519")) => Material::Ed25519(coordinate(self.x.as_deref()?, 32)?),
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

/// A number without the zeros that some issuers put before it.
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
    /// Whether it may be used with `algorithm`: by its kind, and by what its issuer says.
    fn fits(&self, algorithm: Algorithm) -> bool {
        let said = self.algorithm.as_deref().is_none_or(|said| said == algorithm.name());
        said && match &self.material {
            Material::Rsa(_) => rsa(algorithm).is_some(),
            Material::P256(_) => algorithm == Algorithm::Es256,
            Material::P384(_) => algorithm == Algorithm::Es384,
            Material::Ed25519(_) => algorithm == Algorithm::EdDsa,
        }
    }

    /// Whether it has made `signature` of `message`.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let plain = |scheme: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(scheme, key).verify(message, signature).is_ok()
        };
        match &self.material {
            Material::Rsa(key) => rsa(algorithm).is_some_and(|scheme| key.verify(scheme, message, signature).is_ok()),
            Material::P256(point) => plain(&signature::ECDSA_P256_SHA256_FIXED, point),
            Material::P384(point) => plain(&signature::ECDSA_P384_SHA384_FIXED, point),
            Material::Ed25519(key) => plain(&signature::ED25519, key),
        }
    }
}

/// RSA keys of 2,048 bits and more; shorter ones verify nothing.
const fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => None,
    }
}
