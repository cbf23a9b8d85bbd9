//! Generated tokens, sent as `Basic` (RFC 7617) or `Bearer` (RFC 6750) and kept as SHA-256 digests. The secrets are
//! random, so a plain digest is enough: there is nothing to guess.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::{Issuer, Member, hex, refused};
use crate::rejection::Rejection;

/// One `[[token]]` of the rules.
#[derive(Clone, Debug)]
pub struct Token {
    /// Its public name, the user name of `Basic`.
    pub id: String,
    /// The digest of its secret.
    pub sha256: TokenDigest,
    /// The groups that its bearer belongs to.
    pub groups: Vec<String>,
}

/// The SHA-256 digest of a token's secret.
#[derive(Clone)]
pub struct TokenDigest([u8; 32]);

/// A digest that is not 64 hexadecimal digits.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 digest has 64 hexadecimal digits")]
pub struct TokenDigestError;

impl Token {
    /// Its bearer.
    pub fn member(&self) -> Member {
        Member::new(Issuer::Token, self.id.clone(), self.groups.clone())
    }
}

impl TokenDigest {
    /// The digest of `secret`.
    pub fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// The inverse of [`TokenDigest::from_str`].
    pub fn to_hex(&self) -> String {
        hex(&self.0)
    }

    /// What the secret can be known by where not even its digest should stand.
    pub(super) fn mark(&self) -> String {
        hex(&Sha256::new().chain_update("mark").chain_update(self.0).finalize()[..8])
    }

    fn matches(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl FromStr for TokenDigest {
    type Err = TokenDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut digest = [0; 32];
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(TokenDigestError);
        }
        for (byte, at) in digest.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| TokenDigestError)?;
        }
        Ok(Self(digest))
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(redacted)")
    }
}

/// Finds the bearer of the secret in an `Authorization` header.
pub(super) fn authenticate(tokens: &[Token], authorization: &[u8]) -> Result<Member, Rejection> {
    let (scheme, value) = split_scheme(authorization)?;
    if tokens.is_empty() {
        return Err(refused("no credential is accepted here"));
    }
    if scheme.eq_ignore_ascii_case("Bearer") {
        return find(tokens, None, value.as_bytes()).map(Token::member);
    }
    if scheme.eq_ignore_ascii_case("Basic") {
        return basic(tokens, value);
    }
    Err(refused("the authorization scheme is neither Basic nor Bearer"))
}

fn split_scheme(authorization: &[u8]) -> Result<(&str, &str), Rejection> {
    let text = std::str::from_utf8(authorization).map_err(|_| refused("the Authorization header is malformed"))?;
    let (scheme, value) = text
        .split_once(' ')
        .ok_or_else(|| refused("the Authorization header is malformed"))?;
    Ok((scheme, value.trim()))
}

/// The text of a bearer, if the header tells one.
pub(super) fn bearer(authorization: &[u8]) -> Option<&str> {
    let (scheme, value) = split_scheme(authorization).ok()?;
    scheme.eq_ignore_ascii_case("Bearer").then_some(value)
}

fn basic(tokens: &[Token], encoded: &str) -> Result<Member, Rejection> {
    let pair = BASE64_STANDARD
        .decode(encoded)
        .map_err(|_| refused("the Basic credential is malformed"))?;
    let colon = pair.iter().position(|byte| *byte == b':');
    let colon = colon.ok_or_else(|| refused("the Basic credential is malformed"))?;
    find(tokens, Some(&pair[..colon]), &pair[colon + 1..]).map(Token::member)
}

/// Compares with every token, so that the time taken tells nothing of which one was near.
pub(super) fn find<'a>(tokens: &'a [Token], id: Option<&[u8]>, secret: &[u8]) -> Result<&'a Token, Rejection> {
    if secret.is_empty() {
        return Err(refused("the token is empty"));
    }
    let digest = TokenDigest::of(secret);
    let mut found = None;
    for token in tokens {
        let named = id.is_none_or(|id| id == token.id.as_bytes());
        if bool::from(token.sha256.matches(&digest)) && named {
            found = Some(token);
        }
    }
    found.ok_or_else(|| refused("the token is unknown"))
}
