//! Issuers whose tokens are verified here ([OpenID Connect](https://openid.net/specs/openid-connect-core-1_0.html)).

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use http::Uri;
use serde_json::Value;
use subtle::ConstantTimeEq as _;

use super::jwks::KeySet;
use super::jwt::{Algorithm, Claims, Jwt};
use super::{Issuer, Member, group, refused};
use crate::rejection::Rejection;

/// How far the clocks of issuer and service may be apart.
const LEEWAY: Duration = Duration::from_mins(1);

/// An `[[issuer]]` whose tokens are verified here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcIssuer {
    /// Its name in the rules.
    pub name: String,
    /// What it calls itself, and where it tells its keys.
    pub iss: IssuerUrl,
    /// For whom a bearer's token must be made.
    pub audiences: Vec<String>,
    /// The algorithms by which it signs.
    pub algorithms: Vec<Algorithm>,
    /// The claim that tells the groups.
    pub groups: Option<String>,
    /// What this service is to it, where one signs in at the issuer's.
    pub client: Option<Client>,
}

/// A client that is registered with an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// What it asks for.
    pub scopes: Vec<String>,
}

/// The URL of an issuer: `https`, or `http` on the loopback interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerUrl(String);

/// A text is not the URL of an issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not an https URL without query and fragment (http on loopback only)")]
pub struct IssuerUrlError;

/// The keys without which a request can't be decided about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysWanted<'a> {
    /// Whose keys.
    pub issuer: &'a OidcIssuer,
    /// The one key that the token names.
    pub kid: Option<String>,
}

