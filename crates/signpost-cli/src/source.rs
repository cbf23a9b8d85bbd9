//! The bytes of an upload: of a piece of a file, or from memory. They can be read again for another attempt.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, Stream};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use reqwest::Body;

use crate::buffers::Pool;
use crate::checksum::{Algorithm, Checksum};
use crate::problem::Problem;
use crate::progress::Progress;

/// How much of a file is read at once.
pub(crate) const CHUNK: usize = 256 * 1024;

/// Where the bytes are.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A piece of a file.
    File {
        file: Arc<File>,
        start: u64,
        len: u64,
        /// Of buffers that take a chunk.
        pool: Pool,
    },
    /// All of these, one after the other.
    Memory(Arc<[Bytes]>),
}

/// How many bytes have gone out in one attempt. One that fails takes them out of the progress again.
#[derive(Clone, Debug)]
pub(crate) struct Flow(Arc<Counted>);

#[derive(Debug)]
struct Counted {
    bytes: AtomicU64,
    progress: Progress,
}

impl Source {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::File { len, .. } => *len,
            Self::Memory(chunks) => chunks.iter().map(|chunk| chunk.len() as u64).sum(),
        }
    }

    /// Whether the file ends before the bytes do.
    pub(crate) fn is_cut_short(&self) -> bool {
        match self {
            Self::File { file, start, len, .. } => file.metadata().is_ok_and(|now| now.len() < start + len),
            Self::Memory(_) => false,
        }
    }

    /// A body for one attempt, and what has flowed of it.
    pub(crate) fn body(&self, progress: &Progress) -> (Body, Flow) {
        let flow = Flow(Arc::new(Counted {
            bytes: AtomicU64::new(0),
            progress: progress.clone(),
        }));
        let body = match self {
            // hyper asks a body of no length for its end by sending it in chunks, which S3 refuses.
            _ if self.len() == 0 => Body::from(Bytes::new()),
            Self::File { file, start, len, pool } => {
                let chunks = chunks(Arc::clone(file), pool.clone(), *start, start + len);
                let flow = flow.clone();
                Body::wrap_stream(chunks.inspect_ok(move |chunk| flow.passed(chunk.len())))
            }
            Self::Memory(chunks) => Body::wrap_stream(slices(chunks, &flow)),
        };
        (body, flow)
    }

    /// The checksum of all the bytes, computed beside the transfers.
    pub(crate) async fn checksum(&self, algorithm: Algorithm) -> Result<Checksum, Problem> {
        let source = self.clone();
        let hashed = tokio::task::spawn_blocking(move || source.hash(algorithm)).await;
        hashed
            .expect("hashing does not panic")
            .map_err(|error| Problem::io("can't read the file", &error))
    }

    fn hash(&self, algorithm: Algorithm) -> io::Result<Checksum> {
        match self {
            Self::Memory(chunks) => {
                let mut hasher = algorithm.hasher();
                chunks.iter().for_each(|chunk| hasher.update(chunk));
                Ok(hasher.finish())
            }
            Self::File { file, start, len, .. } => hash(file, *start, *len, algorithm),
        }
    }
}

impl Flow {
    fn passed(&self, bytes: usize) {
        let bytes = bytes as u64;
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.0.progress.advance(bytes);
    }

    /// The attempt has failed: nothing of it counts.
    pub(crate) fn failed(&self) {
        self.0.progress.take_back(self.0.bytes.swap(0, Ordering::Relaxed));
    }

    /// Ends when nothing has flowed for so long.
    pub(crate) async fn stalled(&self, silence: Duration) {
        let mut seen = self.0.bytes.load(Ordering::Relaxed);
        loop {
            tokio::time::sleep(silence).await;
            let now = self.0.bytes.load(Ordering::Relaxed);
            if now == seen {
                return;
            }
            seen = now;
        }
    }
}

/// The checksum of a piece of a file.
pub(crate) fn hash(file: &File, start: u64, len: u64, algorithm: Algorithm) -> io::Result<Checksum> {
    let mut hasher = algorithm.hasher();
    let mut buffer = vec![0; chunk_len(start, start + len)];
    let (mut at, end) = (start, start + len);
    while at < end {
        let chunk = &mut buffer[..chunk_len(at, end)];
        file.read_exact_at(chunk, at)?;
        hasher.update(chunk);
        at += chunk.len() as u64;
    }
    Ok(hasher.finish())
}

/// A piece of a file. The next chunk is read while the one before is being sent.
fn chunks(file: Arc<File>, pool: Pool, start: u64, end: u64) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let starts = stream::iter((start..end).step_by(CHUNK));
    let read = move |at| {
        let (file, pool) = (Arc::clone(&file), pool.clone());
        let reading = move || pool.read(chunk_len(at, end), |buffer| file.read_exact_at(buffer, at));
        tokio::task::spawn_blocking(reading).map(|read| read.expect("reading does not panic"))
    };
    starts.map(read).buffered(2)
}

/// How much is read at `at` of what ends at `end`.
fn chunk_len(at: u64, end: u64) -> usize {
    usize::try_from(end - at).map_or(CHUNK, |len| len.min(CHUNK))
}

fn slices(chunks: &[Bytes], flow: &Flow) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
    let slices = |chunk: &Bytes| {
        let starts = (0..chunk.len()).step_by(CHUNK);
        let slice = |start| chunk.slice(start..chunk.len().min(start + CHUNK));
        starts.map(slice).collect::<Vec<_>>()
    };
    let slices: Vec<_> = chunks.iter().flat_map(slices).collect();
    let flow = flow.clone();
    stream::iter(slices.into_iter().map(move |slice| {
        flow.passed(slice.len());
        Ok(slice)
    }))
}
