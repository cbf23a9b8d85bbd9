//! The bytes of an upload: a range of a file, or memory. They can be read again for another attempt.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, Stream};
use futures::{StreamExt as _, TryStreamExt as _};
use reqwest::Body;

use crate::blocking_task::run_blocking;
use crate::buffer_pool::BufferPool;
use crate::checksum::{ChecksumAlgorithm, ContentChecksum};
use crate::operation_error::OperationError;
use crate::platform;
use crate::progress::TransferProgress;

/// The number of bytes that are read at once.
pub(crate) const CHUNK_SIZE: usize = 256 * 1024;

/// The source of the bytes.
#[derive(Clone, Debug)]
pub(crate) enum UploadSource {
    /// A range of a file.
    File {
        file: Arc<File>,
        start: u64,
        len: u64,
        /// A pool of buffers of `CHUNK_SIZE` bytes.
        pool: BufferPool,
    },
    /// Chunks in memory, in order.
    Memory(Arc<[Bytes]>),
}

/// Counts the bytes that one attempt has sent. If the attempt fails, they are removed from the progress.
#[derive(Clone, Debug)]
pub(crate) struct ByteCounter(Arc<CounterState>);

#[derive(Debug)]
struct CounterState {
    bytes: AtomicU64,
    progress: TransferProgress,
}

impl UploadSource {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::File { len, .. } => *len,
            Self::Memory(chunks) => chunks.iter().map(|chunk| chunk.len() as u64).sum(),
        }
    }

    /// Returns true if the file is shorter than the range.
    pub(crate) fn is_truncated(&self) -> bool {
        match self {
            Self::File { file, start, len, .. } => file.metadata().is_ok_and(|now| now.len() < start + len),
            Self::Memory(_) => false,
        }
    }

    /// The body for one attempt, and its byte counter.
    pub(crate) fn body(&self, progress: &TransferProgress) -> (Body, ByteCounter) {
        let counter = ByteCounter(Arc::new(CounterState {
            bytes: AtomicU64::new(0),
            progress: progress.clone(),
        }));
        let body = match self {
            // For an empty stream, hyper would use chunked encoding, which S3 rejects.
            _ if self.len() == 0 => Body::from(Bytes::new()),
            Self::File { file, start, len, pool } => {
                let chunks = file_chunks(Arc::clone(file), pool.clone(), *start, start + len);
                let counter = counter.clone();
                Body::wrap_stream(chunks.inspect_ok(move |chunk| counter.add(chunk.len())))
            }
            Self::Memory(chunks) => Body::wrap_stream(memory_chunks(chunks, &counter)),
        };
        (body, counter)
    }

    /// The checksum of all bytes, computed on a blocking thread.
    pub(crate) async fn checksum(&self, algorithm: ChecksumAlgorithm) -> Result<ContentChecksum, OperationError> {
        let source = self.clone();
        let hashed = run_blocking(move || source.hash(algorithm)).await;
        hashed.map_err(|error| OperationError::io("failed to read the file", &error))
    }

    fn hash(&self, algorithm: ChecksumAlgorithm) -> io::Result<ContentChecksum> {
        match self {
            Self::Memory(chunks) => {
                let mut hasher = algorithm.hasher();
                chunks.iter().for_each(|chunk| hasher.update(chunk));
                Ok(hasher.finish())
            }
            Self::File { file, start, len, .. } => hash_range(file, *start, *len, algorithm),
        }
    }
}

impl ByteCounter {
    fn add(&self, bytes: usize) {
        let bytes = bytes as u64;
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.0.progress.add_bytes(bytes);
    }

    /// Removes the bytes of a failed attempt from the progress.
    pub(crate) fn roll_back(&self) {
        self.0.progress.remove_bytes(self.0.bytes.swap(0, Ordering::Relaxed));
    }

    /// Returns when no bytes have been sent for `timeout`.
    pub(crate) async fn wait_until_stalled(&self, timeout: Duration) {
        let mut previous = self.0.bytes.load(Ordering::Relaxed);
        loop {
            tokio::time::sleep(timeout).await;
            let now = self.0.bytes.load(Ordering::Relaxed);
            if now == previous {
                return;
            }
            previous = now;
        }
    }
}

/// The checksum of a range of a file.
pub(crate) fn hash_range(
    file: &File,
    start: u64,
    len: u64,
    algorithm: ChecksumAlgorithm,
) -> io::Result<ContentChecksum> {
    let mut hasher = algorithm.hasher();
    let mut buffer = vec![0; chunk_len(start, start + len)];
    let (mut at, end) = (start, start + len);
    while at < end {
        let chunk = &mut buffer[..chunk_len(at, end)];
        platform::read_exact_at(file, chunk, at)?;
        hasher.update(chunk);
        at += chunk.len() as u64;
    }
    Ok(hasher.finish())
}

/// Streams a range of a file. The next chunk is read while the previous chunk is being sent.
fn file_chunks(
    file: Arc<File>,
    pool: BufferPool,
    start: u64,
    end: u64,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let starts = stream::iter((start..end).step_by(CHUNK_SIZE));
    let read = move |at| {
        let (file, pool) = (Arc::clone(&file), pool.clone());
        let reading = move || pool.read_with(chunk_len(at, end), |buffer| platform::read_exact_at(&file, buffer, at));
        run_blocking(reading)
    };
    starts.map(read).buffered(2)
}

/// The length of the chunk at `at`, for a range that ends at `end`.
fn chunk_len(at: u64, end: u64) -> usize {
    usize::try_from(end - at).map_or(CHUNK_SIZE, |len| len.min(CHUNK_SIZE))
}

fn memory_chunks(chunks: &[Bytes], counter: &ByteCounter) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
    let slices = |chunk: &Bytes| {
        let starts = (0..chunk.len()).step_by(CHUNK_SIZE);
        let slice = |start| chunk.slice(start..chunk.len().min(start + CHUNK_SIZE));
        starts.map(slice).collect::<Vec<_>>()
    };
    let slices: Vec<_> = chunks.iter().flat_map(slices).collect();
    let counter = counter.clone();
    stream::iter(slices.into_iter().map(move |slice| {
        counter.add(slice.len());
        Ok(slice)
    }))
}
