//! Local files and folders: which files are uploaded, under which names, and which local paths a key may have.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::blocking_task::run_blocking;
use crate::buffer_pool::BufferPool;
use crate::exit_status::ExitStatus;
use crate::operation_error::OperationError;
use crate::part_layout::{MAX_SINGLE_UPLOAD, MAX_SMALL_OBJECT, Part};
use crate::platform;
use crate::transfer_state::FileIdentity;
use crate::upload_source::{CHUNK_SIZE, UploadSource};

/// An open file.
#[derive(Debug)]
pub(crate) struct OpenedFile {
    /// The absolute path.
    pub(crate) path: PathBuf,
    pub(crate) identity: FileIdentity,
    pub(crate) source: UploadSource,
    file: Arc<File>,
    pool: BufferPool,
}

/// The files below a folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct FolderContents {
    /// The files, with their names relative to the folder; the segments are separated by `/`.
    pub(crate) files: Vec<(PathBuf, String)>,
    /// The paths that are not uploaded, and the reason: they are neither files nor folders.
    pub(crate) skipped: Vec<(PathBuf, &'static str)>,
    /// The paths that cannot be read or uploaded, and the error.
    pub(crate) failed: Vec<(PathBuf, OperationError)>,
}

impl OpenedFile {
    /// Opens a file on a blocking thread.
    pub(crate) async fn open(path: &Path) -> Result<Self, OperationError> {
        let path = path.to_owned();
        run_blocking(move || Self::open_blocking(&path)).await
    }

    fn open_blocking(path: &Path) -> Result<Self, OperationError> {
        let io_error = |error: io::Error| OperationError::io(format_args!("failed to read {}", path.display()), &error);
        let file = File::open(path).map_err(io_error)?;
        if !file.metadata().map_err(io_error)?.is_file() {
            return Err(OperationError::usage(format!("{} is not a file", path.display()))
                .with_remedy("Use -r for a folder, and `-` for standard input."));
        }
        let mut identity = FileIdentity::of(&file).map_err(io_error)?;
        let file = Arc::new(file);
        let pool = BufferPool::new(CHUNK_SIZE);
        let source = if identity.len <= MAX_SMALL_OBJECT {
            let bytes = read_small(&file, identity.len).map_err(io_error)?;
            identity.len = bytes.len() as u64;
            if identity.len >= MAX_SINGLE_UPLOAD {
                return Err(
                    OperationError::usage(format!("{} does not report its length", path.display()))
                        .with_remedy("Use `-` and pipe the content to standard input."),
                );
            }
            UploadSource::Memory([bytes.into()].into())
        } else {
            UploadSource::File {
                file: Arc::clone(&file),
                start: 0,
                len: identity.len,
                pool: pool.clone(),
            }
        };
        Ok(Self {
            path: std::path::absolute(path).map_err(io_error)?,
            identity,
            source,
            file,
            pool,
        })
    }

    /// A range of the file.
    pub(crate) fn part_source(&self, part: Part) -> UploadSource {
        UploadSource::File {
            file: Arc::clone(&self.file),
            start: part.start,
            len: part.len,
            pool: self.pool.clone(),
        }
    }

    /// Returns true if the file has not changed since it was opened.
    pub(crate) fn is_unchanged(&self) -> bool {
        FileIdentity::of(&self.file).is_ok_and(|now| now == self.identity)
    }
}

/// Reads a small file. A file in `/proc` reports a length of 0, and a file in `/sys` a length that exceeds its content.
fn read_small(mut file: &File, reported: u64) -> io::Result<Vec<u8>> {
    let limit = if reported == 0 { MAX_SINGLE_UPLOAD } else { reported };
    let mut bytes = Vec::with_capacity(usize::try_from(reported).unwrap_or_default());
    file.by_ref().take(limit).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < reported && file.metadata()?.len() != reported {
        return Err(io::Error::other("the file became shorter"));
    }
    Ok(bytes)
}

/// Returns true if the path is a FIFO or a character device, whose bytes can be read only once.
pub(crate) fn is_stream(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| platform::is_stream(&metadata))
}

