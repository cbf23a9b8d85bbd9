//! Random ids for blobs, versions, uploads and requests, and hexadecimal encoding.

use std::fmt::Write;

/// Returns 128 random bits in hexadecimal.
pub(crate) fn random_id() -> String {
    let mut bits = [0_u8; 16];
    getrandom::fill(&mut bits).expect("the operating system provides random bytes");
    hex_encode(&bits)
}

/// Encodes bytes in lower-case hexadecimal.
pub(crate) fn hex_encode(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Decodes hexadecimal text.
pub(crate) fn hex_decode(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}
