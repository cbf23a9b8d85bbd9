//! Who is asking: exactly one credential a request, and one that is wrong is refused, never taken for nobody.

pub mod cursor;
pub mod gateway;
pub mod jwks;
pub mod jwt;
pub mod keyring;
pub mod oidc;
pub mod session;
pub mod share;
pub mod sign_in;
pub mod token;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::SystemTime;

use http::header;
use sha2::{Digest, Sha256};

use crate::rejection::Rejection;
use crate::request::{ApiRequest, GatewayIdentity};
pub use gateway::GatewayIssuer;
pub use jwks::KeySet;
use jwt::Jwt;
pub use keyring::Keyring;
pub use oidc::{KeysWanted, OidcIssuer};
use share::{Maker, ShareLink};
pub use token::{Token, TokenDigest};

/// The caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Nobody in particular.
    Anonymous,
    /// Somebody who has proven an identity.
    Member(Member),
}

/// An identity: what its issuer says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who vouches for it.
    pub issuer: Issuer,
    /// Its name, unique with its issuer only.
    pub subject: String,
    /// The groups that rules can name.
    pub groups: Vec<String>,
    claims: BTreeMap<String, String>,
    user_id: String,
}

/// Who vouches for an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Issuer {
    /// The `[[token]]` table of the rules.
    Token,
    /// An `[[issuer]]` of the rules.
    Named {
        /// Its name in the rules.
        name: String,
        /// What it calls itself, so that a new name in the rules changes no member's `user_id`.
        iss: String,
    },
}

/// The ways of proving an identity that are switched on.
#[derive(Clone, Debug, Default)]
pub struct Authenticators {
    /// Generated tokens, by Basic or Bearer.
    pub tokens: Vec<Token>,
    /// What the gateway has verified.
    pub gateway: Vec<GatewayIssuer>,
    /// Bearer tokens that are verified here.
    pub oidc: Vec<OidcIssuer>,
    /// Share links that no longer count, by their ids.
    pub revoked_links: Vec<String>,
    /// The keys of share links.
    pub keys: Keyring,
}

/// What a request proves its sender's identity with.
enum Credential<'a> {
    /// What came in the `Authorization` header, verified by the gateway.
    Verified(&'a GatewayIdentity),
    /// A JSON Web Token that nobody has verified yet.
    Jwt(&'a str),
    /// Any other `Authorization` header.
    Authorization(&'a [u8]),
    /// The cookie of a session.
    Session(&'a str),
}

impl Issuer {
    /// Whether it is the `[[issuer]]` of this name.
    pub fn is_named(&self, name: &str) -> bool {
        matches!(self, Self::Named { name: own, .. } if own == name)
    }
}

impl Principal {
    /// The identity, when there is one.
    pub const fn member(&self) -> Option<&Member> {
        match self {
            Self::Anonymous => None,
            Self::Member(member) => Some(member),
        }
    }

    /// A short name for logs and signed URLs: [`Member::user_id`], or `-` for nobody.
    pub fn user_id(&self) -> &str {
        self.member().map_or("-", Member::user_id)
    }
}

impl Member {
    /// An identity that `issuer` vouches for.
    pub fn new(issuer: Issuer, subject: String, groups: Vec<String>) -> Self {
        let user_id = user_id(&issuer, &subject);
        Self {
            issuer,
            subject,
            groups,
            claims: BTreeMap::new(),
            user_id,
        }
    }

    /// Adds what else the issuer says of it.
    #[must_use]
    pub fn with_claims(self, claims: BTreeMap<String, String>) -> Self {
        Self { claims, ..self }
    }

    /// What a share link must tell of it: of its claims, those that the rules ask for.
    pub fn as_maker(&self, claims: &BTreeSet<&str>) -> Maker {
        let asked = self.claims.iter().filter(|(name, _)| claims.contains(name.as_str()));
        Maker {
            issuer: match &self.issuer {
                Issuer::Token => None,
                Issuer::Named { name, .. } => Some(name.clone()),
            },
            subject: self.subject.clone(),
            groups: self.groups.clone(),
            claims: asked.map(|(name, value)| (name.clone(), value.clone())).collect(),
        }
    }

    /// A hash of issuer and subject: the same for the same member always, different for any two members.
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// A claim by its name: `user_id`, `sub`, or one that its issuer made.
    pub fn claim(&self, name: &str) -> Option<&str> {
        match name {
            "user_id" => Some(&self.user_id),
            "sub" => Some(&self.subject),
            name => self.claims.get(name).map(String::as_str),
        }
    }
}

/// Many rules may ask for it, so it is made once for each member.
fn user_id(issuer: &Issuer, subject: &str) -> String {
    let issuer = match issuer {
        Issuer::Token => "token".to_owned(),
        Issuer::Named { iss, .. } => format!("iss:{iss}"),
    };
    let digest = Sha256::new()
        .chain_update(issuer)
        .chain_update([0])
        .chain_update(subject)
        .finalize();
    hex(&digest[..16])
}

/// In hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a String takes every write");
            hex
        })
}

