//! The relations between rules that hold for every request.
//!
//! A part of a rule *covers* another one if it matches every request that the other one matches. Two parts *overlap* unless
//! no request matches both. If a relation cannot be decided, the result is "does not cover" and "overlaps".

use super::caller_selector::CallerSelector;
use super::effect::Effect;
use super::pattern::{Pattern, PatternSegment};
use super::rule::{ClaimCondition, Rule};
use crate::auth::Token;
use crate::mount::Mounts;
use crate::operation::Action;

/// One selector, one action and one pattern of a rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct RuleCase<'a> {
    pub(super) rule: &'a Rule,
    pub(super) who: &'a CallerSelector,
    pub(super) action: Action,
    pub(super) on: &'a Pattern,
}

impl Rule {
    /// Returns every combination of a selector, an action and a pattern of the rule.
    pub(super) fn cases(&self) -> impl Iterator<Item = RuleCase<'_>> {
        let pairs = self
            .who
            .iter()
            .flat_map(|who| self.can.iter().map(move |action| (who, *action)));
        pairs.flat_map(move |(who, action)| {
            self.on.iter().map(move |on| RuleCase {
                rule: self,
                who,
                action,
                on,
            })
        })
    }

    /// Returns true if the rule matches every request that matches `case`.
    pub(super) fn covers(&self, case: &RuleCase<'_>, tokens: &[Token]) -> bool {
        self.can.contains(&case.action)
            && self.who.iter().any(|who| who.covers(case.who, tokens))
            && self.on.iter().any(|on| on.covers(case.on))
            && self
                .conditions
                .iter()
                .all(|own| own.is_implied_by(&case.rule.conditions))
            && self.rewrites_for_every_caller()
    }

    /// A rule that rewrites keys with a claim matches only callers with this claim.
    fn rewrites_for_every_caller(&self) -> bool {
        self.rewrite
            .as_ref()
            .is_none_or(|rewrite| rewrite.folder.claims().next().is_none())
    }

    /// Returns true if some caller may match both rules with the same action.
    pub(super) fn overlaps_callers(&self, other: &Self, tokens: &[Token]) -> bool {
        let has_action = self.can.iter().any(|action| other.can.contains(action));
        let mut selectors = self.who.iter();
        has_action && selectors.any(|own| other.who.iter().any(|who| own.overlaps(who, tokens)))
    }

    /// Returns true if one of the patterns may match a key that `pattern` matches.
    pub(super) fn overlaps_pattern(&self, pattern: &Pattern) -> bool {
        self.on.iter().any(|on| on.overlaps(pattern, self.effect))
    }

    /// Returns each pattern with the plain keys of its objects: one pattern for each mount if the rule rewrites keys.
    pub(super) fn storage_patterns<'a>(&'a self, mounts: &'a Mounts) -> impl Iterator<Item = (&'a Pattern, Pattern)> {
        self.on.iter().flat_map(|on| {
            let plain: Vec<_> = match &self.rewrite {
                None => vec![on.clone()],
                Some(rewrite) => {
                    // Every key of the pattern is in this mount, or in a mount inside it.
                    let outermost = mounts.find(&on.common_start()).map_or(0, |mount| mount.at.len());
                    let mounts = mounts.iter().filter(|mount| mount.at.len() >= outermost);
                    mounts
                        .filter_map(|mount| rewrite.storage_pattern(on, &mount.at))
                        .collect()
                }
            };
            plain.into_iter().map(move |plain| (on, plain))
        })
    }
}

impl CallerSelector {
    /// Returns true if this selector includes every caller that `other` includes.
    pub(super) fn covers(&self, other: &Self, tokens: &[Token]) -> bool {
        match (self, other) {
            (Self::Anyone, _) => true,
            (Self::Authenticated, other) => *other != Self::Anyone,
            (Self::Issuer(name), Self::User { issuer, .. }) => name == issuer,
            (Self::Issuer(name), Self::Group(group)) => issuer_of(group) == Some(name),
            (Self::Group(group), Self::Token(id)) => {
                let mut tokens = tokens.iter();
                tokens.any(|token| token.id == *id && token.groups.contains(group))
            }
            _ => self == other,
        }
    }

    /// Returns false only if no caller matches both selectors.
    pub(super) fn overlaps(&self, other: &Self, tokens: &[Token]) -> bool {
        let share_issuer = match (self, other) {
            (Self::Group(own), Self::Group(group)) => match (issuer_of(own), issuer_of(group)) {
                (None, None) => tokens
                    .iter()
                    .any(|token| token.groups.contains(own) && token.groups.contains(group)),
                (own, group) => own == group,
            },
            (Self::Group(group), Self::User { issuer, .. }) | (Self::User { issuer, .. }, Self::Group(group)) => {
                issuer_of(group) == Some(issuer)
            }
            _ => false,
        };
        share_issuer || self.covers(other, tokens) || other.covers(self, tokens)
    }
}

/// Returns the issuer of a qualified group name.
fn issuer_of(group: &str) -> Option<&str> {
    group.split_once('/').map(|(issuer, _)| issuer)
}

impl ClaimCondition {
    /// Returns true if one of `others` requires a value that this condition accepts.
    fn is_implied_by(&self, others: &[Self]) -> bool {
        let accepts_all = |other: &Self| other.values.iter().all(|value| self.values.contains(value));
        others
            .iter()
            .any(|other| other.claim == self.claim && accepts_all(other))
    }
}

impl Pattern {
    /// Returns true if this pattern matches every key that `other` matches for the same caller.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let own = self.segments.len();
        let has_length = if self.below {
            other.segments.len() > own || other.segments.len() == own && other.below
        } else {
            other.segments.len() == own && !other.below
        };
        has_length && other.segments.starts_with(&self.segments)
    }

    /// Returns false only if no key matches both this pattern of a rule with `effect`, and `other` of an allow rule.
    pub(super) fn overlaps(&self, other: &Self, effect: Effect) -> bool {
        for (own, segment) in self.segments.iter().zip(&other.segments) {
            match (own, segment) {
                (PatternSegment::Literal(own), PatternSegment::Literal(literal)) if own != literal => return false,
                (PatternSegment::Claim(_), _) if effect == Effect::Deny => return true,
                _ => {}
            }
        }
        match (self.below, other.below) {
            (true, true) => true,
            (true, false) => other.segments.len() > self.segments.len(),
            (false, true) => self.segments.len() > other.segments.len(),
            (false, false) => self.segments.len() == other.segments.len(),
        }
    }
}
