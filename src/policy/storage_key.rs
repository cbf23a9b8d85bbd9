//! The storage key of an object, and the deny rules that apply to it.

use super::Policy;
use super::effect::Effect;
use super::grant::Grant;
use super::key_rewrite::{KeyRewrite, RewrittenKey};
use super::pattern::{KeyRange, PublicName};
use super::rule::Rule;
use crate::auth::Principal;
use crate::key::ObjectKey;
use crate::operation::Action;
use crate::rejection::Rejection;

/// The key of an object in the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageKey {
    /// A known key.
    Key(ObjectKey),
    /// A key in this folder, which ends in `/`. Only the id table knows the id that completes the key.
    IdIn(String),
}

impl Grant<'_> {
    /// Returns the storage key for the public key `key` of `principal`. They differ only if the rule rewrites keys.
    pub fn storage_key(&self, principal: &Principal, key: &ObjectKey) -> Result<StorageKey, Rejection> {
        Ok(match self.granted_by.rewritten(principal, key.as_str()) {
            None => StorageKey::Key(key.clone()),
            Some(RewrittenKey::Key(object)) => StorageKey::Key(ObjectKey::new(object)?),
            Some(RewrittenKey::IdIn(folder)) => StorageKey::IdIn(folder),
        })
    }

    /// Returns true if the storage keys of the rule are in the id table.
    pub fn needs_id_table(&self) -> bool {
        self.granted_by.rewrite.as_ref().is_some_and(KeyRewrite::needs_id_table)
    }
}

impl Policy {
    /// Returns the storage keys directly in `folder`, which contains ids, that rules deny to `principal`. A deny rule
    /// protects an object under its public key and under its storage key.
    pub fn denied_keys_in(&self, principal: &Principal, action: Action, folder: &str) -> Vec<String> {
        let exact = self
            .denied_ranges(principal, action)
            .filter_map(|(_, range)| match range {
                KeyRange::Exactly(key) => Some(key),
                KeyRange::Below(_) => None,
            });
        let is_in_folder = |key: &String| key.strip_prefix(folder).is_some_and(|id| !id.contains('/'));
        exact.filter(is_in_folder).collect()
    }

    /// Returns the rule that denies the object that `granting` stores for `key`: a deny rule protects an object under its
    /// storage key and under every public key.
    pub(super) fn storage_key_deny_rule(
        &self,
        granting: &Rule,
        principal: &Principal,
        action: Action,
        key: &str,
    ) -> Option<&Rule> {
        match granting.rewritten(principal, key) {
            None => self.name_deny_rule(principal, action, key, false),
            Some(RewrittenKey::Key(object)) => self
                .deny_rules()
                .find(|rule| rule.matches_key(principal, action, &object))
                .or_else(|| self.name_deny_rule(principal, action, &object, false)),
            Some(RewrittenKey::IdIn(folder)) => self
                .denied_ranges(principal, action)
                .find(|(_, range)| matches!(range, KeyRange::Below(prefix) if folder.starts_with(prefix.as_str())))
                .map(|(rule, _)| rule),
        }
    }

    /// Returns the rule that denies a public key that some rule rewrites to `storage_key`. If `below`, that is a prefix, and
    /// the rule denies every public key of the objects below it.
    pub(super) fn name_deny_rule(
        &self,
        principal: &Principal,
        action: Action,
        storage_key: &str,
        below: bool,
    ) -> Option<&Rule> {
        let names = self.rules.iter().flat_map(|rule| rule.public_names(storage_key));
        let names: Vec<_> = names.collect();
        if names.is_empty() {
            return None;
        }
        let denies = |rule: &&Rule| {
            let is_denied = |name: &PublicName<'_>| rule.on.iter().any(|on| on.denies_name(name, principal, below));
            rule.matches_principal(principal, action) && names.iter().any(is_denied)
        };
        self.deny_rules().find(denies)
    }

    fn deny_rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| rule.effect == Effect::Deny)
    }

    /// Returns the key ranges with which rules deny `action` to `principal`.
    fn denied_ranges<'a, 'b>(
        &'a self,
        principal: &'b Principal,
        action: Action,
    ) -> impl Iterator<Item = (&'a Rule, KeyRange)> + use<'a, 'b> {
        let rules = self
            .deny_rules()
            .filter(move |rule| rule.matches_principal(principal, action));
        rules.flat_map(move |rule| {
            let claim = move |claim: &str| principal.user()?.claim(claim);
            rule.on
                .iter()
                .filter_map(move |on| Some((rule, on.keys(Effect::Deny, claim)?)))
        })
    }
}
