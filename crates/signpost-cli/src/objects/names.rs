//! The two names of a file that comes down: the one that it has at the end, and the one that it has until then.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::problem::Problem;
use crate::report::Ending;

/// Where a file will be, and where it is in the making.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) file: PathBuf,
    pub(super) part: PathBuf,
}

impl Names {
    pub(super) fn of(path: &Path) -> Result<Self, Problem> {
        let file = std::path::absolute(path).map_err(|error| Problem::io(path.display(), &error))?;
        let mut part = OsString::from(&file);
        part.push(".part");
        Ok(Self {
            file,
            part: part.into(),
        })
    }

    /// Opens the file in the making, for this command alone.
    pub(super) fn open(&self) -> Result<File, Problem> {
        let part = match self.create() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = self.part.parent().unwrap_or(&self.part);
                fs::create_dir_all(folder).map_err(|error| Problem::io(folder.display(), &error))?;
                self.create()
            }
            opened => opened,
        };
        let part = part.map_err(|error| Problem::io(self.part.display(), &error))?;
        match part.try_lock() {
            Err(TryLockError::WouldBlock) => Err(Problem::new(
                Ending::Conflict,
                format!("another command is writing {}", self.part.display()),
            )),
            // On file systems without locks the user sees to that.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(part),
        }
    }

    /// Gives the file its name, once all of it is on the disk.
    pub(super) fn keep(&self, part: &File) -> Result<(), Problem> {
        let kept = part.sync_all().and_then(|()| fs::rename(&self.part, &self.file));
        kept.map_err(|error| Problem::io(self.file.display(), &error))
    }

    fn create(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        options.open(&self.part)
    }
}
