//! Share links: a URL of Signpost's own that lends a part of its maker's rights to whoever holds it.
//!
//! A link is a statement with an HMAC. Nothing is stored: it ends by its expiry, by its id in the rules' `revoked`, by
//! its key leaving `SIGNPOST_SHARE_KEYS`, or by its maker losing the right, which is decided again at each use.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::refused;
use crate::key::ObjectKey;
use crate::rejection::Rejection;

/// The keys that links are made and checked with: the first makes them, every one checks them.
#[derive(Clone, Debug, Default)]
pub struct ShareKeys(Vec<ShareKey>);

#[derive(Clone)]
struct ShareKey {
    id: String,
    secret: Vec<u8>,
}

/// Why a text is not a list of keys; it repeats no part of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShareKeysError {
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

/// A written link: whoever has it may do what it says, so it is a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkToken(String);

/// What a link says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareLink {
    /// Its own name, by which it is revoked.
    pub id: String,
    /// What it opens.
    pub scope: Scope,
    /// The methods that it lends.
    pub methods: Vec<String>,
    /// The end of its life, in seconds since 1970.
    pub expires: u64,
    /// The greatest length of an upload through it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// Who made it.
    pub maker: Maker,
}

/// What a link opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// One object.
    Key(String),
    /// Every object below a prefix, which ends in `/`.
    Prefix(String),
}

/// The maker of a link, as far as the rules can ask for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maker {
    /// The name of its issuer; absent for tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Its name with that issuer.
    pub subject: String,
    /// Its groups then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Its claims then.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, String>,
}

impl ShareKeys {
    /// Whether no link can be made or used.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes `link` as the value of `?share=`.
    pub fn write(&self, link: &ShareLink) -> Option<LinkToken> {
        let key = self.0.first()?;
        let statement = serde_json::to_vec(link).ok()?;
        let signed = format!("{}.{}", key.id, BASE64_URL_SAFE_NO_PAD.encode(statement));
        let mac = BASE64_URL_SAFE_NO_PAD.encode(key.mac(&signed).finalize().into_bytes());
        Some(LinkToken(format!("{signed}.{mac}")))
    }

    /// Reads the value of `?share=`: whole, unaltered, by a key that still counts, and alive at `now`.
    pub fn read(&self, text: &str, now: SystemTime) -> Result<ShareLink, Rejection> {
        let unknown = || refused("the share link is not one of ours, or its key is no longer in use");
        let (signed, mac) = text.rsplit_once('.').ok_or_else(unknown)?;
        let (id, statement) = signed.split_once('.').ok_or_else(unknown)?;
        let key = self.0.iter().find(|key| key.id == id).ok_or_else(unknown)?;
        let mac = BASE64_URL_SAFE_NO_PAD.decode(mac).map_err(|_| unknown())?;
        key.mac(signed).verify_slice(&mac).map_err(|_| unknown())?;
        let statement = BASE64_URL_SAFE_NO_PAD.decode(statement).map_err(|_| unknown())?;
        let link: ShareLink = serde_json::from_slice(&statement).map_err(|_| unknown())?;
        if now >= link.ends() {
            return Err(refused("the share link has expired"));
        }
        Ok(link)
    }

    /// A name for a link that no other link has, made of what is unique to its request.
    pub fn name(&self, request_id: &str, now: SystemTime) -> String {
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let unique = format!("{request_id} {}", since.as_nanos());
        let mac = self.0.first().map(|key| key.mac(&unique).finalize().into_bytes());
        mac.map_or_else(String::new, |mac| BASE64_URL_SAFE_NO_PAD.encode(&mac[..9]))
    }
}

impl ShareKey {
    fn mac(&self, text: &str) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes keys of any length");
        mac.chain_update(text)
    }
}

impl LinkToken {
    /// The value of `?share=`, for the answer to its maker and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LinkToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkToken(redacted)")
    }
}

impl ShareLink {
    /// The end of its life.
    pub fn ends(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.expires)
    }
}

impl Scope {
    /// Whether `key` is what the link opens.
    pub fn holds(&self, key: &ObjectKey) -> bool {
        match self {
            Self::Key(own) => own == key.as_str(),
            Self::Prefix(prefix) => key.as_str().len() > prefix.len() && key.as_str().starts_with(prefix),
        }
    }
}

impl FromStr for ShareKeys {
    type Err = ShareKeysError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let keys = text
            .split(',')
            .map(str::trim)
            .filter(|key| !key.is_empty())
            .map(str::parse);
        let keys = keys.collect::<Result<Vec<ShareKey>, _>>()?;
        match keys.as_slice() {
            [one, two] if one.id == two.id => Err(ShareKeysError::Repeated),
            [] | [_] | [_, _] => Ok(Self(keys)),
            _ => Err(ShareKeysError::Malformed),
        }
    }
}

impl FromStr for ShareKey {
    type Err = ShareKeysError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (id, secret) = text.split_once(':').ok_or(ShareKeysError::Malformed)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if id.is_empty() || id.len() > 32 || !id.bytes().all(plain) {
            return Err(ShareKeysError::Malformed);
        }
        let secret = BASE64_URL_SAFE_NO_PAD
            .decode(secret)
            .map_err(|_| ShareKeysError::Malformed)?;
        if secret.len() < 32 {
            return Err(ShareKeysError::Short);
        }
        Ok(Self {
            id: id.to_owned(),
            secret,
        })
    }
}

impl fmt::Debug for ShareKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShareKey({}, redacted)", self.id)
    }
}
