//! Sanitizes text from other sources for a terminal: control characters, invisible characters and forged lines are
//! replaced.

use std::fmt::Write as _;

use signpost::encoding::is_invisible;

/// The replacement for a control character or an invisible character.
const REPLACEMENT: char = '\u{fffd}';

/// Sanitizes one line.
pub(crate) fn sanitize_line(text: &str) -> String {
    text.replace(
        |char: char| is_invisible(char) && char != '\t',
        REPLACEMENT.encode_utf8(&mut [0; 4]),
    )
}

/// Sanitizes several lines.
pub(crate) fn sanitize_lines(text: &str) -> String {
    text.split('\n').map(sanitize_line).collect::<Vec<_>>().join("\n")
}

/// Escapes control characters and invisible characters in JSON. The values do not change.
pub(crate) fn escape_json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        if is_invisible(char) {
            for unit in char.encode_utf16(&mut [0; 2]) {
                write!(escaped, "\\u{unit:04x}").expect("writing to a String cannot fail");
            }
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
        for char in "\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}\u{61c}\u{200b}\u{2028}\u{feff}\u{e0041}".chars() {
            assert_eq!(
                sanitize_line(&format!("a{char}b")),
                "a\u{fffd}b",
                "{}",
                char.escape_unicode()
            );
        }
        assert_eq!(sanitize_line("a ü 日本 😀 é"), "a ü 日本 😀 é");
        assert_eq!(sanitize_lines("a\u{1b}\nb\n"), "a\u{fffd}\nb\n");
        let value = serde_json::json!({"a": "\u{9b}\u{7f}\u{1b}ü\u{202e}\u{e0041}"});
        let escaped = escape_json(&value.to_string());
        assert!(!escaped.chars().any(is_invisible));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), value);
    }
}
