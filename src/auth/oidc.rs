//! Issuers whose tokens Signpost verifies ([OpenID Connect](https://openid.net/specs/openid-connect-core-1_0.html)).

use std::collections::BTreeMap;
use std::slice;
use std::time::{Duration, SystemTime};

use http::Uri;
use serde_json::Value;
use subtle::ConstantTimeEq as _;

use super::algorithm::Algorithm;
use super::claim_values::{self, Groups};
use super::error::bad_credential;
use super::jwks::KeySet;
use super::jwt::{Claims, Jwt};
use super::principal::{Issuer, User};
use crate::rejection::{CredentialRemedy, Rejection};

/// The maximum difference between the clocks of issuer and service.
const LEEWAY: Duration = Duration::from_mins(1);

/// An `[[issuer]]` whose tokens Signpost verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcIssuer {
    /// The name of the issuer in the rules.
    pub name: String,
    /// The URL that identifies the issuer, below which it publishes its keys.
    pub iss: IssuerUrl,
    /// The accepted audiences of bearer tokens.
    pub audiences: Vec<String>,
    /// The accepted signature algorithms.
    pub algorithms: Vec<Algorithm>,
    /// The claim that contains the groups.
    pub groups: Option<String>,
    /// The client registration of this service, if users sign in with this issuer.
    pub client: Option<OidcClient>,
}

/// The registration of this service as a client of an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcClient {
    /// The client id.
    pub id: String,
    /// The scopes that sign-in requests.
    pub scopes: Vec<String>,
}

/// The URL of an issuer: `https`, or `http` on the loopback interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerUrl(String);

/// The error for a text that is not the URL of an issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not an https URL without query and fragment (http on loopback only)")]
pub struct IssuerUrlError;

/// The signing keys that are required to verify a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequiredKeys<'a> {
    /// The issuer of the keys.
    pub issuer: &'a OidcIssuer,
    /// The id of the key that the token names.
    pub kid: Option<String>,
}

impl IssuerUrl {
    /// Parses the URL of an issuer.
    pub fn new(text: &str) -> Result<Self, IssuerUrlError> {
        let uri: Uri = text.parse().map_err(|_| IssuerUrlError)?;
        let authority = uri.authority().ok_or(IssuerUrlError)?;
        let is_safe = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => is_loopback(authority.host()),
            _ => false,
        };
        let is_plain = !authority.as_str().contains('@') && !text.contains(['?', '#']);
        if is_safe && is_plain {
            Ok(Self(text.to_owned()))
        } else {
            Err(IssuerUrlError)
        }
    }

    /// Returns the URL as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the URL of the issuer's metadata ([OpenID Connect Discovery](https://openid.net/specs/openid-connect-discovery-1_0.html)).
    pub fn discovery(&self) -> String {
        format!("{}/.well-known/openid-configuration", self.0.trim_end_matches('/'))
    }

    /// Returns true if Signpost may call a URL of the issuer's metadata: it must be at least as safe as the issuer's URL.
    pub fn allows_endpoint(&self, url: &str) -> bool {
        url.parse::<Uri>().is_ok_and(|uri| match uri.scheme_str() {
            Some("https") => uri.authority().is_some(),
            Some("http") => self.0.starts_with("http://") && uri.host().is_some_and(is_loopback),
            _ => false,
        })
    }
}

/// Returns the keys that are required to verify `token` of `issuer`.
pub fn required_keys<'a>(issuer: &'a OidcIssuer, token: &str) -> RequiredKeys<'a> {
    let kid = Jwt::parse(token).ok().and_then(|token| token.kid().map(str::to_owned));
    RequiredKeys { issuer, kid }
}

