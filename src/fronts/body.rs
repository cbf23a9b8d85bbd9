//! What a front tells of the body: its length, and of a POST its bytes.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{HeaderMap, header};

use super::{Event, Front};
use crate::rejection::Rejection;
use crate::request::BodyLength;

impl Event<'_> {
    /// A REST API tells no `Content-Length`, and elsewhere a body without one came in chunks.
    pub(super) fn body_length(&self, front: Front, headers: &HeaderMap) -> Result<BodyLength, Rejection> {
        let encodings = headers.get_all(header::TRANSFER_ENCODING).iter();
        if encodings
            .into_iter()
            .any(|encoding| encoding.as_bytes().to_ascii_lowercase().ends_with(b"chunked"))
        {
            return Ok(BodyLength::Chunked);
        }
        let delivered = self.delivered_bytes();
        match headers.get(header::CONTENT_LENGTH) {
            _ if front == Front::Rest && delivered > 0 => Ok(BodyLength::Declared(delivered)),
            Some(length) => {
                let length = length.to_str().ok().and_then(|length| length.parse().ok());
                length.map(BodyLength::Declared).ok_or_else(|| Rejection::BadValue {
                    name: header::CONTENT_LENGTH.as_str().into(),
                    problem: "must be a whole number of bytes".into(),
                })
            }
            None if front == Front::Rest => Ok(BodyLength::Untold),
            None if delivered > 0 => Ok(BodyLength::Chunked),
            None => Ok(BodyLength::Undeclared),
        }
    }

    /// The body of a POST, which is meant for us.
    pub(super) fn post_body(&self) -> Result<Bytes, Rejection> {
        let body = self
            .body
            .as_deref()
            .filter(|_| self.method() == "POST")
            .unwrap_or_default();
        if !self.is_base64_encoded {
            return Ok(Bytes::copy_from_slice(body.as_bytes()));
        }
        let bad = |_| Rejection::BadValue {
            name: "body".into(),
            problem: "did not arrive whole".into(),
        };
        BASE64_STANDARD.decode(body).map(Bytes::from).map_err(bad)
    }

    fn delivered_bytes(&self) -> u64 {
        let body = self.body.as_deref().unwrap_or_default();
        let bytes = if self.is_base64_encoded {
            body.trim_end_matches('=').len() * 3 / 4
        } else {
            body.len()
        };
        bytes as u64
    }
}
