//! What a grant covers, so that credentials can be had that do no more than that.

use super::Grant;
use super::pattern::KeyRange;
use crate::auth::Principal;
use crate::operation::Action;

/// All that one rule lets one caller do. The one request that is being signed is a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The caller, by [`Principal::user_id`].
    pub user_id: String,
    /// The id of the rule.
    pub rule: String,
    /// What the rule lets the caller do.
    pub actions: Vec<Action>,
    /// With which keys: the patterns of the rule with the caller's claims filled in.
    pub keys: Vec<KeyRange>,
    /// Whether old versions of an object may be asked for.
    pub versions: bool,
    /// Whether an upload may bring tags.
    pub tags: bool,
    /// Whether it is for listing the uploads that have not ended, and for nothing else.
    pub pending_uploads: bool,
}

impl Scope {
    /// The scope for listing the uploads that have not ended. IAM can't limit that to a prefix, so credentials for it
    /// can do nothing else, and those that sign URLs can't do it.
    #[must_use]
    pub fn of_pending_uploads(self) -> Self {
        Self {
            user_id: self.user_id,
            rule: self.rule,
            pending_uploads: true,
            ..Self::default()
        }
    }
}

impl Grant<'_> {
    /// All that the granting rule lets `principal` do.
    pub fn scope(&self, principal: &Principal) -> Scope {
        self.covering(principal.user_id(), |claim| {
            principal.member().and_then(|member| member.claim(claim))
        })
    }

    /// A scope that is never larger than that of any member: each claim has as few characters as it can have.
    pub fn smallest_scope(&self) -> Scope {
        const UID: &str = "00000000000000000000000000000000";
        self.covering(UID, |claim| Some(if claim == "user_id" { UID } else { "0" }))
    }

    /// The keys in the bucket.
    fn kept<'b>(&self, claim: impl Fn(&str) -> Option<&'b str>) -> Vec<KeyRange> {
        let named = self.granted_by.on.iter().filter_map(|on| on.keys(&claim));
        match &self.granted_by.rewrite {
            None => named.collect(),
            Some(rewrite) => named.filter_map(|range| rewrite.range(range, &claim)).collect(),
        }
    }

    fn covering<'b>(&self, user_id: &str, claim: impl Fn(&str) -> Option<&'b str>) -> Scope {
        Scope {
            user_id: user_id.to_owned(),
            rule: self.rule.to_owned(),
            actions: self.granted_by.can.clone(),
            keys: self.kept(claim),
            versions: self.constraints.client_may_set("versionId"),
            tags: self.constraints.client_may_set("x-amz-tagging"),
            pending_uploads: false,
        }
    }
}
