//! The bytes of an upload: of a piece of a file, or from memory. They can be read again for another attempt.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, Stream};
use reqwest::Body;

use crate::checksum::{Algorithm, Checksum};
use crate::problem::Problem;
use crate::progress::Progress;

/// How much of a file is in memory at once.
const CHUNK: u64 = 256 * 1024;

/// Where the bytes are.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A piece of a file.
    File { file: Arc<File>, start: u64, len: u64 },
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
            Self::File { file, start, len } => file.metadata().is_ok_and(|now| now.len() < start + len),
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
            Self::File { file, start, len } => Body::wrap_stream(pieces(Arc::clone(file), *start, *len, flow.clone())),
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
            Self::File { file, start, len } => hash(file, *start, *len, algorithm),
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
    let mut buffer = vec![0; usize::try_from(len.min(CHUNK)).expect("a chunk is small")];
    let (mut at, end) = (start, start + len);
    while at < end {
        let chunk = &mut buffer[..usize::try_from((end - at).min(CHUNK)).expect("a chunk is small")];
        file.read_exact_at(chunk, at)?;
        hasher.update(chunk);
        at += chunk.len() as u64;
    }
    Ok(hasher.finish())
}

fn pieces(file: Arc<File>, start: u64, len: u64, flow: Flow) -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::try_unfold(start, move |at| {
        let (file, flow, end) = (Arc::clone(&file), flow.clone(), start + len);
        async move {
            if at == end {
                return Ok(None);
            }
            let reading = tokio::task::spawn_blocking(move || read(&file, at, end));
            let piece = reading.await.expect("reading does not panic")?;
            flow.passed(piece.len());
            let next = at + piece.len() as u64;
            Ok(Some((piece, next)))
        }
    })
}

fn slices(chunks: &[Bytes], flow: &Flow) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
    let size = usize::try_from(CHUNK).expect("it is small");
    let slices = |chunk: &Bytes| {
        let starts = (0..chunk.len()).step_by(size);
        let slice = |start| chunk.slice(start..chunk.len().min(start + size));
        starts.map(slice).collect::<Vec<_>>()
    };
    let slices: Vec<_> = chunks.iter().flat_map(slices).collect();
    let flow = flow.clone();
    stream::iter(slices.into_iter().map(move |slice| {
        flow.passed(slice.len());
        Ok(slice)
    }))
}

/// What stands at `at`, up to `end` and not too much of it.
fn read(file: &File, at: u64, end: u64) -> io::Result<Bytes> {
    let mut piece = vec![0; usize::try_from((end - at).min(CHUNK)).expect("a chunk is small")];
    file.read_exact_at(&mut piece, at)?;
    Ok(piece.into())
}
