//! An object from standard input, whose length nobody knows before its end: one request for a short one, parts that
//! grow for a long one, and never more than a few of them in memory.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::FuturesUnordered;
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::parts::joined;
use super::pending::{Pending, send_part};
use super::upload::{Stored, Upload};
use crate::buffers::Pool;
use crate::multipart::{ALGORITHM, Part};
use crate::plan::{Piece, growing};
use crate::problem::Problem;
use crate::report::Ending;
use crate::source::Source;

/// The size of a buffer of the stream.
const BUFFER: usize = 1024 * 1024;

/// How many of them are in memory at once: one part of the largest size.
const BUDGET: usize = 128;

/// A part that has been read.
struct Filled {
    piece: Piece,
    chunks: Arc<[Bytes]>,
    /// Lets others be read when the part is stored.
    budget: OwnedSemaphorePermit,
}

/// What is read part by part.
struct Reader {
    budget: Arc<Semaphore>,
    pool: Pool,
    next: u32,
    at: u64,
}

impl Upload<'_> {
    /// Stores what standard input has, to its end.
    pub(super) async fn stdin(&self) -> Result<Stored, Problem> {
        let mut reader = Reader {
            budget: Arc::new(Semaphore::new(BUDGET)),
            pool: Pool::of(BUFFER),
            next: 1,
            at: 0,
        };
        let first = reader.read().await?;
        let stored = if first.is_full() {
            let pending = Pending::begin(self, None).await?;
            let stored = self.stream(&pending, reader, first).await;
            if stored.is_err() {
                // What came through a pipe does not come again.
                pending.abort(self).await;
            }
            stored
        } else {
            self.whole(&Source::Memory(first.chunks)).await
        };
        if stored.is_ok() {
            self.session.progress.file_done();
        }
        stored
    }

    async fn stream(&self, pending: &Pending, mut reader: Reader, first: Filled) -> Result<Stored, Problem> {
        let mut sending = FuturesUnordered::new();
        let mut parts = Vec::new();
        let mut next = Some(first);
        while let Some(filled) = next {
            self.session.progress.amend(0, filled.piece.len);
            let is_last = !filled.is_full();
            sending.push(self.send(pending, filled));
            next = if is_last {
                None
            } else {
                self.read_beside(&mut reader, &mut sending, &mut parts).await?
            };
        }
        while let Some(part) = sending.try_next().await? {
            parts.push(part);
        }
        parts.sort_by_key(|(piece, _)| piece.number);
        let checksum = joined(parts.iter().map(|(piece, part)| (*piece, &part.checksum)));
        let checksum = checksum.expect("the checksums were computed here");
        let parts: Vec<_> = parts.into_iter().map(|(_, part)| part).collect();
        let etag = pending.complete(self, &parts, &checksum, reader.at).await?;
        Ok(Stored {
            bytes: reader.at,
            checksum,
            etag,
            kept: 0,
        })
    }

    /// Reads the next part while others are being sent. `None` at the end of the stream.
    async fn read_beside(
        &self,
        reader: &mut Reader,
        sending: &mut FuturesUnordered<impl Future<Output = Result<(Piece, Part), Problem>>>,
        parts: &mut Vec<(Piece, Part)>,
    ) -> Result<Option<Filled>, Problem> {
        let reading = reader.read();
        tokio::pin!(reading);
        loop {
            tokio::select! {
                filled = &mut reading => return Ok(Some(filled?).filter(|filled| filled.piece.len > 0)),
                Some(part) = sending.next() => parts.push(part?),
            }
        }
    }

    async fn send(&self, pending: &Pending, filled: Filled) -> Result<(Piece, Part), Problem> {
        let Filled { piece, chunks, budget } = filled;
        let source = Source::Memory(chunks);
        let checksum = source.checksum(ALGORITHM).await?;
        let early = pending.early(self, piece.number, piece.len, &checksum).await;
        let part = send_part(self.session, &source, piece.number, checksum, early).await?;
        drop((source, budget));
        Ok((piece, part))
    }
}

impl Reader {
    /// Reads a part, as soon as there is memory for it.
    async fn read(&mut self) -> Result<Filled, Problem> {
        let size = growing(self.next).ok_or_else(too_long)?;
        let buffers = usize::try_from(size).expect("a part is small").div_ceil(BUFFER);
        let budget = Arc::clone(&self.budget)
            .acquire_many_owned(u32::try_from(buffers).expect("a part is small"))
            .await
            .expect("it is never closed");
        let pool = self.pool.clone();
        let reading = tokio::task::spawn_blocking(move || pool.fill(buffers, &mut io::stdin().lock())).await;
        let chunks: Arc<[Bytes]> = reading
            .expect("reading does not panic")
            .map_err(|error| Problem::io("can't read standard input", &error))?
            .into();
        let len = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        let piece = Piece {
            number: self.next,
            start: self.at,
            len,
        };
        self.next += 1;
        self.at = piece.end();
        Ok(Filled { piece, chunks, budget })
    }
}

impl Filled {
    /// Whether more may follow.
    fn is_full(&self) -> bool {
        growing(self.piece.number) == Some(self.piece.len)
    }
}

fn too_long() -> Problem {
    Problem::new(Ending::Failed, "the stream is too long for parts that fit into memory")
        .advising("Write it to a file, and put that.")
}