impl IssuerUrl {
    /// Reads the URL of an issuer, or one that it tells.
    pub fn new(text: &str) -> Result<Self, IssuerUrlError> {
        let uri: Uri = text.parse().map_err(|_| IssuerUrlError)?;
        let authority = uri.authority().ok_or(IssuerUrlError)?;
        let safe = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => is_loopback(authority.host()),
            _ => false,
        };
        let plain = !authority.as_str().contains('@') && !text.contains(['?', '#']);
        if safe && plain {
            Ok(Self(text.to_owned()))
        } else {
            Err(IssuerUrlError)
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where it describes itself ([OpenID Connect Discovery](https://openid.net/specs/openid-connect-discovery-1_0.html)).
    pub fn discovery(&self) -> String {
        format!("{}/.well-known/openid-configuration", self.0.trim_end_matches('/'))
    }

    /// Whether a URL that it tells may be called: one that is at least as safe as its own.
    pub fn vouches_for(&self, url: &str) -> bool {
        url.parse::<Uri>().is_ok_and(|uri| match uri.scheme_str() {
            Some("https") => uri.authority().is_some(),
            Some("http") => self.0.starts_with("http://") && uri.host().is_some_and(is_loopback),
            _ => false,
        })
    }
}

/// The keys that `issuer` must tell for a token to be verified.
pub fn keys_for<'a>(issuer: &'a OidcIssuer, token: &str) -> KeysWanted<'a> {
    let kid = Jwt::read(token).ok().and_then(|token| token.kid().map(str::to_owned));
    KeysWanted { issuer, kid }
}

fn is_loopback(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

impl OidcIssuer {
    /// The member that a bearer's token stands for.
    pub(super) fn authenticate(&self, token: Jwt<'_>, keys: &KeySet, now: SystemTime) -> Result<Member, Rejection> {
        let claims = token.verify(keys, &self.algorithms)?;
        self.check(&claims, &self.audiences, now)?;
        self.member(&claims)
    }

    /// Whom an ID token names that was made for our client, and the end of its life
    /// ([validation](https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation)).
    pub(super) fn identify(
        &self,
        id_token: &str,
        nonce: &str,
        keys: &KeySet,
        now: SystemTime,
    ) -> Result<(Member, SystemTime), Rejection> {
        let client = self.client.as_ref().map(|client| client.id.clone());
        let audience = client.ok_or_else(|| refused("nobody signs in at this issuer's"))?;
        let claims = Jwt::read(id_token)?.verify(keys, &self.algorithms)?;
        self.check(&claims, std::slice::from_ref(&audience), now)?;
        let many = matches!(claims.get("aud"), Some(Value::Array(told)) if told.len() > 1);
        let party = claims.text("azp");
        if party.map_or(many, |party| party != audience) {
            return Err(refused("the ID token is made for another client"));
        }
        let same = claims
            .text("nonce")
            .is_some_and(|told| told.as_bytes().ct_eq(nonce.as_bytes()).into());
        if !same {
            return Err(refused("the ID token is not of this attempt to sign in"));
        }
        let ends = claims.get("exp").and_then(date).unwrap_or(now);
        Ok((self.member(&claims)?, ends))
    }

    /// The member that stands behind a request once a token of this subject with these claims has been verified.
    pub(super) fn vouch(&self, subject: &str, mut claims: BTreeMap<String, String>) -> Member {
        claims.insert("iss".into(), self.iss.as_str().into());
        claims.insert("sub".into(), subject.into());
        let groups = self.groups.as_ref().and_then(|claim| claims.get(claim));
        let groups = groups.into_iter().filter_map(|name| group(&self.name, name)).collect();
        Member::new(self.issuer(), subject.to_owned(), groups).with_claims(claims)
    }

    /// Whether the token is this issuer's, made for one of `audiences`, and alive.
    fn check(&self, claims: &Claims, audiences: &[String], now: SystemTime) -> Result<(), Rejection> {
        if claims.text("iss") != Some(self.iss.as_str()) {
            return Err(refused("the bearer token is another issuer's"));
        }
        if !is_for(claims.get("aud"), audiences) {
            return Err(refused("the bearer token is made for another audience"));
        }
        let expires = claims.get("exp").and_then(date);
        let expires = expires.ok_or_else(|| refused("the bearer token does not say when it expires"))?;
        if now >= expires + LEEWAY {
            return Err(refused("the bearer token has expired"));
        }
        let begins = claims.get("nbf").map(|value| date(value).ok_or(()));
        match begins {
            None => Ok(()),
            Some(Ok(begins)) if begins <= now + LEEWAY => Ok(()),
            Some(_) => Err(refused("the bearer token is not valid yet")),
        }
    }

    fn member(&self, claims: &Claims) -> Result<Member, Rejection> {
        let subject = claims
            .text("sub")
            .ok_or_else(|| refused("the bearer token has no subject"))?;
        let groups = self.groups.as_ref().and_then(|claim| claims.get(claim));
        let member = Member::new(self.issuer(), subject.to_owned(), self.groups(groups));
        Ok(member.with_claims(claims.texts()))
    }

    /// Of an array each text is a group, and a text is one, whatever it holds.
    fn groups(&self, claim: Option<&Value>) -> Vec<String> {
        let names = match claim {
            Some(Value::Array(names)) => names.as_slice(),
            Some(name) => std::slice::from_ref(name),
            None => &[],
        };
        let names = names.iter().filter_map(Value::as_str);
        names.filter_map(|name| group(&self.name, name)).collect()
    }

    pub(super) fn issuer(&self) -> Issuer {
        Issuer::Named {
            name: self.name.clone(),
            iss: self.iss.as_str().to_owned(),
        }
    }
}

/// `aud` is one text, or an array of them.
fn is_for(audience: Option<&Value>, audiences: &[String]) -> bool {
    let ours = |value: &Value| {
        value
            .as_str()
            .is_some_and(|text| audiences.iter().any(|own| own == text))
    };
    match audience {
        Some(Value::Array(told)) => told.iter().all(Value::is_string) && told.iter().any(ours),
        Some(told) => ours(told),
        None => false,
    }
}

/// A `NumericDate`; a text, or what no clock shows, is none.
fn date(value: &Value) -> Option<SystemTime> {
    let seconds = value.as_f64().filter(|_| value.is_number())?;
    let since = Duration::try_from_secs_f64(seconds).ok()?;
    SystemTime::UNIX_EPOCH
        .checked_add(since)
        .filter(|date| date.checked_add(LEEWAY).is_some())
}
