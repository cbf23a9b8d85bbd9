//! The rules, and what they grant: any matching deny wins, then the first matching allow supplies the constraints,
//! and what no rule speaks of is refused.

mod constraints;
mod explain;
mod issuers;
pub mod pattern;
mod place;
mod reach;
mod rewrite;
mod rule;
mod scope;
mod table;

use std::collections::BTreeSet;

use crate::auth::sign_in::Asked;
use crate::auth::{Authenticators, Keyring, Principal};
use crate::key::ObjectKey;
use crate::operation::Action;
use crate::rejection::Rejection;
pub use constraints::{
    Constraints, DEFAULT_EXPIRES, DEFAULT_SHARE_EXPIRES, Disposition, MAX_EXPIRES, MAX_SHARE_EXPIRES, MIN_LIFETIME,
};
pub use explain::{Aspect, Explanation, Finding, LifetimeSource, Miss, Source, Verdict};
pub use pattern::{KeyRange, Pattern, PatternError};
pub use place::Place;
pub use reach::{ExplainedReach, Reach};
pub use rule::Effect;
use rule::Rule;
pub use scope::Scope;
pub use table::RulesError;

/// Everything that a rules file says. The default has no rules, and so refuses everything.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// How identities are proven.
    pub authenticators: Authenticators,
    /// A word in the name of every session of the signer role; with another one the role is assumed anew.
    pub signer_epoch: Option<String>,
    /// Whether there is a table for what must be remembered between requests.
    pub has_table: bool,
    /// Whether S3 tells that an object is missing to those alone who may list it, as with sessions of the members' own.
    pub hides_misses: bool,
    rules: Vec<Rule>,
    digest: String,
    /// What seals where a listing goes on, where no keys are set: every copy of the function has the same rules.
    own_keys: Keyring,
}

/// What a rule allows.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a> {
    /// The id of the rule.
    pub rule: &'a str,
    /// What holds for the operation.
    pub constraints: &'a Constraints,
    granted_by: &'a Rule,
}

impl<'a> From<&'a Rule> for Grant<'a> {
    fn from(rule: &'a Rule) -> Self {
        Self {
            rule: &rule.id,
            constraints: &rule.constraints,
            granted_by: rule,
        }
    }
}

impl Policy {
    /// Reads a rules file; anything unknown in it is an error.
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        table::parse(text)
    }

    /// The SHA-256 of the text of the rules, in hexadecimal digits; empty where there is none.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What seals where a listing goes on.
    pub(crate) const fn cursor_keys(&self) -> &Keyring {
        if self.authenticators.keys.is_empty() {
            &self.own_keys
        } else {
            &self.authenticators.keys
        }
    }

    /// How many rules there are.
    pub const fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is no rule, so that everything is refused.
    pub const fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What a session must keep for the rules to decide.
    pub fn asked(&self) -> Asked<'_> {
        Asked {
            claims: self.claims(),
            groups: self.rules.iter().flat_map(Rule::groups).collect(),
        }
    }

    /// The claims that the rules ask for.
    pub fn claims(&self) -> BTreeSet<&str> {
        self.rules.iter().flat_map(Rule::claims).collect()
    }

    /// Decides whether `principal` may do `action` on `key`.
    pub fn decide(&self, principal: &Principal, action: Action, key: &ObjectKey) -> Result<Grant<'_>, Rejection> {
        self.verdict(principal, action, key.as_str()).into_grant()
    }

    /// Whether `principal` may do `action` on a key that S3 has told, which need not be one that a request can name.
    pub fn allows(&self, principal: &Principal, action: Action, key: &str) -> bool {
        matches!(self.verdict(principal, action, key), Verdict::Allowed(_))
    }

    /// Tells what [`Policy::decide`] decides, and why.
    pub fn explain(&self, principal: &Principal, action: Action, key: &ObjectKey) -> Explanation<'_> {
        let verdict = self.verdict(principal, action, key.as_str());
        let granting = match verdict {
            Verdict::Allowed(grant) => self.rules.iter().find(|rule| rule.id == grant.rule),
            Verdict::Denied { .. } | Verdict::Unspoken { .. } => None,
        };
        Explanation {
            lifetime: granting.map(|rule| rule.lifetime),
            findings: self
                .rules
                .iter()
                .map(|rule| explain::finding(rule, |aspect| rule.agrees_on(aspect, principal, action, key.as_str())))
                .collect(),
            verdict,
        }
    }

    /// What [`Policy::decide`] decides, and by which rule.
    pub(crate) fn verdict(&self, principal: &Principal, action: Action, key: &str) -> Verdict<'_> {
        let mut granted = None;
        for rule in self.rules.iter().filter(|rule| rule.speaks_of(principal, action, key)) {
            match rule.effect {
                Effect::Deny => {
                    return Verdict::Denied {
                        rule: &rule.id,
                        refusal: self.refuse(principal, action),
                    };
                }
                Effect::Allow => granted = granted.or(Some(rule)),
            }
        }
        match granted {
            Some(rule) => match self.denies_place(rule, principal, action, key) {
                Some(denying) => Verdict::Denied {
                    rule: &denying.id,
                    refusal: self.refuse(principal, action),
                },
                None => Verdict::Allowed(rule.into()),
            },
            None => Verdict::Unspoken {
                refusal: self.refuse(principal, action),
            },
        }
    }

    /// What could be granted to one caller or another: every rule that allows.
    pub fn grants(&self) -> impl Iterator<Item = Grant<'_>> {
        let allowing = self.rules.iter().filter(|rule| rule.effect == Effect::Allow);
        allowing.map(Grant::from)
    }

    /// What `principal` is told where it may not do `action`.
    pub(crate) fn refuse(&self, principal: &Principal, action: Action) -> Rejection {
        match principal {
            Principal::Anonymous if !self.authenticators.is_empty() => Rejection::CredentialRequired,
            Principal::Anonymous | Principal::Member(_) => Rejection::AccessDenied { action: action.name() },
        }
    }
}
