//! Finds out if an output stream is appended to a rules file: `>>rules.toml`.

use std::io;

use signpost::policy::Policy;

use crate::platform;

/// Returns the rules file that standard output is appended to, if there is one.
pub(crate) fn rules_on_stdout() -> Option<String> {
    platform::read_redirected(&io::stdout()).filter(|text| is_rules_file(text))
}

/// Returns the rules file that standard error is appended to, if there is one.
pub(crate) fn rules_on_stderr() -> Option<String> {
    platform::read_redirected(&io::stderr()).filter(|text| is_rules_file(text))
}

/// An empty file is not valid, because it has no version.
fn is_rules_file(text: &str) -> bool {
    Policy::parse(text).is_ok()
}
