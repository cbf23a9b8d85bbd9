//! The prefixes below which the objects of the dialects are stored.

use super::Dialect;
use crate::key::ObjectKey;
use crate::rejection::Rejection;

/// The prefix of each dialect, or `None` if it is disabled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DialectPrefixes {
    prefixes: [Option<String>; Dialect::ALL.len()],
}

impl DialectPrefixes {
    /// Enables a dialect. `at` is the prefix of its objects.
    pub fn enable(&mut self, dialect: Dialect, at: &str) -> Result<(), String> {
        check_prefix(at)?;
        let overlaps = |other: &str| other.starts_with(at) || at.starts_with(other);
        let other = Dialect::ALL
            .into_iter()
            .find(|other| self.get(*other).is_some_and(overlaps));
        if let Some(other) = other {
            return Err(format!("at: {at:?} overlaps with the prefix of [{}]", other.name()));
        }
        self.prefixes[dialect as usize] = Some(at.to_owned());
        Ok(())
    }

    /// The prefix of an enabled dialect.
    pub fn get(&self, dialect: Dialect) -> Option<&str> {
        self.prefixes[dialect as usize].as_deref()
    }

    /// The prefix of a dialect, or the rejection of its requests.
    pub(crate) fn require(&self, dialect: Dialect) -> Result<&str, Rejection> {
        self.get(dialect).ok_or(Rejection::DialectOff { table: dialect.name() })
    }
}

fn check_prefix(at: &str) -> Result<(), String> {
    let key = ObjectKey::with_path(at).map_err(|error| format!("at: {at:?}: {error}"))?;
    if !key.as_str().ends_with('/') || key.as_str().starts_with('/') || key.as_str().contains("//") {
        return Err(format!("at: {at:?} must be a prefix such as \"cache/\""));
    }
    Ok(())
}
