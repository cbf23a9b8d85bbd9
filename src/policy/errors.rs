//! The errors of a rules file.

/// The reason why a rules file is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// The file is not TOML, or a field is unknown, missing or of the wrong type.
    #[error("{0}")]
    Toml(String),
    /// A version other than 1.
    #[error("unknown version {0}; this release supports version 1")]
    Version(u32),
    /// A part of the file contradicts itself or another part.
    #[error("{place}: {problem}")]
    Invalid {
        /// The table with its id.
        place: String,
        /// The problem in this table.
        problem: String,
    },
}

/// Returns a function that adds the table `place` to a problem.
pub(super) fn invalid(place: &str) -> impl Fn(String) -> RulesError + '_ {
    move |problem| RulesError::Invalid {
        place: place.to_owned(),
        problem,
    }
}
