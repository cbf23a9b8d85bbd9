//! Writes a piece of a file while its checksum is computed, beside the transfers.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use bytes::Bytes;

use crate::checksum::{Algorithm, Checksum, Hasher};
use crate::problem::Problem;

/// How much gathers before it is written.
const BATCH: usize = 1024 * 1024;

/// A piece of a file in the making.
pub(crate) struct Writer {
    /// None while it writes.
    pen: Option<Pen>,
    gathered: Vec<Bytes>,
    len: usize,
}

struct Pen {
    file: File,
    at: u64,
    hasher: Hasher,
}

impl Writer {
    /// Writes to `file` from `at` on.
    pub(crate) fn new(file: File, at: u64, algorithm: Algorithm) -> Self {
        Self {
            pen: Some(Pen {
                file,
                at,
                hasher: algorithm.hasher(),
            }),
            gathered: Vec::new(),
            len: 0,
        }
    }

    /// Takes the next bytes.
    pub(crate) async fn take(&mut self, bytes: Bytes) -> Result<(), Problem> {
        self.len += bytes.len();
        self.gathered.push(bytes);
        if self.len >= BATCH { self.write().await } else { Ok(()) }
    }

    /// Writes what is left, and gives the checksum of all.
    pub(crate) async fn finish(mut self) -> Result<Checksum, Problem> {
        self.write().await?;
        let pen = self.pen.expect("it is back when nothing is being written");
        Ok(pen.hasher.finish())
    }

    async fn write(&mut self) -> Result<(), Problem> {
        self.len = 0;
        let gathered = std::mem::take(&mut self.gathered);
        let mut pen = self.pen.take().expect("it is back when nothing is being written");
        let writing = tokio::task::spawn_blocking(move || (pen.write(&gathered), pen)).await;
        let (written, pen) = writing.expect("writing does not panic");
        self.pen = Some(pen);
        written.map_err(|error| Problem::io("can't write the file", &error))
    }
}

impl Pen {
    fn write(&mut self, gathered: &[Bytes]) -> io::Result<()> {
        for bytes in gathered {
            self.file.write_all_at(bytes, self.at)?;
            self.hasher.update(bytes);
            self.at += bytes.len() as u64;
        }
        Ok(())
    }
}
