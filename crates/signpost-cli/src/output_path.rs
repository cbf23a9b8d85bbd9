//! The destination of a download: a file, or an open file, a device or a FIFO that receives the bytes as a stream.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::operation_error::OperationError;
use crate::platform;

/// The maximum number of symbolic links that are followed, as on Linux.
const MAX_LINKS: u32 = 40;

/// The destination to which a path leads, after all symbolic links.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum OutputPath {
    /// A file, or nothing. A rename replaces it.
    File(PathBuf),
    /// An open file of this process, by its number.
    Descriptor(i32),
    /// A device, a FIFO or a socket, which a rename would remove.
    Stream(PathBuf),
}

impl OutputPath {
    /// The number of standard output.
    pub(crate) const STDOUT: Self = Self::Descriptor(1);

    /// Follows the symbolic links of a path, one by one. The last target does not have to exist, and the link of an open
    /// file must not be followed to the file.
    pub(crate) fn resolve(path: &Path) -> Result<Self, OperationError> {
        let mut resolved = path.to_owned();
        for _ in 0..=MAX_LINKS {
            if let Some(number) = descriptor_number(&resolved) {
                return Ok(Self::Descriptor(number));
            }
            let Ok(target) = fs::read_link(&resolved) else {
                return Ok(Self::without_links(resolved));
            };
            resolved = folder_of(&resolved).join(target);
        }
        Err(OperationError::usage(format!(
            "{} has too many symbolic links",
            path.display()
        )))
    }

    /// Follows the symbolic links of a path that must be a file, or must not exist.
    pub(crate) fn resolve_file(path: &Path) -> Result<PathBuf, OperationError> {
        match Self::resolve(path)? {
            Self::File(file) => Ok(file),
            _ => Err(OperationError::usage(format!("{} is not a file", path.display()))),
        }
    }

    fn without_links(path: PathBuf) -> Self {
        let is_stream = fs::metadata(&path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
        let is_in_proc = || fs::canonicalize(folder_of(&path)).is_ok_and(|folder| folder.starts_with("/proc"));
        if is_stream || is_in_proc() {
            Self::Stream(path)
        } else {
            Self::File(path)
        }
    }

    /// Opens the destination to append bytes. An open file continues at its position.
    pub(crate) fn open(&self) -> io::Result<File> {
        match self {
            Self::Descriptor(number) => platform::duplicate_descriptor(*number),
            Self::Stream(path) | Self::File(path) => File::options().append(true).open(path),
        }
    }
}

/// Returns the number of an open file of this process, if the path names one: `/dev/fd/N`, `/proc/self/fd/N`, or another
/// path to the same folder.
fn descriptor_number(path: &Path) -> Option<i32> {
    let number = path.file_name()?.to_str()?.parse().ok()?;
    let folder = fs::canonicalize(folder_of(path)).ok()?;
    let is_below = |process: PathBuf| folder.starts_with(process) && folder.ends_with("fd");
    let is_own = folder == Path::new("/dev/fd") || fs::canonicalize("/proc/self").is_ok_and(is_below);
    is_own.then_some(number)
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    folder.unwrap_or(Path::new("."))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn open_files_are_recognized_by_every_path() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        symlink("/dev/stdout", at("log")).unwrap();
        symlink("log", at("again")).unwrap();
        symlink("/proc/self/fd", at("open")).unwrap();
        let process = std::process::id();
        for (path, number) in [
            ("/dev/stdout", 1),
            ("/dev/stderr", 2),
            ("/dev/../dev//fd/1", 1),
            ("/dev/./fd/7", 7),
            ("/proc/self/fd/1", 1),
            ("/proc/thread-self/fd/1", 1),
            (&format!("/proc/{process}/fd/3"), 3),
            (&format!("/proc/{process}/task/{process}/fd/3"), 3),
            (at("log").to_str().unwrap(), 1),
            (at("again").to_str().unwrap(), 1),
            (at("open/1").to_str().unwrap(), 1),
        ] {
            let resolved = OutputPath::resolve(Path::new(path)).unwrap();
            assert_eq!(resolved, OutputPath::Descriptor(number), "{path}");
        }
    }

    #[test]
    fn links_lead_to_files_devices_or_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("fd")).unwrap();
        fs::write(at("fd/1"), "").unwrap();
        symlink("second", at("first")).unwrap();
        symlink("missing", at("second")).unwrap();
        symlink("/dev/null", at("null")).unwrap();
        symlink("loop", at("loop")).unwrap();
        for (path, expected) in [
            (at("first"), OutputPath::File(at("missing"))),
            (at("fd/1"), OutputPath::File(at("fd/1"))),
            (at("null"), OutputPath::Stream("/dev/null".into())),
            ("/proc/self/comm".into(), OutputPath::Stream("/proc/self/comm".into())),
        ] {
            assert_eq!(OutputPath::resolve(&path).unwrap(), expected, "{}", path.display());
        }
        assert!(OutputPath::resolve(&at("loop")).is_err());
        assert!(OutputPath::resolve_file(&at("null")).is_err());
    }
}
