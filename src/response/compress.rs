//! Compression of responses with gzip, if the client accepts it and the length of the response reveals no secret.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, header};

use super::http::{ApiResponse, set_header};

/// The minimum length. Compression does not make shorter responses smaller, because it adds a header.
const MIN_COMPRESSED_BYTES: usize = 1024;

/// Marks a response that can be compressed.
#[derive(Clone, Copy)]
struct CompressibleResponse;

/// Allows compression of a response. It must not contain a secret together with text that the client can choose: the
/// compressed length would reveal information about the secret ([BREACH](https://www.breachattack.com)).
pub(super) fn compressible(mut response: ApiResponse) -> ApiResponse {
    response.extensions_mut().insert(CompressibleResponse);
    let vary = response.headers().get(header::VARY).and_then(|vary| vary.to_str().ok());
    let vary = vary.map_or_else(
        || "Accept-Encoding".to_owned(),
        |vary| format!("{vary}, Accept-Encoding"),
    );
    set_header(&mut response, header::VARY, &vary);
    response
}

/// Compresses a response if it is [`compressible`] and the client accepts gzip.
pub(super) fn compress(headers: &HeaderMap, response: &mut ApiResponse) {
    let allowed = response.extensions().get::<CompressibleResponse>().is_some();
    if !allowed || response.body().len() < MIN_COMPRESSED_BYTES || !accepts_gzip(headers) {
        return;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let compressed = encoder.write_all(response.body()).and_then(|()| encoder.finish());
    *response.body_mut() = Bytes::from(compressed.expect("writing to a Vec cannot fail"));
    response
        .headers_mut()
        .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
}

/// Returns true if `Accept-Encoding` accepts gzip ([RFC 9110, section
/// 12.5.3](https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3)). Without the header, responses are not compressed,
/// because tools that print bodies without decoding do not send it.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    let codings: Vec<_> = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(parse_coding)
        .collect();
    let find = |wanted: &str| codings.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    find("gzip")
        .or_else(|| find("*"))
        .is_some_and(|(_, accepted)| *accepted)
}

/// Returns the name of a content coding, and true if its weight is above 0.
fn parse_coding(text: &str) -> (&str, bool) {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let rejected = weight.is_some_and(|weight| weight.parse().unwrap_or(0.0_f32) <= 0.0);
    (name, !rejected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_used_only_if_the_header_accepts_it() {
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
        for (value, accepted) in cases {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
            }
            assert_eq!(accepts_gzip(&headers), accepted, "{value:?}");
        }
    }
}
