//! Share links: a URL of Signpost's own that lends a part of its maker's rights to whoever holds it.
//!
//! A link is a statement with an HMAC. Nothing is stored: it ends by its expiry, by its id in the rules' `revoked`, by
//! its key leaving `SIGNPOST_KEYS`, or by its maker losing the right, which is decided again at each use.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::keyring::{Keyring, Purpose, Sealed};
use super::refused;
use crate::key::ObjectKey;
use crate::rejection::Rejection;

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
    /// How many instructions it lends; without this, as many as are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u32>,
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

/// Writes `link` as the value of `?share=`; `None` without keys.
pub fn write(keys: &Keyring, link: &ShareLink) -> Option<Sealed> {
    keys.seal(Purpose::ShareLink, link)
}

/// Reads the value of `?share=`: sealed by us, and alive at `now`.
pub fn read(keys: &Keyring, text: &str, now: SystemTime) -> Result<ShareLink, Rejection> {
    let link: Option<ShareLink> = keys.open(Purpose::ShareLink, text);
    let link = link.ok_or_else(|| refused("the share link is not one of ours, or its key is no longer in use"))?;
    if now >= link.ends() {
        return Err(refused("the share link has expired"));
    }
    Ok(link)
}

/// A name for a link that no other link has, made of what is unique to its request.
pub fn name(keys: &Keyring, request_id: &str, now: SystemTime) -> String {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let unique = format!("{request_id} {}", since.as_nanos());
    let derived = keys.derive(Purpose::ShareLink, &unique);
    derived.map_or_else(String::new, |bytes| BASE64_URL_SAFE_NO_PAD.encode(&bytes[..9]))
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
