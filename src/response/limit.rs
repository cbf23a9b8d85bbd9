//! The limit of the front on the size of a response.

use http::header;

use super::compress::compress;
use super::http::ApiResponse;
use crate::request::ApiRequest;

/// The space for the status and for the headers that are added later.
const RESERVED_BYTES: usize = 8 * 1024;

/// Returns the size of a response, divided by the limit of the front. The response fits if the result is at most 1.
#[expect(clippy::cast_precision_loss, reason = "the result is an estimate above 1")]
pub fn excess(request: &ApiRequest, response: &ApiResponse) -> f64 {
    let headers = response.headers().iter();
    let headers = headers.map(|(name, value)| name.as_str().len() + value.len() + 8);
    let overhead = RESERVED_BYTES + headers.sum::<usize>();
    // Our texts have no control characters except line breaks, so JSON needs at most two bytes for one.
    if overhead + 2 * response.body().len() <= request.max_response_bytes {
        return 0.0;
    }
    let mut encoded = response.clone();
    if !encoded.headers().contains_key(header::CONTENT_ENCODING) {
        compress(&request.headers, &mut encoded);
    }
    (overhead + encoded_bytes(encoded.body())) as f64 / request.max_response_bytes as f64
}

/// Returns the length of a body in the JSON that the front receives: escaped text, or Base64.
fn encoded_bytes(body: &[u8]) -> usize {
    if std::str::from_utf8(body).is_err() {
        return body.len().div_ceil(3) * 4;
    }
    let escaped = |byte: &u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    };
    body.iter().map(escaped).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_body_equals_its_length_in_json() {
        let texts = [
            "",
            "a\"b\\c\n\r\t\u{8}\u{c}\u{1}\u{1f}\u{7f}é\u{202e}",
            "{\"key\": \"a\\u0000\"}",
        ];
        for text in texts {
            let json = serde_json::to_string(text).unwrap();
            assert_eq!(encoded_bytes(text.as_bytes()), json.len() - 2, "{text:?}");
        }
        assert_eq!(encoded_bytes(&[0x1f, 0x8b, 0xff, 0]), 8);
    }
}
