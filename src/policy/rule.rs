//! One rule: the callers, actions and keys that it matches.

use std::collections::BTreeSet;
use std::fmt;

use super::caller_selector::CallerSelector;
use super::constraints::Constraints;
use super::effect::Effect;
use super::key_rewrite::{KeyRewrite, RewrittenKey};
use super::lifetime::LifetimeSource;
use super::pattern::{KeyRange, Pattern, PublicName};
use crate::auth::Principal;
use crate::operation::Action;

/// One `[[rule]]`.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) effect: Effect,
    pub(super) who: Vec<CallerSelector>,
    pub(super) conditions: Vec<ClaimCondition>,
    pub(super) can: Vec<Action>,
    pub(super) on: Vec<Pattern>,
    pub(super) rewrite: Option<KeyRewrite>,
    pub(super) constraints: Constraints,
    pub(super) lifetime: LifetimeSource,
}

/// A part of a rule. A rule matches if all its parts match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RulePart {
    /// `can`
    Action,
    /// `who`
    Caller,
    /// `if`
    Claims,
    /// `on`
    Key,
}

impl RulePart {
    /// All parts of a rule, the cheapest to compare first.
    pub const ALL: [Self; 4] = [Self::Action, Self::Caller, Self::Claims, Self::Key];
}

/// An entry of `if`: a claim and its accepted values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClaimCondition {
    pub(super) claim: String,
    pub(super) values: Vec<String>,
}

impl Rule {
    /// Returns true if the rule matches `action` by `principal` on `key`.
    pub(super) fn matches_key(&self, principal: &Principal, action: Action, key: &str) -> bool {
        let matches = |part| self.part_matches(part, principal, action, key);
        // Every request evaluates this, and without a loop over `RulePart::ALL` it compiles to plain comparisons.
        matches(RulePart::Action) && matches(RulePart::Caller) && matches(RulePart::Claims) && matches(RulePart::Key)
    }

    /// Returns true if the rule matches `action` by `principal` on some key.
    pub(super) fn matches_principal(&self, principal: &Principal, action: Action) -> bool {
        [RulePart::Action, RulePart::Caller, RulePart::Claims]
            .into_iter()
            .all(|part| self.part_matches(part, principal, action, ""))
    }

    /// Returns the prefixes for which the rule matches every key that `principal` names.
    pub(super) fn prefixes<'a, 'b>(&'a self, principal: &'b Principal) -> impl Iterator<Item = String> + use<'a, 'b> {
        let below = move |pattern: &Pattern| match pattern.keys(self.effect, claims_of(principal)) {
            Some(KeyRange::Below(prefix)) => Some(prefix),
            Some(KeyRange::Exactly(_)) | None => None,
        };
        // A listing contains storage keys, so a rule that rewrites keys does not apply to it.
        let listed = self.on.iter().filter(|_| self.rewrite.is_none());
        listed.filter_map(below)
    }

    #[inline]
    pub(super) fn part_matches(&self, part: RulePart, principal: &Principal, action: Action, key: &str) -> bool {
        match part {
            RulePart::Action => self.can.contains(&action),
            RulePart::Caller => self.who.iter().any(|who| who.includes(principal, self.effect)),
            RulePart::Claims => self
                .conditions
                .iter()
                .all(|condition| condition.holds(principal, self.effect)),
            RulePart::Key => self.pattern(principal, key).is_some(),
        }
    }

    /// Returns the pattern that matches `key`. A rule that rewrites keys with a claim matches no caller without this claim.
    fn pattern(&self, principal: &Principal, key: &str) -> Option<&Pattern> {
        let found = self
            .on
            .iter()
            .find(|pattern| pattern.matches(key, principal, self.effect));
        found.filter(|_| {
            let rewrite = self.rewrite.as_ref();
            rewrite.is_none_or(|rewrite| rewrite.folder(claims_of(principal)).is_some())
        })
    }

