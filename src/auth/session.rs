//! The session of a browser: a cookie that says who has signed in and until when, sealed, so that nothing is stored.
//!
//! A session ends with its time, with its key, and with whoever has signed in: a token or an issuer that the rules no
//! longer name, or a token with another secret, is nobody.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, header};
use serde::{Deserialize, Serialize};

use super::keyring::{Keyring, Purpose, Sealed};
use super::share::Maker;
use super::sign_in::Asked;
use super::{Member, refused};
use crate::rejection::Rejection;
use crate::request::ApiRequest;

/// The name of the cookie. Browsers take the prefix from this host alone, over a safe connection, for every path.
pub const COOKIE: &str = "__Host-signpost";

/// No session lives longer.
pub const MAX_LIFE: Duration = Duration::from_hours(1);

/// Browsers take no longer cookies, name and attributes included.
const MAX_COOKIE: usize = 3800;

/// What a cookie says.
#[derive(Serialize, Deserialize)]
pub(super) struct Session {
    who: Maker,
    /// What the secret of a token is known by, so that a new one ends the sessions of the old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) secret: Option<String>,
    expires: u64,
}

/// A session that has just begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// The value of the cookie.
    pub cookie: Sealed,
    /// How long it lives.
    pub life: Duration,
}

impl Session {
    /// The session of `member` until `ends`, or for as long as one may live.
    pub(super) fn new(who: Maker, secret: Option<String>, ends: SystemTime) -> Self {
        let since = ends.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self {
            who,
            secret,
            expires: since.as_secs(),
        }
    }

    /// Seals it, if it is not too large for a cookie.
    pub(super) fn seal(&self, keys: &Keyring, now: SystemTime) -> Result<NewSession, Rejection> {
        let life = self.ends().duration_since(now).unwrap_or_default();
        let cookie = keys.seal(Purpose::Session, self);
        let cookie = cookie.filter(|cookie| cookie.expose().len() <= MAX_COOKIE && !life.is_zero());
        let cookie = cookie.ok_or_else(|| refused("what the rules ask of this caller does not fit into a cookie"))?;
        Ok(NewSession { cookie, life })
    }

    /// Reads a cookie that is sealed by us and alive at `now`.
    pub(super) fn open(keys: &Keyring, text: &str, now: SystemTime) -> Result<Self, Rejection> {
        let session: Option<Self> = keys.open(Purpose::Session, text);
        let session =
            session.ok_or_else(|| refused("the session is not one of ours, or its key is no longer in use"))?;
        if now >= session.ends() {
            return Err(refused("the session has ended"));
        }
        Ok(session)
    }

    pub(super) const fn who(&self) -> &Maker {
        &self.who
    }

    fn ends(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.expires)
    }
}

/// The value of the one cookie of this name; two of a name are one too many.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Rejection> {
    // Other cookies of the host may hold bytes that are no ASCII; ours are read beside them.
    let pairs = headers.get_all(header::COOKIE).iter();
    let pairs = pairs.flat_map(|text| text.as_bytes().split(|byte| *byte == b';'));
    let mut values = pairs.filter_map(|pair| {
        let value = pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        // What is no text can't be a session either, and is refused as one.
        Some(str::from_utf8(value).unwrap_or_default())
    });
    let value = values.next();
    if values.next().is_some() {
        return Err(refused("the request carries two cookies of one name"));
    }
    Ok(value)
}

/// Whether a page of this very service sends the request. Browsers say so by headers that no page can set; what is no
/// browser has no cookie that it did not mean to send, but says so all the same.
pub(super) fn is_own_page(request: &ApiRequest) -> bool {
    let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
    match (header("sec-fetch-site"), header("origin")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => request.origin().is_some_and(|own| own.eq_ignore_ascii_case(origin)),
        (None, None) => false,
    }
}

/// Whether a method changes nothing.
pub(super) fn only_reads(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS")
}

/// What is kept of a member: of its groups those that the rules name, since a cookie is small.
pub(super) fn remember(member: &Member, asked: &Asked<'_>) -> Maker {
    let mut who = member.as_maker(&asked.claims);
    who.groups.retain(|group| asked.groups.contains(group.as_str()));
    who
}
