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
use std::collections::{BTreeMap, BTreeSet};

use signpost::auth::Principal;
use signpost::key::ObjectKey;
use signpost::operation::Action;
use signpost::policy::{Effect, is_segment};

use super::caller::{Caller, ClaimValues};
use super::key_term::{Bindings, KeyTerm, Segment};
use super::rule_source::{RewriteTail, RuleSource, SourceRewrite, SourceRule};
use super::statement::{Callers, Requests};
use crate::access_query::AccessQuery;

/// The maximum number of combinations of claim values of one rule.
const MAX_COMBINATIONS: usize = 4096;

pub(super) struct Search<'a> {
    pub(super) source: &'a RuleSource<'a>,
    /// The number of decisions.
    pub(super) examined: Cell<usize>,
    /// True if a rule has too many combinations of claim values.
    pub(super) is_incomplete: Cell<bool>,
}

/// The caller of a witness, with the claims that can still have any value.
struct Scene<'s> {
    caller: &'s Caller,
    values: ClaimValues,
    open: BTreeSet<&'s str>,
}

/// The decision about a witness.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Allowed, and share links may be created for it if `share` is true.
    Allowed {
        share: bool,
    },
    Rejected,
}

impl<'a> Search<'a> {
    /// Finds an allowed request of one of the callers, for which `is_wanted` is true.
    pub(super) fn find_allowed(
        &self,
        requests: &Requests,
        is_wanted: &dyn Fn(&Principal, Outcome) -> bool,
    ) -> Option<AccessQuery> {
        let callers = requests.callers.iter();
        let mut pairs = callers.flat_map(|callers| requests.actions.iter().map(move |action| (callers, *action)));
        pairs.find_map(|(callers, action)| self.find_allowed_one(callers, action, &requests.on, is_wanted))
    }

    fn find_allowed_one(
        &self,
        callers: &Callers,
        action: Action,
        on: &KeyTerm,
        is_wanted: &dyn Fn(&Principal, Outcome) -> bool,
    ) -> Option<AccessQuery> {
        let is_found = |query: &AccessQuery| {
            self.decide(query, action).is_some_and(|(principal, outcome)| {
                outcome != Outcome::Rejected && callers.include(&principal) && is_wanted(&principal, outcome)
            })
        };
        let mut rules = self.source.with_effect(Effect::Allow, action);
        rules.find_map(|rule| {
            let mut selectors = rule.who.iter();
            selectors.find_map(|who| {
                let found = Caller::all(self.source, &[&callers.selector, who], &callers.claims, &[rule], on);
                found.iter().find_map(|caller| {
                    self.scenes(caller, &[(rule, None)], on).into_iter().find_map(|scene| {
                        rule.on.iter().find_map(|pattern| {
                            let mut bindings = Bindings::default();
                            let keys = scene.resolve(pattern, Effect::Allow)?;
                            let keys = keys.intersect(&scene.resolve(on, Effect::Allow)?, &mut bindings)?;
                            self.witnesses(&scene, &keys, &bindings, action, true)
                                .into_iter()
                                .find(is_found)
                        })
                    })
                })
            })
        })
    }

    /// Finds a rejected request of one of the callers.
    pub(super) fn find_rejected(&self, requests: &Requests) -> Option<AccessQuery> {
        let callers = requests.callers.iter();
        let mut pairs = callers.flat_map(|callers| requests.actions.iter().map(move |action| (callers, *action)));
        pairs.find_map(|(callers, action)| {
            self.find_unmatched(callers, action, &requests.on)
                .or_else(|| self.find_denied(callers, action, &requests.on))
                .or_else(|| self.find_denied_object(callers, action, &requests.on))
        })
    }

    /// Finds a request that no allow rule matches.
    fn find_unmatched(&self, callers: &Callers, action: Action, on: &KeyTerm) -> Option<AccessQuery> {
        let found = Caller::all(self.source, &[&callers.selector], &callers.claims, &[], on);
        found.iter().find_map(|caller| {
            self.scenes(caller, &[], on).into_iter().find_map(|scene| {
                let keys = scene.resolve(on, Effect::Allow)?;
                self.find_rejected_in(&scene, &keys, &Bindings::default(), callers, action)
            })
        })
    }

