//! The signature algorithms of JSON Web Tokens.

use std::str::FromStr;

/// A signature algorithm ([RFC 7518](https://www.rfc-editor.org/rfc/rfc7518)). All of them are
/// asymmetric, so an attacker cannot use a public key as an HMAC secret.
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
    /// Ed25519 ([RFC 9864](https://www.rfc-editor.org/rfc/rfc9864)).
    Ed25519,
}

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
        Self::Ed25519,
    ];

    /// Returns true if the algorithm has this name. RFC 9864 replaces the older name `EdDSA` by `Ed25519`. Both have the
    /// same meaning here, because no other key of `EdDSA` is supported.
    pub fn is_named(self, name: &str) -> bool {
        self.name() == name || (self == Self::Ed25519 && name == "EdDSA")
    }

    /// Returns the name of the algorithm in the `alg` header of a token.
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
            Self::Ed25519 => "Ed25519",
        }
    }
}

impl FromStr for Algorithm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|algorithm| algorithm.is_named(text));
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("unknown algorithm {text:?}; use one of {names}")
        })
    }
}
