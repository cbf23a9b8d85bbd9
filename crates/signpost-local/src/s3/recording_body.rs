//! A request body that records its bytes while it is read.
//!
//! `s3s` parses the body of `DeleteObjects` and discards the bytes, but the checksum that S3 requires covers the bytes.
//! `s3s` limits the size: it stops reading a body that is too long.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

/// The recorded bytes, an extension of the request.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecordedBytes(Arc<Mutex<BytesMut>>);

/// A body that records its bytes.
#[derive(Debug)]
pub(crate) struct RecordingBody<B> {
    body: B,
    recorded_bytes: Option<RecordedBytes>,
}

impl RecordedBytes {
    /// Calls `use_bytes` with the bytes that have been read so far.
    pub(crate) fn with_bytes<T>(&self, use_bytes: impl FnOnce(&[u8]) -> T) -> T {
        use_bytes(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<B> RecordingBody<B> {
    /// Records the bytes of `body` in `recorded_bytes`, if it is `Some`.
    pub(crate) const fn new(body: B, recorded_bytes: Option<RecordedBytes>) -> Self {
        Self { body, recorded_bytes }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for RecordingBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let (Some(RecordedBytes(recorded)), Some(Ok(frame))) = (&self.recorded_bytes, &frame)
            && let Some(data) = frame.data_ref()
        {
            recorded
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend_from_slice(data);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
