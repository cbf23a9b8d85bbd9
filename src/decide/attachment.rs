//! The file name of a download.

/// The maximum length of a file name in common file systems, in characters.
const MAX_FILE_NAME: usize = 255;

/// The last segment of a key.
pub(super) fn file_name(key: &str) -> &str {
    key.trim_end_matches('/').rsplit('/').next().unwrap_or(key)
}

/// The `Content-Disposition` of an attachment, with the file name in ASCII for old clients and encoded as in RFC 8187
/// ([RFC 6266](https://www.rfc-editor.org/rfc/rfc6266)).
pub(super) fn attachment(name: &str) -> String {
    // Bidirectional control characters could show a false file extension.
    let is_bidi_control = |char: char| matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_allowed = |char: char| !(matches!(char, '/' | '\\') || char.is_control() || is_bidi_control(char));
    let name = name.chars().take(MAX_FILE_NAME);
    let name: String = name.map(|char| if is_allowed(char) { char } else { '_' }).collect();
    let is_plain = |char: char| char == ' ' || char.is_ascii_graphic() && !matches!(char, '"' | '%' | ';');
    let fallback: String = name
        .chars()
        .map(|char| if is_plain(char) { char } else { '_' })
        .collect();
    let exact = percent_encoding::utf8_percent_encode(&name, crate::key::QUERY);
    format!("attachment; filename=\"{fallback}\"; filename*=UTF-8''{exact}")
}
