//! Text encodings of queries, forms and URLs.

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
