//! Buffers the complete request body in bounded memory before the request is handled, as every front does.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;

/// Maximum time to discard the rest of a body that is too large.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum time between two frames of a body.
const READ_TIMEOUT: Duration = Duration::from_mins(1);

/// The result of reading a body.
#[derive(Debug)]
pub(crate) enum RequestBody {
    /// The complete body.
    Complete(Bytes),
    /// The body exceeds the limit of the front. The rest has been discarded.
    TooLarge,
    /// The client closed the connection, paused for too long or sent invalid chunks.
    Incomplete,
}

/// Reads `body` up to `limit` bytes.
pub(crate) async fn read_body(mut body: Incoming, limit: usize, headers: &HeaderMap) -> RequestBody {
    if body.size_hint().lower() > limit as u64 {
        // A client that waits for `100 Continue` has not sent any of the body.
        if !expects_continue(headers) {
            drain_body(body).await;
        }
        return RequestBody::TooLarge;
    }
    let mut buffer = BytesMut::new();
    loop {
        let Ok(frame) = tokio::time::timeout(READ_TIMEOUT, body.frame()).await else {
            return RequestBody::Incomplete;
        };
        match frame {
            None => return RequestBody::Complete(buffer.freeze()),
            Some(Err(_)) => return RequestBody::Incomplete,
            Some(Ok(frame)) => buffer.extend_from_slice(&frame.into_data().unwrap_or_default()),
        }
        if buffer.len() > limit {
            drop(buffer);
            drain_body(body).await;
            return RequestBody::TooLarge;
        }
    }
}

/// Discards the rest of the body. Otherwise a client that is still sending sees a connection reset, not the response.
async fn drain_body(mut body: Incoming) {
    let rest = async { while let Some(Ok(_)) = body.frame().await {} };
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, rest).await;
}

fn expects_continue(headers: &HeaderMap) -> bool {
    let expected = headers.get(header::EXPECT);
    expected.is_some_and(|expected| expected.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}
