//! The rules and their evaluation: a matching deny rule always wins. Otherwise the first matching allow rule supplies the
//! constraints. A request that matches no rule is rejected.
//!
//! A module imports only from modules above it in this list:
//!
//! 1. `errors`: the errors of a rules file.
//! 2. `identifiers`: the ids of rules, tokens and issuers.
//! 3. `field_types`: the types of the fields in a rules file.
//! 4. `lifetime`: the origin of the lifetime of a rule's URLs.
//! 5. `effect`: the effect of a rule.
//! 6. [`pattern`]: patterns over keys.
//! 7. `constraints`: the constraints of an allow rule.
//! 8. `key_rewrite`: the rewriting of public keys to storage keys.
//! 9. `caller_selector`: the entries of `who`.
//! 10. `rule`: one rule.
//! 11. `grant`: the result of evaluating the rules.
//! 12. `storage_key`: the storage key of an object.
//! 13. `list_access`: the keys below a prefix that a caller may list.
//! 14. `inline_access`: the rules that let browsers display an object.
//! 15. `grant_scope`: the scope of a grant.
//! 16. [`session_policy`]: the session policy of a grant.
//! 17. `explain`: explanations of decisions.
//! 18. `relations`: the relations between selectors, patterns and rules that hold for every request.
//! 19. [`analysis`]: the findings of `rules check`.
//! 20. `open_issuers`: the issuers that everyone can get tokens of.
//! 21. `issuers`: the `[[issuer]]` tables of a rules file.
//! 22. `tokens`: the `[[token]]` tables of a rules file.
//! 23. `mount_tables`: the `[[mount]]` tables of a rules file.
//! 24. `rules_file`: the parser of a rules file.

pub mod analysis;
mod caller_selector;
mod constraints;
mod effect;
mod errors;
mod explain;
mod field_types;
mod grant;
mod grant_scope;
mod identifiers;
mod inline_access;
mod issuers;
mod key_rewrite;
mod lifetime;
mod list_access;
mod mount_tables;
mod open_issuers;
pub mod pattern;
mod relations;
mod rule;
mod rules_file;
pub mod session_policy;
mod storage_key;
mod tokens;

use std::collections::BTreeSet;

use crate::auth::{Authenticators, Keyring, Principal, ReferencedClaims};
use crate::dialect::DialectPrefixes;
use crate::key::ObjectKey;
use crate::mount::{Mount, Mounts};
use crate::operation::Action;
use crate::rejection::Rejection;
pub use analysis::Finding;
pub use constraints::{
    Constraints, DEFAULT_EXPIRES, DEFAULT_SHARE_EXPIRES, DEFAULT_TEMPORARY_SHARE_EXPIRES, Disposition, MAX_EXPIRES,
    MAX_SHARE_EXPIRES, MIN_LIFETIME,
};
pub use effect::Effect;
pub use errors::RulesError;
pub use explain::{ExplainedListAccess, Explanation, Mismatch, RuleComparison, UnmetCondition};
pub use grant::{Grant, PolicyOutcome};
pub use grant_scope::GrantScope;
pub use lifetime::{LifetimeSource, ValueSource};
pub use list_access::ListAccess;
pub use mount_tables::check_mount;
pub use pattern::{KeyRange, Pattern, PatternError, is_segment};
use rule::Rule;
pub use rule::RulePart;
pub use storage_key::StorageKey;

/// The content of a rules file. The default has no rules and rejects every request.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The enabled authentication methods.
    pub authenticators: Authenticators,
    /// A part of the name of every session of the signer role. A new value makes Signpost assume the role again.
    pub signer_epoch: Option<String>,
    /// The enabled dialects.
    pub dialects: DialectPrefixes,
    /// True if an id table is configured.
    pub has_id_table: bool,
    /// True if a URL has only the permissions of its rule (mode `scoped`). S3 then reports a missing object only to callers who
    /// may list it, and compares an `ETag` only for callers who may read.
    pub has_scoped_sessions: bool,
    /// The buckets. Without a `[[mount]]`, there is one bucket for every key.
    pub mounts: Mounts,
    rules: Vec<Rule>,
    digest: String,
    /// The keys for continuation tokens if no keys are configured. They are derived from the rules, which every instance
    /// of the function shares.
    fallback_cursor_keys: Keyring,
}

