//! The rules, and what they grant: any matching deny wins, then the first matching allow supplies the constraints,
//! and what no rule speaks of is refused.

mod constraints;
pub mod pattern;
mod rule;
mod scope;
mod table;

use crate::auth::{Authenticators, Principal};
use crate::key::ObjectKey;
use crate::operation::Action;
use crate::rejection::Rejection;
pub use constraints::{Constraints, DEFAULT_EXPIRES, Disposition, MAX_EXPIRES};
pub use pattern::{KeyRange, Pattern, PatternError};
use rule::{Effect, Rule};
pub use scope::Scope;
pub use table::RulesError;

/// Everything that a rules file says. The default has no rules, and so refuses everything.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// How identities are proven.
    pub authenticators: Authenticators,
    rules: Vec<Rule>,
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

    /// How many rules there are.
    pub const fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is no rule, so that everything is refused.
    pub const fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Decides whether `principal` may do `action` on `key`.
    pub fn decide(&self, principal: &Principal, action: Action, key: &ObjectKey) -> Result<Grant<'_>, Rejection> {
        let mut granted = None;
        for rule in self.rules.iter().filter(|rule| rule.speaks_of(principal, action, key)) {
            match rule.effect {
                Effect::Deny => return Err(self.refuse(principal, action)),
                Effect::Allow => granted = granted.or(Some(rule)),
            }
        }
        let rule = granted.ok_or_else(|| self.refuse(principal, action))?;
        Ok(rule.into())
    }

    /// What could be granted to one caller or another: every rule that allows.
    pub fn grants(&self) -> impl Iterator<Item = Grant<'_>> {
        let allowing = self.rules.iter().filter(|rule| rule.effect == Effect::Allow);
        allowing.map(Grant::from)
    }

    fn refuse(&self, principal: &Principal, action: Action) -> Rejection {
        match principal {
            Principal::Anonymous if !self.authenticators.is_empty() => Rejection::CredentialRequired,
            Principal::Anonymous | Principal::Member(_) => Rejection::AccessDenied { action: action.name() },
        }
    }
}
