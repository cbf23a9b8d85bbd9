//! Uploads standard input, a FIFO or a device, whose length is unknown. A short stream takes one request, and a long stream
//! takes parts of increasing size. Only a few parts are in memory at a time.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::FuturesUnordered;
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::pending_upload::{PendingUpload, upload_part};
use super::upload_target::{UploadResult, UploadTarget};
use crate::blocking_task::run_blocking;
use crate::buffer_pool::BufferPool;
use crate::checksum::combine_checksums;
use crate::exit_status::ExitStatus;
use crate::multipart_xml::{ALGORITHM, UploadedPart};
use crate::operation_error::OperationError;
use crate::part_layout::{Part, stream_part_size};
use crate::upload_source::UploadSource;

/// The size of a buffer.
const BUFFER_SIZE: usize = 1024 * 1024;

/// The maximum number of buffers in memory: as many as one part of the largest size needs.
const MAX_BUFFERS: usize = 128;

/// A part in memory.
struct BufferedPart {
    part: Part,
    chunks: Arc<[Bytes]>,
    /// The permit for the memory of the part. It is released when the part is stored.
    memory_permit: OwnedSemaphorePermit,
}

/// A source that can be read only once.
#[derive(Clone)]
pub(super) enum ByteStream {
    Stdin,
    File(Arc<File>),
}

/// Reads a stream part by part.
struct PartReader {
    stream: ByteStream,
    memory_permit: Arc<Semaphore>,
    pool: BufferPool,
    next: u32,
    at: u64,
}

impl UploadTarget<'_> {
    /// Uploads a stream.
    pub(super) async fn upload_stream(&self, stream: ByteStream) -> Result<UploadResult, OperationError> {
        let mut reader = PartReader {
            stream,
            memory_permit: Arc::new(Semaphore::new(MAX_BUFFERS)),
            pool: BufferPool::new(BUFFER_SIZE),
            next: 1,
            at: 0,
        };
        let first = reader.read_part().await?;
        let stored = if first.is_full() {
            let pending = PendingUpload::begin(self, None).await?;
            let stored = self.upload_parts(&pending, reader, first).await;
            if stored.is_err() {
                // Standard input cannot be read again, so the upload cannot be resumed.
                pending.abort(self).await;
            }
            stored
        } else {
            self.upload_single(&UploadSource::Memory(first.chunks)).await
        };
        if stored.is_ok() {
            self.session.progress.finish_file();
        }
        stored
    }

    async fn upload_parts(
        &self,
        pending: &PendingUpload,
        mut reader: PartReader,
        first: BufferedPart,
    ) -> Result<UploadResult, OperationError> {
        let mut sending = FuturesUnordered::new();
        let mut parts = Vec::new();
        let mut next = Some(first);
        while let Some(buffered) = next {
            self.session.progress.correct_length(0, buffered.part.len);
            let is_last = !buffered.is_full();
            sending.push(self.send(pending, buffered));
            next = if is_last {
                None
            } else {
                self.read_next_while_sending(&mut reader, &mut sending, &mut parts)
                    .await?
            };
        }
        while let Some(part) = sending.try_next().await? {
            parts.push(part);
        }
        parts.sort_by_key(|(part, _)| part.number);
        let checksum = combine_checksums(parts.iter().map(|(part, uploaded)| (*part, &uploaded.checksum)));
        let checksum = checksum.expect("all checksums have the same algorithm");
        let parts: Vec<_> = parts.into_iter().map(|(_, uploaded)| uploaded).collect();
        let etag = pending.complete(self, &parts, &checksum, reader.at).await?;
        Ok(UploadResult {
            bytes: reader.at,
            checksum,
            etag,
            bytes_skipped: 0,
        })
    }

    /// Reads the next part while other parts are being sent. Returns `None` at the end of the stream.
    async fn read_next_while_sending(
        &self,
        reader: &mut PartReader,
        sending: &mut FuturesUnordered<impl Future<Output = Result<(Part, UploadedPart), OperationError>>>,
        parts: &mut Vec<(Part, UploadedPart)>,
    ) -> Result<Option<BufferedPart>, OperationError> {
        let reading = reader.read_part();
        tokio::pin!(reading);
        loop {
            tokio::select! {
                buffered = &mut reading => return Ok(Some(buffered?).filter(|buffered| buffered.part.len > 0)),
                Some(part) = sending.next() => parts.push(part?),
            }
        }
    }

    async fn send(
        &self,
        pending: &PendingUpload,
        buffered: BufferedPart,
    ) -> Result<(Part, UploadedPart), OperationError> {
        let BufferedPart {
            part,
            chunks,
            memory_permit,
        } = buffered;
        let source = UploadSource::Memory(chunks);
        let checksum = source.checksum(ALGORITHM).await?;
        let prefetched = pending.prefetch_part(self, part.number, part.len, &checksum).await;
        let uploaded = upload_part(self.session, &source, part.number, checksum, prefetched).await?;
        drop((source, memory_permit));
        Ok((part, uploaded))
    }
}

impl ByteStream {
    /// Opens a FIFO or a device. To open a FIFO, another program must open it for writing.
    pub(super) async fn open(path: &Path) -> Result<Self, OperationError> {
        let opened = {
            let path = path.to_owned();
            run_blocking(move || File::open(path)).await
        };
        opened
            .map(|file| Self::File(Arc::new(file)))
            .map_err(|error| OperationError::io(format_args!("failed to read {}", path.display()), &error))
    }
}

impl PartReader {
    /// Reads a part when enough memory is available.
    async fn read_part(&mut self) -> Result<BufferedPart, OperationError> {
        let size = stream_part_size(self.next).ok_or_else(too_long)?;
        let buffers = usize::try_from(size)
            .expect("a part fits into memory")
            .div_ceil(BUFFER_SIZE);
        let memory_permit = Arc::clone(&self.memory_permit)
            .acquire_many_owned(u32::try_from(buffers).expect("a part fits into memory"))
            .await
            .expect("the semaphore is never closed");
        let pool = self.pool.clone();
        let stream = self.stream.clone();
        let reading = run_blocking(move || match stream {
            ByteStream::Stdin => pool.read_chunks(buffers, &mut io::stdin().lock()),
            ByteStream::File(file) => pool.read_chunks(buffers, &mut &*file),
        })
        .await;
        let chunks: Arc<[Bytes]> = reading
            .map_err(|error| OperationError::io("failed to read the stream", &error))?
            .into();
        let len = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        let part = Part {
            number: self.next,
            start: self.at,
            len,
        };
        self.next += 1;
        self.at = part.end();
        Ok(BufferedPart {
            part,
            chunks,
            memory_permit,
        })
    }
}

impl BufferedPart {
    /// Returns true if more parts can follow.
    fn is_full(&self) -> bool {
        stream_part_size(self.part.number) == Some(self.part.len)
    }
}

fn too_long() -> OperationError {
    OperationError::new(
        ExitStatus::Failure,
        "the stream exceeds the maximum length for standard input",
    )
    .with_remedy("Write it to a file, and upload the file.")
}
