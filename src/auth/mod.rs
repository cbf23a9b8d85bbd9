//! Who is asking: exactly one credential a request, and one that is wrong is refused, never taken for nobody.

pub mod token;

use std::fmt::Write as _;

use http::{HeaderMap, header};
use sha2::{Digest, Sha256};

use crate::rejection::Rejection;
pub use token::{Token, TokenDigest};

/// The caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Nobody in particular.
    Anonymous,
    /// Somebody who has proven an identity.
    Member(Member),
}

/// An identity: what its issuer calls it, and the groups that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who vouches for it.
    pub issuer: Issuer,
    /// Its name, unique with its issuer only.
    pub subject: String,
    /// The groups that rules can name.
    pub groups: Vec<String>,
    uid: String,
}

/// Who vouches for an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Issuer {
    /// The `[[token]]` table of the rules.
    Token,
}

/// The ways of proving an identity that are switched on.
#[derive(Clone, Debug, Default)]
pub struct Authenticators {
    /// Generated tokens, by Basic or Bearer.
    pub tokens: Vec<Token>,
}

impl Principal {
    /// The identity, when there is one.
    pub const fn member(&self) -> Option<&Member> {
        match self {
            Self::Anonymous => None,
            Self::Member(member) => Some(member),
        }
    }

    /// A short name for logs and signed URLs: [`Member::uid`], or `-` for nobody.
    pub fn uid(&self) -> &str {
        self.member().map_or("-", Member::uid)
    }
}

impl Member {
    /// An identity that `issuer` vouches for.
    pub fn new(issuer: Issuer, subject: String, groups: Vec<String>) -> Self {
        let uid = uid(&issuer, &subject);
        Self {
            issuer,
            subject,
            groups,
            uid,
        }
    }

    /// A hash of issuer and subject: the same for the same member always, different for any two members.
    pub fn uid(&self) -> &str {
        &self.uid
    }
}

/// Many rules may ask for it, so it is made once for each member.
fn uid(issuer: &Issuer, subject: &str) -> String {
    let issuer = match issuer {
        Issuer::Token => "token",
    };
    let digest = Sha256::new()
        .chain_update(issuer)
        .chain_update([0])
        .chain_update(subject)
        .finalize();
    digest[..16].iter().fold(String::with_capacity(32), |mut uid, byte| {
        write!(uid, "{byte:02x}").expect("a String takes every write");
        uid
    })
}

impl Authenticators {
    /// Whether any credential at all could be accepted.
    pub const fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Finds out who sent these headers.
    pub fn authenticate(&self, headers: &HeaderMap) -> Result<Principal, Rejection> {
        let mut credentials = headers.get_all(header::AUTHORIZATION).iter();
        let Some(credential) = credentials.next() else {
            return Ok(Principal::Anonymous);
        };
        if credentials.next().is_some() {
            return Err(Rejection::BadCredential {
                problem: "the request carries more than one credential",
            });
        }
        token::authenticate(&self.tokens, credential.as_bytes()).map(Principal::Member)
    }
}
