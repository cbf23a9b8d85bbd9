//! Output to standard error: one line for each request, and the library's log events.

use std::fmt::Display;
use std::io::{Write as _, stderr};
use std::time::Duration;

use http::StatusCode;
use signpost::encoding::escape_invisible;
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
    print_line(request_line(method, key, status, duration));
}

/// Returns the line of one request. Characters that could control a terminal, forge a log line or hide text are escaped.
fn request_line(method: &str, key: &str, status: StatusCode, duration: Duration) -> String {
    let milliseconds = duration.as_secs_f64() * 1000.0;
    let (method, key) = (escape_invisible(method), escape_invisible(key));
    format!("{} {method:<7} {milliseconds:>7.1} ms  {key}", status.as_u16())
}

/// Writes one line. Ignores errors, because the server continues if standard error is closed.
pub(crate) fn print_line(text: impl Display) {
    let _ = writeln!(stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use signpost::encoding::is_invisible;

    use super::*;

    #[test]
    fn a_key_cannot_change_or_hide_other_text_in_the_log() {
        for (key, logged) in [
            ("a\n200 GET b\u{1b}[2J ☃", "a\\u000a200 GET b\\u001b[2J ☃"),
            ("a\u{202e}gpj.exe", "a\\u202egpj.exe"),
            ("\u{200e}\u{61c}\u{feff}\u{e0041}", "\\u200e\\u061c\\ufeff\\ue0041"),
        ] {
            let line = request_line("GET", key, StatusCode::OK, Duration::from_millis(3));
            assert_eq!(line, format!("200 GET         3.0 ms  {logged}"));
            assert!(!line.contains(is_invisible), "{line}");
        }
    }
}
