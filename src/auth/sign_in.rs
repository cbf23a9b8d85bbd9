//! Sign-in for the page: with an issuer's authorization code and PKCE, or with a token in a form.
//!
//! A sign-in attempt is a signed cookie, too. The keyring derives state, nonce and verifier from the id of the attempt,
//! so no cookie contains them and nobody else can predict them.

use std::fmt;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

use super::Authenticators;
use super::error::bad_credential;
use super::jwks::KeySet;
use super::keyring::{Keyring, Purpose, SignedToken};
use super::oidc::OidcIssuer;
use super::principal::{Issuer, User};
use super::session::{self, MAX_LIFE, NewSession, Session};
use super::stored_user::ReferencedClaims;
use super::token;
use crate::rejection::{CredentialRemedy, Rejection};
use crate::request::ApiRequest;

/// The name of the cookie of a sign-in attempt.
pub const COOKIE: &str = "__Host-signpost-login";

/// The time that a user has to sign in with the issuer.
pub const ATTEMPT_LIFE: Duration = Duration::from_mins(10);

/// The method by which users sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInMethod<'a> {
    /// With an issuer.
    Issuer(&'a OidcIssuer),
    /// With a token in a form.
    Token,
}

/// An attempt to sign in with an issuer.
#[derive(Serialize, Deserialize)]
struct SignInAttempt {
    id: String,
    issuer: String,
    next: String,
    expires: u64,
}

/// A request to the issuer's authorization endpoint, which the browser sends.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthorizationRequest {
    /// The issuer.
    pub issuer: OidcIssuer,
    /// The query of the request to the issuer's `authorization_endpoint`.
    pub query: Vec<(&'static str, String)>,
    /// The cookie that identifies the browser when it returns.
    pub cookie: SignedToken,
}

/// A request to the issuer's token endpoint, which Signpost sends to exchange the authorization code.
#[derive(Clone, PartialEq, Eq)]
pub struct CodeExchange {
    /// The issuer.
    pub issuer: OidcIssuer,
    /// The authorization code. Together with the client's secret, it proves an identity.
    pub code: String,
    /// The URL to which the issuer sent the browser with the code.
    pub redirect_uri: String,
    /// The PKCE verifier of the challenge.
    pub verifier: String,
    /// The URL to which the browser is redirected after sign-in.
    pub next: String,
    nonce: String,
}

impl fmt::Debug for AuthorizationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthorizationRequest({}, redacted)", self.issuer.name)
    }
}

impl fmt::Debug for CodeExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CodeExchange({}, redacted)", self.issuer.name)
    }
}

