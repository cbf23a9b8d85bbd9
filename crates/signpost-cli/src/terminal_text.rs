//! Sanitizes text from other sources for a terminal: control characters and forged lines are replaced.

use std::fmt::Write as _;

/// The replacement for a control character.
const REPLACEMENT: char = '\u{fffd}';

/// Sanitizes one line.
pub(crate) fn sanitize_line(text: &str) -> String {
    text.replace(
        |char: char| char.is_control() && char != '\t',
        REPLACEMENT.encode_utf8(&mut [0; 4]),
    )
}

/// Sanitizes several lines.
pub(crate) fn sanitize_lines(text: &str) -> String {
    text.split('\n').map(sanitize_line).collect::<Vec<_>>().join("\n")
}

/// Escapes control characters in JSON. The values do not change.
pub(crate) fn escape_json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() {
            write!(escaped, "\\u{:04x}", u32::from(char)).expect("writing to a String cannot fail");
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
    fn control_characters_do_not_reach_a_terminal() {
        assert_eq!(
            sanitize_line("a\u{1b}]0;\u{7}\u{9b}2J\tb\nc\r"),
            "a\u{fffd}]0;\u{fffd}\u{fffd}2J\tb\u{fffd}c\u{fffd}"
        );
        assert_eq!(sanitize_lines("a\u{1b}\nb\n"), "a\u{fffd}\nb\n");
        let value = serde_json::json!({"a": "\u{9b}\u{7f}\u{1b}ü"});
        let escaped = escape_json(&value.to_string());
        assert!(!escaped.chars().any(char::is_control));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), value);
    }
}
