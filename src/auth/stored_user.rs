//! The users in share links and sessions: the attributes that are stored, and the user that they describe under the
//! current rules.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Authenticators;
use super::principal::{Issuer, User};
use crate::encoding::hex;
use crate::request::GatewayAuthorizer;

/// The claims and groups that the rules refer to. A share link or a session stores only these.
#[derive(Clone, Debug, Default)]
pub struct ReferencedClaims<'a> {
    /// The names of claims.
    pub claims: BTreeSet<&'a str>,
    /// The names of groups.
    pub groups: BTreeSet<&'a str>,
}

/// The attributes of a user that a share link or a session cookie stores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredUser {
    /// The name of the issuer in the rules; absent for tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The name of the user within the issuer.
    pub subject: String,
    /// The fingerprint of the token's secret, or of the issuer. Another secret or issuer ends the link or the session.
    pub binding: String,
    /// The groups of the user at the time of storing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// True if the user may have been in other groups.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ambiguous_groups: bool,
    /// The [`Authenticators::deny_groups`] at the time of storing. `groups` says nothing about other groups.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub deny_groups: String,
    /// The claims of the user at the time of storing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, String>,
}

impl Authenticators {
    /// Returns the attributes of `user` to store. Cookies and links are short, so they contain only the groups and claims
    /// that the rules refer to. Returns `None` if the rules do not contain the user.
    pub fn store(&self, user: &User, referenced: &ReferencedClaims<'_>) -> Option<StoredUser> {
        let groups = user.groups.iter();
        let groups = groups.filter(|group| referenced.groups.contains(group.as_str()));
        Some(StoredUser {
            issuer: match &user.issuer {
                Issuer::Token => None,
                Issuer::Named { name, .. } => Some(name.clone()),
            },
            subject: user.subject.clone(),
            binding: self.binding(user)?,
            groups: groups.cloned().collect(),
            ambiguous_groups: user.has_ambiguous_groups(),
            deny_groups: self.deny_groups.clone(),
            claims: user.claims_in(&referenced.claims),
        })
    }

    /// Finds a stored user in the current rules. A token has the groups of the current rules; a user of an issuer has the
    /// stored groups. Returns `None` if the token has another secret, or the issuer is another one.
    pub(super) fn find_user(&self, stored: &StoredUser) -> Option<User> {
        let Some(name) = &stored.issuer else {
            let token = self.tokens.iter().find(|token| token.id == stored.subject)?;
            return token.user_with(&stored.binding);
        };
        let issuer = self.issuers().find(|issuer| issuer.is_named(name))?;
        let is_ambiguous = stored.ambiguous_groups || stored.deny_groups != self.deny_groups;
        let user = User::new(issuer, stored.subject.clone(), stored.groups.clone())
            .with_ambiguous_groups(is_ambiguous)
            .with_claims(stored.claims.clone());
        let is_bound = self.binding(&user).as_ref() == Some(&stored.binding);
        is_bound.then_some(user)
    }

    /// Returns the fingerprint of the secret that the user of a token has sent, or of the issuer: its identifier and its
    /// verifier.
    fn binding(&self, user: &User) -> Option<String> {
        let Issuer::Named { name, .. } = &user.issuer else {
            return user.secret_fingerprint().map(str::to_owned);
        };
        if let Some(gateway) = self.gateway.iter().find(|issuer| issuer.name == *name) {
            let verifier = match gateway.authorizer {
                GatewayAuthorizer::Jwt => "gateway",
                GatewayAuthorizer::Lambda => "gateway-lambda",
                GatewayAuthorizer::Iam => "gateway-iam",
            };
            return Some(issuer_fingerprint(verifier, &gateway.iss));
        }
        let oidc = self.oidc.iter().find(|issuer| issuer.name == *name)?;
        Some(issuer_fingerprint("oidc", oidc.iss.as_str()))
    }
}

fn issuer_fingerprint(verifier: &str, iss: &str) -> String {
    let hash = Sha256::digest(format!("issuer\n{verifier}\n{iss}"));
    hex(&hash[..8])
}
