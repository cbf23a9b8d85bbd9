//! Text encodings of queries, forms and URLs.

use std::fmt::Write as _;

use http::uri::Scheme;
use percent_encoding::{percent_decode_str, utf8_percent_encode};

use crate::key::QUERY;
use crate::rejection::Rejection;

/// Returns names and values as a query or the body of a form.
pub fn form_encode<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> String {
    let escape = |text: &str| utf8_percent_encode(text, QUERY).to_string();
    let pairs = pairs
        .into_iter()
        .map(|(name, value)| format!("{}={}", escape(name.as_ref()), escape(value.as_ref())));
    pairs.collect::<Vec<_>>().join("&")
}

/// Decodes a name or a value of a query or a form, in which `+` is a space.
pub fn form_decode(text: &str) -> Result<String, Rejection> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded.map(Into::into).map_err(|_| Rejection::BadQuery)
}

/// Returns a JSON string in ASCII. S3 requires ASCII in POST policies, and STS accepts no character above U+00FF.
pub fn ascii_json(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    let mut ascii = String::with_capacity(json.len());
    for char in json.chars() {
        if (' '..='~').contains(&char) {
            ascii.push(char);
            continue;
        }
        for unit in char.encode_utf16(&mut [0; 2]) {
            write!(ascii, "\\u{unit:04x}").expect("writing to a String cannot fail");
        }
    }
    ascii
}

/// Returns true for a character that can change or hide other text: a control character, a line separator, or an
/// invisible format character, such as those that change the direction of the text
/// ([UTR 36](https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing)).
pub fn is_invisible(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Escapes the characters of a text for people that can change or hide other text ([`is_invisible`]).
pub fn escape_invisible(text: &str) -> String {
    let escape = |mut escaped: String, char| {
        if is_invisible(char) {
            write!(escaped, "\\u{:04x}", u32::from(char)).expect("writing to a String cannot fail");
        } else {
            escaped.push(char);
        }
        escaped
    };
    text.chars().fold(String::with_capacity(text.len()), escape)
}

/// Encodes bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.extend([byte >> 4, byte & 15].map(|digit| char::from(DIGITS[usize::from(digit)])));
    }
    text
}

/// Decodes hexadecimal digits.
pub fn hex_decode(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<_>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    digits?
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(high * 16 + low).ok(),
            _ => None,
        })
        .collect()
}

/// Returns host and port of an origin without the default port of its scheme. Clients send neither `Host` nor `Origin`
/// with a default port, so a signature or a comparison must not contain it.
pub fn without_default_port<'a>(scheme: &Scheme, authority: &'a str) -> &'a str {
    let port = if *scheme == Scheme::HTTP { ":80" } else { ":443" };
    authority.strip_suffix(port).unwrap_or(authority)
}
