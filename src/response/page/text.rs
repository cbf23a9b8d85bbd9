//! Names, sizes and times, for people.

use std::fmt::Write as _;
use std::time::SystemTime;

/// A name of which nothing is hidden: characters that have no shape, or turn the text around them, are spelled out.
pub(in crate::response) fn visible(name: &str) -> String {
    name.chars()
        .fold(String::with_capacity(name.len()), |mut visible, char| {
            if char.is_control() || turns_text(char) {
                write!(visible, "\\u{:04x}", u32::from(char)).expect("a String takes every write");
            } else {
                visible.push(char);
            }
            visible
        })
}

/// Unicode's property `Bidi_Control`.
const fn turns_text(char: char) -> bool {
    matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A size in three figures at most.
pub(super) fn size(bytes: u64) -> String {
    let mut rest = bytes;
    let mut below = 0;
    for unit in ["bytes", "kB", "MB", "GB"] {
        if rest < 1000 {
            return if rest < 10 && unit != "bytes" {
                format!("{rest}.{} {unit}", below / 100)
            } else {
                format!("{rest} {unit}")
            };
        }
        below = rest % 1000;
        rest /= 1000;
    }
    if rest < 10 {
        format!("{rest}.{} TB", below / 100)
    } else {
        format!("{rest} TB")
    }
}

/// A time as HTML's `time` element takes it for its text.
pub(super) fn time(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string().replace('T', " ")
}
