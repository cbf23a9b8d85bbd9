//! A request body that is read to its end even when the answer did not need it.
//!
//! Closing a socket on which the client still sends makes the system reset it, and the client may lose the very
//! answer that says why. So what a refusal leaves unread is read and dropped, in the background and within
//! limits. A client that waits for `100 Continue` has not begun to send, and is not asked to.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

const MOST_BYTES: u64 = 64 * 1024 * 1024;
const LONGEST: Duration = Duration::from_secs(10);

/// The body of a request; see the module.
#[derive(Debug)]
pub(crate) struct LingeringBody {
    body: Option<Incoming>,
    lingers: bool,
}

impl LingeringBody {
    /// Wraps a body; `lingers` is false for a client that waits for `100 Continue`.
    pub(crate) fn new(body: Incoming, lingers: bool) -> Self {
        Self {
            body: Some(body),
            lingers,
        }
    }
}

impl Body for LingeringBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        // From the first read on, the client has been told to send.
        self.lingers = true;
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

impl Drop for LingeringBody {
    fn drop(&mut self) {
        if let Some(body) = self.body.take()
            && self.lingers
            && !body.is_end_stream()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move {
                let _ = tokio::time::timeout(LONGEST, drain(body)).await;
            });
        }
    }
}

async fn drain(mut body: Incoming) {
    let mut read = 0;
    while let Some(Ok(frame)) = body.frame().await {
        read += frame.data_ref().map_or(0, |data| data.len() as u64);
        if read > MOST_BYTES {
            return;
        }
    }
}
