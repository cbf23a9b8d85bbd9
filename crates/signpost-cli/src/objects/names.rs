//! The two names of a file that comes down: the one that it has at the end, and the one that it has until then.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::Random;
use crate::problem::Problem;
use crate::report::Ending;
use crate::state::Inode;

/// Where a file will be, and where it is in the making.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) file: PathBuf,
    pub(super) part: PathBuf,
}

impl Names {
    pub(super) fn of(path: &Path) -> Result<Self, Problem> {
        let file = std::path::absolute(path).map_err(|error| Problem::io(path.display(), &error))?;
        Ok(Self {
            part: part_of(&file),
            file,
        })
    }

    /// Opens the file in the making, for this command alone: a new one, or one that `is_known` to be an earlier command's.
    /// Whatever else has its name is somebody's, and stays.
    pub(super) fn open(&self, is_known: bool) -> Result<File, Problem> {
        let part = match create(&self.part) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_known => {
                OpenOptions::new().read(true).write(true).open(&self.part)
            }
            created => created,
        };
        self.take(part)
    }

    /// Makes a file that nobody will go on with: by a name that is free where that of the part is taken.
    pub(super) fn open_anew(&mut self, random: Random) -> Result<File, Problem> {
        let part = match create(&self.part) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let mut bytes = [0; 8];
                random(&mut bytes).map_err(|error| Problem::io("the system gives no randomness", &error))?;
                let mut part = OsString::from(&self.file);
                part.push(format!(".{:016x}.part", u64::from_be_bytes(bytes)));
                self.part = part.into();
                create(&self.part)
            }
            created => created,
        };
        self.take(part)
    }

    fn take(&self, part: io::Result<File>) -> Result<File, Problem> {
        let part = part.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => self.taken(),
            _ => Problem::io(self.part.display(), &error),
        })?;
        // On file systems without locks the user sees to that.
        let is_locked = matches!(part.try_lock(), Err(TryLockError::WouldBlock));
        // Whoever had the lock may have given the file its name; and a link leads to a file that has another one.
        if is_locked || !is_at(&part, &self.part) {
            return Err(self.taken());
        }
        Ok(part)
    }

    fn taken(&self) -> Problem {
        let part = self.part.display();
        Problem::new(
            Ending::Conflict,
            format!("{part} exists, and another command is writing it, or it is no download"),
        )
        .advising("Wait for the other command; or else move that file away, or get the object with -o FILE.")
    }

    /// Gives the file its name, once all of it is on the disk.
    pub(super) fn keep(&self, part: &File) -> Result<(), Problem> {
        let kept = part.sync_all().and_then(|()| fs::rename(&self.part, &self.file));
        kept.map_err(|error| Problem::io(self.file.display(), &error))
    }
}

/// The name of a file in the making.
pub(super) fn part_of(file: &Path) -> PathBuf {
    let mut part = OsString::from(file);
    part.push(".part");
    part.into()
}

/// Makes a file that was not there, with the folders above it.
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

/// Whether an open file is the one at this path, and is not reached by a link there.
fn is_at(file: &File, path: &Path) -> bool {
    let (open, there) = (file.metadata(), fs::symlink_metadata(path));
    open.is_ok_and(|open| there.is_ok_and(|there| Inode::of(&open) == Inode::of(&there)))
}