    /// Finds a request whose public key a deny rule matches.
    fn find_denied(&self, callers: &Callers, action: Action, on: &KeyTerm) -> Option<AccessQuery> {
        let mut denies = self.source.with_effect(Effect::Deny, action);
        denies.find_map(|deny| {
            deny.who.iter().find_map(|who| {
                let found = Caller::all(self.source, &[&callers.selector, who], &callers.claims, &[deny], on);
                found.iter().find_map(|caller| {
                    let open: BTreeSet<_> = on.unknown().collect();
                    self.scenes(caller, &[(deny, Some(&open))], on)
                        .into_iter()
                        .find_map(|scene| {
                            deny.on.iter().find_map(|pattern| {
                                let mut bindings = Bindings::default();
                                let keys = scene.resolve(on, Effect::Allow)?;
                                let denied = scene.resolve(pattern, Effect::Deny)?;
                                let keys = keys.intersect(&denied, &mut bindings)?;
                                self.find_rejected_in(&scene, &keys, &bindings, callers, action)
                            })
                        })
                })
            })
        })
    }

    /// Finds a request for an object whose storage key, or another name, a deny rule matches.
    fn find_denied_object(&self, callers: &Callers, action: Action, on: &KeyTerm) -> Option<AccessQuery> {
        let naming: Vec<_> = self.source.rules.iter().filter(|rule| rule.rewrite.is_some()).collect();
        if naming.is_empty() {
            return None;
        }
        let mut pairs = self.source.with_effect(Effect::Allow, action).flat_map(|rule| {
            let denies = self.source.with_effect(Effect::Deny, action);
            denies.map(move |deny| (rule, deny))
        });
        pairs.find_map(|(rule, deny)| {
            let mut selectors = rule
                .who
                .iter()
                .flat_map(|who| deny.who.iter().map(move |denied| (who, denied)));
            selectors.find_map(|(who, denied)| {
                let selectors = [&callers.selector, who, denied];
                let found = Caller::all(self.source, &selectors, &callers.claims, &[rule, deny], on);
                found.iter().find_map(|caller| {
                    let open: BTreeSet<_> = on.unknown().chain(rule.claims()).collect();
                    let scenes = self.scenes(caller, &[(rule, None), (deny, Some(&open))], on);
                    scenes.into_iter().find_map(|scene| {
                        let mut requests = denied_requests(&scene, rule, deny, &naming, on).into_iter();
                        requests.find_map(|(keys, bindings)| {
                            self.find_rejected_in(&scene, &keys, &bindings, callers, action)
                        })
                    })
                })
            })
        })
    }

    fn find_rejected_in(
        &self,
        scene: &Scene<'_>,
        keys: &KeyTerm,
        bindings: &Bindings,
        callers: &Callers,
        action: Action,
    ) -> Option<AccessQuery> {
        let mut witnesses = self.witnesses(scene, keys, bindings, action, false).into_iter();
        witnesses.find(|query| {
            let decided = self.decide(query, action);
            decided.is_some_and(|(principal, outcome)| outcome == Outcome::Rejected && callers.include(&principal))
        })
    }

    /// Returns the rules that decide about the witnesses for requests that `rule` matches.
    pub(super) fn deciding_rules(&self, rule: &SourceRule) -> BTreeSet<String> {
        let everything = KeyTerm::parse("**");
        let mut deciding = BTreeSet::new();
        for (action, who) in rule
            .can
            .iter()
            .flat_map(|action| rule.who.iter().map(move |who| (*action, who)))
        {
            for caller in Caller::all(self.source, &[who], &ClaimValues::new(), &[rule], &everything) {
                for scene in self.scenes(&caller, &[(rule, None)], &everything) {
                    for keys in rule.on.iter().filter_map(|on| scene.resolve(on, rule.effect)) {
                        // The keys in listings are those of objects.
                        let action_of_key = if action == Action::List { Action::Read } else { action };
                        let queries = self.witnesses(&scene, &keys, &Bindings::default(), action_of_key, true);
                        deciding.extend(queries.iter().filter_map(|query| self.deciding_rule(query, action)));
                        if deciding.contains(&rule.id) {
                            return deciding;
                        }
                    }
                }
            }
        }
        deciding
    }

    fn deciding_rule(&self, query: &AccessQuery, action: Action) -> Option<String> {
        let policy = self.source.policy;
        let principal = query.principal(policy).ok()?;
        self.examined.set(self.examined.get() + 1);
        if principal == Principal::Anonymous && policy.authenticators.anonymous().is_err() {
            return None;
        }
        let explained = policy.explain(&principal, action, &ObjectKey::new(query.key.as_str()).ok()?);
        explained.outcome.rule().map(str::to_owned)
    }

