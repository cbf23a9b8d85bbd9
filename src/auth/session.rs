//! Browser sessions: a signed cookie with the user and the expiry time, so nothing is stored.
//!
//! A session ends when it expires, when its key is removed, or when the rules no longer contain its user. This is so if its
//! token or issuer is removed, or if its token gets another secret.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, header};
use serde::{Deserialize, Serialize};

use super::error::bad_credential;
use super::keyring::{Keyring, Purpose, SignedToken};
use super::stored_user::StoredUser;
use crate::rejection::{CredentialRemedy, Rejection};
use crate::request::ApiRequest;

/// The name of the session cookie. The prefix `__Host-` makes browsers accept it only from this host, over HTTPS and for
/// every path.
pub const COOKIE: &str = "__Host-signpost";

/// The maximum lifetime of a session.
pub const MAX_LIFE: Duration = Duration::from_hours(1);

/// The maximum length of the cookie value. Browsers limit the whole cookie, including its name and attributes.
const MAX_COOKIE: usize = 3800;

/// The content of a session cookie.
#[derive(Serialize, Deserialize)]
pub(super) struct Session {
    user: StoredUser,
    expires: u64,
}

/// A new session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// The value of the cookie.
    pub cookie: SignedToken,
    /// The lifetime of the session.
    pub life: Duration,
}

impl Session {
    /// Creates a session that expires at `expiry`.
    pub(super) fn new(user: StoredUser, expiry: SystemTime) -> Self {
        let since = expiry.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self {
            user,
            expires: since.as_secs(),
        }
    }

    /// Signs the session; fails if it is too large for a cookie.
    pub(super) fn sign(&self, keys: &Keyring, now: SystemTime) -> Result<NewSession, Rejection> {
        let life = self.expiry().duration_since(now).unwrap_or_default();
        let cookie = keys.sign(Purpose::Session, self);
        let cookie = cookie.filter(|cookie| cookie.expose().len() <= MAX_COOKIE && !life.is_zero());
        let too_large = "the claims and groups that the rules use are too large for a session cookie";
        let cookie = cookie.ok_or_else(|| bad_credential(CredentialRemedy::ShortenClaims, too_large))?;
        Ok(NewSession { cookie, life })
    }

    /// Verifies a cookie: its signature, and that it has not expired at `now`.
    pub(super) fn verify(keys: &Keyring, text: &str, now: SystemTime) -> Result<Self, Rejection> {
        let session: Option<Self> = keys.verify(Purpose::Session, text);
        let session = session.ok_or_else(|| {
            bad_credential(
                CredentialRemedy::SignIn,
                "the session is invalid, or its signing key has been removed",
            )
        })?;
        if now >= session.expiry() {
            return Err(bad_credential(CredentialRemedy::SignIn, "the session has expired"));
        }
        Ok(session)
    }

    pub(super) const fn user(&self) -> &StoredUser {
        &self.user
    }

    pub(super) fn expiry(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.expires)
    }
}

/// Returns the value of the cookie with this name; rejects a request that contains the cookie twice.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Rejection> {
    // Other cookies of the host may contain bytes that are not ASCII. They must not hide the session cookie.
    let pairs = headers.get_all(header::COOKIE).iter();
    let pairs = pairs.flat_map(|text| text.as_bytes().split(|byte| *byte == b';'));
    let mut values = pairs.filter_map(|pair| {
        let value = pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        // A value that is not UTF-8 becomes the empty text, which is rejected as an invalid session.
        Some(str::from_utf8(value).unwrap_or_default())
    });
    let value = values.next();
    if values.next().is_some() {
        return Err(bad_credential(
            CredentialRemedy::SendOne,
            "the request contains the same cookie twice",
        ));
    }
    Ok(value)
}

/// Rejects a request that a page of another site makes a browser send.
pub fn check_same_origin(request: &ApiRequest) -> Result<(), Rejection> {
    if is_same_origin(request) {
        Ok(())
    } else {
        Err(Rejection::CrossSite)
    }
}

/// Returns true if a page of this service sends the request.
///
/// Browsers say so in headers that no page can set. A client that is not a browser sends no cookie unintentionally, but
/// must send these headers as well.
fn is_same_origin(request: &ApiRequest) -> bool {
    let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
    match (header("sec-fetch-site"), header("origin")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => request.origin().is_some_and(|own| own.eq_ignore_ascii_case(origin)),
        (None, None) => false,
    }
}

/// Returns true if the method does not change anything.
pub(super) fn is_read_only(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS")
}
