//! Takes a body in: to disk and through the hashes as it arrives, a few hundred kilobytes at a time.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use s3s::dto::StreamingBlob;
use s3s::{S3Error, S3Result, s3_error};

use super::checksums::{Hashed, Hashing};
use super::{Backend, failure};
use crate::s3::store::StoreError;
use crate::s3::store::blobs::{BlobWriter, Draft};
use crate::s3::store::records::Segment;

/// Bytes that are handed to the disk at once.
const BATCH: usize = 512 * 1024;

/// A client that sends nothing for this long has gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// A body on the disk, not yet named by the index.
pub(super) struct Ingested {
    pub(super) draft: Draft,
    pub(super) size: u64,
    pub(super) hashed: Hashed,
}

impl Ingested {
    pub(super) fn segment(&self) -> Segment {
        Segment {
            blob: self.draft.id().to_owned(),
            size: self.size,
        }
    }
}

struct Sink {
    writer: BlobWriter,
    hashing: Hashing,
}

impl Sink {
    fn take(mut self, chunks: &[Bytes]) -> Result<Self, StoreError> {
        for chunk in chunks {
            self.hashing.update(chunk);
        }
        self.writer.write(chunks)?;
        Ok(self)
    }

    fn finish(self) -> Result<Ingested, StoreError> {
        let size = self.writer.size();
        Ok(Ingested {
            draft: self.writer.finish()?,
            size,
            hashed: self.hashing.finish(),
        })
    }
}

impl Backend {
    /// Stores a body of the length that its request declares; a shorter or longer one leaves nothing behind.
    pub(super) async fn ingest(
        &self,
        body: Option<StreamingBlob>,
        declared_length: Option<i64>,
        hashing: Hashing,
    ) -> S3Result<Ingested> {
        let mut sink = self
            .ask(move |store| {
                Ok(Sink {
                    writer: store.blobs.create()?,
                    hashing,
                })
            })
            .await?;
        let mut batch = Batch::default();
        if let Some(mut body) = body {
            while let Some(chunk) = next(&mut body).await? {
                batch.push(chunk);
                if batch.size >= BATCH {
                    let full = batch.take();
                    sink = self.ask(move |_| sink.take(&full)).await?;
                }
            }
        }
        let rest = batch.take();
        let ingested = self.ask(move |_| sink.take(&rest)?.finish()).await?;
        match declared_length.map(u64::try_from) {
            Some(Ok(length)) if length != ingested.size => Err(incomplete()),
            _ => Ok(ingested),
        }
    }
}

#[derive(Default)]
struct Batch {
    chunks: Vec<Bytes>,
    size: usize,
}

impl Batch {
    fn push(&mut self, chunk: Bytes) {
        self.size += chunk.len();
        self.chunks.push(chunk);
    }

    fn take(&mut self) -> Vec<Bytes> {
        self.size = 0;
        std::mem::take(&mut self.chunks)
    }
}

async fn next(body: &mut StreamingBlob) -> S3Result<Option<Bytes>> {
    match tokio::time::timeout(PATIENCE, body.next()).await {
        Ok(None) => Ok(None),
        Ok(Some(Ok(chunk))) => Ok(Some(chunk)),
        Ok(Some(Err(error))) => Err(broken(&*error)),
        Err(_) => Err(s3_error!(
            RequestTimeout,
            "Your socket connection to the server was not read from or written to within the timeout period."
        )),
    }
}

/// `s3s` keeps the types of its body errors to itself, so their words must tell them apart.
fn broken(error: &(dyn std::error::Error + 'static)) -> S3Error {
    let text = error.to_string();
    if text.contains("Sha256Mismatch") {
        return failure::bad_request(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        );
    }
    if text.contains("SignatureMismatch") {
        let message = "The request signature we calculated does not match the signature you provided. Check your key \
                       and signing method.";
        return s3_error!(SignatureDoesNotMatch, "{message}");
    }
    incomplete()
}

fn incomplete() -> S3Error {
    s3_error!(
        IncompleteBody,
        "You did not provide the number of bytes specified by the Content-Length HTTP header"
    )
}
