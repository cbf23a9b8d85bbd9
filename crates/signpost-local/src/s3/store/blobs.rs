//! The bytes of objects: one immutable file each, named at random, that counts only once the index names it.
//!
//! So there is no half object after a kill: a file is written and synced first, the index commits its name
//! afterwards, and a file that the index does not name is swept at the next start.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::ids;

/// The folder of blob files.
#[derive(Debug)]
pub(crate) struct Blobs {
    root: PathBuf,
}

impl Blobs {
    /// Opens the folder, making it and its 256 subfolders when missing.
    pub(crate) fn open(root: PathBuf) -> io::Result<Self> {
        for shard in 0..=u8::MAX {
            fs::create_dir_all(root.join(format!("{shard:02x}")))?;
        }
        Ok(Self { root })
    }

    /// Begins a new file.
    pub(crate) fn create(&self) -> io::Result<BlobWriter> {
        let id = ids::random();
        let path = self.path(&id);
        let file = File::options().write(true).create_new(true).open(&path)?;
        Ok(BlobWriter {
            file,
            draft: Draft { id, path, kept: false },
            size: 0,
        })
    }

    /// Opens a file for reading.
    pub(crate) fn read(&self, id: &str) -> io::Result<File> {
        File::open(self.path(id))
    }

    /// Removes files; what cannot be removed now is swept at the next start.
    pub(crate) fn remove<'a>(&self, ids: impl IntoIterator<Item = &'a str>) {
        for id in ids {
            let _ = fs::remove_file(self.path(id));
        }
    }

    /// Removes every file that is not among `named`, and tells how many they were.
    pub(crate) fn sweep(&self, named: &HashSet<String>) -> io::Result<usize> {
        let mut swept = 0;
        for shard in fs::read_dir(&self.root)? {
            for entry in fs::read_dir(shard?.path())? {
                let entry = entry?;
                if !entry.file_name().to_str().is_some_and(|name| named.contains(name)) {
                    fs::remove_file(entry.path())?;
                    swept += 1;
                }
            }
        }
        Ok(swept)
    }

    fn path(&self, id: &str) -> PathBuf {
        self.root.join(id.get(..2).unwrap_or("00")).join(id)
    }
}

/// A file being written; dropped before [`BlobWriter::finish`], it vanishes.
#[derive(Debug)]
pub(crate) struct BlobWriter {
    file: File,
    draft: Draft,
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

    /// Puts the file on the disk for good, under a name that the index may now commit.
    pub(crate) fn finish(self) -> io::Result<Draft> {
        self.file.sync_all()?;
        sync_folder(&self.draft.path)?;
        Ok(self.draft)
    }

    /// The bytes written so far.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }
}

/// A written file that the index does not name yet; dropped before [`Draft::keep`], it is removed.
#[derive(Debug)]
pub(crate) struct Draft {
    id: String,
    path: PathBuf,
    kept: bool,
}

impl Draft {
    /// The file's name.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Leaves the file where it is: the index names it now.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(unix)]
fn sync_folder(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the signature of the Unix one")]
fn sync_folder(_file: &Path) -> io::Result<()> {
    Ok(())
}
