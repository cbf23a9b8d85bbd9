//! The origin of the lifetime of a rule's URLs.

use std::time::Duration;

/// The origin of the lifetime of a rule's URLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LifetimeSource {
    /// The origin of the lifetime.
    pub set_by: ValueSource,
    /// The maximum lifetime that a rule of the file can set.
    pub ceiling: Duration,
    /// The origin of the maximum.
    pub ceiling_by: ValueSource,
}

/// The part of the configuration that sets a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueSource {
    /// The rule itself.
    Rule,
    /// The `[defaults]` of the rules file.
    Defaults,
    /// The built-in value, if the file does not set one.
    BuiltIn,
}
