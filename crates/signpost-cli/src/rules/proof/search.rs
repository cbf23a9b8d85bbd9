//! The search for a request that contradicts a statement.
//!
//! All requests would be infinitely many, but a few *witnesses* represent them. Every part of a rule compares a value of the
//! request with a value in the rules, or with another value of the request. So if some request is allowed, then so is a most
//! general one: the request that has the values which the deciding rule and the statement require, and otherwise values that
//! occur nowhere in the rules. It matches the same rule, and no earlier rule or deny rule that the other request does not match.
//!
//! If some request is rejected, the cause is the lack of an allow rule, a deny rule for the public key, or a deny rule for
//! the storage key or a name. For each cause, the most general request has the values that this cause requires, and lacks
//! all other claims and groups.
//!
//! The policy itself decides about each witness, so every counterexample is real.

use std::cell::Cell;
use std::collections::BTreeSet;

use signpost::auth::Principal;
use signpost::key::ObjectKey;
use signpost::operation::Action;
use signpost::policy::Effect;

use super::caller::ClaimValues;
use super::key_term::{Bindings, KeyTerm, Segment};
use super::objects::denied_requests;
use super::rule_source::{RuleSource, SourceRule};
use super::scene::{KnownClaims, RelevantRules, Scene};
use super::selector::Selector;
use super::statement::{Callers, Requests};
use crate::access_query::AccessQuery;

pub(super) struct Search<'a> {
    pub(super) source: &'a RuleSource<'a>,
    /// The number of decisions.
    pub(super) examined: Cell<usize>,
    /// True if a rule has too many combinations of claim values.
    pub(super) is_incomplete: Cell<bool>,
}

/// The requests of a caller for some keys, which one witness represents.
struct Case<'s> {
    scene: Scene<'s>,
    keys: KeyTerm,
    bindings: Bindings,
}

/// The decision about a witness.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Allowed. Share links may be created for the request if `share` is true.
    Allowed {
        share: bool,
    },
    Rejected,
}

impl<'a> Search<'a> {
    pub(super) const fn new(source: &'a RuleSource<'a>) -> Self {
        Self {
            source,
            examined: Cell::new(0),
            is_incomplete: Cell::new(false),
        }
    }

    /// Finds an allowed request of one of the callers, for which `is_wanted` is true.
    pub(super) fn find_allowed(
        &self,
        requests: &Requests,
        is_wanted: &dyn Fn(&Principal, Outcome) -> bool,
    ) -> Option<AccessQuery> {
        requests.pairs().find_map(|(callers, action)| {
            let is_found = |principal: &Principal, outcome| {
                outcome != Outcome::Rejected && callers.include(principal) && is_wanted(principal, outcome)
            };
            let mut cases = self.allowed_cases(callers, action, &requests.on).into_iter();
            cases.find_map(|case| self.find_in(&case, action, true, &is_found))
        })
    }

    /// Finds a rejected request of one of the callers.
    pub(super) fn find_rejected(&self, requests: &Requests) -> Option<AccessQuery> {
        requests.pairs().find_map(|(callers, action)| {
            let is_found = |principal: &Principal, outcome| outcome == Outcome::Rejected && callers.include(principal);
            let on = &requests.on;
            let causes = [Self::unmatched_cases, Self::denied_cases, Self::denied_object_cases];
            causes.into_iter().find_map(|cases| {
                let found = cases(self, callers, action, on);
                found
                    .into_iter()
                    .find_map(|case| self.find_in(&case, action, false, &is_found))
            })
        })
    }

    fn find_in(
        &self,
        case: &Case<'_>,
        action: Action,
        fresh_claims: bool,
        is_found: &dyn Fn(&Principal, Outcome) -> bool,
    ) -> Option<AccessQuery> {
        let mut witnesses = self.witnesses(case, action, fresh_claims).into_iter();
        witnesses.find(|query| {
            let decided = self.decide(query, action);
            decided.is_some_and(|(principal, outcome)| is_found(&principal, outcome))
        })
    }

