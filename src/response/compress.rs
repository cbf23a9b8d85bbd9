//! Answers compressed with gzip, where the client takes it and no secret could leak by the length.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, header};

use super::{ApiResponse, set};

/// Shorter bodies gain nothing: their headers outweigh them.
const WORTHWHILE: usize = 1024;

/// The mark of an answer that may be compressed.
#[derive(Clone, Copy)]
struct Compressible;

/// Lets [`compress`] have an answer. Not for one that holds a secret beside text of the client's choice: how well both
/// compress together tells about the secret ([BREACH](https://www.breachattack.com)).
pub(super) fn compressible(mut response: ApiResponse) -> ApiResponse {
    response.extensions_mut().insert(Compressible);
    let vary = response.headers().get(header::VARY).and_then(|vary| vary.to_str().ok());
    let vary = vary.map_or_else(
        || "Accept-Encoding".to_owned(),
        |vary| format!("{vary}, Accept-Encoding"),
    );
    set(&mut response, header::VARY, &vary);
    response
}

/// Compresses an answer that may be compressed, if the client takes gzip.
pub(super) fn compress(headers: &HeaderMap, response: &mut ApiResponse) {
    let marked = response.extensions().get::<Compressible>().is_some();
    if !marked || response.body().len() < WORTHWHILE || !takes_gzip(headers) {
        return;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let written = encoder.write_all(response.body()).and_then(|()| encoder.finish());
    *response.body_mut() = Bytes::from(written.expect("a Vec takes every write"));
    response
        .headers_mut()
        .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
}

/// Whether `Accept-Encoding` takes gzip ([RFC 9110, section 12.5.3](https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3)).
/// Without the header nothing is compressed: tools that show bodies as they come send none.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    let codings: Vec<_> = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(coding)
        .collect();
    let find = |wanted: &str| codings.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    find("gzip").or_else(|| find("*")).is_some_and(|(_, wanted)| *wanted)
}

/// The name of a coding, and whether it is wanted at all.
fn coding(text: &str) -> (&str, bool) {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let refused = weight.is_some_and(|weight| weight.parse().unwrap_or(0.0_f32) <= 0.0);
    (name, !refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_taken_as_the_header_says() {
        let cases = [
            (None, false),
            (Some(""), false),
            (Some("gzip"), true),
            (Some("GZIP"), true),
            (Some("br, gzip;q=0.5"), true),
            (Some("gzip; q=0"), false),
            (Some("gzip;q=0.000, *"), false),
            (Some("gzip;q=nonsense"), false),
            (Some("*"), true),
            (Some("*;q=0"), false),
            (Some("br, deflate"), false),
            (Some("gzipped"), false),
            (Some("identity"), false),
        ];
        for (value, taken) in cases {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
            }
            assert_eq!(takes_gzip(&headers), taken, "{value:?}");
        }
    }
}
