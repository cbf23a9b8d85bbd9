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

/// Returns the text of an error, a lower-case fragment, as a sentence.
pub(super) fn sentence(fragment: &str) -> String {
    let mut chars = fragment.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    let end = if fragment.ends_with(['.', '?', '!', '…']) {
        ""
    } else {
        "."
    };
    first.into_iter().chain(chars).chain(end.chars()).collect()
}

/// Formats a time as RFC 3339, in whole seconds.
pub(super) fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

/// Formats a time as the lists of links of web servers do, which some programs parse: `25-Nov-2026 18:00`, in UTC.
pub(super) fn index_time(time: SystemTime) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let text = rfc3339(time);
    let month = text[5..7].parse::<usize>().ok().and_then(|month| MONTHS.get(month - 1));
    format!(
        "{}-{}-{} {}",
        &text[8..10],
        month.unwrap_or(&"Jan"),
        &text[..4],
        &text[11..16]
    )
}

/// Formats a time as the text of HTML's `time` element.
pub(super) fn html_time(time: SystemTime) -> String {
    rfc3339(time).replace('T', " ")
}
