//! What goes to standard error: one line for each request, and what the core has to say.

use std::fmt::Display;
use std::io::{Write as _, stderr};
use std::time::Duration;

use http::StatusCode;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Shows events of Signpost's own up to `level`. Other crates may log whole requests, and a signed URL is a secret.
pub(crate) fn start(level: LevelFilter) {
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(stderr)
        .without_time()
        .with_target(false);
    let ours = Targets::new()
        .with_target("signpost", level)
        .with_target("signpost_local", level);
    let _ = tracing_subscriber::registry().with(layer).with(ours).try_init();
}

/// Tells of one request: never its query, its headers or the answer's.
pub(crate) fn request(method: &str, key: &str, status: StatusCode, took: Duration) {
    let milliseconds = took.as_secs_f64() * 1000.0;
    line(format_args!(
        "{} {method:<7} {milliseconds:>7.1} ms  {}",
        status.as_u16(),
        printable(key)
    ));
}

/// Writes one line; a closed standard error is no reason to stop.
pub(crate) fn line(text: impl Display) {
    let _ = writeln!(stderr().lock(), "{text}");
}

/// The key without what would move a terminal's cursor or forge a line.
fn printable(key: &str) -> String {
    let mut shown = String::with_capacity(key.len());
    for char in key.chars() {
        if char.is_control()
            || matches!(char, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            shown.extend(char.escape_unicode());
        } else {
            shown.push(char);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_cannot_forge_a_line() {
        assert_eq!(printable("a\n200 GET b\u{1b}[2J ☃"), "a\\u{a}200 GET b\\u{1b}[2J ☃");
    }
}
