//! The scope of a grant, to which session credentials can be restricted.

use std::sync::Arc;

use super::effect::Effect;
use super::grant::Grant;
use super::pattern::KeyRange;
use crate::auth::Principal;
use crate::mount::{Mount, Mounts};
use crate::operation::Action;

/// Everything that one rule allows one caller in one mount. A signed request is always within this scope.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct GrantScope {
    /// The mount of the keys.
    pub mount: Arc<Mount>,
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
            mount: self.mount,
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
    /// Returns everything that the granting rule allows `principal` in `mount`.
    pub fn scope(&self, principal: &Principal, mounts: &Mounts, mount: &Arc<Mount>) -> GrantScope {
        let claim = |claim: &str| principal.user().and_then(|user| user.claim(claim));
        self.scope_with(principal.user_id(), (mounts, mount), claim)
    }

    /// Returns a scope that is at most as large as the scope of any user: each claim has its minimum length.
    pub fn smallest_scope(&self, mounts: &Mounts, mount: &Arc<Mount>) -> GrantScope {
        const USER_ID: &str = "00000000000000000000000000000000";
        let claim = |claim: &str| Some(if claim == "user_id" { USER_ID } else { "0" });
        self.scope_with(USER_ID, (mounts, mount), claim)
    }

    fn scope_with<'b>(
        &self,
        user_id: &str,
        (mounts, mount): (&Mounts, &Arc<Mount>),
        claim: impl Fn(&str) -> Option<&'b str>,
    ) -> GrantScope {
        GrantScope {
            mount: Arc::clone(mount),
            user_id: user_id.to_owned(),
            rule: self.rule.to_owned(),
            actions: self.granted_by.can.clone(),
            keys: self.storage_ranges(mounts, mount, claim),
            versions: self.constraints.client_may_set("versionId"),
            tags: self.constraints.client_may_set("x-amz-tagging"),
            pending_uploads: false,
        }
    }

    fn storage_ranges<'b>(
        &self,
        mounts: &Mounts,
        mount: &Mount,
        claim: impl Fn(&str) -> Option<&'b str>,
    ) -> Vec<KeyRange> {
        let public = self
            .granted_by
            .on
            .iter()
            .filter_map(|on| on.keys(Effect::Allow, &claim));
        let public = public.filter_map(|range| range.within(mounts, mount));
        match (&self.granted_by.rewrite, mount.is_root()) {
            (None, true) => public.collect(),
            (None, false) => public.map(|range| range.in_bucket(mount)).collect(),
            (Some(rewrite), _) => public
                .filter_map(|range| rewrite.range(&range, &mount.at, &claim))
                .map(|range| range.in_bucket(mount))
                .collect(),
        }
    }
}

impl KeyRange {
    /// Returns the part of this range of public keys that is in `mount`.
    fn within(self, mounts: &Mounts, mount: &Mount) -> Option<Self> {
        match &self {
            Self::Exactly(key) | Self::Below(key) if mounts.contains(mount, key) => Some(self),
            Self::Below(prefix) if mount.at.starts_with(prefix) => Some(Self::Below(mount.at.clone())),
            Self::Exactly(_) | Self::Below(_) => None,
        }
    }

    /// Returns the storage keys for a range of plain keys.
    fn in_bucket(self, mount: &Mount) -> Self {
        match self {
            Self::Exactly(key) => Self::Exactly(mount.storage_key(&key)),
            Self::Below(prefix) => Self::Below(mount.storage_key(&prefix)),
        }
    }
}
