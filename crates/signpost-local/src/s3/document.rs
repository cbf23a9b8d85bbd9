//! A request body that is kept while it is read.
//!
//! `s3s` reads a list of keys into a value and lets go of its bytes, but the checksum that S3 demands of a client is
//! over those. The limit is that of `s3s`, which stops reading behind it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

/// The bytes of a document; it travels beside the request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Document(Arc<Mutex<BytesMut>>);

/// A body whose bytes are kept.
#[derive(Debug)]
pub(crate) struct Kept<B> {
    body: B,
    document: Option<Document>,
}

impl Document {
    /// What has been read.
    pub(crate) fn read<T>(&self, with: impl FnOnce(&[u8]) -> T) -> T {
        with(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<B> Kept<B> {
    /// Keeps what is read of a body in a document, if there is one.
    pub(crate) const fn new(body: B, document: Option<Document>) -> Self {
        Self { body, document }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Kept<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let (Some(Document(kept)), Some(Ok(frame))) = (&self.document, &frame)
            && let Some(data) = frame.data_ref()
        {
            kept.lock()
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
