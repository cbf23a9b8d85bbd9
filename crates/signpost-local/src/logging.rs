//! Output to standard error: one line for each request, and the library's log events.

use std::fmt::Display;
use std::io::{Write as _, stderr};
use std::time::Duration;

use http::StatusCode;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

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
    let _ = tracing_subscriber::registry().with(layer).with(targets).try_init();
}

/// Writes the line of one request. It never contains the query or any header of the request or the response.
pub(crate) fn log_request(method: &str, key: &str, status: StatusCode, duration: Duration) {
    let milliseconds = duration.as_secs_f64() * 1000.0;
    print_line(format_args!(
        "{} {method:<7} {milliseconds:>7.1} ms  {}",
        status.as_u16(),
        escape_control_characters(key)
    ));
}

/// Writes one line. Ignores errors, because the server continues if standard error is closed.
pub(crate) fn print_line(text: impl Display) {
    let _ = writeln!(stderr().lock(), "{text}");
}

/// Escapes the characters of a key that could control a terminal or forge a log line.
fn escape_control_characters(key: &str) -> String {
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
