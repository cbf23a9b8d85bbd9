//! Latin-1, the encoding of headers: each byte is one character.

use http::HeaderValue;

/// Decodes bytes.
pub(crate) fn decode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// Encodes text. Returns `None` if it has other characters, or characters that no header can contain.
pub(crate) fn encode_header(text: &str) -> Option<HeaderValue> {
    let bytes: Option<Vec<_>> = text.chars().map(|character| u8::try_from(character).ok()).collect();
    HeaderValue::from_bytes(&bytes?).ok()
}

/// Encodes text with a space for every other character, as AWS does with the fields of forms. Returns `None` if no header
/// can contain it.
pub(crate) fn encode_lossy(text: &str) -> Option<HeaderValue> {
    let bytes: Vec<_> = text
        .chars()
        .map(|character| u8::try_from(character).unwrap_or(b' '))
        .collect();
    HeaderValue::from_bytes(&bytes).ok()
}
