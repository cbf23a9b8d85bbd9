//! Signing in for the page: by an issuer's authorization code with PKCE, or by a token in a form.
//!
//! An attempt is a sealed cookie, too. State, nonce and verifier are made of its id by the keyring, so that they stand
//! in no cookie and nobody can foretell them.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

use super::keyring::{Keyring, Purpose, Sealed};
use super::oidc::OidcIssuer;
use super::session::{self, MAX_LIFE, NewSession, Session};
use super::token::{self, Token};
use super::{Authenticators, Issuer, KeySet, Member, refused};
use crate::rejection::Rejection;
use crate::request::ApiRequest;

/// The name of the cookie of an attempt.
pub const COOKIE: &str = "__Host-signpost-login";

/// How long one may take at the issuer's.
pub const ATTEMPT_LIFE: Duration = Duration::from_mins(10);

/// How one can sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignIn<'a> {
    /// At an issuer's.
    Issuer(&'a OidcIssuer),
    /// By a form for a token.
    Token,
}

/// What the rules ask for, and a session therefore keeps.
#[derive(Clone, Debug, Default)]
pub struct Asked<'a> {
    /// The names of claims.
    pub claims: BTreeSet<&'a str>,
    /// The names of groups.
    pub groups: BTreeSet<&'a str>,
}

/// An attempt to sign in at an issuer's.
#[derive(Serialize, Deserialize)]
struct Attempt {
    id: String,
    issuer: String,
    next: String,
    expires: u64,
}

/// What an issuer is asked by way of the browser.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorization {
    /// The issuer.
    pub issuer: OidcIssuer,
    /// The query to the issuer's `authorization_endpoint`.
    pub query: Vec<(&'static str, String)>,
    /// The cookie by which the browser is known again.
    pub cookie: Sealed,
}

/// What the issuer is then asked directly, for the code that the browser has brought.
#[derive(Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The issuer.
    pub issuer: OidcIssuer,
    /// The code: with the client's secret it is worth an identity.
    pub code: String,
    /// Where the browser brought it.
    pub redirect_uri: String,
    /// What the challenge was made of.
    pub verifier: String,
    /// Where the browser goes then.
    pub next: String,
    nonce: String,
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorization({}, redacted)", self.issuer.name)
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exchange({}, redacted)", self.issuer.name)
    }
}

