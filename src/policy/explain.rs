//! Explanations of decisions: the deciding rule, and how every rule compares to the request.

use super::Policy;
use super::effect::Effect;
use super::grant::PolicyOutcome;
use super::lifetime::LifetimeSource;
use super::list_access::ListAccess;
use super::rule::{Rule, RulePart};
use crate::auth::Principal;
use crate::key::ObjectKey;
use crate::operation::Action;
use crate::rejection::Rejection;

/// A decision with its reasons.
#[derive(Clone, Debug)]
pub struct Explanation<'a> {
    /// The decision.
    pub outcome: PolicyOutcome<'a>,
    /// The origin of the URL's lifetime, if the request is allowed.
    pub lifetime: Option<LifetimeSource>,
    /// The comparison of each rule with the request, in the order of the file.
    pub comparisons: Vec<RuleComparison<'a>>,
}

/// The access to a listing with its reasons.
#[derive(Clone, Debug)]
pub struct ExplainedListAccess<'a> {
    /// The result of [`Policy::list_access`].
    pub access: Result<ListAccess<'a>, Rejection>,
    /// The id of the rule that denies the listing, if one does.
    pub denied_by: Option<&'a str>,
    /// The comparison of each rule with the prefix, in the order of the file.
    pub comparisons: Vec<RuleComparison<'a>>,
}

/// The comparison of one rule with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleComparison<'a> {
    /// The id of the rule.
    pub rule: &'a str,
    /// The effect of the rule if it matches.
    pub effect: Effect,
    /// The parts of the rule that do not match; empty if the rule matches.
    pub mismatches: Vec<Mismatch>,
}

/// A part of a rule that does not match the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The part.
    pub part: RulePart,
    /// The values that the rule expects, as the rules file writes them. For `if`, only the conditions that are not met.
    pub expected: Vec<String>,
    /// The conditions of `if` that are not met; empty for other parts.
    pub unmet: Vec<UnmetCondition>,
}

/// A condition of `if` that the caller does not meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnmetCondition {
    /// The name of the claim.
    pub claim: String,
    /// The accepted values.
    pub accepted: Vec<String>,
    /// The value of the caller's claim, if there is one.
    pub actual: Option<String>,
}

impl RuleComparison<'_> {
    /// Returns true if the rule matches the request.
    pub const fn matches(&self) -> bool {
        self.mismatches.is_empty()
    }

    /// Returns the mismatch, if there is exactly one.
    pub fn single_mismatch(&self) -> Option<&Mismatch> {
        match self.mismatches.as_slice() {
            [mismatch] => Some(mismatch),
            _ => None,
        }
    }
}

impl Policy {
    /// Returns the decision of [`Policy::decide`] with its reasons.
    pub fn explain(&self, principal: &Principal, action: Action, key: &ObjectKey) -> Explanation<'_> {
        let outcome = self.evaluate(principal, action, key.as_str());
        let granting = match outcome {
            PolicyOutcome::Allowed(grant) => Some(grant.granted_by),
            PolicyOutcome::Denied { .. } | PolicyOutcome::NoMatchingRule { .. } => None,
        };
        Explanation {
            lifetime: granting.map(|rule| rule.lifetime),
            comparisons: self.compare(principal, |rule, part| {
                rule.part_matches(part, principal, action, key.as_str())
            }),
            outcome,
        }
    }

    /// Returns the result of [`Policy::list_access`] with its reasons.
    pub fn explain_list_access(&self, principal: &Principal, action: Action, prefix: &str) -> ExplainedListAccess<'_> {
        let part_matches = |rule: &Rule, part| match part {
            RulePart::Key => rule.prefixes(principal).any(|range| prefix.starts_with(&range)),
            RulePart::Action | RulePart::Caller | RulePart::Claims => rule.part_matches(part, principal, action, ""),
        };
        let denying = self.prefix_deny_rule(principal, action, prefix);
        ExplainedListAccess {
            access: self.list_access(principal, action, prefix),
            denied_by: denying.map(|rule| rule.id.as_str()),
            comparisons: self.compare(principal, part_matches),
        }
    }

    fn compare(
        &self,
        principal: &Principal,
        part_matches: impl Fn(&Rule, RulePart) -> bool,
    ) -> Vec<RuleComparison<'_>> {
        let rules = self.rules.iter();
        rules
            .map(|rule| comparison(rule, principal, |part| part_matches(rule, part)))
            .collect()
    }
}

fn comparison<'a>(
    rule: &'a Rule,
    principal: &Principal,
    part_matches: impl Fn(RulePart) -> bool,
) -> RuleComparison<'a> {
    let mismatches = RulePart::ALL
        .into_iter()
        .filter(|part| !part_matches(*part))
        .map(|part| mismatch(rule, principal, part));
    RuleComparison {
        rule: &rule.id,
        effect: rule.effect,
        mismatches: mismatches.collect(),
    }
}

fn mismatch(rule: &Rule, principal: &Principal, part: RulePart) -> Mismatch {
    if part != RulePart::Claims {
        return Mismatch {
            part,
            expected: rule.values(part),
            unmet: Vec::new(),
        };
    }
    let unmet: Vec<_> = rule.unmet_conditions(principal).collect();
    let claim = |name: &str| principal.user()?.claim(name).map(str::to_owned);
    Mismatch {
        part,
        expected: unmet.iter().map(ToString::to_string).collect(),
        unmet: unmet
            .into_iter()
            .map(|condition| UnmetCondition {
                claim: condition.claim.clone(),
                accepted: condition.values.clone(),
                actual: claim(&condition.claim),
            })
            .collect(),
    }
}
