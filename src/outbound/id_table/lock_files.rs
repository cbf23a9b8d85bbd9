//! The locks of git-lfs in a folder, for a service with a single process. A lock is a file that only one request can create.

use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::folder::write_new;
use crate::encoding::hex;
use crate::outbound::id_lookup::LockChange;
use crate::plan::Lock;

/// Held while a lock is removed, so that no other request replaces it.
static REMOVAL: Mutex<()> = Mutex::new(());

/// Returns all locks of a repository.
pub(super) fn list(folder: &Path, repository: &str) -> io::Result<Vec<Lock>> {
    let entries = match fs::read_dir(repository_folder(folder, repository)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut locks = Vec::new();
    for entry in entries {
        locks.extend(read_entry(&entry?)?);
    }
    Ok(locks)
}

/// Adds a lock, unless there is one for the same path.
pub(super) fn add(folder: &Path, repository: &str, lock: &Lock) -> io::Result<LockChange> {
    let folder = repository_folder(folder, repository);
    fs::create_dir_all(&folder)?;
    let fields = lock.fields().map(|(name, text)| (name.to_owned(), Value::from(text)));
    let text = Value::Object(fields.into_iter().collect());
    let is_new = write_new(&folder, &lock_file(&folder, &lock.path), lock.id, &text.to_string())?;
    Ok(if is_new { LockChange::Done } else { LockChange::Conflict })
}

/// Removes a lock, unless it has been replaced by another one.
pub(super) fn remove(folder: &Path, repository: &str, lock: &Lock) -> io::Result<LockChange> {
    let _guard = REMOVAL.lock().unwrap_or_else(PoisonError::into_inner);
    let file = lock_file(&repository_folder(folder, repository), &lock.path);
    match read(&file)? {
        Some(found) if found.id == lock.id => {
            fs::remove_file(&file)?;
            Ok(LockChange::Done)
        }
        Some(_) | None => Ok(LockChange::Conflict),
    }
}

fn repository_folder(folder: &Path, repository: &str) -> PathBuf {
    folder.join(format!("locks.{}", hex(&Sha256::digest(repository))))
}

fn lock_file(folder: &Path, path: &str) -> PathBuf {
    folder.join(format!("lock.{}", hex(&Sha256::digest(path))))
}

/// Returns the lock of an entry, unless the entry is a temporary file.
fn read_entry(entry: &DirEntry) -> io::Result<Option<Lock>> {
    let is_lock = entry.file_name().to_string_lossy().starts_with("lock.");
    if is_lock { read(&entry.path()) } else { Ok(None) }
}

/// Reads a lock, or returns `None` if it has been removed.
fn read(file: &Path) -> io::Result<Option<Lock>> {
    let text = match fs::read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text?,
    };
    let lock = serde_json::from_slice(&text)
        .ok()
        .and_then(|value: Value| Lock::from_fields(|name| value[name].as_str()));
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "the file is not a lock");
    lock.map(Some).ok_or_else(invalid)
}
