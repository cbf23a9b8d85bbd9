//! Why a decision fell: the rule that made it, and how every rule stands to the request.

use std::time::Duration;

use super::Grant;
use super::rule::{Effect, Rule};
use crate::rejection::Rejection;

/// A decision with its reasons.
#[derive(Clone, Debug)]
pub struct Explanation<'a> {
    /// What was decided.
    pub verdict: Verdict<'a>,
    /// Where the lifetime of the URL comes from, when it is allowed.
    pub lifetime: Option<LifetimeSource>,
    /// How each rule stands to the request, in the order of the file.
    pub findings: Vec<Finding<'a>>,
}

/// What the rules decide.
#[derive(Clone, Debug)]
pub enum Verdict<'a> {
    /// A rule allows it, and none denies it.
    Allowed(Grant<'a>),
    /// A rule denies it.
    Denied {
        /// The id of the rule.
        rule: &'a str,
        /// What the client is told.
        refusal: Rejection,
    },
    /// No rule speaks of it.
    Unspoken {
        /// What the client is told.
        refusal: Rejection,
    },
}

/// How one rule stands to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding<'a> {
    /// The id of the rule.
    pub rule: &'a str,
    /// What it does where it matches.
    pub effect: Effect,
    /// What keeps it from matching; nothing where it matches.
    pub misses: Vec<Miss>,
}

/// One thing of which a rule says otherwise than the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// Which.
    pub aspect: Aspect,
    /// What the rule speaks of instead, in the words of the rules file.
    pub speaks_of: Vec<String>,
}

/// What a rule speaks of; it matches where all of it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aspect {
    /// `can`
    Action,
    /// `who`
    Caller,
    /// `if`
    Claims,
    /// `on`
    Key,
}

/// Where the lifetime of a rule's URLs comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LifetimeSource {
    /// What sets it.
    pub set_by: Source,
    /// What no rule of the file may exceed.
    pub ceiling: Duration,
    /// What sets that.
    pub ceiling_by: Source,
}

/// What sets a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The rule itself.
    Rule,
    /// The `[defaults]` of the rules file.
    Defaults,
    /// Signpost, where the file says nothing.
    BuiltIn,
}

impl<'a> Verdict<'a> {
    /// The grant, or what the client is told.
    pub fn into_grant(self) -> Result<Grant<'a>, Rejection> {
        match self {
            Self::Allowed(grant) => Ok(grant),
            Self::Denied { refusal, .. } | Self::Unspoken { refusal } => Err(refusal),
        }
    }

    /// The rule that decides, if one does.
    pub const fn rule(&self) -> Option<&'a str> {
        match self {
            Self::Allowed(Grant { rule, .. }) | Self::Denied { rule, .. } => Some(rule),
            Self::Unspoken { .. } => None,
        }
    }
}

impl Finding<'_> {
    /// Whether the rule speaks of the request.
    pub const fn matches(&self) -> bool {
        self.misses.is_empty()
    }

    /// The one thing that keeps the rule from matching, if it is but one.
    pub fn near_miss(&self) -> Option<&Miss> {
        match self.misses.as_slice() {
            [miss] => Some(miss),
            _ => None,
        }
    }
}

impl Aspect {
    /// Everything that a rule speaks of, the cheapest to compare first.
    pub const ALL: [Self; 4] = [Self::Action, Self::Caller, Self::Claims, Self::Key];
}

/// How `rule` stands to a request with which it agrees so.
pub(super) fn finding(rule: &Rule, agrees_on: impl Fn(Aspect) -> bool) -> Finding<'_> {
    let misses = Aspect::ALL
        .into_iter()
        .filter(|aspect| !agrees_on(*aspect))
        .map(|aspect| Miss {
            aspect,
            speaks_of: rule.words(aspect),
        });
    Finding {
        rule: &rule.id,
        effect: rule.effect,
        misses: misses.collect(),
    }
}
