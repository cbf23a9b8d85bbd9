//! Writes a request body to disk and computes its hashes, in batches of a few hundred kilobytes.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use s3s::dto::StreamingBlob;
use s3s::{S3Error, S3Result, s3_error};

use super::checksums::{BodyHasher, BodyHashes};
use super::{S3Backend, s3_errors};
use crate::s3::store::StoreError;
use crate::s3::store::blobs::{BlobWriter, UncommittedBlob};
use crate::s3::store::records::BlobSegment;

/// Number of bytes that are written to disk at once.
const BATCH_BYTES: usize = 512 * 1024;

/// Maximum time between two chunks of a body.
const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// A body on disk that is not in the index yet.
pub(super) struct StoredBody {
    pub(super) blob: UncommittedBlob,
    pub(super) size: u64,
    pub(super) hashes: BodyHashes,
}

impl StoredBody {
    pub(super) fn segment(&self) -> BlobSegment {
        BlobSegment {
            blob: self.blob.id().to_owned(),
            size: self.size,
            checksum: None,
        }
    }
}

struct BodySink {
    writer: BlobWriter,
    hasher: BodyHasher,
}

impl BodySink {
    fn append(mut self, chunks: &[Bytes]) -> Result<Self, StoreError> {
        for chunk in chunks {
            self.hasher.update(chunk);
        }
        self.writer.write(chunks)?;
        Ok(self)
    }

    fn finish(self) -> Result<StoredBody, StoreError> {
        let size = self.writer.size();
        Ok(StoredBody {
            blob: self.writer.finish()?,
            size,
            hashes: self.hasher.finish(),
        })
    }
}

impl S3Backend {
    /// Stores a body. If its length differs from the declared length, the body is removed again.
    pub(super) async fn store_body(
        &self,
        body: Option<StreamingBlob>,
        declared_length: Option<i64>,
        hasher: BodyHasher,
    ) -> S3Result<StoredBody> {
        let mut sink = self
            .with_store(move |store| {
                Ok(BodySink {
                    writer: store.blobs.create()?,
                    hasher,
                })
            })
            .await?;
        let mut batch = ChunkBatch::default();
        if let Some(mut body) = body {
            while let Some(chunk) = next_chunk(&mut body).await? {
                batch.push(chunk);
                if batch.size >= BATCH_BYTES {
                    let full = batch.take();
                    sink = self.with_store(move |_| sink.append(&full)).await?;
                }
            }
        }
        let rest = batch.take();
        let stored_body = self.with_store(move |_| sink.append(&rest)?.finish()).await?;
        match declared_length.map(u64::try_from) {
            Some(Ok(length)) if length != stored_body.size => Err(incomplete_body()),
            _ => Ok(stored_body),
        }
    }
}

#[derive(Default)]
struct ChunkBatch {
    chunks: Vec<Bytes>,
    size: usize,
}

impl ChunkBatch {
    fn push(&mut self, chunk: Bytes) {
        self.size += chunk.len();
        self.chunks.push(chunk);
    }

    fn take(&mut self) -> Vec<Bytes> {
        self.size = 0;
        std::mem::take(&mut self.chunks)
    }
}

async fn next_chunk(body: &mut StreamingBlob) -> S3Result<Option<Bytes>> {
    match tokio::time::timeout(READ_TIMEOUT, body.next()).await {
        Ok(None) => Ok(None),
        Ok(Some(Ok(chunk))) => Ok(Some(chunk)),
        Ok(Some(Err(error))) => Err(body_error(&*error)),
        Err(_) => Err(s3_error!(
            RequestTimeout,
            "Your socket connection to the server was not read from or written to within the timeout period."
        )),
    }
}

/// Converts a body error. The error types of `s3s` are private, so this compares their messages.
fn body_error(error: &(dyn std::error::Error + 'static)) -> S3Error {
    let text = error.to_string();
    if text.contains("Sha256Mismatch") {
        return s3_errors::payload_hash_mismatch();
    }
    if text.contains("SignatureMismatch") {
        let message = "The request signature we calculated does not match the signature you provided. Check your key \
                       and signing method.";
        return s3_error!(SignatureDoesNotMatch, "{message}");
    }
    incomplete_body()
}

fn incomplete_body() -> S3Error {
    s3_error!(
        IncompleteBody,
        "You did not provide the number of bytes specified by the Content-Length HTTP header"
    )
}
