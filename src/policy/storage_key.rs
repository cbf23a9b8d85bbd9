//! The storage key of an object, and the deny rules that apply to it.

use super::Policy;
use super::effect::Effect;
use super::grant::Grant;
use super::key_rewrite::{KeyRewrite, RewrittenKey};
use super::pattern::{KeyRange, PublicName};
use super::rule::Rule;
use crate::auth::Principal;
use crate::key::ObjectKey;
use crate::mount::Mount;
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
    /// Returns the storage key for the public key `key` of `principal` in its mount.
    pub fn storage_key(&self, principal: &Principal, key: &ObjectKey, mount: &Mount) -> Result<StorageKey, Rejection> {
        let storage_key = |plain_key: String| {
            if mount.is_root() {
                plain_key
            } else {
                mount.storage_key(&plain_key)
            }
        };
        Ok(match self.granted_by.rewritten(principal, key.as_str(), &mount.at) {
            None if mount.is_root() => StorageKey::Key(key.clone()),
            None => StorageKey::Key(ObjectKey::new(mount.storage_key(key.as_str()))?),
            Some(RewrittenKey::Key(object)) => StorageKey::Key(ObjectKey::new(storage_key(object))?),
            Some(RewrittenKey::IdIn(folder)) => StorageKey::IdIn(storage_key(folder)),
        })
    }

    /// Returns true if the storage keys of the rule are in the id table.
    pub fn needs_id_table(&self) -> bool {
        self.granted_by.rewrite.as_ref().is_some_and(KeyRewrite::needs_id_table)
    }
}

impl Policy {
    /// Returns the storage keys directly in `folder` of `mount`, which contains ids, that rules deny to `principal`. A deny
    /// rule protects an object under its public key and under its plain key.
    pub fn denied_keys_in(&self, principal: &Principal, action: Action, mount: &Mount, folder: &str) -> Vec<String> {
        let Some(plain_folder) = mount.plain_key(folder) else {
            return Vec::new();
        };
        let others = self.mounts.other_plain_keys(mount, &plain_folder);
        let folders: Vec<_> = std::iter::once((mount, plain_folder.clone())).chain(others).collect();
        let exact = self
            .denied_ranges(principal, action)
            .filter_map(|(_, range)| match range {
                KeyRange::Exactly(key) => Some(key),
                KeyRange::Below(_) => None,
            });
        let in_folder = |key: String| {
            let (mount, _) = folders.iter().find(|(_, folder)| {
                let id = key.strip_prefix(folder.as_str());
                id.is_some_and(|id| !id.contains('/'))
            })?;
            Some(mount.storage_key(&key))
        };
        exact.filter_map(in_folder).collect()
    }

    /// Returns the rule that denies the object that `granting` stores for `key`: a deny rule protects an object under its
    /// plain keys and under every public key.
    pub(super) fn storage_key_deny_rule(
        &self,
        granting: &Rule,
        principal: &Principal,
        action: Action,
        key: &str,
    ) -> Option<&Rule> {
        let mount = self.mounts.find(key).map(|mount| &**mount);
        let at = mount.map_or("", |mount| mount.at.as_str());
        match granting.rewritten(principal, key, at) {
            None => self.other_name_deny_rule(principal, action, (mount, key), false),
            Some(RewrittenKey::Key(object)) => self
                .deny_rules()
                .find(|rule| rule.matches_key(principal, action, &object))
                .or_else(|| self.other_name_deny_rule(principal, action, (mount, &object), false)),
            Some(RewrittenKey::IdIn(folder)) => self.folder_deny_rule(principal, action, &folder).or_else(|| {
                let mut others = self.mounts.other_plain_keys(mount?, &folder);
                others.find_map(|(_, folder)| self.folder_deny_rule(principal, action, &folder))
            }),
        }
    }

    /// Returns the rule that denies every key in a folder.
    fn folder_deny_rule(&self, principal: &Principal, action: Action, folder: &str) -> Option<&Rule> {
        self.denied_ranges(principal, action)
            .find(|(_, range)| matches!(range, KeyRange::Below(prefix) if folder.starts_with(prefix.as_str())))
            .map(|(rule, _)| rule)
    }

    /// Returns the rule that denies another key of the object with a plain key in a mount. This is a public key that some
    /// rule rewrites to it, or a key of the same object in another mount. If `below`, the plain key is a prefix, and the
    /// rule denies every such key of the objects below it.
    pub(super) fn other_name_deny_rule(
        &self,
        principal: &Principal,
        action: Action,
        (mount, plain_key): (Option<&Mount>, &str),
        below: bool,
    ) -> Option<&Rule> {
        let at = mount.map_or("", |mount| mount.at.as_str());
        let own = self.rewritten_name_deny_rule(principal, action, (at, plain_key), below);
        own.or_else(|| {
            let mount = mount.filter(|mount| self.mounts.has_other_mount_of_bucket(mount))?;
            self.deny_rules()
                .find(|rule| rule.matches_principal(principal, action))?;
            let mut others = self.mounts.other_plain_keys(mount, plain_key);
            others.find_map(|(other, key)| {
                let by_key = if below {
                    self.folder_deny_rule(principal, action, &key)
                } else {
                    self.deny_rules().find(|rule| rule.matches_key(principal, action, &key))
                };
                by_key.or_else(|| self.rewritten_name_deny_rule(principal, action, (&other.at, &key), below))
            })
        })
    }

    /// Returns the rule that denies a public key that some rule rewrites to a plain key in the mount at `at`.
    fn rewritten_name_deny_rule(
        &self,
        principal: &Principal,
        action: Action,
        (at, plain_key): (&str, &str),
        below: bool,
    ) -> Option<&Rule> {
        let names = self.rules.iter().flat_map(|rule| rule.public_names(plain_key, at));
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
