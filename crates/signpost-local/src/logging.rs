//! Output to standard error, and the library's log events.

use std::fmt::Display;
use std::io::{Write as _, stderr};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::access_log::AccessLayer;

/// Enables log events of Signpost up to `level`.
///
/// Events of other crates stay disabled: they can contain complete requests, and a presigned URL is a secret.
pub(crate) fn init_tracing(level: LevelFilter) {
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(stderr)
        .without_time()
        .with_target(false);
    let targets = Targets::new()
        .with_target("signpost", level)
        .with_target("signpost_local", level);
    let requests = Targets::new().with_target("signpost::service", LevelFilter::INFO);
    let _ = tracing_subscriber::registry()
        .with(layer.with_filter(targets))
        .with(AccessLayer.with_filter(requests))
        .try_init();
}

/// Writes one line. Ignores errors, because the server continues if standard error is closed.
pub(crate) fn print_line(text: impl Display) {
    let _ = writeln!(stderr().lock(), "{text}");
}

/// Escapes the characters of a key that could control a terminal or forge a log line.
pub(crate) fn escape_control_characters(key: &str) -> String {
    let mut escaped = String::with_capacity(key.len());
    for char in key.chars() {
        if char.is_control()
            || matches!(char, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            escaped.extend(char.escape_unicode());
        } else {
            escaped.push(char);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_in_a_key_are_escaped() {
        assert_eq!(
            escape_control_characters("a\n200 GET b\u{1b}[2J ☃"),
            "a\\u{a}200 GET b\\u{1b}[2J ☃"
        );
    }
}
