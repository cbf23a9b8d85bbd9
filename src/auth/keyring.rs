//! The keys of what Signpost hands out to get back: share links and sign-in sessions. Each is a statement with an HMAC,
//! so that nothing need be stored.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

/// The keys of `SIGNPOST_KEYS`: the first seals, every one opens.
#[derive(Clone, Debug, Default)]
pub struct Keyring(Vec<Key>);

#[derive(Clone)]
struct Key {
    id: String,
    secret: Vec<u8>,
}

/// What a statement is for. One that is sealed for one purpose opens for no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A link that lends a part of its maker's rights.
    ShareLink,
    /// The session of a browser.
    Session,
    /// An attempt to sign in.
    SignIn,
    /// Where a listing goes on.
    Cursor,
}

/// A sealed statement: whoever has it may do what it says, so it is a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(String);

/// Why a text is not a list of keys; it repeats no part of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// Not `ID:KEY`.
    #[error("is not a list of at most two ID:KEY, as `signpost key new` makes them")]
    Malformed,
    /// A key that could be guessed.
    #[error("a key has fewer than 32 bytes; `signpost key new` makes good ones")]
    Short,
    /// Two keys of one id.
    #[error("two keys have the same id")]
    Repeated,
}

impl Keyring {
    /// A ring of one key, made of a text that others do not know.
    pub fn of(text: &str) -> Self {
        Self(vec![Key {
            id: "own".into(),
            secret: Sha256::digest(text).to_vec(),
        }])
    }

    /// Whether nothing can be sealed or opened.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes `statement` so that only these keys can have written it; `None` without keys.
    pub fn seal(&self, purpose: Purpose, statement: &impl Serialize) -> Option<Sealed> {
        let key = self.0.first()?;
        let statement = serde_json::to_vec(statement).ok()?;
        let signed = format!("{}.{}", key.id, BASE64_URL_SAFE_NO_PAD.encode(statement));
        let mac = BASE64_URL_SAFE_NO_PAD.encode(key.mac(purpose, &signed).finalize().into_bytes());
        Some(Sealed(format!("{signed}.{mac}")))
    }

    /// Reads what [`Keyring::seal`] wrote for this purpose: whole, unaltered, and by a key that still counts.
    pub fn open<T: DeserializeOwned>(&self, purpose: Purpose, text: &str) -> Option<T> {
        let (signed, mac) = text.rsplit_once('.')?;
        let (id, statement) = signed.split_once('.')?;
        let key = self.0.iter().find(|key| key.id == id)?;
        let mac = BASE64_URL_SAFE_NO_PAD.decode(mac).ok()?;
        key.mac(purpose, signed).verify_slice(&mac).ok()?;
        let statement = BASE64_URL_SAFE_NO_PAD.decode(statement).ok()?;
        serde_json::from_slice(&statement).ok()
    }

    /// What `text` becomes under the first key: the same always, and nothing that others could foretell.
    pub fn derive(&self, purpose: Purpose, text: &str) -> Option<[u8; 32]> {
        self.derive_by_each(purpose, text).next()
    }

    /// What `text` becomes under each of the keys.
    pub fn derive_by_each(&self, purpose: Purpose, text: &str) -> impl Iterator<Item = [u8; 32]> {
        let derive = move |key: &Key| key.mac(purpose, text).finalize().into_bytes().into();
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
        }
    }
}

impl Key {
    fn mac(&self, purpose: Purpose, text: &str) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes keys of any length");
        mac.chain_update(purpose.name()).chain_update([0]).chain_update(text)
    }
}

impl Sealed {
    /// The text, for whom it is meant and nobody else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(redacted)")
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
        let keys = keys.collect::<Result<Vec<Key>, _>>()?;
        match keys.as_slice() {
            [one, two] if one.id == two.id => Err(KeyringError::Repeated),
            [] | [_] | [_, _] => Ok(Self(keys)),
            _ => Err(KeyringError::Malformed),
        }
    }
}

impl FromStr for Key {
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

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, redacted)", self.id)
    }
}
