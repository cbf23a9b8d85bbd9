//! The decoded query string of a request, in the original order.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::S3Rejection;

/// The names and values of a query string.
#[derive(Debug)]
pub(crate) struct QueryString {
    pairs: Vec<(String, String)>,
}

impl QueryString {
    /// Decodes a raw query. Rejects names and values that are not UTF-8.
    pub(super) fn parse(raw: &str) -> Result<Self, S3Rejection> {
        let parameters = raw.split('&').filter(|parameter| !parameter.is_empty());
        let pairs = parameters.map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            Ok((form_decode(name)?, form_decode(value)?))
        });
        Ok(Self {
            pairs: pairs.collect::<Result<_, _>>()?,
        })
    }

    /// Returns the value of a parameter that occurs exactly once.
    pub(crate) fn single_value(&self, name: &str) -> Option<&str> {
        let mut values = self.pairs().filter(|(found, _)| *found == name);
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }

    /// Returns the names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.pairs().map(|(name, _)| name)
    }

    /// Returns the names and values.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn form_decode(text: &str) -> Result<String, S3Rejection> {
    let spaced: Cow<'_, str> = if text.contains('+') {
        text.replace('+', " ").into()
    } else {
        text.into()
    };
    percent_decode_str(&spaced)
        .decode_utf8()
        .map(Cow::into_owned)
        .map_err(|_| S3Rejection::InvalidUri)
}
