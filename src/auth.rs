//! Authentication: each request has at most one credential. An invalid credential is rejected; it never makes the caller
//! anonymous.
//!
//! A module imports only from modules above it in this list:
//!
//! 1. [`algorithm`]: the signature algorithms of JSON Web Tokens.
//! 2. `error`: the rejection of invalid credentials.
//! 3. [`principal`]: the caller.
//! 4. `claim_values`: the values of claims, and the groups in them.
//! 5. [`keyring`]: the keys with which Signpost signs its own tokens.
//! 6. [`cursor`]: the encryption of continuation tokens.
//! 7. [`jwks`]: the public keys of an issuer.
//! 8. [`jwt`]: parsing and signature verification of JSON Web Tokens.
//! 9. [`gateway`]: identities that the gateway has verified.
//! 10. [`oidc`]: issuers whose tokens Signpost verifies.
//! 11. [`token`]: generated tokens.
//! 12. [`stored_user`]: the users in share links and sessions.
//! 13. [`share`]: share links.
//! 14. [`session`]: browser sessions.
//! 15. [`sign_in`]: sign-in for the page.

pub mod algorithm;
mod claim_values;
pub mod cursor;
mod error;
pub mod gateway;
pub mod jwks;
pub mod jwt;
pub mod keyring;
pub mod oidc;
pub mod principal;
pub mod session;
pub mod share;
pub mod sign_in;
pub mod stored_user;
pub mod token;

use std::collections::BTreeMap;
use std::time::SystemTime;

use http::header::{self, HeaderName, HeaderValue};

use crate::rejection::{CredentialRemedy, Rejection};
use crate::request::{ApiRequest, GatewayIdentity};
pub use algorithm::Algorithm;
use error::bad_credential;
pub use gateway::GatewayIssuer;
pub use jwks::KeySet;
use jwt::Jwt;
pub use keyring::Keyring;
pub use oidc::{OidcIssuer, RequiredKeys};
pub use principal::{Issuer, Principal, User};
use session::Session;
use share::ShareLink;
pub use stored_user::{ReferencedClaims, StoredUser};
pub use token::{Token, TokenDigest};

/// The enabled authentication methods.
#[derive(Clone, Debug, Default)]
pub struct Authenticators {
    /// Generated tokens, sent as Basic or Bearer.
    pub tokens: Vec<Token>,
    /// Issuers whose identities the gateway verifies.
    pub gateway: Vec<GatewayIssuer>,
    /// Issuers whose bearer tokens Signpost verifies.
    pub oidc: Vec<OidcIssuer>,
    /// The ids of revoked share links.
    pub revoked_links: Vec<String>,
    /// A hash of the names of the groups in deny rules; empty if there are none.
    pub deny_groups: String,
    /// The request header that contains a token instead of `Authorization`, if the rules enable one.
    pub token_header: Option<HeaderName>,
    /// The keys of share links and sessions.
    pub keys: Keyring,
}