    /// Returns the decision about a request, or `None` if it is invalid.
    fn decide(&self, query: &AccessQuery, action: Action) -> Option<(Principal, Outcome)> {
        let policy = self.source.policy;
        let principal = query.principal(policy).ok()?;
        self.examined.set(self.examined.get() + 1);
        let is_unverified = principal == Principal::Anonymous && policy.authenticators.anonymous().is_err();
        let outcome = if is_unverified {
            Outcome::Rejected
        } else if action == Action::List {
            match policy.list_access(&principal, action, &query.key) {
                Ok(_) => Outcome::Allowed { share: false },
                Err(_) => Outcome::Rejected,
            }
        } else {
            match policy.decide(&principal, action, &ObjectKey::new(query.key.as_str()).ok()?) {
                Ok(grant) => Outcome::Allowed {
                    share: grant.constraints.share.contains(&action),
                },
                Err(_) => Outcome::Rejected,
            }
        };
        Some((principal, outcome))
    }

    /// Returns the requests for keys in `keys`, with a fresh value for everything that has no value yet. With `fresh_claims`,
    /// all other claims can have fresh values too.
    fn witnesses(
        &self,
        scene: &Scene<'_>,
        keys: &KeyTerm,
        bindings: &Bindings,
        action: Action,
        fresh_claims: bool,
    ) -> Vec<AccessQuery> {
        let text = |segment: &Segment| match bindings.resolve(segment) {
            Segment::Text(text) => text,
            Segment::Unknown(name) => self.source.fresh(&format!("some-{}", name.replace(' ', "-"))),
        };
        let segments: Vec<_> = keys.segments.iter().map(text).collect();
        let open = scene
            .open
            .iter()
            .map(|&claim| (claim.to_owned(), text(&Segment::Unknown(claim.to_owned()))));
        let mut claims: ClaimValues = scene.values.clone().into_iter().chain(open).collect();
        claims.retain(|claim, _| !scene.caller.values.contains_key(claim));
        let mut variants = vec![claims.clone()];
        if fresh_claims && scene.caller.has_claims() {
            let others = self
                .source
                .claims()
                .filter(|claim| !scene.caller.values.contains_key(*claim));
            for claim in others {
                let fresh = || self.source.fresh(&format!("other-{claim}"));
                claims.entry(claim.to_owned()).or_insert_with(fresh);
            }
            variants.push(claims);
        }
        let keys = self.keys(&segments, keys.below, action);
        let pairs = keys
            .iter()
            .flat_map(|key| variants.iter().map(move |claims| (key, claims)));
        pairs
            .map(|(key, claims)| scene.caller.query(claims.clone(), action, key.clone()))
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

    /// Returns the scenes of a caller for each combination of the values in the conditions of the rules. If a rule has a set
    /// of claims, its other conditions are ignored.
    fn scenes<'s>(
        &self,
        caller: &'s Caller,
        rules: &[(&'s SourceRule, Option<&BTreeSet<&str>>)],
        on: &'s KeyTerm,
    ) -> Vec<Scene<'s>> {
        if !caller.has_claims() {
            return vec![Scene {
                caller,
                values: caller.values.clone(),
                open: BTreeSet::new(),
            }];
        }
        let mut conditions: BTreeMap<&str, Vec<&Vec<String>>> = BTreeMap::new();
        let mut open: BTreeSet<&str> = on.unknown().collect();
        for (rule, only) in rules {
            if only.is_none() {
                open.extend(rule.claims_in_keys());
            }
            let relevant = rule.conditions.iter().filter(|(claim, _)| {
                let is_relevant = only.is_none_or(|only| only.contains(claim.as_str()));
                is_relevant && !caller.values.contains_key(*claim)
            });
            for (claim, values) in relevant {
                conditions.entry(claim).or_default().push(values);
            }
        }
        self.combinations(caller, &conditions)
            .into_iter()
            .map(|values| Scene {
                caller,
                open: open
                    .iter()
                    .filter(|claim| !values.contains_key(**claim))
                    .copied()
                    .collect(),
                values,
            })
            .collect()
    }

    /// Returns each combination of values that meet all conditions.
    fn combinations(&self, caller: &Caller, conditions: &BTreeMap<&str, Vec<&Vec<String>>>) -> Vec<ClaimValues> {
        let mut all = vec![caller.values.clone()];
        for (claim, lists) in conditions {
            let is_in_all = |value: &&String| lists.iter().all(|list| list.contains(value));
            let values: Vec<_> = lists[0].iter().filter(is_in_all).collect();
            let values = self.source.distinct_values(claim, &values);
            if all.len() * values.len() > MAX_COMBINATIONS {
                self.is_incomplete.set(true);
                return Vec::new();
            }
            let with_value = |known: &ClaimValues, value: &String| {
                let mut known = known.clone();
                known.insert((*claim).to_owned(), value.clone());
                known
            };
            all = all
                .iter()
                .flat_map(|known| values.iter().map(move |value| with_value(known, value)))
                .collect();
        }
        all
    }
}

/// Returns the public keys of `rule` within `on` whose storage key, or whose other names, `deny` matches.
fn denied_requests(
    scene: &Scene<'_>,
    rule: &SourceRule,
    deny: &SourceRule,
    naming: &[&SourceRule],
    on: &KeyTerm,
) -> Vec<(KeyTerm, Bindings)> {
    let mut found = Vec::new();
    for denied in deny
        .on
        .iter()
        .filter_map(|pattern| scene.resolve(pattern, Effect::Deny))
    {
        let mut objects = vec![(denied.clone(), Bindings::default())];
        for naming in naming {
            objects.extend(named_objects(naming, &denied));
        }
        for (object, bindings) in objects {
            for pattern in &rule.on {
                let mut bindings = bindings.clone();
                let public = scene
                    .public_keys(rule, pattern, &object, &mut bindings)
                    .and_then(|keys| keys.intersect(&scene.resolve(on, Effect::Allow)?, &mut bindings));
                found.extend(public.map(|keys| (keys, bindings)));
            }
        }
    }
    found
}

/// Returns the storage keys of the objects that have a public key in `names` by the rule `naming`, for any caller.
fn named_objects(naming: &SourceRule, names: &KeyTerm) -> Vec<(KeyTerm, Bindings)> {
    let Some(SourceRewrite { folder, tail }) = &naming.rewrite else {
        return Vec::new();
    };
    let other = |claim: &str| format!("other {claim}");
    let folder = KeyTerm {
        segments: folder.clone(),
        below: false,
    };
    let folder = folder.renamed(other).segments;
    let stored = |on: &KeyTerm| {
        let mut bindings = Bindings::default();
        let on = on.renamed(other);
        let names = on.intersect(names, &mut bindings)?;
        let stored = match tail {
            RewriteTail::Key => names,
            RewriteTail::Rest => names.without_first(on.segments.len()),
            RewriteTail::Id => return None,
        };
        Some((stored.inside(&folder), bindings))
    };
    naming.on.iter().filter_map(stored).collect()
}

impl Scene<'_> {
    /// Returns the keys that a pattern of a rule with this effect matches for the caller.
    fn resolve(&self, pattern: &KeyTerm, effect: Effect) -> Option<KeyTerm> {
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
    fn segment(&self, segment: &Segment) -> Option<Segment> {
        let Segment::Unknown(claim) = segment else {
            return Some(segment.clone());
        };
        match self.values.get(claim) {
            Some(value) => is_segment(value).then(|| Segment::Text(value.clone())),
            None => self.open.contains(claim.as_str()).then(|| segment.clone()),
        }
    }

    /// Returns the public keys of a pattern of an allow rule that the rule rewrites to keys in `object`.
    fn public_keys(
        &self,
        rule: &SourceRule,
        pattern: &KeyTerm,
        object: &KeyTerm,
        bindings: &mut Bindings,
    ) -> Option<KeyTerm> {
        let on = self.resolve(pattern, Effect::Allow)?;
        let Some(SourceRewrite { folder, tail }) = &rule.rewrite else {
            return on.intersect(object, bindings);
        };
        let folder = folder
            .iter()
            .map(|segment| self.segment(segment))
            .collect::<Option<Vec<_>>>()?;
        let anything = KeyTerm {
            segments: Vec::new(),
            below: true,
        };
        match tail {
            RewriteTail::Key => {
                let stored = on.inside(&folder).intersect(object, bindings)?;
                Some(stored.without_first(folder.len()))
            }
            RewriteTail::Rest => {
                let stored = anything.inside(&folder).intersect(object, bindings)?;
                Some(stored.without_first(folder.len()).inside(&on.segments))
            }
            RewriteTail::Id => {
                let stored = anything.inside(&folder).intersect(object, bindings)?;
                (stored.segments.len() == folder.len()).then_some(on)
            }
        }
    }
}
