//! Generated tokens, sent as `Basic` (RFC 7617) or `Bearer` (RFC 6750) and stored as SHA-256 digests. The secrets are
//! random, so they cannot be guessed and a plain digest is enough.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::error::bad_credential;
use super::principal::{Issuer, User};
use crate::encoding::{hex, hex_decode};
use crate::rejection::{CredentialRemedy, Rejection};

/// A `[[token]]` of the rules.
#[derive(Clone, Debug)]
pub struct Token {
    /// The public id of the token; the user name with `Basic`.
    pub id: String,
    /// The digests of the accepted secrets. During a rotation, there are several.
    pub digests: Vec<TokenDigest>,
    /// The groups of the token's user.
    pub groups: Vec<String>,
}

/// The SHA-256 digest of a token's secret.
#[derive(Clone)]
pub struct TokenDigest([u8; 32]);

/// The error for a digest that is not 64 hexadecimal digits.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 digest has 64 hexadecimal digits")]
pub struct TokenDigestError;

impl Token {
    /// Returns the user of the token, without a secret.
    pub fn user(&self) -> User {
        User::new(Issuer::Token, self.id.clone(), self.groups.clone())
    }

    /// Returns true if `user` has sent a secret of this token that is not the newest one. The newest one is the first.
    pub(super) fn has_older_secret_of(&self, user: &User) -> bool {
        let newest = self.digests.first().map(TokenDigest::fingerprint);
        user.issuer == Issuer::Token && user.subject == self.id && user.secret_fingerprint() != newest.as_deref()
    }

    /// Returns the user whose secret has this fingerprint, if the token still accepts the secret.
    pub(super) fn user_with(&self, fingerprint: &str) -> Option<User> {
        let mut digests = self.digests.iter();
        let is_accepted = digests.any(|digest| digest.fingerprint() == fingerprint);
        is_accepted.then(|| self.user().with_secret_fingerprint(fingerprint.to_owned()))
    }
}

impl TokenDigest {
    /// Returns the digest of `secret`.
    pub fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// The inverse of [`TokenDigest::from_str`].
    pub fn to_hex(&self) -> String {
        hex(&self.0)
    }

    /// Returns a hash that identifies the secret where even its digest must not be exposed.
    pub(super) fn fingerprint(&self) -> String {
        let hash = Sha256::new()
            .chain_update("fingerprint")
            .chain_update(self.0)
            .finalize();
        hex(&hash[..8])
    }

    fn matches(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl FromStr for TokenDigest {
    type Err = TokenDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digest = hex_decode(text).and_then(|bytes| bytes.try_into().ok());
        digest.map(Self).ok_or(TokenDigestError)
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(redacted)")
    }
}

/// Returns the user whose secret is in an `Authorization` header.
pub(super) fn authenticate(tokens: &[Token], authorization: &[u8]) -> Result<User, Rejection> {
    let (scheme, value) = split_scheme(authorization)?;
    if tokens.is_empty() {
        return Err(bad_credential(
            CredentialRemedy::SendNone,
            "this service does not accept credentials",
        ));
    }
    if scheme.eq_ignore_ascii_case("Bearer") {
        return find(tokens, None, value.as_bytes());
    }
    if scheme.eq_ignore_ascii_case("Basic") {
        return authenticate_basic(tokens, value);
    }
    Err(bad_credential(
        CredentialRemedy::CorrectHeader,
        "the authorization scheme is neither Basic nor Bearer",
    ))
}

/// Returns the user of a token that is sent without a scheme: the secret, or `ID:SECRET`.
pub(super) fn authenticate_plain(tokens: &[Token], value: &[u8]) -> Result<User, Rejection> {
    let value = value.trim_ascii();
    let (id, secret) = match value.iter().position(|byte| *byte == b':') {
        Some(colon) => (Some(&value[..colon]), &value[colon + 1..]),
        None => (None, value),
    };
    find(tokens, id, secret)
}

fn split_scheme(authorization: &[u8]) -> Result<(&str, &str), Rejection> {
    let malformed = || bad_credential(CredentialRemedy::CorrectHeader, "the Authorization header is malformed");
    let text = std::str::from_utf8(authorization).map_err(|_| malformed())?;
    let (scheme, value) = text.split_once(' ').ok_or_else(malformed)?;
    Ok((scheme, value.trim()))
}

/// Returns the bearer token of an `Authorization` header, if it contains one.
pub(super) fn bearer(authorization: &[u8]) -> Option<&str> {
    let (scheme, value) = split_scheme(authorization).ok()?;
    scheme.eq_ignore_ascii_case("Bearer").then_some(value)
}

fn authenticate_basic(tokens: &[Token], encoded: &str) -> Result<User, Rejection> {
    let malformed = || bad_credential(CredentialRemedy::CorrectHeader, "the Basic credential is malformed");
    let pair = BASE64_STANDARD.decode(encoded).map_err(|_| malformed())?;
    let colon = pair.iter().position(|byte| *byte == b':');
    let colon = colon.ok_or_else(malformed)?;
    find(tokens, Some(&pair[..colon]), &pair[colon + 1..])
}

/// Returns the user with this secret. The function compares with every digest, so that its duration does not reveal
/// which secret was similar.
pub(super) fn find(tokens: &[Token], id: Option<&[u8]>, secret: &[u8]) -> Result<User, Rejection> {
    if secret.is_empty() {
        return Err(bad_credential(CredentialRemedy::CheckToken, "the token is empty"));
    }
    let digest = TokenDigest::of(secret);
    let mut found = None;
    for token in tokens {
        let has_id = id.is_none_or(|id| id == token.id.as_bytes());
        for accepted in &token.digests {
            if bool::from(accepted.matches(&digest)) && has_id {
                found = Some(token);
            }
        }
    }
    let token = found.ok_or_else(|| bad_credential(CredentialRemedy::CheckToken, "the token is unknown"))?;
    Ok(token.user().with_secret_fingerprint(digest.fingerprint()))
}
