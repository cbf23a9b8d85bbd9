//! The form in which an instruction is told, and how the client says which.

use http::{HeaderMap, Method, header};

use super::ApiRequest;

/// The form in which an instruction is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A redirect.
    Redirect,
    /// JSON with method, URL and headers.
    Json,
    /// The URL alone.
    Text,
    /// The key and the URL, each on a line of its own.
    KeyAndText,
    /// The JSON of the AWS SDK for Go's presign example.
    GoExample,
}

impl Form {
    /// The form for a client that does not know the key yet.
    pub(crate) fn with_key(request: &ApiRequest) -> Self {
        let asks_for_url = request.query.iter().any(|(name, _)| name == "url");
        match preferred(&request.headers, &["application/json"]) {
            Some(_) if !asks_for_url => Self::Json,
            _ => Self::KeyAndText,
        }
    }

    /// Picks the form by `?url`, then by `Accept` (RFC 9110, section 12.5.1): JSON and plain text only where they
    /// are named, since an image or video player must be redirected whatever it accepts.
    pub(super) fn negotiate(request: &ApiRequest) -> Self {
        // The answer to a HEAD has no body that could tell anything else.
        if request.method == Method::HEAD.as_str() {
            return Self::Redirect;
        }
        if request.query.iter().any(|(name, _)| name == "url") {
            return Self::Text;
        }
        match preferred(&request.headers, &["application/json", "text/plain"]) {
            Some("application/json") => Self::Json,
            Some(_) => Self::Text,
            None => Self::Redirect,
        }
    }
}

/// The offer that `Accept` names with the greatest weight, if no other type that it names weighs more.
pub(crate) fn preferred<'a>(headers: &HeaderMap, offers: &[&'a str]) -> Option<&'a str> {
    let accept = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut best: Option<(&'a str, f32)> = None;
    let mut others: f32 = 0.0;
    for range in accept.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let weight = parts
            .find_map(|part| part.strip_prefix("q="))
            .map_or(1.0, |q| q.parse().unwrap_or(0.0));
        match offers.iter().find(|offer| offer.eq_ignore_ascii_case(media)) {
            Some(offer) if best.is_none_or(|(_, heaviest)| weight > heaviest) => best = Some((offer, weight)),
            Some(_) => {}
            None => others = others.max(weight),
        }
    }
    best.filter(|(_, weight)| *weight > 0.0 && *weight >= others)
        .map(|(offer, _)| offer)
}
