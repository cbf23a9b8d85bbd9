//! The caller of a witness, and the values of its claims.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use signpost::policy::{Effect, is_segment};

use super::caller::{Caller, ClaimValues};
use super::key_term::{KeyTerm, Segment};
use super::rule_source::{RuleSource, SourceRule};
use super::selector::Selector;

/// The maximum number of combinations of claim values of one rule.
const MAX_COMBINATIONS: usize = 4096;

/// The maximum number of claims of a deny rule of which each subset can be missing. Most rules have one or two claims.
const MAX_MISSING_CLAIMS: usize = 8;

/// The caller of a witness.
#[derive(Clone)]
pub(super) struct Scene<'s> {
    pub(super) caller: Rc<Caller>,
    pub(super) claims: KnownClaims<'s>,
}

/// The claims of a caller. All other claims have no value.
#[derive(Clone, Default)]
pub(super) struct KnownClaims<'s> {
    pub(super) values: ClaimValues,
    /// Claims with any plain value.
    pub(super) open: BTreeSet<&'s str>,
    /// Claims that must not have a value.
    pub(super) missing: BTreeSet<&'s str>,
}

/// The rules that must match a request.
#[derive(Default)]
pub(super) struct RelevantRules<'s> {
    /// A rule that matches only if its claims have values.
    granting: Option<&'s SourceRule>,
    /// A deny rule. It also matches callers without its claims.
    denying: Option<&'s SourceRule>,
    /// Claims without a value.
    missing: BTreeSet<&'s str>,
}

impl<'s> RelevantRules<'s> {
    pub(super) const fn granting(rule: &'s SourceRule) -> Self {
        Self {
            granting: Some(rule),
            denying: None,
            missing: BTreeSet::new(),
        }
    }

    pub(super) const fn denying(rule: &'s SourceRule) -> Self {
        Self {
            granting: None,
            denying: Some(rule),
            missing: BTreeSet::new(),
        }
    }

    pub(super) const fn both(granting: &'s SourceRule, denying: &'s SourceRule) -> Self {
        Self {
            granting: Some(granting),
            denying: Some(denying),
            missing: BTreeSet::new(),
        }
    }

    /// Returns the ways in which a rule can match. A deny rule also matches if any of its claims are missing.
    pub(super) fn each_way(rule: &'s SourceRule) -> Vec<Self> {
        let claims: BTreeSet<_> = rule.claims().filter(|_| rule.effect == Effect::Deny).collect();
        let mut subsets = vec![BTreeSet::new()];
        for claim in claims.into_iter().take(MAX_MISSING_CLAIMS) {
            let with_claim = |subset: &BTreeSet<&'s str>| subset.iter().copied().chain([claim]).collect();
            subsets.extend(subsets.iter().map(with_claim).collect::<Vec<_>>());
        }
        let way = |missing| Self {
            missing,
            ..Self::granting(rule)
        };
        subsets.into_iter().map(way).collect()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &'s SourceRule> {
        self.granting.into_iter().chain(self.denying)
    }
}

impl<'s> Scene<'s> {
    /// Returns a scene for each caller in all `selectors` with `claims`, and for each combination of the values in `if`.
    /// Returns `None` if there are too many combinations.
    pub(super) fn all(
        source: &'s RuleSource<'_>,
        selectors: &[&Selector],
        claims: &ClaimValues,
        rules: &RelevantRules<'s>,
        on: &'s KeyTerm,
    ) -> Option<Vec<Self>> {
        let mut scenes = Vec::new();
        for caller in Caller::all(source, selectors, claims, rules, on) {
            let known = KnownClaims::all(source, &caller, rules, on)?;
            let caller = Rc::new(caller);
            scenes.extend(known.into_iter().map(|claims| Self {
                caller: Rc::clone(&caller),
                claims,
            }));
        }
        Some(scenes)
    }
}

impl<'s> KnownClaims<'s> {
    fn all(
        source: &'s RuleSource<'_>,
        caller: &Caller,
        rules: &RelevantRules<'s>,
        on: &'s KeyTerm,
    ) -> Option<Vec<Self>> {
        if !caller.has_claims() {
            return Some(vec![Self {
                values: caller.values.clone(),
                ..Self::default()
            }]);
        }
        let granting = rules.granting.into_iter();
        let named = on.unknown().chain(granting.flat_map(SourceRule::claims));
        let named: BTreeSet<_> = named.filter(|claim| !rules.missing.contains(claim)).collect();
        let mut conditions: BTreeMap<&str, Vec<&Vec<String>>> = BTreeMap::new();
        for (claim, values) in rules.all().flat_map(|rule| &rule.conditions) {
            if named.contains(claim.as_str()) && !caller.values.contains_key(claim) {
                conditions.entry(claim).or_default().push(values);
            }
        }
        let scene = |values: ClaimValues| Self {
            open: named
                .iter()
                .filter(|claim| !values.contains_key(**claim))
                .copied()
                .collect(),
            values,
            missing: rules.missing.clone(),
        };
        let combinations = combinations(source, &caller.values, &conditions)?;
        Some(combinations.into_iter().map(scene).collect())
    }

    /// Returns the keys that a pattern of a rule with this effect matches for the caller.
    pub(super) fn resolve(&self, pattern: &KeyTerm, effect: Effect) -> Option<KeyTerm> {
        let mut segments = Vec::new();
        for segment in &pattern.segments {
            match (self.segment(segment), effect) {
                (Some(segment), _) => segments.push(segment),
                (None, Effect::Deny) => return Some(KeyTerm { segments, below: true }),
                (None, Effect::Allow) => return None,
            }
        }
        Some(KeyTerm {
            segments,
            below: pattern.below,
        })
    }

    /// Returns a segment with the value of its claim. Returns `None` if the claim has no plain value.
    pub(super) fn segment(&self, segment: &Segment) -> Option<Segment> {
        let Segment::Unknown(claim) = segment else {
            return Some(segment.clone());
        };
        match self.values.get(claim) {
            Some(value) => is_segment(value).then(|| Segment::Text(value.clone())),
            None => self.open.contains(claim.as_str()).then(|| segment.clone()),
        }
    }
}

/// Returns each combination of values that meet all conditions, in addition to `known` values. Returns `None` if there are too
/// many.
fn combinations(
    source: &RuleSource<'_>,
    known: &ClaimValues,
    conditions: &BTreeMap<&str, Vec<&Vec<String>>>,
) -> Option<Vec<ClaimValues>> {
    let mut all = vec![known.clone()];
    for (claim, lists) in conditions {
        let is_in_all = |value: &&String| lists.iter().all(|list| list.contains(value));
        let values: Vec<_> = lists[0].iter().filter(is_in_all).collect();
        let values = source.distinct_values(claim, &values);
        if all.len() * values.len() > MAX_COMBINATIONS {
            return None;
        }
        let with_value = |known: &ClaimValues, value: &String| {
            let mut known = known.clone();
            known.insert((*claim).to_owned(), value.clone());
            known
        };
        let all_values = all
            .iter()
            .flat_map(|known| values.iter().map(move |value| with_value(known, value)));
        all = all_values.collect();
    }
    Some(all)
}
