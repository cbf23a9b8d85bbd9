//! Content negotiation with `Accept` ([RFC 9110, section 12.5.1](https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1)).

use std::cmp::Ordering;

use http::{HeaderMap, header};

/// One element of `Accept`.
struct MediaRange<'a> {
    media_type: &'a str,
    /// From 0 to 1. The client does not accept a type with weight 0.
    weight: f32,
    /// The position in the header, so that a type has a higher rank than the types after it.
    position: usize,
}

/// How well a type matches a media range: a greater value is more specific.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Specificity {
    Any,
    Subtypes,
    Exact,
}

/// Returns the type of `offers` that the client prefers. Types that are not on offer have no effect. If `Accept` contains no
/// offer, or rates several offers equally without naming them, the first of them is returned.
pub(crate) fn preferred_type<'a>(headers: &HeaderMap, offers: &[&'a str]) -> &'a str {
    let accept = accept_values(headers).collect::<Vec<_>>();
    let ranges = media_ranges(&accept);
    let mut best: Option<(&'a str, Rank)> = None;
    for offer in offers {
        let Some(rank) = rank(offer, &ranges) else { continue };
        if best.as_ref().is_none_or(|(_, best_rank)| rank.cmp(best_rank).is_gt()) {
            best = Some((offer, rank));
        }
    }
    best.map_or(offers[0], |(offer, _)| offer)
}

/// Returns true if `Accept` names exactly this type, with a weight above 0.
pub(super) fn names_type(headers: &HeaderMap, media_type: &str) -> bool {
    let accept = accept_values(headers).collect::<Vec<_>>();
    let ranges = media_ranges(&accept);
    ranges
        .iter()
        .any(|range| range.media_type.eq_ignore_ascii_case(media_type) && range.weight > 0.0)
}

fn accept_values(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::ACCEPT).iter();
    values.filter_map(|value| value.to_str().ok())
}

fn media_ranges<'a>(accept: &[&'a str]) -> Vec<MediaRange<'a>> {
    let elements = accept.iter().flat_map(|value| value.split(',')).enumerate();
    let ranges = elements.map(|(position, element)| {
        let mut parts = element.split(';').map(str::trim);
        MediaRange {
            media_type: parts.next().unwrap_or_default(),
            weight: parts.find_map(parse_weight).unwrap_or(1.0),
            position,
        }
    });
    ranges.filter(|range| !range.media_type.is_empty()).collect()
}

/// Returns the value of a `q` parameter. An invalid value counts as 0.
fn parse_weight(parameter: &str) -> Option<f32> {
    let (name, value) = parameter.split_once('=')?;
    let weight = || value.trim().parse().ok().filter(|weight| (0.0..=1.0).contains(weight));
    name.trim()
        .eq_ignore_ascii_case("q")
        .then(|| weight().unwrap_or_default())
}

/// The rank of an offer. The client prefers the offer with the greatest weight, then the one that it names more exactly, then
/// the one that it names first.
struct Rank {
    weight: f32,
    specificity: Specificity,
    position: usize,
}

impl Rank {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_weight = self.weight.total_cmp(&other.weight);
        let by_specificity = self.specificity.cmp(&other.specificity);
        by_weight.then(by_specificity).then(other.position.cmp(&self.position))
    }
}

/// Returns the rank that the most specific matching range gives to an offer, or `None` if the client does not accept it.
fn rank(offer: &str, ranges: &[MediaRange<'_>]) -> Option<Rank> {
    let matching = ranges
        .iter()
        .filter_map(|range| Some((specificity(offer, range)?, range)));
    let (specificity, range) = matching.reduce(|best, next| if next.0 > best.0 { next } else { best })?;
    let rank = Rank {
        weight: range.weight,
        specificity,
        position: range.position,
    };
    Some(rank).filter(|rank| rank.weight > 0.0)
}

fn specificity(offer: &str, range: &MediaRange<'_>) -> Option<Specificity> {
    let media_type = range.media_type;
    // Java sends `*` for `*/*`.
    if matches!(media_type, "*/*" | "*") {
        return Some(Specificity::Any);
    }
    if offer.eq_ignore_ascii_case(media_type) {
        return Some(Specificity::Exact);
    }
    let (kind, _) = offer.split_once('/')?;
    let subtypes = media_type.strip_suffix("/*")?;
    kind.eq_ignore_ascii_case(subtypes).then_some(Specificity::Subtypes)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const OFFERS: [&str; 3] = ["text/html", "application/json", "text/plain"];

    fn preferred(accept: &'static str) -> &'static str {
        let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
        preferred_type(&headers, &OFFERS)
    }

    #[test]
    fn only_the_types_on_offer_are_compared() {
        for (accept, expected) in [
            ("", "text/html"),
            (",", "text/html"),
            ("*/*", "text/html"),
            ("*", "text/html"),
            ("text/*", "text/html"),
            ("application/*", "application/json"),
            ("application/xml", "text/html"),
            ("image/png, application/json;q=0.1", "application/json"),
            ("application/xml, text/html;q=0.01", "text/html"),
            ("application/json, */*;q=0.5", "application/json"),
            ("application/json, text/plain, */*", "application/json"),
            ("text/plain, application/json, */*", "text/plain"),
            ("application/json;q=0.8, */*", "text/html"),
            ("*/*, application/json", "application/json"),
            (
                "text/html;q=0.2, text/plain;q=0.3, application/json;q=0.1",
                "text/plain",
            ),
            ("text/html;q=0, */*", "application/json"),
            ("text/html;q=0, application/json;q=0, */*;q=0.1", "text/plain"),
            ("*/*;q=0", "text/html"),
            ("text/*;q=0.1, text/html;q=0, application/json;q=0", "text/plain"),
            ("Application/JSON", "application/json"),
            ("application/json; charset=utf-8; Q = 1.000", "application/json"),
            ("application/json;q=nan, text/plain;q=.2", "text/plain"),
            ("application/json;q=2, text/plain;q=0.1", "text/plain"),
            ("application/json;q=-1, text/plain;q=0.1", "text/plain"),
            ("application/jsonp, text/plain;q=0.1", "text/plain"),
        ] {
            assert_eq!(preferred(accept), expected, "{accept:?}");
        }
    }

    #[test]
    fn repeated_headers_are_one_list() {
        let mut headers = HeaderMap::new();
        headers.append(header::ACCEPT, HeaderValue::from_static("image/png"));
        headers.append(header::ACCEPT, HeaderValue::from_static("text/plain"));
        assert_eq!(preferred_type(&headers, &OFFERS), "text/plain");
        assert!(names_type(&headers, "text/plain"));
    }

    #[test]
    fn a_wildcard_does_not_name_a_type() {
        for (accept, named) in [
            ("application/json", true),
            ("text/html, Application/Json;q=0.1", true),
            ("application/json;q=0", false),
            ("application/*", false),
            ("*/*", false),
            ("application/vnd.example+json", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(names_type(&headers, "application/json"), named, "{accept}");
        }
    }
}
