//! The caller: an anonymous caller or an identified user.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::encoding::hex;

/// The caller of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A caller without a credential.
    Anonymous,
    /// A caller with a verified identity.
    User(User),
}

/// A verified identity with the attributes that its issuer asserts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "`user_id` is the term of logs and rules")]
pub struct User {
    /// The issuer that asserts the identity.
    pub issuer: Issuer,
    /// The name of the user. It is unique only within the issuer.
    pub subject: String,
    /// The groups of the user, as rules refer to them.
    pub groups: Vec<String>,
    ambiguous_groups: bool,
    claims: BTreeMap<String, String>,
    user_id: String,
    /// The fingerprint of the secret that the user of a token has sent.
    secret_fingerprint: Option<String>,
}

/// The party that asserts an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Issuer {
    /// The `[[token]]` tables of the rules.
    Token,
    /// An `[[issuer]]` of the rules.
    Named {
        /// The name of the issuer in the rules.
        name: String,
        /// The issuer's own identifier. The `user_id` depends on it, so that renaming an issuer in the rules does not
        /// change the `user_id` of its users.
        iss: String,
    },
}

impl Issuer {
    /// Returns true if this is the `[[issuer]]` with this name.
    pub fn is_named(&self, name: &str) -> bool {
        matches!(self, Self::Named { name: own, .. } if own == name)
    }
}

impl Principal {
    /// Returns the user, or `None` for an anonymous caller.
    pub const fn user(&self) -> Option<&User> {
        match self {
            Self::Anonymous => None,
            Self::User(user) => Some(user),
        }
    }

    /// Returns the name for logs and signed URLs: [`User::user_id`], or `-` for an anonymous caller.
    pub fn user_id(&self) -> &str {
        self.user().map_or("-", User::user_id)
    }

    /// Returns the caller as an entry of `who` in the rules: `anyone`, `token:ID` or `user:ISSUER/SUBJECT`.
    pub fn selector(&self) -> String {
        match self {
            Self::Anonymous => "anyone".to_owned(),
            Self::User(user) => match &user.issuer {
                Issuer::Token => format!("token:{}", user.subject),
                Issuer::Named { name, .. } => format!("user:{name}/{}", user.subject),
            },
        }
    }
}

impl User {
    /// Creates a user without claims.
    pub fn new(issuer: Issuer, subject: String, groups: Vec<String>) -> Self {
        let user_id = user_id(&issuer, &subject);
        Self {
            issuer,
            subject,
            groups,
            ambiguous_groups: false,
            claims: BTreeMap::new(),
            user_id,
            secret_fingerprint: None,
        }
    }

    /// Sets the fingerprint of the secret that the user of a token has sent.
    #[must_use]
    pub(super) fn with_secret_fingerprint(self, fingerprint: String) -> Self {
        Self {
            secret_fingerprint: Some(fingerprint),
            ..self
        }
    }

    /// Returns the fingerprint of the secret that the user of a token has sent.
    pub(super) fn secret_fingerprint(&self) -> Option<&str> {
        self.secret_fingerprint.as_deref()
    }

    /// Adds the claims that the issuer asserts.
    #[must_use]
    pub fn with_claims(self, claims: BTreeMap<String, String>) -> Self {
        Self { claims, ..self }
    }

    /// Returns a user with another `user_id`, for a hypothetical user whose subject is unknown.
    #[must_use]
    pub fn with_user_id(self, user_id: String) -> Self {
        Self { user_id, ..self }
    }

    /// Sets whether the user may be in other groups of its issuer than `groups`.
    #[must_use]
    pub(super) fn with_ambiguous_groups(self, ambiguous_groups: bool) -> Self {
        Self {
            ambiguous_groups,
            ..self
        }
    }

    /// Returns true if the user may be in other groups of its issuer than `groups`.
    pub(super) const fn has_ambiguous_groups(&self) -> bool {
        self.ambiguous_groups
    }

    /// Returns true unless the user is certainly not in `group`.
    pub fn may_be_in(&self, group: &str) -> bool {
        let is_of_issuer = || {
            group
                .split_once('/')
                .is_some_and(|(issuer, _)| self.issuer.is_named(issuer))
        };
        self.groups.iter().any(|own| own == group) || self.ambiguous_groups && is_of_issuer()
    }

    /// Returns the claims with these names.
    pub(super) fn claims_in(&self, names: &BTreeSet<&str>) -> BTreeMap<String, String> {
        let claims = self.claims.iter();
        let claims = claims.filter(|(name, _)| names.contains(name.as_str()));
        claims.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Returns a hash of issuer and subject. It is stable for one user and different for two users.
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// Returns the claim with this name: `user_id`, `sub`, or a claim that the issuer asserts.
    pub fn claim(&self, name: &str) -> Option<&str> {
        match name {
            "user_id" => Some(&self.user_id),
            "sub" => Some(&self.subject),
            name => self.claims.get(name).map(String::as_str),
        }
    }
}

/// Computes the `user_id`. The result is stored in [`User`], because many rules can use it in one request.
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

/// Returns the qualified name of a group: a group name is unique only within its issuer.
///
/// An HTTP API flattens an array to `[a b c]`, which makes the group `b c` look like two groups. Such a value names no
/// group.
pub(super) fn qualified_group(issuer: &str, name: &str) -> Option<String> {
    (!name.is_empty() && !name.starts_with('[')).then(|| format!("{issuer}/{name}"))
}
