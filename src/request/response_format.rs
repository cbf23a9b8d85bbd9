//! The format of the response, and how a client chooses it.

use http::{HeaderMap, Method, header};

use super::ApiRequest;

/// The format of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseFormat {
    /// A redirect.
    Redirect,
    /// JSON with method, URL and headers.
    Json,
    /// The URL as plain text.
    Text,
    /// The key and the URL as plain text, each on its own line.
    KeyAndText,
    /// The JSON of the AWS SDK for Go's presign example.
    GoExample,
}

impl ResponseFormat {
    /// The format for a client that does not know the key yet.
    pub(crate) fn with_key(request: &ApiRequest) -> Self {
        match preferred_type(&request.headers, &["application/json"]) {
            Some(_) if !requests_url(request) => Self::Json,
            _ => Self::KeyAndText,
        }
    }

    /// Selects the format from `?url`, then from `Accept` (RFC 9110, section 12.5.1). JSON and plain text are selected
    /// only if `Accept` names them: an image or video player must get a redirect, whatever it accepts.
    pub(super) fn negotiate(request: &ApiRequest) -> Self {
        // The response to a HEAD has no body.
        if request.method == Method::HEAD.as_str() {
            return Self::Redirect;
        }
        if requests_url(request) {
            return Self::Text;
        }
        match preferred_type(&request.headers, &["application/json", "text/plain"]) {
            Some("application/json") => Self::Json,
            Some(_) => Self::Text,
            None => Self::Redirect,
        }
    }
}

fn requests_url(request: &ApiRequest) -> bool {
    request.query.iter().any(|(name, _)| name == "url")
}

/// The offer with the greatest weight in `Accept`, unless `Accept` gives another type a greater weight.
pub(crate) fn preferred_type<'a>(headers: &HeaderMap, offers: &[&'a str]) -> Option<&'a str> {
    let accept = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut best: Option<(&'a str, f32)> = None;
    let mut other_weight: f32 = 0.0;
    for range in accept.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let weight = parts
            .find_map(|part| part.strip_prefix("q="))
            .map_or(1.0, |q| q.parse().unwrap_or(0.0));
        match offers.iter().find(|offer| offer.eq_ignore_ascii_case(media)) {
            Some(offer) if best.is_none_or(|(_, best_weight)| weight > best_weight) => best = Some((offer, weight)),
            Some(_) => {}
            None => other_weight = other_weight.max(weight),
        }
    }
    best.filter(|(_, weight)| *weight > 0.0 && *weight >= other_weight)
        .map(|(offer, _)| offer)
}