impl Policy {
    /// Parses a rules file. An unknown field is an error.
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        rules_file::parse(text)
    }

    /// Returns the SHA-256 digest of the rules file in hexadecimal digits; empty for the default policy.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Returns the keys that encrypt continuation tokens.
    pub(crate) const fn cursor_keys(&self) -> &Keyring {
        if self.authenticators.keys.is_empty() {
            &self.fallback_cursor_keys
        } else {
            &self.authenticators.keys
        }
    }

    /// Returns the number of rules.
    pub const fn len(&self) -> usize {
        self.rules.len()
    }

    /// Returns true if there are no rules, so that every request is rejected.
    pub const fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Returns the claims and groups that a session must store for the rules.
    pub fn referenced_claims(&self) -> ReferencedClaims<'_> {
        ReferencedClaims {
            claims: self.claims(),
            groups: self.rules.iter().flat_map(Rule::groups).collect(),
        }
    }

    /// Returns the names of the claims that the rules refer to.
    pub fn claims(&self) -> BTreeSet<&str> {
        self.rules.iter().flat_map(Rule::claims).collect()
    }

    /// Decides whether `principal` may perform `action` on `key`.
    pub fn decide(&self, principal: &Principal, action: Action, key: &ObjectKey) -> Result<Grant<'_>, Rejection> {
        self.evaluate(principal, action, key.as_str()).into_grant()
    }

    /// Returns true if `principal` may perform `action` on a key that S3 returned, which may be invalid in a request.
    pub fn allows(&self, principal: &Principal, action: Action, key: &str) -> bool {
        matches!(self.evaluate(principal, action, key), PolicyOutcome::Allowed(_))
    }

    /// Returns the decision of [`Policy::decide`] with the deciding rule.
    pub(crate) fn evaluate(&self, principal: &Principal, action: Action, key: &str) -> PolicyOutcome<'_> {
        let denied = |rule| PolicyOutcome::Denied {
            rule,
            rejection: self.denial_for(principal, action),
        };
        let mut granting = None;
        let rules = self.rules.iter();
        for rule in rules.filter(|rule| rule.matches_key(principal, action, key)) {
            match rule.effect {
                Effect::Deny => return denied(&rule.id),
                Effect::Allow => granting = granting.or(Some(rule)),
            }
        }
        let Some(rule) = granting else {
            return PolicyOutcome::NoMatchingRule {
                rejection: self.rejection_for(principal, action),
            };
        };
        match self.storage_key_deny_rule(rule, principal, action, key) {
            Some(denying) => denied(&denying.id),
            None => PolicyOutcome::Allowed(rule.into()),
        }
    }

    /// Returns true if a URL of this mount has only the permissions of its rule.
    pub fn has_scoped_sessions_for(&self, mount: &Mount) -> bool {
        self.has_scoped_sessions && mount.has_sessions()
    }

    /// Returns the grants of all allow rules.
    pub fn grants(&self) -> impl Iterator<Item = Grant<'_>> {
        let allow_rules = self.rules.iter().filter(|rule| rule.effect == Effect::Allow);
        allow_rules.map(Grant::from)
    }

    /// Returns the rejection for `principal` if a rule denies `action`.
    pub(crate) fn denial_for(&self, principal: &Principal, action: Action) -> Rejection {
        match self.rejection_for(principal, action) {
            Rejection::AccessDenied { action } => Rejection::DeniedByRule { action },
            rejection => rejection,
        }
    }

    /// Returns the rejection for `principal` if no rule allows `action`.
    pub(crate) fn rejection_for(&self, principal: &Principal, action: Action) -> Rejection {
        match principal {
            Principal::Anonymous if !self.authenticators.is_empty() => Rejection::CredentialRequired,
            Principal::Anonymous | Principal::User(_) => Rejection::AccessDenied { action: action.name() },
        }
    }
}
