//! How far a caller's rules reach below a prefix: what a listing may tell.

use std::collections::BTreeSet;

use super::explain::Aspect;
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

    /// Whether a rule denies `action` with every key below `prefix`.
    pub fn denies_below(&self, principal: &Principal, action: Action, prefix: &str) -> bool {
        self.ranges(principal, action, Effect::Deny)
            .any(|(_, range)| prefix.starts_with(&range))
    }

    /// The rules of this effect that speak of `action` by `principal`, with each prefix below which they do.
    fn ranges<'a, 'b>(
        &'a self,
        principal: &'b Principal,
        action: Action,
        effect: Effect,
    ) -> impl Iterator<Item = (&'a Rule, String)> + use<'a, 'b> {
        let speaking = self
            .rules
            .iter()
            // What a rule keeps under other keys than clients name is in no listing of theirs.
            .filter(move |rule| rule.effect == effect && rule.rewrite.is_none() && rule.speaks_to(principal, action));
        speaking.flat_map(move |rule| {
            let below = move |pattern: &Pattern| match pattern.keys(|claim| principal.member()?.claim(claim)) {
                Some(KeyRange::Below(prefix)) => Some((rule, prefix)),
                Some(KeyRange::Exactly(_)) | None => None,
            };
            rule.on.iter().filter_map(below)
        })
    }
}

impl Rule {
    /// Whether it speaks of `action` by `principal`, with whatever keys.
    pub(super) fn speaks_to(&self, principal: &Principal, action: Action) -> bool {
        [Aspect::Action, Aspect::Caller, Aspect::Claims]
            .into_iter()
            .all(|aspect| self.agrees_on(aspect, principal, action, ""))
    }
}

/// The folder right below `prefix` on the way to `range`.
fn way(prefix: &str, range: &str) -> Option<String> {
    let below = range.strip_prefix(prefix)?;
    let end = below.find('/')? + 1;
    Some(range[..prefix.len() + end].to_owned())
}
