//! Properties of the rules that hold for every request: the findings of `rules check`.

use std::collections::BTreeSet;
use std::fmt;

use super::Policy;
use super::caller_selector::CallerSelector;
use super::effect::Effect;
use super::relations::RuleCase;
use super::rule::{Rule, RulePart};
use crate::operation::Action;

/// A property of the rules that may be a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding<'a> {
    /// The rule lets callers without a credential change objects.
    AnonymousWrite {
        /// The id of the rule.
        rule: &'a str,
        /// The patterns of the rule.
        on: Vec<String>,
    },
    /// A value contains `*`, and the rules compare it exactly.
    Wildcard {
        /// The id of the rule.
        rule: &'a str,
        /// The field that contains the value.
        field: &'static str,
        /// The value.
        value: &'a str,
    },
    /// The rule never decides about a request.
    Shadowed {
        /// The id of the rule.
        rule: &'a str,
        /// The ids of the rules that decide instead.
        by: BTreeSet<&'a str>,
    },
    /// The deny rule denies nothing that a rule allows.
    UnreachableDeny {
        /// The id of the rule.
        rule: &'a str,
    },
    /// Two mounts name the same bucket, so they may contain some of the same objects.
    SameObjects {
        /// The public keys of the first mount.
        at: &'a str,
        /// The public keys of the second mount.
        other: &'a str,
    },
    /// A rule allows requests for objects that another rule stores under public keys that are denied.
    Alias {
        /// The id of the deny rule.
        deny: &'a str,
        /// The id of the rule that allows requests for the same objects.
        rule: &'a str,
        /// The id of the rule that gives the objects the public keys that are denied.
        named_by: &'a str,
        /// True if Signpost applies the deny rule to these requests. It cannot if only the id table knows the public keys.
        is_denied: bool,
    },
}

impl Policy {
    /// Returns the properties of the rules that may be mistakes, in the order of the file.
    pub fn findings(&self) -> Vec<Finding<'_>> {
        let same = self.mounts.pairs_with_same_objects();
        let same = same.map(|(one, other)| Finding::SameObjects {
            at: &one.at,
            other: &other.at,
        });
        let rules = self.rules.iter().enumerate();
        let rules = rules.flat_map(|(index, rule)| {
            let found = match rule.effect {
                Effect::Allow => {
                    let found = [anonymous_write(rule), self.shadowed(index, rule)];
                    found.into_iter().flatten().collect()
                }
                Effect::Deny => {
                    let found = self.unreachable(rule).or_else(|| self.shadowed(index, rule));
                    found.into_iter().chain(self.aliases(rule)).collect::<Vec<_>>()
                }
            };
            wildcards(rule).chain(found)
        });
        same.chain(rules).collect()
    }

    /// Returns the rules that decide about every request that `rule` matches, unless `rule` decides about some.
    fn shadowed<'a>(&'a self, index: usize, rule: &'a Rule) -> Option<Finding<'a>> {
        let deciding = |case: RuleCase<'a>| {
            let mut before = self.rules.iter().enumerate();
            let found = before.find(|(other, candidate)| {
                let comes_first = *other < index && candidate.effect == rule.effect;
                let overrides = candidate.effect == Effect::Deny && rule.effect == Effect::Allow;
                (comes_first || overrides) && candidate.covers(&case, &self.authenticators.tokens)
            });
            found.map(|(_, candidate)| candidate.id.as_str())
        };
        let by = rule.cases().map(deciding).collect::<Option<BTreeSet<_>>>()?;
        Some(Finding::Shadowed { rule: &rule.id, by })
    }

    fn unreachable<'a>(&'a self, deny: &'a Rule) -> Option<Finding<'a>> {
        let is_reachable = self.allow_rules_with_callers_of(deny).any(|rule| {
            rule.storage_patterns(&self.mounts).any(|(on, storage)| {
                let is_named = || self.names(rule).any(|(_, _, name)| deny.overlaps_pattern(name));
                deny.overlaps_pattern(on) || deny.overlaps_pattern(&storage) || is_named()
            })
        });
        (!is_reachable).then_some(Finding::UnreachableDeny { rule: &deny.id })
    }

    /// Returns the rules to which `deny` applies, or should apply, only because of another name of their objects.
    fn aliases<'a>(&'a self, deny: &'a Rule) -> Vec<Finding<'a>> {
        let mut found = Vec::new();
        for rule in self.allow_rules_with_callers_of(deny) {
            let mut own = rule.storage_patterns(&self.mounts);
            if own.any(|(on, storage)| deny.overlaps_pattern(on) || deny.overlaps_pattern(&storage)) {
                continue;
            }
            for (naming, needs_id_table, name) in self.names(rule) {
                let finding = Finding::Alias {
                    deny: &deny.id,
                    rule: &rule.id,
                    named_by: &naming.id,
                    is_denied: !needs_id_table,
                };
                if deny.overlaps_pattern(name) && !found.contains(&finding) {
                    found.push(finding);
                }
            }
        }
        found
    }

    fn allow_rules_with_callers_of<'a>(&'a self, deny: &'a Rule) -> impl Iterator<Item = &'a Rule> {
        let allow_rules = self.rules.iter().filter(|rule| rule.effect == Effect::Allow);
        allow_rules.filter(|rule| deny.overlaps_callers(rule, &self.authenticators.tokens))
    }

    /// Returns the rules that give the objects of `rule` other public keys, with the patterns of these keys, and whether
    /// only the id table knows the keys.
    fn names<'a>(&'a self, rule: &'a Rule) -> impl Iterator<Item = (&'a Rule, bool, &'a super::Pattern)> {
        let rewriting = self
            .rules
            .iter()
            .filter_map(|naming| Some((naming, naming.rewrite.as_ref()?)));
        rewriting.flat_map(move |(naming, rewrite)| {
            let patterns = naming.storage_patterns(&self.mounts).filter(move |(name, storage)| {
                let mut own = rule.storage_patterns(&self.mounts);
                own.any(|(on, reached)| {
                    let has_same_names = rule.rewrite.as_ref() == Some(rewrite) && rewrite.preserves_names(on, name);
                    !has_same_names && reached.overlaps(storage, Effect::Allow)
                })
            });
            patterns.map(move |(name, _)| (naming, rewrite.needs_id_table(), name))
        })
    }
}

