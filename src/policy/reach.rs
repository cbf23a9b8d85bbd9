//! How far a caller's rules reach below a prefix: what a listing may tell.

use std::collections::BTreeSet;

use super::explain::{self, Aspect, Finding};
use super::pattern::{KeyRange, Pattern};
use super::rule::{Effect, Rule};
use super::{Grant, Policy};
use crate::auth::Principal;
use crate::operation::Action;
use crate::rejection::Rejection;

/// How far the rules reach below a prefix.
#[derive(Clone, Debug)]
pub enum Reach<'a> {
    /// One rule covers all that lies below, but for what others deny.
    Whole(Grant<'a>),
    /// No rule covers the prefix, but some cover folders further down: the folders here that lead there.
    Ways(BTreeSet<String>),
}

/// How far the rules reach, and why.
#[derive(Clone, Debug)]
pub struct ExplainedReach<'a> {
    /// What [`Policy::reach`] finds.
    pub reach: Result<Reach<'a>, Rejection>,
    /// The id of the rule that denies it, if one does.
    pub denied_by: Option<&'a str>,
    /// How each rule stands to the prefix, in the order of the file.
    pub findings: Vec<Finding<'a>>,
}

impl Policy {
    /// How far `principal` may do `action` below `prefix`, which is empty or ends in `/`. Only patterns that end in `**`
    /// count: who may list one key need not learn of its folder.
    pub fn reach(&self, principal: &Principal, action: Action, prefix: &str) -> Result<Reach<'_>, Rejection> {
        if self.denies_below(principal, action, prefix) {
            return Err(self.refuse(principal, action));
        }
        let mut ways = BTreeSet::new();
        for (rule, range) in self.ranges(principal, action, Effect::Allow) {
            if prefix.starts_with(&range) {
                return Ok(Reach::Whole(rule.into()));
            }
            if let Some(way) = way(prefix, &range).filter(|_| !self.denies_below(principal, action, &range)) {
                ways.insert(way);
            }
        }
        if ways.is_empty() {
            return Err(self.refuse(principal, action));
        }
        Ok(Reach::Ways(ways))
    }

    /// Tells what [`Policy::reach`] finds, and why.
    pub fn explain_reach(&self, principal: &Principal, action: Action, prefix: &str) -> ExplainedReach<'_> {
        let agrees_on = |rule: &Rule, aspect| match aspect {
            Aspect::Key => rule.ranges(principal).any(|range| prefix.starts_with(&range)),
            Aspect::Action | Aspect::Caller | Aspect::Claims => rule.agrees_on(aspect, principal, action, ""),
        };
        let findings = self.rules.iter();
        let findings = findings.map(|rule| explain::finding(rule, |aspect| agrees_on(rule, aspect)));
        ExplainedReach {
            reach: self.reach(principal, action, prefix),
            denied_by: self
                .denying_below(principal, action, prefix)
                .map(|rule| rule.id.as_str()),
            findings: findings.collect(),
        }
    }

    /// Whether a rule denies `action` with every key below `prefix`.
    pub fn denies_below(&self, principal: &Principal, action: Action, prefix: &str) -> bool {
        self.denying_below(principal, action, prefix).is_some()
    }

    fn denying_below(&self, principal: &Principal, action: Action, prefix: &str) -> Option<&Rule> {
        let mut denying = self.ranges(principal, action, Effect::Deny);
        denying.find_map(|(rule, range)| prefix.starts_with(&range).then_some(rule))
    }

    /// The rules of this effect that speak of `action` by `principal`, with each prefix below which they do.
    fn ranges<'a, 'b>(
        &'a self,
        principal: &'b Principal,
        action: Action,
        effect: Effect,
    ) -> impl Iterator<Item = (&'a Rule, String)> + use<'a, 'b> {
        let rules = self.rules.iter();
        let speaking = rules.filter(move |rule| rule.effect == effect && rule.speaks_to(principal, action));
        speaking.flat_map(move |rule| rule.ranges(principal).map(move |range| (rule, range)))
    }
}

impl Rule {
    /// Whether it speaks of `action` by `principal`, with whatever keys.
    pub(super) fn speaks_to(&self, principal: &Principal, action: Action) -> bool {
        [Aspect::Action, Aspect::Caller, Aspect::Claims]
            .into_iter()
            .all(|aspect| self.agrees_on(aspect, principal, action, ""))
    }

    /// The prefixes below which it speaks of every key that `principal` names.
    fn ranges<'a, 'b>(&'a self, principal: &'b Principal) -> impl Iterator<Item = String> + use<'a, 'b> {
        let below = move |pattern: &Pattern| match pattern.keys(|claim| principal.member()?.claim(claim)) {
            Some(KeyRange::Below(prefix)) => Some(prefix),
            Some(KeyRange::Exactly(_)) | None => None,
        };
        // What a rule keeps under other keys than clients name is in no listing of theirs.
        let listed = self.on.iter().filter(|_| self.rewrite.is_none());
        listed.filter_map(below)
    }
}

/// The folder right below `prefix` on the way to `range`.
fn way(prefix: &str, range: &str) -> Option<String> {
    let below = range.strip_prefix(prefix)?;
    let end = below.find('/')? + 1;
    Some(range[..prefix.len() + end].to_owned())
}