/// Lists the files below a folder, in order of their names. Links to files are followed. A link to a folder is
/// followed only if the user names it, because links can lead back up or out of the folder.
pub(crate) fn list_folder(folder: &Path) -> FolderContents {
    let mut contents = FolderContents::default();
    let mut folders = vec![(folder.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        let io_error =
            |error: io::Error| OperationError::io(format_args!("failed to read {}", folder.display()), &error);
        let entries = fs::read_dir(&folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => {
                let error = io_error(error);
                contents.failed.push((folder, error));
                continue;
            }
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let Some(name) = entry.file_name().to_str().map(|name| format!("{prefix}{name}")) else {
                contents.failed.push((path, not_utf8()));
                continue;
            };
            let kind = match entry.file_type() {
                Ok(kind) => kind,
                Err(error) => {
                    contents.failed.push((path, io_error(error)));
                    continue;
                }
            };
            if kind.is_dir() {
                folders.push((path, format!("{name}/")));
            } else if path.is_file() {
                contents.files.push((path, name));
            } else if kind.is_symlink() {
                contents
                    .skipped
                    .push((path, "it is a link that does not lead to a file"));
            } else {
                contents.skipped.push((path, "it is neither a file nor a folder"));
            }
        }
    }
    contents.files.sort();
    contents
}

/// The error for a path that cannot be a key.
pub(crate) fn not_utf8() -> OperationError {
    OperationError::usage("the name is not UTF-8, so it cannot be a key")
        .with_remedy("Rename it, and run the command again.")
}

/// The path below `folder` for an object with this name. The name comes from a listing and is not trusted.
pub(crate) fn file_below(folder: &Path, name: &str) -> Result<PathBuf, OperationError> {
    let io_error = |why: &str| {
        Err(OperationError::new(
            ExitStatus::Failure,
            format!("the key {name:?} cannot be a file name: {why}"),
        )
        .with_remedy("Download this object separately, with -o FILE."))
    };
    if name.is_empty() || name.ends_with('/') {
        return io_error("it is empty or ends in a slash");
    }
    let mut path = folder.to_owned();
    for segment in name.split('/') {
        match segment {
            "" => return io_error("a segment is empty"),
            "." | ".." => return io_error("a segment is `.` or `..`"),
            segment if segment.chars().any(char::is_control) => return io_error("it has a control character"),
            segment if segment.contains('\\') => return io_error("it has a `\\`"),
            // A drive, or a stream of a file.
            segment if cfg!(windows) && segment.contains(':') => return io_error("it has a `:`"),
            segment if is_windows_device(segment) => return io_error("Windows reserves the name"),
            segment if segment.len() > 255 => return io_error("a segment has more than 255 bytes"),
            segment => path.push(segment),
        }
    }
    Ok(path)
}

/// Rejects a path that is a link or leads through one, because another user may have created the link. Also rejects a
/// device or a FIFO, which a rename would remove.
pub(crate) fn check_replaceable(folder: &Path, file: &Path) -> Result<(), OperationError> {
    let below = file.ancestors().take_while(|ancestor| *ancestor != folder);
    for path in below.filter(|path| path.starts_with(folder)) {
        let Ok(metadata) = fs::symlink_metadata(path) else {
            continue;
        };
        let problem = if metadata.is_symlink() {
            "is a link, and files are not written through links"
        } else if !metadata.is_file() && !metadata.is_dir() {
            "is neither a file nor a folder"
        } else {
            continue;
        };
        let message = format!("{} {problem}", path.display());
        return Err(OperationError::new(ExitStatus::Failure, message));
    }
    Ok(())
}

/// [Reserved device names of Windows](https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file), with any
/// extension: a folder that contains such a file cannot be copied to Windows.
fn is_windows_device(segment: &str) -> bool {
    let stem = segment.split('.').next().unwrap_or_default().trim_end();
    let is_numbered = |name: &str| {
        stem.len() == 4
            && stem.is_char_boundary(3)
            && stem[..3].eq_ignore_ascii_case(name)
            && matches!(stem.as_bytes()[3], b'1'..=b'9')
    };
    ["con", "prn", "aux", "nul"]
        .iter()
        .any(|name| stem.eq_ignore_ascii_case(name))
        || is_numbered("com")
        || is_numbered("lpt")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_become_files_below_the_folder_or_are_rejected() {
        let folder = Path::new("/out");
        for (name, path) in [
            ("a", "/out/a"),
            ("a/b c/ü", "/out/a/b c/ü"),
            ("12:30.log", "/out/12:30.log"),
            ("com0/console/lpt.txt", "/out/com0/console/lpt.txt"),
            ("...", "/out/..."),
        ] {
            assert_eq!(file_below(folder, name).unwrap(), Path::new(path), "{name}");
        }
        for name in [
            "",
            "a/",
            "/a",
            "a//b",
            "../x",
            "a/../../x",
            "..",
            "./a",
            "a/.",
            "a\0b",
            "a\nb",
            "c:\\x",
            "..\\x",
            "CON",
            "a/nul.txt",
            "Com1",
            "lpt9.c/x",
        ] {
            assert!(file_below(folder, name).is_err(), "{name:?}");
        }
        assert!(file_below(folder, &"x".repeat(256)).is_err());
    }

    proptest! {
        #[test]
        fn no_key_leads_out_of_the_folder(name in "([a-z.]{0,3}[/\\\\]?){0,6}|\\PC*") {
            let folder = Path::new("/out");
            if let Ok(path) = file_below(folder, &name) {
                prop_assert!(path.starts_with(folder) && path != folder);
                let plain = path.components().all(|part| !matches!(part, std::path::Component::ParentDir));
                prop_assert!(plain);
                prop_assert_eq!(path.strip_prefix(folder).unwrap().to_str(), Some(name.as_str()));
            }
        }
    }

    #[test]
    fn a_listing_contains_files_and_links_to_files_and_reports_skipped_paths() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("b/c")).unwrap();
        for name in ["z", "b/c/d", "b/a"] {
            fs::write(at(name), name).unwrap();
        }
        std::os::unix::fs::symlink(at("z"), at("link")).unwrap();
        std::os::unix::fs::symlink(at("b"), at("to-folder")).unwrap();
        std::os::unix::fs::symlink(at("nowhere"), at("dangling")).unwrap();
        let contents = list_folder(folder.path());
        let names: Vec<_> = contents.files.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, ["b/a", "b/c/d", "link", "z"]);
        let skipped: Vec<_> = contents.skipped.iter().map(|(path, _)| path.clone()).collect();
        assert_eq!(skipped, [at("dangling"), at("to-folder")]);
    }

    #[test]
    fn paths_through_a_link_are_rejected() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/tmp", folder.path().join("link")).unwrap();
        for (name, is_accepted) in [("a/b", true), ("link/b", false), ("link", false)] {
            let checked = check_replaceable(folder.path(), &folder.path().join(name));
            assert_eq!(checked.is_ok(), is_accepted, "{name}");
        }
    }
}