fn anonymous_write(rule: &Rule) -> Option<Finding<'_>> {
    let is_change = |action: &Action| matches!(action, Action::Write | Action::Delete);
    let is_anonymous = rule.who.contains(&CallerSelector::Anyone) && rule.can.iter().any(is_change);
    is_anonymous.then(|| Finding::AnonymousWrite {
        rule: &rule.id,
        on: rule.values(RulePart::Key),
    })
}

/// Returns the values that contain `*`. Only `on` and `content_types` have wildcards.
fn wildcards(rule: &Rule) -> impl Iterator<Item = Finding<'_>> {
    let conditions = rule.conditions.iter().flat_map(|condition| &condition.values);
    let conditions = conditions.map(|value| ("if", value.as_str()));
    let callers = rule.who.iter().filter_map(|who| Some(("who", who.name()?)));
    let values = conditions.chain(callers).filter(|(_, value)| value.contains('*'));
    values.map(|(field, value)| Finding::Wildcard {
        rule: &rule.id,
        field,
        value,
    })
}

impl fmt::Display for Finding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnonymousWrite { rule, on } => {
                write!(f, "rule {rule:?}: anyone can change objects: {}", on.join(", "))
            }
            Self::Wildcard { rule, field, value } => write!(
                f,
                "rule {rule:?}: {field}: {value:?} contains `*`, which is not a wildcard here: values are compared exactly"
            ),
            Self::Shadowed { rule, by } => {
                let by: Vec<_> = by.iter().map(|id| format!("{id:?}")).collect();
                let by = by.join(", ");
                write!(
                    f,
                    "rule {rule:?}: never decides, because these rules decide about all its requests: {by}"
                )
            }
            Self::SameObjects { at, other } => write!(
                f,
                "mounts {at:?} and {other:?}: may contain some of the same objects under different public keys. A deny rule for one \
                 of the keys also denies the other, but an allow rule does not allow the other"
            ),
            Self::UnreachableDeny { rule } => {
                write!(f, "rule {rule:?}: has no effect, because no rule allows what it denies")
            }
            Self::Alias {
                deny,
                rule,
                named_by,
                is_denied: true,
            } => write!(
                f,
                "rule {deny:?}: also denies requests that rule {rule:?} allows, because rule {named_by:?} stores the same \
                 objects under the denied keys"
            ),
            Self::Alias {
                deny,
                rule,
                named_by,
                is_denied: false,
            } => write!(
                f,
                "rule {deny:?}: does not apply to requests that rule {rule:?} allows, although rule {named_by:?} may store the \
                 same objects under the denied keys. Restrict rule {rule:?}, or deny the folder of the ids"
            ),
        }
    }
}
