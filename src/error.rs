//! Text of errors for the log.

/// Returns the message of an error followed by the messages of all its causes, separated by colons.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Returns the message of an error of serde with the term "value" for the names that a field accepts. serde calls them variants.
pub fn without_variants(error: &impl std::fmt::Display) -> String {
    error.to_string().replace("unknown variant", "unknown value")
}

/// Returns a number with its noun, such as `1 rule` or `2 rules`.
pub fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
