//! Share links: URLs of Signpost that grant a part of their creator's rights to every holder of the link.
//!
//! A link is a signed token, so nothing is stored. A link stops working when it expires, when its id is in `revoked` of
//! the rules, when its key is removed from `SIGNPOST_KEYS`, when the token of its creator gets another secret, or when its
//! creator loses the right. A link is valid only in the mount in which it was created. Each use evaluates the creator's rights again, and the maximum lifetime that the rules set.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::error::bad_credential;
use super::keyring::{Keyring, Purpose, SignedToken};
use super::stored_user::StoredUser;
use crate::key::ObjectKey;
use crate::rejection::{CredentialRemedy, Rejection};

/// The content of a share link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareLink {
    /// The id of the link, by which it can be revoked.
    pub id: String,
    /// The objects that the link grants access to.
    pub scope: LinkScope,
    /// The methods that the link grants.
    pub methods: Vec<String>,
    /// The creation time, in seconds since 1970.
    pub created: u64,
    /// The expiry time, in seconds since 1970.
    pub expires: u64,
    /// True if the credential of the creator was temporary: a session, or an identity of an issuer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub temporary: bool,
    /// The maximum length of an upload through the link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// The maximum number of uses; unlimited if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u32>,
    /// The fingerprint of the location of the mount with the objects. Absent for the bucket of the setting `SIGNPOST_BUCKET`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount: Option<String>,
    /// The user who created the link.
    pub creator: StoredUser,
}

/// The objects that a link grants access to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkScope {
    /// One object.
    Key(String),
    /// Every object below a prefix, which ends in `/`.
    Prefix(String),
}

/// Signs `link` as the value of `?share=`; returns `None` without keys.
pub fn sign(keys: &Keyring, link: &ShareLink) -> Option<SignedToken> {
    keys.sign(Purpose::ShareLink, link)
}

/// Verifies the value of `?share=`: its signature, and that it has not expired at `now`.
pub fn verify(keys: &Keyring, text: &str, now: SystemTime) -> Result<ShareLink, Rejection> {
    let link: Option<ShareLink> = keys.verify(Purpose::ShareLink, text);
    let link = link.ok_or_else(|| {
        bad_credential(
            CredentialRemedy::CopyLink,
            "the share link is invalid, or its signing key has been removed",
        )
    })?;
    check_expiry(link.expiry(), now)?;
    Ok(link)
}

/// Rejects a link that expires at `expiry` if it has expired at `now`.
pub fn check_expiry(expiry: SystemTime, now: SystemTime) -> Result<(), Rejection> {
    if now >= expiry {
        return Err(bad_credential(
            CredentialRemedy::RenewLink,
            "the share link has expired",
        ));
    }
    Ok(())
}

/// Returns a unique id for a new link, derived from the id of its request.
pub fn new_id(keys: &Keyring, request_id: &str, now: SystemTime) -> String {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let unique = format!("{request_id} {}", since.as_nanos());
    let derived = keys.derive(Purpose::ShareLink, &unique);
    derived.map_or_else(String::new, |bytes| BASE64_URL_SAFE_NO_PAD.encode(&bytes[..9]))
}

impl ShareLink {
    /// Returns the expiry time.
    pub fn expiry(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.expires)
    }

    /// Returns the expiry time under a rule that allows this lifetime.
    pub fn expiry_within(&self, max_lifetime: Duration) -> SystemTime {
        let latest = SystemTime::UNIX_EPOCH + Duration::from_secs(self.created) + max_lifetime;
        self.expiry().min(latest)
    }
}

impl LinkScope {
    /// Returns true if the link covers `key`.
    pub fn contains(&self, key: &ObjectKey) -> bool {
        match self {
            Self::Key(own) => own == key.as_str(),
            Self::Prefix(prefix) => key.as_str().len() > prefix.len() && key.as_str().starts_with(prefix),
        }
    }
}
