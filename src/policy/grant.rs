//! The result of evaluating the rules.

use super::constraints::Constraints;
use super::rule::Rule;
use crate::operation::Action;
use crate::rejection::Rejection;

/// The permission that an allow rule gives.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a> {
    /// The id of the rule.
    pub rule: &'a str,
    /// The constraints on the operation.
    pub constraints: &'a Constraints,
    pub(super) granted_by: &'a Rule,
}

/// The result of evaluating the rules for one request.
#[derive(Clone, Debug)]
pub enum PolicyOutcome<'a> {
    /// A rule allows the request, and no rule denies it.
    Allowed(Grant<'a>),
    /// A rule denies the request.
    Denied {
        /// The id of the rule.
        rule: &'a str,
        /// The response to the client.
        rejection: Rejection,
    },
    /// No rule matches the request.
    NoMatchingRule {
        /// The response to the client.
        rejection: Rejection,
    },
}

impl Grant<'_> {
    /// Returns true if the rule allows `action`.
    pub fn allows(&self, action: Action) -> bool {
        self.granted_by.can.contains(&action)
    }
}

impl<'a> From<&'a Rule> for Grant<'a> {
    fn from(rule: &'a Rule) -> Self {
        Self {
            rule: &rule.id,
            constraints: &rule.constraints,
            granted_by: rule,
        }
    }
}

impl<'a> PolicyOutcome<'a> {
    /// Returns the grant, or the rejection for the client.
    pub fn into_grant(self) -> Result<Grant<'a>, Rejection> {
        match self {
            Self::Allowed(grant) => Ok(grant),
            Self::Denied { rejection, .. } | Self::NoMatchingRule { rejection } => Err(rejection),
        }
    }

    /// Returns the rule that decides, if one does.
    pub const fn rule(&self) -> Option<&'a str> {
        match self {
            Self::Allowed(Grant { rule, .. }) | Self::Denied { rule, .. } => Some(rule),
            Self::NoMatchingRule { .. } => None,
        }
    }
}
