//! The storage key of an object, and the deny rules that apply to it.

use super::Policy;
use super::grant::Grant;
use super::key_rewrite::{KeyRewrite, RewrittenKey};
use super::pattern::KeyRange;
use super::rule::{Effect, Rule};
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

    /// Returns the rule that denies the storage key to which `granting` rewrites `key`.
    pub(super) fn storage_key_deny_rule(
        &self,
        granting: &Rule,
        principal: &Principal,
        action: Action,
        key: &str,
    ) -> Option<&Rule> {
        match granting.rewritten(principal, key)? {
            RewrittenKey::Key(object) => self
                .deny_rules()
                .find(|rule| rule.matches_key(principal, action, &object)),
            RewrittenKey::IdIn(folder) => self
                .denied_ranges(principal, action)
                .find(|(_, range)| matches!(range, KeyRange::Below(prefix) if folder.starts_with(prefix.as_str())))
                .map(|(rule, _)| rule),
        }
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
            rule.on.iter().filter_map(move |on| Some((rule, on.keys(claim)?)))
        })
    }
}