/// The credential of a request.
enum Credential<'a> {
    /// An identity from the `Authorization` header that the gateway has verified.
    Verified(&'a GatewayIdentity),
    /// A JSON Web Token that has not been verified yet.
    Jwt(&'a str),
    /// Any other `Authorization` header.
    Authorization(&'a [u8]),
    /// A generated token in the header of its own.
    TokenHeader(&'a [u8]),
    /// A session cookie.
    Session(&'a str),
}

impl Authenticators {
    /// Returns true if no credential can be accepted.
    pub const fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.gateway.is_empty() && self.oidc.is_empty()
    }

    /// Returns true if the rules contain an `[[issuer]]` with this name.
    pub fn names_issuer(&self, name: &str) -> bool {
        self.issuers().any(|issuer| issuer.is_named(name))
    }

    /// Returns true if users of the issuer `name` can have groups.
    pub fn has_groups(&self, name: &str) -> bool {
        let gateway = self.gateway.iter().map(|issuer| (&issuer.name, &issuer.groups));
        let oidc = self.oidc.iter().map(|issuer| (&issuer.name, &issuer.groups));
        gateway.chain(oidc).any(|(own, groups)| own == name && groups.is_some())
    }

    /// Returns true if a user of the issuer `name` can have this subject.
    pub fn is_subject(&self, name: &str, subject: &str) -> bool {
        let issuer = self.gateway.iter().find(|issuer| issuer.name == name);
        issuer.is_none_or(|issuer| issuer.is_subject(subject))
    }

    /// Returns the user that a request has after this subject of the issuer `name` has been verified with these claims;
    /// `None` if the rules do not contain the issuer.
    pub fn issuer_user(
        &self,
        name: &str,
        subject: &str,
        claims: BTreeMap<String, String>,
    ) -> Option<Result<User, Rejection>> {
        if let Some(issuer) = self.gateway.iter().find(|issuer| issuer.name == name) {
            return Some(issuer.user(subject, claims));
        }
        let issuer = self.oidc.iter().find(|issuer| issuer.name == name)?;
        Some(Ok(issuer.user(subject, claims)))
    }

    /// Returns every `[[issuer]]` of the rules.
    pub fn issuers(&self) -> impl Iterator<Item = Issuer> {
        let gateway = self.gateway.iter().map(GatewayIssuer::issuer);
        gateway.chain(self.oidc.iter().map(OidcIssuer::issuer))
    }

    /// Returns the signing keys that [`Authenticators::authenticate`] requires for `request`, if any.
    pub fn required_keys<'a>(&'a self, request: &ApiRequest) -> Option<RequiredKeys<'a>> {
        let Ok(Some(Credential::Jwt(token))) = self.credential(request) else {
            return None;
        };
        let token = Jwt::parse(token).ok()?;
        Some(RequiredKeys {
            issuer: self.issuer_of(&token).ok()?,
            kid: token.kid().map(str::to_owned),
        })
    }

    /// Authenticates the caller of `request`.
    ///
    /// The gateway verifies the `Authorization` header, so the header and the verified identity count as one credential.
    /// `keys` are those that [`Authenticators::required_keys`] names.
    pub fn authenticate(
        &self,
        request: &ApiRequest,
        keys: Option<&KeySet>,
        now: SystemTime,
    ) -> Result<Principal, Rejection> {
        let user = match self.credential(request)? {
            None => return self.anonymous(),
            Some(Credential::Verified(identity)) => gateway::authenticate(&self.gateway, identity),
            Some(Credential::Jwt(token)) => self.verify_jwt(token, keys, now),
            Some(Credential::Authorization(header)) => token::authenticate(&self.tokens, header),
            Some(Credential::TokenHeader(value)) => token::authenticate_plain(&self.tokens, value),
            Some(Credential::Session(cookie)) => {
                if !session::is_read_only(&request.method) {
                    session::check_same_origin(request)?;
                }
                self.session_user(cookie, now)
            }
        };
        user.map(Principal::User)
    }

    /// Returns the principal of a request without a credential. If the rules rely on the gateway, such a request is
    /// rejected, because the gateway should have verified a credential.
    pub fn anonymous(&self) -> Result<Principal, Rejection> {
        if self.gateway.is_empty() {
            Ok(Principal::Anonymous)
        } else {
            Err(bad_credential(CredentialRemedy::CheckGateway, UNVERIFIED))
        }
    }

    /// Returns the only credential of `request`.
    fn credential<'a>(&self, request: &'a ApiRequest) -> Result<Option<Credential<'a>>, Rejection> {
        let cookie = session::cookie(&request.headers, session::COOKIE)?;
        let verified = request.gateway.as_ref().filter(|_| !self.gateway.is_empty());
        let mut sent = self.credential_headers(request);
        let (first, second) = (sent.next(), sent.next());
        if second.is_some() || (cookie.is_some() && (verified.is_some() || first.is_some())) {
            return Err(bad_credential(CredentialRemedy::SendOne, TWO_CREDENTIALS));
        }
        let Some((is_authorization, value)) = first else {
            let verified = verified.map(Credential::Verified);
            return Ok(verified.or(cookie.map(Credential::Session)));
        };
        match verified {
            // The gateway has verified the same header.
            Some(identity) if is_authorization => return Ok(Some(Credential::Verified(identity))),
            Some(_) => return Err(bad_credential(CredentialRemedy::SendOne, TWO_CREDENTIALS)),
            None => {}
        }
        let value = value.as_bytes();
        let bearer = if is_authorization {
            token::bearer(value)
        } else {
            str::from_utf8(value).ok()
        };
        let jwt = bearer.filter(|text| !self.oidc.is_empty() && jwt::is_jwt(text));
        Ok(Some(match jwt {
            Some(jwt) => Credential::Jwt(jwt),
            None if is_authorization => Credential::Authorization(value),
            None => Credential::TokenHeader(value),
        }))
    }

    /// Returns the headers of `request` with a credential, and true for `Authorization`, or false for the header that the
    /// rules name.
    fn credential_headers<'a>(&self, request: &'a ApiRequest) -> impl Iterator<Item = (bool, &'a HeaderValue)> {
        let authorization = request.headers.get_all(header::AUTHORIZATION).iter();
        let own = self.token_header.iter();
        let own = own.flat_map(|name| request.headers.get_all(name).iter());
        authorization
            .map(|value| (true, value))
            .chain(own.map(|value| (false, value)))
    }

    fn verify_jwt(&self, token: &str, keys: Option<&KeySet>, now: SystemTime) -> Result<User, Rejection> {
        let token = Jwt::parse(token)?;
        let issuer = self.issuer_of(&token)?;
        let missing = "the signing keys of the bearer token's issuer are not available";
        let keys = keys.ok_or_else(|| bad_credential(CredentialRemedy::CheckIssuer, missing))?;
        issuer.authenticate(token, keys, now)
    }

    fn issuer_of(&self, token: &Jwt<'_>) -> Result<&OidcIssuer, Rejection> {
        let iss = token.issuer();
        let issuer = self.oidc.iter().find(|issuer| Some(issuer.iss.as_str()) == iss);
        issuer.ok_or_else(|| {
            bad_credential(
                CredentialRemedy::CheckIssuer,
                "the rules do not contain the issuer of the bearer token",
            )
        })
    }

    /// Verifies the link in `?share`, and returns it with its creator as the current rules describe that user.
    ///
    /// The link is the only credential of the request, so the request must not contain another one.
    pub fn redeem(&self, text: &str, request: &ApiRequest, now: SystemTime) -> Result<(ShareLink, User), Rejection> {
        let is_verified = request.gateway.is_some() && !self.gateway.is_empty();
        if is_verified || self.credential_headers(request).next().is_some() {
            return Err(bad_credential(CredentialRemedy::SendOne, TWO_CREDENTIALS));
        }
        let link = share::verify(&self.keys, text, now)?;
        if self.revoked_links.contains(&link.id) {
            return Err(bad_credential(
                CredentialRemedy::RevokedLink,
                "the share link has been revoked",
            ));
        }
        let creator = self.find_user(&link.creator);
        let removed = "the rules no longer contain the creator of the share link, or the creator has a new secret";
        Ok((
            link,
            creator.ok_or_else(|| bad_credential(CredentialRemedy::LostCreator, removed))?,
        ))
    }

    /// Returns the time at which the credential of `request` expires, after [`Authenticators::authenticate`] has accepted
    /// it. Returns `None` for a generated token, which does not expire.
    pub fn credential_expiry(
        &self,
        request: &ApiRequest,
        keys: Option<&KeySet>,
        now: SystemTime,
    ) -> Option<SystemTime> {
        match self.credential(request).ok()?? {
            Credential::Verified(identity) => gateway::expiry(identity),
            Credential::Jwt(token) => {
                let token = Jwt::parse(token).ok()?;
                let issuer = self.issuer_of(&token).ok()?;
                issuer.expiry_of(token, keys?)
            }
            Credential::Session(cookie) => Session::verify(&self.keys, cookie, now)
                .ok()
                .map(|session| session.expiry()),
            Credential::Authorization(_) | Credential::TokenHeader(_) => None,
        }
    }

    /// Returns the user of the session in `request`, if it contains a valid one.
    pub fn signed_in_user(&self, request: &ApiRequest, now: SystemTime) -> Option<User> {
        let cookie = session::cookie(&request.headers, session::COOKIE).ok()??;
        self.session_user(cookie, now).ok()
    }

    /// Returns true if `request` contains a secret of a token that is not its newest one, or a session of such a secret. The
    /// log then shows that a rotation is not complete.
    pub fn uses_older_secret(&self, request: &ApiRequest, now: SystemTime) -> bool {
        if self.tokens.iter().all(|token| token.digests.len() == 1) {
            return false;
        }
        let user = match self.credential(request) {
            Ok(Some(Credential::Authorization(header))) => token::authenticate(&self.tokens, header),
            Ok(Some(Credential::TokenHeader(value))) => token::authenticate_plain(&self.tokens, value),
            Ok(Some(Credential::Session(cookie))) => self.session_user(cookie, now),
            _ => return false,
        };
        user.is_ok_and(|user| self.tokens.iter().any(|token| token.has_older_secret_of(&user)))
    }

    /// Returns true if the credential of `request` is a session.
    pub fn uses_session(&self, request: &ApiRequest) -> bool {
        matches!(self.credential(request), Ok(Some(Credential::Session(_))))
    }
}

const TWO_CREDENTIALS: &str = "the request contains more than one credential";

const UNVERIFIED: &str = "the gateway did not verify a credential for this request";
