//! Where in the bucket a rule keeps an object, and what other rules deny there.

use super::pattern::KeyRange;
use super::rewrite::{Rewrite, Rewritten};
use super::rule::{Effect, Rule};
use super::{Grant, Policy};
use crate::auth::Principal;
use crate::key::ObjectKey;
use crate::operation::Action;
use crate::rejection::Rejection;

/// Where in the bucket an object is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Under this key.
    Key(ObjectKey),
    /// In this folder, which ends in `/`, by an id that only the table knows.
    IdIn(String),
}

impl Grant<'_> {
    /// Where the object is that `principal` calls `key`: elsewhere only where the rule rewrites keys.
    pub fn place(&self, principal: &Principal, key: &ObjectKey) -> Result<Place, Rejection> {
        Ok(match self.granted_by.rewritten(principal, key.as_str()) {
            None => Place::Key(key.clone()),
            Some(Rewritten::Key(object)) => Place::Key(ObjectKey::new(object)?),
            Some(Rewritten::IdIn(folder)) => Place::IdIn(folder),
        })
    }

    /// Whether only a table knows where its objects are.
    pub fn needs_table(&self) -> bool {
        self.granted_by.rewrite.as_ref().is_some_and(Rewrite::needs_table)
    }
}

impl Policy {
    /// The keys right in `folder`, where ids are, that rules deny `principal`, whatever it calls them: a deny protects an
    /// object by each of its names.
    pub fn denied_in(&self, principal: &Principal, action: Action, folder: &str) -> Vec<String> {
        let exact = self.denied_to(principal, action).filter_map(|(_, range)| match range {
            KeyRange::Exactly(key) => Some(key),
            KeyRange::Below(_) => None,
        });
        let right_in = |key: &String| key.strip_prefix(folder).is_some_and(|id| !id.contains('/'));
        exact.filter(right_in).collect()
    }

    /// The rule that denies what `granting` keeps elsewhere than under `key`.
    pub(super) fn denies_place(
        &self,
        granting: &Rule,
        principal: &Principal,
        action: Action,
        key: &str,
    ) -> Option<&Rule> {
        match granting.rewritten(principal, key)? {
            Rewritten::Key(object) => self.denying().find(|rule| rule.speaks_of(principal, action, &object)),
            Rewritten::IdIn(folder) => self
                .denied_to(principal, action)
                .find(|(_, range)| matches!(range, KeyRange::Below(prefix) if folder.starts_with(prefix.as_str())))
                .map(|(rule, _)| rule),
        }
    }

    fn denying(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| rule.effect == Effect::Deny)
    }

    /// The rules that deny `principal` this `action`, and with which keys.
    fn denied_to<'a, 'b>(
        &'a self,
        principal: &'b Principal,
        action: Action,
    ) -> impl Iterator<Item = (&'a Rule, KeyRange)> + use<'a, 'b> {
        let speaking = self.denying().filter(move |rule| rule.speaks_to(principal, action));
        speaking.flat_map(move |rule| {
            let claim = move |claim: &str| principal.member()?.claim(claim);
            rule.on.iter().filter_map(move |on| Some((rule, on.keys(claim)?)))
        })
    }
}