impl Authenticators {
    /// How one can sign in here, if one can.
    pub fn sign_in(&self) -> Option<SignIn<'_>> {
        if self.keys.is_empty() {
            return None;
        }
        let issuer = self.oidc.iter().find(|issuer| issuer.client.is_some());
        let token = (!self.tokens.is_empty()).then_some(SignIn::Token);
        issuer.map(SignIn::Issuer).or(token)
    }

    /// Sends the browser to `issuer`, to come back to `redirect_uri` and then go to `next`.
    pub fn begin(
        &self,
        issuer: &OidcIssuer,
        request: &ApiRequest,
        next: String,
        now: SystemTime,
    ) -> Option<Authorization> {
        let client = issuer.client.as_ref()?;
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let unique = format!("id {} {} {}", request.request_id, request.invocation, since.as_nanos());
        let attempt = Attempt {
            id: BASE64_URL_SAFE_NO_PAD.encode(self.keys.derive(Purpose::SignIn, &unique)?),
            issuer: issuer.name.clone(),
            next,
            expires: (since + ATTEMPT_LIFE).as_secs(),
        };
        let challenge = Sha256::digest(attempt.derive(&self.keys, "verifier")?);
        let query = vec![
            ("response_type", "code".to_owned()),
            ("client_id", client.id.clone()),
            ("redirect_uri", redirect_uri(request)),
            ("scope", client.scopes.join(" ")),
            ("state", attempt.derive(&self.keys, "state")?),
            ("nonce", attempt.derive(&self.keys, "nonce")?),
            ("code_challenge", BASE64_URL_SAFE_NO_PAD.encode(challenge)),
            ("code_challenge_method", "S256".to_owned()),
        ];
        Some(Authorization {
            issuer: issuer.clone(),
            query,
            cookie: self.keys.seal(Purpose::SignIn, &attempt)?,
        })
    }

    /// What to ask the issuer for the `code` that a browser brings back with `state`: only for the browser that was sent.
    pub fn resume(
        &self,
        request: &ApiRequest,
        state: &str,
        code: &str,
        now: SystemTime,
    ) -> Result<Exchange, Rejection> {
        let unknown = || refused("this browser has not begun to sign in here, or too long ago; begin again");
        let cookie = session::cookie(&request.headers, COOKIE)?.ok_or_else(unknown)?;
        let attempt: Attempt = self.keys.open(Purpose::SignIn, cookie).ok_or_else(unknown)?;
        let own = attempt.derive(&self.keys, "state").ok_or_else(unknown)?;
        let ends = SystemTime::UNIX_EPOCH + Duration::from_secs(attempt.expires);
        if now >= ends || !bool::from(own.as_bytes().ct_eq(state.as_bytes())) {
            return Err(unknown());
        }
        let issuer = self.oidc.iter().find(|issuer| issuer.name == attempt.issuer);
        let issuer = issuer.filter(|issuer| issuer.client.is_some()).ok_or_else(unknown)?;
        Ok(Exchange {
            issuer: issuer.clone(),
            code: code.to_owned(),
            redirect_uri: redirect_uri(request),
            verifier: attempt.derive(&self.keys, "verifier").ok_or_else(unknown)?,
            nonce: attempt.derive(&self.keys, "nonce").ok_or_else(unknown)?,
            next: attempt.next,
        })
    }

    /// The session of whom the issuer names in its answer, an ID token.
    pub fn complete(
        &self,
        exchange: &Exchange,
        id_token: &str,
        keys: &KeySet,
        asked: &Asked<'_>,
        now: SystemTime,
    ) -> Result<NewSession, Rejection> {
        let (member, ends) = exchange.issuer.identify(id_token, &exchange.nonce, keys, now)?;
        let who = session::remember(&member, asked);
        Session::new(who, None, ends.min(now + MAX_LIFE)).seal(&self.keys, now)
    }

    /// The session of the bearer of a token.
    pub fn sign_in_with(&self, secret: &str, asked: &Asked<'_>, now: SystemTime) -> Result<NewSession, Rejection> {
        let token = token::find(&self.tokens, None, secret.as_bytes())?;
        let who = session::remember(&token.member(), asked);
        Session::new(who, Some(token.sha256.mark()), now + MAX_LIFE).seal(&self.keys, now)
    }

    /// Who has begun the session of this cookie, as the rules know it now.
    pub(super) fn of_session(&self, cookie: &str, now: SystemTime) -> Result<Member, Rejection> {
        let session = Session::open(&self.keys, cookie, now)?;
        let gone = || refused("whoever began the session is no longer known");
        let member = self.maker(session.who()).ok_or_else(gone)?;
        match &member.issuer {
            Issuer::Token => {
                let token = self.tokens.iter().find(|token| token.id == member.subject);
                let mark = token.map(|Token { sha256, .. }| sha256.mark());
                (mark == session.secret).then_some(member).ok_or_else(gone)
            }
            Issuer::Named { name, .. } => {
                let issuer = self.oidc.iter().find(|issuer| issuer.name == *name);
                let signs_in = issuer.is_some_and(|issuer| issuer.client.is_some());
                signs_in.then_some(member).ok_or_else(gone)
            }
        }
    }

    /// Whether `request` carries a session that has ended or never was one.
    pub fn carries_dead_session(&self, request: &ApiRequest, now: SystemTime) -> bool {
        match session::cookie(&request.headers, session::COOKIE) {
            Ok(None) => false,
            Ok(Some(cookie)) => self.of_session(cookie, now).is_err(),
            Err(_) => true,
        }
    }
}

/// Refuses what a page of another site makes a browser send.
pub fn check_own_page(request: &ApiRequest) -> Result<(), Rejection> {
    if session::is_own_page(request) {
        Ok(())
    } else {
        Err(Rejection::CrossSite)
    }
}

impl Attempt {
    fn derive(&self, keys: &Keyring, what: &str) -> Option<String> {
        let derived = keys.derive(Purpose::SignIn, &format!("{what} {}", self.id))?;
        Some(BASE64_URL_SAFE_NO_PAD.encode(derived))
    }
}

/// The URL that the issuer must know as one of ours.
fn redirect_uri(request: &ApiRequest) -> String {
    format!("{}/-/callback", request.base_url)
}
