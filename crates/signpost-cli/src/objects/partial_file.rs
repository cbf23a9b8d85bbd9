//! The final file of a download and its partial file, which has another name until the download is complete.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};

use crate::RandomSource;
use crate::exit_status::ExitStatus;
use crate::operation_error::OperationError;
use crate::platform;
use crate::transfer_state::FileInode;

/// The maximum length of a file name on Linux and macOS (`NAME_MAX`).
const MAX_NAME_BYTES: usize = 255;

/// The paths of the final file and the partial file.
#[derive(Clone, Debug)]
pub(super) struct DownloadPaths {
    pub(super) file: PathBuf,
    pub(super) partial: PathBuf,
}

impl DownloadPaths {
    pub(super) fn new(path: &Path) -> Result<Self, OperationError> {
        let file = std::path::absolute(path).map_err(|error| OperationError::io(path.display(), &error))?;
        Ok(Self {
            partial: partial_path(&file),
            file,
        })
    }

    /// Opens the partial file and locks it: a new file, or the file of an earlier command if `is_known` is true. Any
    /// other file with this name belongs to another program and is not changed.
    pub(super) fn open(&self, is_known: bool) -> Result<File, OperationError> {
        let partial = match create(&self.partial) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_known => {
                OpenOptions::new().read(true).write(true).open(&self.partial)
            }
            created => created,
        };
        self.lock_partial(partial)
    }

    /// Creates a partial file that is never resumed. It gets another name if the usual name exists.
    pub(super) fn create_partial(&mut self, random: RandomSource) -> Result<File, OperationError> {
        let partial = match create(&self.partial) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let mut bytes = [0; 8];
                random(&mut bytes)
                    .map_err(|error| OperationError::io("the system's random number generator failed", &error))?;
                let suffix = format!(".{:016x}.part", u64::from_be_bytes(bytes));
                self.partial = with_suffix(&self.file, &suffix);
                create(&self.partial)
            }
            created => created,
        };
        self.lock_partial(partial)
    }

    fn lock_partial(&self, partial: io::Result<File>) -> Result<File, OperationError> {
        let partial = partial.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => self.occupied_error(),
            _ => OperationError::io(self.partial.display(), &error),
        })?;
        // On file systems without locks, users must not run two commands for one file.
        let is_locked = matches!(partial.try_lock(), Err(TryLockError::WouldBlock));
        // The previous owner of the lock may have renamed the file, or the path may be a link to another file.
        if is_locked || !is_at(&partial, &self.partial) {
            return Err(self.occupied_error());
        }
        // Other users must not read the new content of a private file during the download.
        if self
            .existing_file()
            .is_some_and(|existing| !platform::is_shared(&existing))
        {
            let _ = platform::make_private(&partial);
        }
        Ok(partial)
    }

    /// The file that the download replaces.
    fn existing_file(&self) -> Option<Metadata> {
        fs::symlink_metadata(&self.file).ok().filter(Metadata::is_file)
    }

    fn occupied_error(&self) -> OperationError {
        let partial = self.partial.display();
        OperationError::new(
            ExitStatus::Conflict,
            format!("{partial} exists: another command is writing it, or it is not a download"),
        )
        .with_remedy("Wait for the other command, move the file away, or use -o FILE.")
    }

    /// Renames the partial file to the final file, after all bytes are on the disk.
    pub(super) fn publish(&self, partial: &File) -> Result<(), OperationError> {
        if let Some(existing) = self.existing_file() {
            let _ = platform::copy_attributes(&existing, partial);
        }
        let renamed = partial.sync_all().and_then(|()| fs::rename(&self.partial, &self.file));
        renamed.map_err(|error| OperationError::io(self.file.display(), &error))
    }
}

/// The path of the partial file.
pub(super) fn partial_path(file: &Path) -> PathBuf {
    with_suffix(file, ".part")
}

/// Appends a suffix to a file name. If the name would exceed the limit, a hash replaces its end.
fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let name = file.file_name().unwrap_or_default();
    if name.len() + suffix.len() <= MAX_NAME_BYTES {
        let mut partial = OsString::from(file);
        partial.push(suffix);
        return partial.into();
    }
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    let suffix = format!("~{:016x}{suffix}", hasher.finish());
    let name = name.to_string_lossy();
    let start = &name[..name.floor_char_boundary(MAX_NAME_BYTES - suffix.len())];
    file.with_file_name(format!("{start}{suffix}"))
}

/// Creates a file that did not exist, and its parent folders.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(path.parent().unwrap_or(path))?;
            options.open(path)
        }
        opened => opened,
    }
}

/// Returns true if the open file is the file at this path, not the target of a link there.
fn is_at(file: &File, path: &Path) -> bool {
    let (open, there) = (file.metadata(), fs::symlink_metadata(path));
    open.is_ok_and(|open| there.is_ok_and(|there| FileInode::of(&open) == FileInode::of(&there)))
}
