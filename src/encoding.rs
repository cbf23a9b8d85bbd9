//! Text encodings.

/// Names and values as a form or a query has them.
pub fn form<'a>(pairs: impl IntoIterator<Item = &'a (&'static str, String)>) -> String {
    let escape = |text| percent_encoding::utf8_percent_encode(text, crate::key::QUERY);
    let pairs = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={}", escape(value)));
    pairs.collect::<Vec<_>>().join("&")
}