impl Authenticators {
    /// Whether any credential at all could be accepted.
    pub const fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.gateway.is_empty() && self.oidc.is_empty()
    }

    /// Whether the rules have an `[[issuer]]` of this name.
    pub fn names_issuer(&self, name: &str) -> bool {
        self.issuers().any(|issuer| issuer.is_named(name))
    }

    /// The member that stands behind a request once this subject of the issuer `name` has been verified with these
    /// claims; `None` where the rules name no such issuer.
    pub fn vouch(
        &self,
        name: &str,
        subject: &str,
        claims: BTreeMap<String, String>,
    ) -> Option<Result<Member, Rejection>> {
        if let Some(issuer) = self.gateway.iter().find(|issuer| issuer.name == name) {
            return Some(issuer.vouch(subject, claims));
        }
        let issuer = self.oidc.iter().find(|issuer| issuer.name == name)?;
        Some(Ok(issuer.vouch(subject, claims)))
    }

    /// Every `[[issuer]]` of the rules.
    pub fn issuers(&self) -> impl Iterator<Item = Issuer> {
        let gateway = self.gateway.iter().map(GatewayIssuer::issuer);
        gateway.chain(self.oidc.iter().map(OidcIssuer::issuer))
    }

    /// The keys that [`Authenticators::authenticate`] needs for `request`, if any.
    pub fn keys_wanted<'a>(&'a self, request: &ApiRequest) -> Option<KeysWanted<'a>> {
        let Ok(Some(Credential::Jwt(token))) = self.credential(request) else {
            return None;
        };
        let token = Jwt::read(token).ok()?;
        Some(KeysWanted {
            issuer: self.issuer_of(&token).ok()?,
            kid: token.kid().map(str::to_owned),
        })
    }

    /// Finds out who sent `request`.
    ///
    /// What the gateway has verified came in the `Authorization` header, so the two count as one credential.
    /// `keys` are those that [`Authenticators::keys_wanted`] asks for.
    pub fn authenticate(
        &self,
        request: &ApiRequest,
        keys: Option<&KeySet>,
        now: SystemTime,
    ) -> Result<Principal, Rejection> {
        let member = match self.credential(request)? {
            None => return self.nobody(),
            Some(Credential::Verified(identity)) => gateway::authenticate(&self.gateway, identity),
            Some(Credential::Jwt(token)) => self.verify(token, keys, now),
            Some(Credential::Authorization(header)) => token::authenticate(&self.tokens, header),
            Some(Credential::Session(cookie)) => {
                if !session::only_reads(&request.method) {
                    sign_in::check_own_page(request)?;
                }
                self.of_session(cookie, now)
            }
        };
        member.map(Principal::Member)
    }

    /// Whose a request without a credential is. Where the rules rely on the gateway, it should have had one.
    pub fn nobody(&self) -> Result<Principal, Rejection> {
        if self.gateway.is_empty() {
            Ok(Principal::Anonymous)
        } else {
            Err(refused(UNVERIFIED))
        }
    }

    /// The one credential of `request`.
    fn credential<'a>(&self, request: &'a ApiRequest) -> Result<Option<Credential<'a>>, Rejection> {
        let cookie = session::cookie(&request.headers, session::COOKIE)?;
        let verified = request.gateway.as_ref().filter(|_| !self.gateway.is_empty());
        let mut headers = request.headers.get_all(header::AUTHORIZATION).iter();
        let (authorization, second) = (headers.next(), headers.next());
        if second.is_some() || (cookie.is_some() && (verified.is_some() || authorization.is_some())) {
            return Err(refused(TWO_CREDENTIALS));
        }
        if let Some(identity) = verified {
            return Ok(Some(Credential::Verified(identity)));
        }
        let Some(authorization) = authorization else {
            return Ok(cookie.map(Credential::Session));
        };
        let authorization = authorization.as_bytes();
        let jwt = token::bearer(authorization).filter(|text| !self.oidc.is_empty() && jwt::is_one(text));
        Ok(Some(
            jwt.map_or(Credential::Authorization(authorization), Credential::Jwt),
        ))
    }

    fn verify(&self, token: &str, keys: Option<&KeySet>, now: SystemTime) -> Result<Member, Rejection> {
        let token = Jwt::read(token)?;
        let issuer = self.issuer_of(&token)?;
        let keys = keys.ok_or_else(|| refused("the keys of the bearer token's issuer are not known"))?;
        issuer.authenticate(token, keys, now)
    }

    fn issuer_of(&self, token: &Jwt<'_>) -> Result<&OidcIssuer, Rejection> {
        let named = token.issuer();
        let issuer = self.oidc.iter().find(|issuer| Some(issuer.iss.as_str()) == named);
        issuer.ok_or_else(|| refused("the bearer token is of an issuer that the rules do not name"))
    }

    /// The link in `?share`, and its maker as the rules know it now.
    ///
    /// The link is the request's one credential, so nothing may stand beside it.
    pub fn redeem(&self, text: &str, request: &ApiRequest, now: SystemTime) -> Result<(ShareLink, Member), Rejection> {
        let verified = request.gateway.is_some() && !self.gateway.is_empty();
        if verified || request.headers.contains_key(header::AUTHORIZATION) {
            return Err(refused(TWO_CREDENTIALS));
        }
        let link = share::read(&self.keys, text, now)?;
        if self.revoked_links.contains(&link.id) {
            return Err(refused("the share link has been revoked"));
        }
        let maker = self
            .maker(&link.maker)
            .ok_or_else(|| refused("the maker of the share link is no longer known"))?;
        Ok((link, maker))
    }

    /// Groups of a token are those that the rules give it now; those of an issuer's member are what it had then.
    fn maker(&self, maker: &Maker) -> Option<Member> {
        let Some(name) = &maker.issuer else {
            return self
                .tokens
                .iter()
                .find(|token| token.id == maker.subject)
                .map(Token::member);
        };
        let issuer = self.issuers().find(|issuer| issuer.is_named(name))?;
        let member = Member::new(issuer, maker.subject.clone(), maker.groups.clone());
        Some(member.with_claims(maker.claims.clone()))
    }
}

const TWO_CREDENTIALS: &str = "the request carries more than one credential";

const UNVERIFIED: &str = "the gateway has verified no credential of this request";

const fn refused(problem: &'static str) -> Rejection {
    Rejection::BadCredential { problem }
}

/// The one group that a value names; it counts with its issuer only. An HTTP API flattens an array to `[a b c]`, where a group called `b c` looks like
/// two; such a value names no group.
fn group(issuer: &str, value: &str) -> Option<String> {
    (!value.is_empty() && !value.starts_with('[')).then(|| format!("{issuer}/{value}"))
}
