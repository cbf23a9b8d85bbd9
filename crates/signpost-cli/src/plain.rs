//! Text that others wrote, as a terminal may have it: nothing in it is a command, or begins a line that is not ours.

use std::fmt::Write as _;

/// What a character that is none is shown as.
const UNSHOWN: char = '\u{fffd}';

/// One line.
pub(crate) fn line(text: &str) -> String {
    text.replace(
        |char: char| char.is_control() && char != '\t',
        UNSHOWN.encode_utf8(&mut [0; 4]),
    )
}

/// Lines.
pub(crate) fn lines(text: &str) -> String {
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// JSON without line breaks, such that its texts stay what they are.
pub(crate) fn json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() {
            write!(escaped, "\\u{:04x}", u32::from(char)).expect("a String takes every write");
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
    fn nothing_commands_a_terminal() {
        assert_eq!(
            line("a\u{1b}]0;\u{7}\u{9b}2J\tb\nc\r"),
            "a\u{fffd}]0;\u{fffd}\u{fffd}2J\tb\u{fffd}c\u{fffd}"
        );
        assert_eq!(lines("a\u{1b}\nb\n"), "a\u{fffd}\nb\n");
        let told = serde_json::json!({"a": "\u{9b}\u{7f}\u{1b}ü"});
        let escaped = json(&told.to_string());
        assert!(!escaped.chars().any(char::is_control));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), told);
    }
}
