//! Text encodings.

use std::fmt::Write as _;

/// Names and values as a form or a query has them.
pub fn form<'a>(pairs: impl IntoIterator<Item = &'a (&'static str, String)>) -> String {
    let escape = |text| percent_encoding::utf8_percent_encode(text, crate::key::QUERY);
    let pairs = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={}", escape(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// Encodes bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let text = String::with_capacity(bytes.len() * 2);
    bytes.iter().fold(text, |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String never fails");
        text
    })
}
