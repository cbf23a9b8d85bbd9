//! The effect of a rule.

use serde::Deserialize;

/// The effect of a rule that matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// The rule allows the request.
    #[default]
    Allow,
    /// The rule denies the request, even if other rules allow it. If a part of the rule cannot be evaluated for the caller,
    /// that part matches.
    Deny,
}
