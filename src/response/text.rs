//! Sizes and times as text.

use std::time::SystemTime;

/// Returns a size with at most three digits, for example `1.2 MB`.
pub(super) fn size_text(bytes: u64) -> String {
    let (mut value, mut remainder) = (bytes, 0);
    let mut units = ["bytes", "kB", "MB", "GB", "TB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    for larger in units {
        if value < 1000 {
            break;
        }
        (value, remainder, unit) = (value / 1000, value % 1000, larger);
    }
    if value < 10 && unit != "bytes" {
        format!("{value}.{} {unit}", remainder / 100)
    } else {
        format!("{value} {unit}")
    }
}

/// Formats a time as RFC 3339, in whole seconds.
pub(super) fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

/// Formats a time as the text of HTML's `time` element.
pub(super) fn html_time(time: SystemTime) -> String {
    rfc3339(time).replace('T', " ")
}