impl Authenticators {
    /// Returns the method by which users sign in, or `None` if sign-in is disabled.
    pub fn sign_in_method(&self) -> Option<SignInMethod<'_>> {
        if self.keys.is_empty() {
            return None;
        }
        let issuer = self.oidc.iter().find(|issuer| issuer.client.is_some());
        let token = (!self.tokens.is_empty()).then_some(SignInMethod::Token);
        issuer.map(SignInMethod::Issuer).or(token)
    }

    /// Starts a sign-in attempt with `issuer`, after which the browser is redirected to `next`.
    pub fn begin(
        &self,
        issuer: &OidcIssuer,
        request: &ApiRequest,
        next: String,
        now: SystemTime,
    ) -> Option<AuthorizationRequest> {
        let client = issuer.client.as_ref()?;
        let attempt = SignInAttempt::new(&self.keys, issuer, request, next, now)?;
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
        Some(AuthorizationRequest {
            issuer: issuer.clone(),
            query,
            cookie: self.keys.sign(Purpose::SignIn, &attempt)?,
        })
    }

    /// Resumes the sign-in attempt of the browser that returns with `state` and `code`. Only the browser that started the
    /// attempt can resume it.
    pub fn resume(
        &self,
        request: &ApiRequest,
        state: &str,
        code: &str,
        now: SystemTime,
    ) -> Result<CodeExchange, Rejection> {
        let unknown = || {
            bad_credential(
                CredentialRemedy::SignIn,
                "no sign-in is in progress in this browser, or it has expired",
            )
        };
        let cookie = session::cookie(&request.headers, COOKIE)?.ok_or_else(unknown)?;
        let attempt: SignInAttempt = self.keys.verify(Purpose::SignIn, cookie).ok_or_else(unknown)?;
        let own_state = attempt.derive(&self.keys, "state").ok_or_else(unknown)?;
        if attempt.has_expired(now) || !bool::from(own_state.as_bytes().ct_eq(state.as_bytes())) {
            return Err(unknown());
        }
        let issuer = self.oidc.iter().find(|issuer| issuer.name == attempt.issuer);
        let issuer = issuer.filter(|issuer| issuer.client.is_some()).ok_or_else(unknown)?;
        Ok(CodeExchange {
            issuer: issuer.clone(),
            code: code.to_owned(),
            redirect_uri: redirect_uri(request),
            verifier: attempt.derive(&self.keys, "verifier").ok_or_else(unknown)?,
            nonce: attempt.derive(&self.keys, "nonce").ok_or_else(unknown)?,
            next: attempt.next,
        })
    }

    /// Verifies the ID token that the issuer returned, and starts the session of its user.
    pub fn complete(
        &self,
        exchange: &CodeExchange,
        id_token: &str,
        keys: &KeySet,
        referenced: &ReferencedClaims<'_>,
        now: SystemTime,
    ) -> Result<NewSession, Rejection> {
        let (user, expiry) = exchange.issuer.verify_id_token(id_token, &exchange.nonce, keys, now)?;
        self.start_session(&user, referenced, expiry.min(now + MAX_LIFE), now)
    }

    /// Starts the session of the user with this token: the secret, or `ID:SECRET`.
    pub fn sign_in_with_token(
        &self,
        secret: &str,
        referenced: &ReferencedClaims<'_>,
        now: SystemTime,
    ) -> Result<NewSession, Rejection> {
        let user = token::authenticate_plain(&self.tokens, secret.as_bytes())?;
        self.start_session(&user, referenced, now + MAX_LIFE, now)
    }

    fn start_session(
        &self,
        user: &User,
        referenced: &ReferencedClaims<'_>,
        expiry: SystemTime,
        now: SystemTime,
    ) -> Result<NewSession, Rejection> {
        let stored = self.store(user, referenced);
        let stored =
            stored.ok_or_else(|| bad_credential(CredentialRemedy::CheckIssuer, "the rules do not contain the user"))?;
        Session::new(stored, expiry).sign(&self.keys, now)
    }

    /// Returns the user of a session cookie, as the current rules describe the user.
    pub(super) fn session_user(&self, cookie: &str, now: SystemTime) -> Result<User, Rejection> {
        let session = Session::verify(&self.keys, cookie, now)?;
        let removed = || {
            bad_credential(
                CredentialRemedy::SignIn,
                "the rules no longer contain the user of this session",
            )
        };
        let user = self.find_user(session.user()).ok_or_else(removed)?;
        match &user.issuer {
            Issuer::Token => Ok(user),
            Issuer::Named { name, .. } => {
                let issuer = self.oidc.iter().find(|issuer| issuer.name == *name);
                let has_sign_in = issuer.is_some_and(|issuer| issuer.client.is_some());
                has_sign_in.then_some(user).ok_or_else(removed)
            }
        }
    }

    /// Returns true if `request` contains a session cookie that is invalid or has expired.
    pub fn has_invalid_session(&self, request: &ApiRequest, now: SystemTime) -> bool {
        match session::cookie(&request.headers, session::COOKIE) {
            Ok(None) => false,
            Ok(Some(cookie)) => self.session_user(cookie, now).is_err(),
            Err(_) => true,
        }
    }
}

impl SignInAttempt {
    fn new(keys: &Keyring, issuer: &OidcIssuer, request: &ApiRequest, next: String, now: SystemTime) -> Option<Self> {
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let unique = format!("id {} {} {}", request.request_id, request.invocation, since.as_nanos());
        Some(Self {
            id: BASE64_URL_SAFE_NO_PAD.encode(keys.derive(Purpose::SignIn, &unique)?),
            issuer: issuer.name.clone(),
            next,
            expires: (since + ATTEMPT_LIFE).as_secs(),
        })
    }

    fn derive(&self, keys: &Keyring, value: &str) -> Option<String> {
        let derived = keys.derive(Purpose::SignIn, &format!("{value} {}", self.id))?;
        Some(BASE64_URL_SAFE_NO_PAD.encode(derived))
    }

    fn has_expired(&self, now: SystemTime) -> bool {
        now >= SystemTime::UNIX_EPOCH + Duration::from_secs(self.expires)
    }
}

/// Returns our callback URL, which must be registered with the issuer.
fn redirect_uri(request: &ApiRequest) -> String {
    format!("{}/-/callback", request.base_url)
}