    /// Returns the requests that an allow rule matches.
    fn allowed_cases<'s>(&'s self, callers: &'s Callers, action: Action, on: &'s KeyTerm) -> Vec<Case<'s>> {
        let mut cases = Vec::new();
        for rule in self.source.with_effect(Effect::Allow, action) {
            for who in &rule.who {
                let rules = RelevantRules::granting(rule);
                for scene in self.scenes(&[&callers.selector, who], &callers.claims, &rules, on) {
                    cases.extend(rule.on.iter().filter_map(|pattern| {
                        let granted = scene.claims.resolve(pattern, Effect::Allow)?;
                        Case::new(&scene, on, &granted, Bindings::default())
                    }));
                }
            }
        }
        cases
    }

    /// Returns the requests that no allow rule matches, if there are any.
    fn unmatched_cases<'s>(&'s self, callers: &'s Callers, _: Action, on: &'s KeyTerm) -> Vec<Case<'s>> {
        let scenes = self.scenes(&[&callers.selector], &callers.claims, &RelevantRules::default(), on);
        let cases = scenes
            .iter()
            .filter_map(|scene| Case::new(scene, on, &KeyTerm::all(), Bindings::default()));
        cases.collect()
    }

    /// Returns the requests with a public key that a deny rule matches.
    fn denied_cases<'s>(&'s self, callers: &'s Callers, action: Action, on: &'s KeyTerm) -> Vec<Case<'s>> {
        let mut cases = Vec::new();
        for deny in self.source.with_effect(Effect::Deny, action) {
            for who in &deny.who {
                let rules = RelevantRules::denying(deny);
                for scene in self.scenes(&[&callers.selector, who], &callers.claims, &rules, on) {
                    cases.extend(deny.on.iter().filter_map(|pattern| {
                        let denied = scene.claims.resolve(pattern, Effect::Deny)?;
                        Case::new(&scene, on, &denied, Bindings::default())
                    }));
                }
            }
        }
        cases
    }

    /// Returns the requests for objects whose storage key, or another name, a deny rule matches.
    fn denied_object_cases<'s>(&'s self, callers: &'s Callers, action: Action, on: &'s KeyTerm) -> Vec<Case<'s>> {
        let naming: Vec<_> = self.source.rules.iter().filter(|rule| rule.rewrite.is_some()).collect();
        let mut cases = Vec::new();
        for rule in self.source.with_effect(Effect::Allow, action) {
            for deny in self.source.with_effect(Effect::Deny, action) {
                if naming.is_empty() || !Self::may_deny_objects(rule, deny, &naming) {
                    continue;
                }
                let pairs = rule
                    .who
                    .iter()
                    .flat_map(|who| deny.who.iter().map(move |denied| (who, denied)));
                for (who, denied) in pairs {
                    let selectors = [&callers.selector, who, denied];
                    let rules = RelevantRules::both(rule, deny);
                    for scene in self.scenes(&selectors, &callers.claims, &rules, on) {
                        let denied = deny.on.iter().filter_map(|on| scene.claims.resolve(on, Effect::Deny));
                        let requests = denied_requests(&scene.claims, rule, denied, &naming);
                        let new = requests.into_iter();
                        cases.extend(new.filter_map(|(keys, bindings)| Case::new(&scene, on, &keys, bindings)));
                    }
                }
            }
        }
        cases
    }

    /// Returns false only if no caller and no key exist for which the deny rule matches the object of the allow rule.
    fn may_deny_objects(rule: &SourceRule, deny: &SourceRule, naming: &[&SourceRule]) -> bool {
        let unknown = KnownClaims {
            values: ClaimValues::new(),
            open: rule.claims().collect(),
            missing: BTreeSet::new(),
        };
        let denied = deny
            .on
            .iter()
            .filter_map(|on| KnownClaims::default().resolve(on, Effect::Deny));
        !denied_requests(&unknown, rule, denied, naming).is_empty()
    }

    fn scenes<'s>(
        &'s self,
        selectors: &[&Selector],
        claims: &ClaimValues,
        rules: &RelevantRules<'s>,
        on: &'s KeyTerm,
    ) -> Vec<Scene<'s>> {
        Scene::all(self.source, selectors, claims, rules, on).unwrap_or_else(|| {
            self.is_incomplete.set(true);
            Vec::new()
        })
    }

    /// Returns the rules that decide about the witnesses for requests that `rule` matches.
    pub(super) fn deciding_rules(&self, rule: &SourceRule) -> BTreeSet<String> {
        let (everything, none) = (KeyTerm::all(), ClaimValues::new());
        let mut deciding = BTreeSet::new();
        let ways = RelevantRules::each_way(rule);
        for (who, way) in rule.who.iter().flat_map(|who| ways.iter().map(move |way| (who, way))) {
            for scene in self.scenes(&[who], &none, way, &everything) {
                for keys in rule.on.iter().filter_map(|on| scene.claims.resolve(on, rule.effect)) {
                    let case = Case {
                        scene: scene.clone(),
                        keys,
                        bindings: Bindings::default(),
                    };
                    // A rule that allows listings decides about the keys in them too.
                    let queries = self.witnesses(&case, Action::Read, true);
                    let requests = queries
                        .iter()
                        .flat_map(|query| rule.can.iter().map(move |action| (query, *action)));
                    deciding.extend(requests.filter_map(|(query, action)| self.deciding_rule(query, action)));
                    if deciding.contains(&rule.id) {
                        return deciding;
                    }
                }
            }
        }
        deciding
    }

    fn deciding_rule(&self, query: &AccessQuery, action: Action) -> Option<String> {
        let policy = self.source.policy;
        let principal = self.authenticated(query)?;
        let explained = policy.explain(&principal, action, &ObjectKey::new(query.key.as_str()).ok()?);
        explained.outcome.rule().map(str::to_owned)
    }

    /// Returns the caller, or `None` if the request has no valid identity.
    fn authenticated(&self, query: &AccessQuery) -> Option<Principal> {
        self.examined.set(self.examined.get() + 1);
        let policy = self.source.policy;
        let principal = query.principal(policy).ok()?;
        let is_anonymous = principal == Principal::Anonymous;
        (!is_anonymous || policy.authenticators.anonymous().is_ok()).then_some(principal)
    }

    /// Returns the decision about a request, or `None` if it is invalid.
    fn decide(&self, query: &AccessQuery, action: Action) -> Option<(Principal, Outcome)> {
        let Some(principal) = self.authenticated(query) else {
            return Some((query.principal(self.source.policy).ok()?, Outcome::Rejected));
        };
        let policy = self.source.policy;
        let share = if action == Action::List {
            policy.list_access(&principal, action, &query.key).map(|_| false)
        } else {
            let grant = policy.decide(&principal, action, &ObjectKey::new(query.key.as_str()).ok()?);
            grant.map(|grant| grant.constraints.share.contains(&action))
        };
        let outcome = share.map_or(Outcome::Rejected, |share| Outcome::Allowed { share });
        Some((principal, outcome))
    }

    /// Returns the requests of a case with a fresh value for everything that has no value yet. With `fresh_claims`, all other
    /// claims can have fresh values too.
    fn witnesses(&self, case: &Case<'_>, action: Action, fresh_claims: bool) -> Vec<AccessQuery> {
        let (caller, known) = (&case.scene.caller, &case.scene.claims);
        let text = |segment: &Segment| match case.bindings.resolve(segment) {
            Segment::Text(text) => text,
            Segment::Unknown(name) => self.source.fresh(&format!("some-{}", name.replace(' ', "-"))),
        };
        let open = known
            .open
            .iter()
            .map(|&claim| (claim.to_owned(), text(&Segment::Unknown(claim.to_owned()))));
        let mut claims: ClaimValues = known.values.clone().into_iter().chain(open).collect();
        claims.retain(|claim, _| !caller.values.contains_key(claim));
        let mut variants = vec![claims.clone()];
        if fresh_claims && caller.has_claims() {
            let is_free = |claim: &&str| !caller.values.contains_key(*claim) && !known.missing.contains(claim);
            for claim in self.source.claims().filter(is_free) {
                let fresh = || self.source.fresh(&format!("other-{claim}"));
                claims.entry(claim.to_owned()).or_insert_with(fresh);
            }
            variants.push(claims);
        }
        let segments: Vec<_> = case.keys.segments.iter().map(text).collect();
        let keys = self.keys(&segments, case.keys.below, action);
        let pairs = keys
            .iter()
            .flat_map(|key| variants.iter().map(move |claims| (key, claims)));
        pairs
            .map(|(key, claims)| caller.query(claims.clone(), action, key.clone()))
            .collect()
    }

    /// Returns a key, or several ones below a folder: a segment that no claim can have differs from one that a claim can have.
    fn keys(&self, segments: &[String], below: bool, action: Action) -> Vec<String> {
        let folder: String = segments.iter().flat_map(|segment| [segment, "/"]).collect();
        let (plain, other) = (self.source.fresh("file"), self.source.fresh("a file"));
        match (action, below) {
            (Action::List, false) => Vec::new(),
            (Action::List, true) => vec![folder.clone(), format!("{folder}{plain}/"), format!("{folder}{other}/")],
            (_, true) => vec![format!("{folder}{plain}"), format!("{folder}{other}")],
            (_, false) => vec![segments.join("/")],
        }
    }
}

impl<'s> Case<'s> {
    /// Returns the requests of a statement about the keys `on` that also have a key in `keys`.
    fn new(scene: &Scene<'s>, on: &KeyTerm, keys: &KeyTerm, mut bindings: Bindings) -> Option<Self> {
        let on = scene.claims.resolve(on, Effect::Allow)?;
        Some(Self {
            keys: on.intersect(keys, &mut bindings)?,
            scene: scene.clone(),
            bindings,
        })
    }
}

impl Requests {
    fn pairs(&self) -> impl Iterator<Item = (&Callers, Action)> {
        let callers = self.callers.iter();
        callers.flat_map(|callers| self.actions.iter().map(move |action| (callers, *action)))
    }
}
