//! The scope of a grant, to which session credentials can be restricted.

use super::effect::Effect;
use super::grant::Grant;
use super::pattern::KeyRange;
use crate::auth::Principal;
use crate::operation::Action;

/// Everything that one rule allows one caller. A signed request is always within this scope.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct GrantScope {
    /// The [`Principal::user_id`] of the caller.
    pub user_id: String,
    /// The id of the rule.
    pub rule: String,
    /// The actions that the rule allows.
    pub actions: Vec<Action>,
    /// The storage keys that the rule allows: its patterns with the caller's claims filled in.
    pub keys: Vec<KeyRange>,
    /// True if the client may request old versions of an object.
    pub versions: bool,
    /// True if an upload may set tags.
    pub tags: bool,
    /// True if the scope is only for listing unfinished uploads.
    pub pending_uploads: bool,
}

impl GrantScope {
    /// Returns the scope for listing unfinished uploads. IAM cannot limit this action to a prefix. Therefore, credentials
    /// with this scope allow nothing else, and credentials that sign URLs do not allow this action.
    #[must_use]
    pub fn for_pending_uploads(self) -> Self {
        Self {
            user_id: self.user_id,
            rule: self.rule,
            pending_uploads: true,
            ..Self::default()
        }
    }
}

impl GrantScope {
    /// Returns the part of the scope that contains `key`, which is a storage key, or a folder or prefix ending in `/`.
    #[must_use]
    pub fn narrowed_to(&self, key: &str) -> Self {
        let contains_key = |range: &&KeyRange| match range {
            KeyRange::Exactly(exact) => exact == key,
            KeyRange::Below(prefix) => key.starts_with(prefix),
        };
        Self {
            keys: self.keys.iter().filter(contains_key).cloned().collect(),
            ..self.clone()
        }
    }
}

impl Grant<'_> {
    /// Returns everything that the granting rule allows `principal`.
    pub fn scope(&self, principal: &Principal) -> GrantScope {
        self.scope_with(principal.user_id(), |claim| {
            principal.user().and_then(|user| user.claim(claim))
        })
    }

    /// Returns a scope that is at most as large as the scope of any user: each claim has its minimum length.
    pub fn smallest_scope(&self) -> GrantScope {
        const USER_ID: &str = "00000000000000000000000000000000";
        self.scope_with(USER_ID, |claim| Some(if claim == "user_id" { USER_ID } else { "0" }))
    }

    fn scope_with<'b>(&self, user_id: &str, claim: impl Fn(&str) -> Option<&'b str>) -> GrantScope {
        GrantScope {
            user_id: user_id.to_owned(),
            rule: self.rule.to_owned(),
            actions: self.granted_by.can.clone(),
            keys: self.storage_ranges(claim),
            versions: self.constraints.client_may_set("versionId"),
            tags: self.constraints.client_may_set("x-amz-tagging"),
            pending_uploads: false,
        }
    }

    fn storage_ranges<'b>(&self, claim: impl Fn(&str) -> Option<&'b str>) -> Vec<KeyRange> {
        let public = self
            .granted_by
            .on
            .iter()
            .filter_map(|on| on.keys(Effect::Allow, &claim));
        match &self.granted_by.rewrite {
            None => public.collect(),
            Some(rewrite) => public.filter_map(|range| rewrite.range(range, &claim)).collect(),
        }
    }
}
