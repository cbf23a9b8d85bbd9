//! A request body that is read to its end even if the response does not depend on it.
//!
//! If the server closes a socket while the client is still sending, the operating system resets the connection. The
//! client can then lose the response. Therefore the unread rest of a body is discarded in the background, within limits.
//! A client that waits for `100 Continue` has not sent any of the body, so there is nothing to discard.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

/// Maximum number of bytes to discard.
const MAX_DRAIN_BYTES: u64 = 64 * 1024 * 1024;
/// Maximum time to discard the rest of a body.
const MAX_DRAIN_TIME: Duration = Duration::from_secs(10);

/// A request body that is drained when it is dropped.
#[derive(Debug)]
pub(crate) struct DrainingBody {
    body: Option<Incoming>,
    drain_on_drop: bool,
}

impl DrainingBody {
    /// Wraps a body. `drain_on_drop` is false for a client that waits for `100 Continue`.
    pub(crate) fn new(body: Incoming, drain_on_drop: bool) -> Self {
        Self {
            body: Some(body),
            drain_on_drop,
        }
    }
}

impl Body for DrainingBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        // The first read sends `100 Continue`, so the client can be sending from now on.
        self.drain_on_drop = true;
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for DrainingBody {
    fn drop(&mut self) {
        if let Some(body) = self.body.take()
            && self.drain_on_drop
            && !body.is_end_stream()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move {
                let _ = tokio::time::timeout(MAX_DRAIN_TIME, drain_body(body)).await;
            });
        }
    }
}

async fn drain_body(mut body: Incoming) {
    let mut read = 0;
    while let Some(Ok(frame)) = body.frame().await {
        read += frame.data_ref().map_or(0, |data| data.len() as u64);
        if read > MAX_DRAIN_BYTES {
            return;
        }
    }
}
