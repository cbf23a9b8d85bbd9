//! The bytes of objects: immutable files with random names. A file becomes valid when the index refers to it.
//!
//! Therefore a killed server leaves no incomplete object. The file is written and synced before the index commits its
//! name, and the next start removes files that the index does not refer to.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::ids;
use crate::private_files;

/// The directory of the blob files.
#[derive(Debug)]
pub(crate) struct BlobFiles {
    root: PathBuf,
}

impl BlobFiles {
    /// Opens the directory. Creates it and its 256 subdirectories if they do not exist.
    pub(crate) fn open(root: PathBuf) -> io::Result<Self> {
        for shard in 0..=u8::MAX {
            private_files::create_dir_all(&root.join(format!("{shard:02x}")))?;
        }
        Ok(Self { root })
    }

    /// Creates a new file.
    pub(crate) fn create(&self) -> io::Result<BlobWriter> {
        let id = ids::random_id();
        let path = self.path(&id);
        let file = private_files::options().write(true).create_new(true).open(&path)?;
        Ok(BlobWriter {
            file,
            blob: UncommittedBlob {
                id,
                path,
                committed: false,
            },
            size: 0,
        })
    }

    /// Opens a file for reading.
    pub(crate) fn read(&self, id: &str) -> io::Result<File> {
        File::open(self.path(id))
    }

    /// Removes files. The next start removes those that cannot be removed now.
    pub(crate) fn remove<'a>(&self, ids: impl IntoIterator<Item = &'a str>) {
        for id in ids {
            let _ = fs::remove_file(self.path(id));
        }
    }

    /// Removes every file whose [`number`] is not in `referenced`, and returns how many they were.
    pub(crate) fn remove_unreferenced(&self, referenced: &HashSet<u128>) -> io::Result<usize> {
        let mut removed = 0;
        for shard in fs::read_dir(&self.root)? {
            for entry in fs::read_dir(shard?.path())? {
                let entry = entry?;
                let number = entry.file_name().to_str().and_then(number);
                if !number.is_some_and(|number| referenced.contains(&number)) {
                    fs::remove_file(entry.path())?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }

    fn path(&self, id: &str) -> PathBuf {
        self.root.join(id.get(..2).unwrap_or("00")).join(id)
    }
}

/// Returns the 128 bits of the name of a blob, or `None` if it is not such a name.
pub(super) fn number(name: &str) -> Option<u128> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_name = name.len() == 32 && name.bytes().all(is_digit);
    is_name.then(|| u128::from_str_radix(name, 16).ok()).flatten()
}

/// A file that is being written. It is removed if it is dropped before [`BlobWriter::finish`].
#[derive(Debug)]
pub(crate) struct BlobWriter {
    file: File,
    blob: UncommittedBlob,
    size: u64,
}

impl BlobWriter {
    /// Appends the chunks.
    pub(crate) fn write(&mut self, chunks: &[Bytes]) -> io::Result<()> {
        for chunk in chunks {
            self.file.write_all(chunk)?;
            self.size += chunk.len() as u64;
        }
        Ok(())
    }

    /// Syncs the file and its directory to disk. The index can then commit its name.
    pub(crate) fn finish(self) -> io::Result<UncommittedBlob> {
        self.file.sync_all()?;
        sync_folder(&self.blob.path)?;
        Ok(self.blob)
    }

    /// Returns the number of bytes written so far.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }
}

/// A complete file that is not in the index yet. It is removed if it is dropped before [`UncommittedBlob::commit`].
#[derive(Debug)]
pub(crate) struct UncommittedBlob {
    id: String,
    path: PathBuf,
    committed: bool,
}

impl UncommittedBlob {
    /// Returns the name of the file.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Preserves the file after the index has committed its name.
    pub(crate) fn commit(mut self) {
        self.committed = true;
    }
}

impl Drop for UncommittedBlob {
    fn drop(&mut self) {
        if !self.committed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(unix)]
fn sync_folder(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the function for Unix can fail")]
fn sync_folder(_file: &Path) -> io::Result<()> {
    Ok(())
}
