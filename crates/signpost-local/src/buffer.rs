//! Reads a request's body to its end before anything else happens, as every front does, in bounded memory.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;

/// How long a client may take to send what nobody will read.
const DRAIN_PATIENCE: Duration = Duration::from_secs(30);

/// How long a client may pause in the middle of a body.
const PAUSE: Duration = Duration::from_mins(1);

/// What became of a body.
#[derive(Debug)]
pub(crate) enum Buffered {
    /// All of it.
    Whole(Bytes),
    /// It is longer than the front takes; the rest has been read and dropped.
    TooLarge,
    /// The client broke off, or sent chunks that are none.
    Broken,
}

/// Reads `body` up to `limit` bytes.
pub(crate) async fn read(mut body: Incoming, limit: usize, headers: &HeaderMap) -> Buffered {
    if body.size_hint().lower() > limit as u64 {
        // A client that waits for `100 Continue` has not begun to send, and need not.
        if !awaits_continue(headers) {
            drain(body).await;
        }
        return Buffered::TooLarge;
    }
    let mut read = BytesMut::new();
    loop {
        let Ok(frame) = tokio::time::timeout(PAUSE, body.frame()).await else {
            return Buffered::Broken;
        };
        match frame {
            None => return Buffered::Whole(read.freeze()),
            Some(Err(_)) => return Buffered::Broken,
            Some(Ok(frame)) => read.extend_from_slice(&frame.into_data().unwrap_or_default()),
        }
        if read.len() > limit {
            drop(read);
            drain(body).await;
            return Buffered::TooLarge;
        }
    }
}

/// Reads what is left, since a client that still sends would see a reset and not the answer.
async fn drain(mut body: Incoming) {
    let rest = async { while let Some(Ok(_)) = body.frame().await {} };
    let _ = tokio::time::timeout(DRAIN_PATIENCE, rest).await;
}

fn awaits_continue(headers: &HeaderMap) -> bool {
    let expected = headers.get(header::EXPECT);
    expected.is_some_and(|expected| expected.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}
