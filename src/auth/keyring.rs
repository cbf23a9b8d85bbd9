//! The keys with which Signpost signs its own tokens: share links and sign-in sessions. Each token is a payload with an
//! HMAC, so Signpost does not store it.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

/// The keys of `SIGNPOST_KEYS`: the first key signs, every key verifies.
#[derive(Clone, Debug, Default)]
pub struct Keyring(Vec<SigningKey>);

#[derive(Clone)]
struct SigningKey {
    id: String,
    secret: Vec<u8>,
}

/// The purpose of a token. A token that is signed for one purpose is invalid for every other purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A link that grants a part of its creator's rights.
    ShareLink,
    /// The session of a browser.
    Session,
    /// An attempt to sign in.
    SignIn,
    /// The continuation token of a listing.
    Cursor,
    /// The place of a file that a form page uploads.
    UploadedFile,
}

/// A signed token. It grants access to every holder, so it is a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedToken(String);

/// The error for a text that is not a list of keys. The message never contains a part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// Not `ID:KEY`.
    #[error("is not a list of one or two ID:KEY, as `signpost key new` creates them")]
    Malformed,
    /// A key that is too short to resist guessing.
    #[error("a key has fewer than 32 bytes; create one with `signpost key new`")]
    Short,
    /// Two keys with the same id.
    #[error("two keys have the same id")]
    Repeated,
}

impl Keyring {
    /// Creates a keyring with one key that is derived from a secret text.
    pub fn from_secret(text: &str) -> Self {
        Self(vec![SigningKey {
            id: "own".into(),
            secret: Sha256::digest(text).to_vec(),
        }])
    }

    /// Returns true if there are no keys, so that nothing can be signed or verified.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Signs `payload` with the first key; returns `None` without keys.
    pub fn sign(&self, purpose: Purpose, payload: &impl Serialize) -> Option<SignedToken> {
        let key = self.0.first()?;
        let payload = serde_json::to_vec(payload).ok()?;
        let signed = format!("{}.{}", key.id, BASE64_URL_SAFE_NO_PAD.encode(payload));
        let mac = BASE64_URL_SAFE_NO_PAD.encode(key.mac(purpose, &signed).finalize().into_bytes());
        Some(SignedToken(format!("{signed}.{mac}")))
    }

    /// Verifies a token of [`Keyring::sign`] for the same purpose with any of the keys, and returns its payload.
    pub fn verify<T: DeserializeOwned>(&self, purpose: Purpose, text: &str) -> Option<T> {
        let (signed, mac) = text.rsplit_once('.')?;
        let (id, payload) = signed.split_once('.')?;
        let key = self.0.iter().find(|key| key.id == id)?;
        let mac = BASE64_URL_SAFE_NO_PAD.decode(mac).ok()?;
        key.mac(purpose, signed).verify_slice(&mac).ok()?;
        let payload = BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?;
        serde_json::from_slice(&payload).ok()
    }

    /// Derives a value from `text` with the first key. It is always the same, and unpredictable without the key.
    pub fn derive(&self, purpose: Purpose, text: &str) -> Option<[u8; 32]> {
        self.derive_by_each(purpose, text).next()
    }

    /// Derives a value from `text` with each of the keys.
    pub fn derive_by_each(&self, purpose: Purpose, text: &str) -> impl Iterator<Item = [u8; 32]> {
        let derive = move |key: &SigningKey| key.mac(purpose, text).finalize().into_bytes().into();
        self.0.iter().map(derive)
    }
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::ShareLink => "share link",
            Self::Session => "session",
            Self::SignIn => "sign-in",
            Self::Cursor => "cursor",
            Self::UploadedFile => "uploaded file",
        }
    }
}

impl SigningKey {
    fn mac(&self, purpose: Purpose, text: &str) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC accepts keys of any length");
        mac.chain_update(purpose.name()).chain_update([0]).chain_update(text)
    }
}

impl SignedToken {
    /// Returns the secret text. Give it only to the caller for whom it was signed.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SignedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignedToken(redacted)")
    }
}

impl FromStr for Keyring {
    type Err = KeyringError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let keys = text
            .split(',')
            .map(str::trim)
            .filter(|key| !key.is_empty())
            .map(str::parse);
        let keys = keys.collect::<Result<Vec<SigningKey>, _>>()?;
        match keys.as_slice() {
            [one, two] if one.id == two.id => Err(KeyringError::Repeated),
            [] | [_] | [_, _] => Ok(Self(keys)),
            _ => Err(KeyringError::Malformed),
        }
    }
}

impl FromStr for SigningKey {
    type Err = KeyringError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (id, secret) = text.split_once(':').ok_or(KeyringError::Malformed)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if id.is_empty() || id.len() > 32 || !id.bytes().all(plain) {
            return Err(KeyringError::Malformed);
        }
        let secret = BASE64_URL_SAFE_NO_PAD
            .decode(secret)
            .map_err(|_| KeyringError::Malformed)?;
        if secret.len() < 32 {
            return Err(KeyringError::Short);
        }
        Ok(Self {
            id: id.to_owned(),
            secret,
        })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, redacted)", self.id)
    }
}