fn is_loopback(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

impl OidcIssuer {
    /// Verifies a bearer token and returns its user.
    pub(super) fn authenticate(&self, token: Jwt<'_>, keys: &KeySet, now: SystemTime) -> Result<User, Rejection> {
        let claims = token.verify(keys, &self.algorithms)?;
        self.check(&claims, &self.audiences, now)?;
        self.verified_user(&claims)
    }

    /// Returns the expiry time of a bearer token that [`OidcIssuer::authenticate`] accepts.
    pub(super) fn expiry_of(&self, token: Jwt<'_>, keys: &KeySet) -> Option<SystemTime> {
        let claims = token.verify(keys, &self.algorithms).ok()?;
        claims.get("exp").and_then(numeric_date)
    }

    /// Verifies an ID token that was issued for our client, and returns its user and its expiry time
    /// ([validation](https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation)).
    pub(super) fn verify_id_token(
        &self,
        id_token: &str,
        nonce: &str,
        keys: &KeySet,
        now: SystemTime,
    ) -> Result<(User, SystemTime), Rejection> {
        let client = self.client.as_ref().map(|client| client.id.clone());
        let audience =
            client.ok_or_else(|| bad_credential(CredentialRemedy::SignIn, "sign-in is not enabled for this issuer"))?;
        let claims = Jwt::parse(id_token)?.verify(keys, &self.algorithms)?;
        self.check(&claims, slice::from_ref(&audience), now)?;
        check_authorized_party(&claims, &audience)?;
        let nonce_matches = claims
            .text("nonce")
            .is_some_and(|own| own.as_bytes().ct_eq(nonce.as_bytes()).into());
        if !nonce_matches {
            return Err(bad_credential(
                CredentialRemedy::SignIn,
                "the ID token does not belong to this sign-in attempt",
            ));
        }
        let expiry = claims.get("exp").and_then(numeric_date).unwrap_or(now);
        Ok((self.verified_user(&claims)?, expiry))
    }

    /// Returns the user that a request has after a token of this subject with these claims has been verified.
    pub(super) fn user(&self, subject: &str, mut claims: BTreeMap<String, String>) -> User {
        claims.insert("iss".into(), self.iss.as_str().into());
        claims.insert("sub".into(), subject.into());
        let values: BTreeMap<_, _> = claims
            .iter()
            .map(|(name, text)| (name.as_str(), Value::from(text.as_str())))
            .collect();
        self.user_with(subject, self.groups(|name| values.get(name)))
            .with_claims(claims)
    }

    /// Checks that this issuer issued the token for one of `audiences`, and that the token is valid at `now`.
    fn check(&self, claims: &Claims, audiences: &[String], now: SystemTime) -> Result<(), Rejection> {
        if claims.text("iss") != Some(self.iss.as_str()) {
            return Err(bad_credential(
                CredentialRemedy::CheckIssuer,
                "the bearer token was issued by another issuer",
            ));
        }
        if !has_audience(claims.get("aud"), audiences) {
            return Err(bad_credential(
                CredentialRemedy::CheckIssuer,
                "the bearer token was issued for another audience",
            ));
        }
        let expires = claims.get("exp").and_then(numeric_date);
        let expires = expires
            .ok_or_else(|| bad_credential(CredentialRemedy::CheckIssuer, "the bearer token has no expiry time"))?;
        if now >= expires + LEEWAY {
            return Err(bad_credential(
                CredentialRemedy::RenewToken,
                "the bearer token has expired",
            ));
        }
        let not_before = claims.get("nbf").map(|value| numeric_date(value).ok_or(()));
        match not_before {
            None => Ok(()),
            Some(Ok(begins)) if begins <= now + LEEWAY => Ok(()),
            Some(_) => Err(bad_credential(
                CredentialRemedy::RenewToken,
                "the bearer token is not valid yet",
            )),
        }
    }

    fn verified_user(&self, claims: &Claims) -> Result<User, Rejection> {
        let subject = claims.text("sub");
        let subject =
            subject.ok_or_else(|| bad_credential(CredentialRemedy::CheckIssuer, "the bearer token has no subject"))?;
        let groups = self.groups(|name| claims.get(name));
        Ok(self.user_with(subject, groups).with_claims(claims.texts()))
    }

    fn groups<'a>(&self, claim: impl Fn(&str) -> Option<&'a Value>) -> Groups {
        claim_values::groups(&self.name, self.groups.as_deref(), claim)
    }

    fn user_with(&self, subject: &str, groups: Groups) -> User {
        User::new(self.issuer(), subject.to_owned(), groups.names).with_ambiguous_groups(groups.are_ambiguous)
    }

    pub(super) fn issuer(&self) -> Issuer {
        Issuer::Named {
            name: self.name.clone(),
            iss: self.iss.as_str().to_owned(),
        }
    }
}

/// Checks the `azp` claim, which is required if the token has several audiences.
fn check_authorized_party(claims: &Claims, audience: &str) -> Result<(), Rejection> {
    let has_several = matches!(claims.get("aud"), Some(Value::Array(audiences)) if audiences.len() > 1);
    if claims.text("azp").map_or(has_several, |party| party != audience) {
        return Err(bad_credential(
            CredentialRemedy::SignIn,
            "the ID token was issued for another client",
        ));
    }
    Ok(())
}

/// Returns true if `aud`, a text or an array of texts, contains one of `accepted`.
fn has_audience(aud: Option<&Value>, accepted: &[String]) -> bool {
    let is_accepted = |value: &Value| {
        let text = value.as_str();
        text.is_some_and(|text| accepted.iter().any(|own| own == text))
    };
    match aud {
        Some(Value::Array(values)) => values.iter().all(Value::is_string) && values.iter().any(is_accepted),
        Some(value) => is_accepted(value),
        None => false,
    }
}

/// Parses a `NumericDate`. Returns `None` for a text and for a time that the clock cannot represent.
fn numeric_date(value: &Value) -> Option<SystemTime> {
    let seconds = value.as_f64().filter(|_| value.is_number())?;
    let since = Duration::try_from_secs_f64(seconds).ok()?;
    SystemTime::UNIX_EPOCH
        .checked_add(since)
        .filter(|date| date.checked_add(LEEWAY).is_some())
}
