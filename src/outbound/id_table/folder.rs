//! The id table as a folder, for a service with a single process. An entry is a file that only one request can create.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};
use ulid::Ulid;

use crate::encoding::hex;
use crate::outbound::id_lookup::new_id;
use crate::plan::LinkUse;

/// Consumes one use of a link. Returns false if none is left.
pub(super) fn consume(folder: &Path, counted: &LinkUse) -> io::Result<bool> {
    fs::create_dir_all(folder)?;
    for number in 1..=counted.max_uses {
        match File::create_new(folder.join(format!("use.{}.{number}", counted.link_id))) {
            Ok(_) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// Returns the id of the entry with this text. With `create`, a missing entry is created. The first line of a file is the
/// id, the second line is the text.
pub(super) fn id(folder: &Path, text: &str, create: bool, now: SystemTime) -> io::Result<Option<Ulid>> {
    let entry = folder.join(format!("key.{}", hex(&Sha256::digest(text))));
    match read(&entry) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && create => {
            fs::create_dir_all(folder)?;
            let id = new_id(now).map_err(io::Error::other)?;
            write_new(folder, &entry, id, &format!("{id}\n{text}\n"))?;
            read(&entry).map(Some)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        outcome => outcome.map(Some),
    }
}

fn read(entry: &Path) -> io::Result<Ulid> {
    let content = fs::read_to_string(entry)?;
    let id = content.lines().next().unwrap_or_default();
    Ulid::from_string(id).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))
}

/// Writes a complete entry, and returns false if it exists. The hard link is atomic, and the file is on the disk before.
pub(super) fn write_new(folder: &Path, entry: &Path, id: Ulid, text: &str) -> io::Result<bool> {
    let temporary = folder.join(format!("new.{id}"));
    let mut file = File::create_new(&temporary)?;
    let outcome = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&temporary, entry));
    fs::remove_file(&temporary)?;
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        outcome => outcome.and_then(|()| sync(folder)).map(|()| true),
    }
}

#[cfg(unix)]
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "it has the signature of the Unix version")]
fn sync(_folder: &Path) -> io::Result<()> {
    Ok(())
}
