//! Writes a range of a file and computes its checksum, on a blocking thread.

use std::fs::File;
use std::io;

use bytes::Bytes;

use crate::blocking_task::run_blocking;
use crate::checksum::{ChecksumAlgorithm, ChecksumHasher, ContentChecksum};
use crate::operation_error::OperationError;
use crate::platform;

/// The number of bytes that are collected before they are written.
const BATCH_SIZE: usize = 1024 * 1024;

/// A range of a file that is being written.
pub(crate) struct PartWriter {
    /// `None` while a write is running.
    writer: Option<FileWriter>,
    pending: Vec<Bytes>,
    len: usize,
}

struct FileWriter {
    file: File,
    at: u64,
    hasher: ChecksumHasher,
}

impl PartWriter {
    /// Writes to `file`, starting at `offset`.
    pub(crate) fn new(file: File, at: u64, algorithm: ChecksumAlgorithm) -> Self {
        Self {
            writer: Some(FileWriter {
                file,
                at,
                hasher: algorithm.hasher(),
            }),
            pending: Vec::new(),
            len: 0,
        }
    }

    /// Appends bytes.
    pub(crate) async fn append(&mut self, bytes: Bytes) -> Result<(), OperationError> {
        self.len += bytes.len();
        self.pending.push(bytes);
        if self.len >= BATCH_SIZE {
            self.write().await
        } else {
            Ok(())
        }
    }

    /// Writes the remaining bytes, and returns the checksum of the range.
    pub(crate) async fn finish(mut self) -> Result<ContentChecksum, OperationError> {
        self.write().await?;
        let writer = self.writer.expect("no write is running");
        Ok(writer.hasher.finish())
    }

    async fn write(&mut self) -> Result<(), OperationError> {
        self.len = 0;
        let pending = std::mem::take(&mut self.pending);
        let mut writer = self.writer.take().expect("no write is running");
        let (written, writer) = run_blocking(move || (writer.write(&pending), writer)).await;
        self.writer = Some(writer);
        written.map_err(|error| OperationError::io("failed to write the file", &error))
    }
}

impl FileWriter {
    fn write(&mut self, pending: &[Bytes]) -> io::Result<()> {
        for bytes in pending {
            platform::write_all_at(&self.file, bytes, self.at)?;
            self.hasher.update(bytes);
            self.at += bytes.len() as u64;
        }
        Ok(())
    }
}
