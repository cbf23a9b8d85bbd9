//! The keys below a prefix that a caller may list.

use std::collections::BTreeSet;

use super::Policy;
use super::effect::Effect;
use super::grant::Grant;
use super::rule::Rule;
use crate::auth::Principal;
use crate::mount::Mount;
use crate::operation::Action;
use crate::rejection::Rejection;

/// The keys below a prefix that a caller may list.
#[derive(Clone, Debug)]
pub enum ListAccess<'a> {
    /// One rule allows every key below the prefix, except those that other rules deny.
    Full(Grant<'a>),
    /// No rule allows the whole prefix, but rules allow folders below it. Contains the folders directly below the prefix
    /// that lead to them.
    Traverse(BTreeSet<String>),
}

impl Policy {
    /// Returns the keys below `prefix`, which is empty or ends in `/`, for which `principal` may perform `action`.
    ///
    /// Only patterns that end in `**` apply: a permission to list one key must not reveal its folder.
    pub fn list_access(
        &self,
        principal: &Principal,
        action: Action,
        prefix: &str,
    ) -> Result<ListAccess<'_>, Rejection> {
        if self.denies_below(principal, action, prefix) {
            return Err(self.denial_for(principal, action));
        }
        let mut folders = BTreeSet::new();
        for (rule, range) in self.prefixes(principal, action, Effect::Allow) {
            if prefix.starts_with(&range) {
                return Ok(ListAccess::Full(rule.into()));
            }
            if let Some(folder) = next_folder(prefix, &range).filter(|_| !self.denies_below(principal, action, &range))
            {
                folders.insert(folder);
            }
        }
        if folders.is_empty() {
            return Err(self.rejection_for(principal, action));
        }
        Ok(ListAccess::Traverse(folders))
    }

    /// Returns true if a rule allows `action` for keys of `mount` itself, and not only of a mount inside it.
    pub fn allows_in_mount(&self, principal: &Principal, action: Action, mount: &Mount) -> bool {
        let is_in_mount = |range: &str| range.starts_with(&mount.at) && self.mounts.contains(mount, range);
        let is_denied = |range: &str| self.denies_below(principal, action, range);
        let mut ranges = self.prefixes(principal, action, Effect::Allow);
        !is_denied(&mount.at)
            && ranges.any(|(_, range)| mount.at.starts_with(&range) || is_in_mount(&range) && !is_denied(&range))
    }

    /// Returns true if a rule denies `action` for every key below `prefix`.
    pub fn denies_below(&self, principal: &Principal, action: Action, prefix: &str) -> bool {
        self.prefix_deny_rule(principal, action, prefix).is_some()
    }

    /// Returns the id of the rule that denies `action` for every key below `prefix`.
    pub(crate) fn denying_rule_below(&self, principal: &Principal, action: Action, prefix: &str) -> Option<&str> {
        let rule = self.prefix_deny_rule(principal, action, prefix);
        rule.map(|rule| rule.id.as_str())
    }

    /// Returns the rule that denies `action` for every key below `prefix`.
    pub(super) fn prefix_deny_rule(&self, principal: &Principal, action: Action, prefix: &str) -> Option<&Rule> {
        let mut denied = self.prefixes(principal, action, Effect::Deny);
        denied
            .find_map(|(rule, range)| prefix.starts_with(&range).then_some(rule))
            .or_else(|| {
                let mount = self.mounts.find(prefix).map(|mount| &**mount);
                self.other_name_deny_rule(principal, action, (mount, prefix), true)
            })
    }

    /// Returns the rules with this effect that match `action` by `principal`, with each prefix that they cover.
    fn prefixes<'a, 'b>(
        &'a self,
        principal: &'b Principal,
        action: Action,
        effect: Effect,
    ) -> impl Iterator<Item = (&'a Rule, String)> + use<'a, 'b> {
        let rules = self.rules.iter();
        let matching = rules.filter(move |rule| rule.effect == effect && rule.matches_principal(principal, action));
        matching.flat_map(move |rule| rule.prefixes(principal).map(move |range| (rule, range)))
    }
}

/// Returns the folder directly below `prefix` that leads to `range`.
fn next_folder(prefix: &str, range: &str) -> Option<String> {
    let below = range.strip_prefix(prefix)?;
    let end = below.find('/')? + 1;
    Some(range[..prefix.len() + end].to_owned())
}