    /// Returns the plain key for `key` in the mount at `at`, if the rule rewrites keys.
    pub(super) fn rewritten(&self, principal: &Principal, key: &str, at: &str) -> Option<RewrittenKey> {
        let rewrite = self.rewrite.as_ref()?;
        rewrite.apply(key, self.pattern(principal, key)?, at, claims_of(principal))
    }

    /// Returns the public keys that this rule rewrites to `plain_key` in the mount at `at`, for some caller.
    pub(super) fn public_names<'a>(&'a self, plain_key: &'a str, at: &'a str) -> impl Iterator<Item = PublicName<'a>> {
        let rewrites = self.rewrite.iter();
        rewrites.flat_map(move |rewrite| {
            self.on
                .iter()
                .filter_map(move |on| rewrite.public_name(on, plain_key, at))
        })
    }

    /// Returns the values of a part, as the rules file writes them.
    pub(super) fn values(&self, part: RulePart) -> Vec<String> {
        match part {
            RulePart::Action => self.can.iter().map(|action| action.name().to_owned()).collect(),
            RulePart::Caller => self.who.iter().map(CallerSelector::to_string).collect(),
            RulePart::Claims => self.conditions.iter().map(ClaimCondition::to_string).collect(),
            RulePart::Key => self.on.iter().map(Pattern::to_string).collect(),
        }
    }

    /// Returns the conditions that `principal` does not meet.
    pub(super) fn unmet_conditions(&self, principal: &Principal) -> impl Iterator<Item = &ClaimCondition> {
        let conditions = self.conditions.iter();
        conditions.filter(|condition| !condition.holds(principal, self.effect))
    }

    /// Returns the names of the claims that the rule refers to.
    pub(super) fn claims(&self) -> impl Iterator<Item = &str> {
        let conditions = self.conditions.iter().map(|condition| condition.claim.as_str());
        let folder = self.rewrite.iter().map(|rewrite| &rewrite.folder);
        conditions.chain(self.on.iter().chain(folder).flat_map(Pattern::claims))
    }

    /// Returns the groups that the rule refers to.
    pub(super) fn groups(&self) -> impl Iterator<Item = &str> {
        self.who.iter().filter_map(|who| match who {
            CallerSelector::Group(name) => Some(name.as_str()),
            CallerSelector::Anyone
            | CallerSelector::Authenticated
            | CallerSelector::Token(_)
            | CallerSelector::Issuer(_)
            | CallerSelector::User { .. } => None,
        })
    }

    /// Checks that the issuer of every claim is known: two issuers can use one claim name, or one subject, with different
    /// meanings.
    pub(super) fn check(&self) -> Result<(), String> {
        let folder = self.rewrite.iter().map(|rewrite| &rewrite.folder);
        let mut patterns = self.on.iter().chain(folder);
        let needs_issuer = !self.conditions.is_empty() || patterns.any(Pattern::has_issuer_claim);
        let issuers: BTreeSet<_> = self.who.iter().map(CallerSelector::issuer).collect();
        if needs_issuer && (issuers.len() != 1 || issuers.contains(&None)) {
            return Err(
                "`if` and every `{claim}` except `{user_id}` depend on the issuer, so `who` must name exactly one: \
                issuer:NAME, user:NAME/SUBJECT or token:ID"
                    .into(),
            );
        }
        Ok(())
    }
}

/// Returns a function that looks up claims of the caller.
fn claims_of<'a>(principal: &'a Principal) -> impl Fn(&str) -> Option<&'a str> {
    |claim| principal.user()?.claim(claim)
}

impl fmt::Display for ClaimCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {:?}", self.claim, self.values)
    }
}

impl ClaimCondition {
    /// Returns true if the condition is met. With a missing claim, an allow rule never matches and a deny rule always does.
    fn holds(&self, principal: &Principal, effect: Effect) -> bool {
        let value = principal.user().and_then(|user| user.claim(&self.claim));
        value.map_or(effect == Effect::Deny, |value| {
            self.values.iter().any(|allowed| allowed == value)
        })
    }
}
