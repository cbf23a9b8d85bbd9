//! Files and folders here: which of them go up, under which names, and where a key may come down.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::buffers::Pool;
use crate::plan::{Piece, SMALL};
use crate::problem::Problem;
use crate::report::Ending;
use crate::source::{CHUNK, Source};
use crate::state::Identity;

/// A file that is open.
#[derive(Debug)]
pub(crate) struct Opened {
    /// Its absolute path.
    pub(crate) path: PathBuf,
    pub(crate) identity: Identity,
    pub(crate) source: Source,
    file: Arc<File>,
    pool: Pool,
}

/// What a walk through folders found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Walked {
    /// Files, with their names below the folder: segments with `/` between.
    pub(crate) files: Vec<(PathBuf, String)>,
    /// What is neither file nor folder, or has a name that no key can have, and why it stays here.
    pub(crate) left: Vec<(PathBuf, &'static str)>,
}

impl Opened {
    /// Opens a file, beside the transfers.
    pub(crate) async fn open(path: &Path) -> Result<Self, Problem> {
        let path = path.to_owned();
        let opening = tokio::task::spawn_blocking(move || Self::open_now(&path)).await;
        opening.expect("opening does not panic")
    }

    fn open_now(path: &Path) -> Result<Self, Problem> {
        let refused = |error: io::Error| Problem::io(format_args!("can't read {}", path.display()), &error);
        let file = File::open(path).map_err(refused)?;
        if !file.metadata().map_err(refused)?.is_file() {
            return Err(Problem::usage(format!("{} is no file", path.display()))
                .advising("A folder needs -r; what comes through a pipe needs `-`."));
        }
        let identity = Identity::of(&file).map_err(refused)?;
        let file = Arc::new(file);
        let pool = Pool::of(CHUNK);
        let source = if identity.len <= SMALL {
            let mut bytes = vec![0; usize::try_from(identity.len).expect("it is small")];
            file.read_exact_at(&mut bytes, 0).map_err(refused)?;
            Source::Memory([bytes.into()].into())
        } else {
            Source::File {
                file: Arc::clone(&file),
                start: 0,
                len: identity.len,
                pool: pool.clone(),
            }
        };
        Ok(Self {
            path: std::path::absolute(path).map_err(refused)?,
            identity,
            source,
            file,
            pool,
        })
    }

    /// A piece of the file.
    pub(crate) fn piece(&self, piece: Piece) -> Source {
        Source::File {
            file: Arc::clone(&self.file),
            start: piece.start,
            len: piece.len,
            pool: self.pool.clone(),
        }
    }

    /// Whether the file is still as it was when it was opened.
    pub(crate) fn is_unchanged(&self) -> bool {
        Identity::of(&self.file).is_ok_and(|now| now == self.identity)
    }
}

/// Finds the files below a folder, in order of their names. Links are followed where they lead to files, and to folders
/// only where the user names them: a link may lead back up, or out.
pub(crate) fn walk(folder: &Path) -> Result<Walked, Problem> {
    let mut walked = Walked::default();
    let mut folders = vec![(folder.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        let refused = |error: io::Error| Problem::io(format_args!("can't read {}", folder.display()), &error);
        let entries = fs::read_dir(&folder).map_err(refused)?;
        let mut entries = entries.collect::<io::Result<Vec<_>>>().map_err(refused)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let Some(name) = entry.file_name().to_str().map(|name| format!("{prefix}{name}")) else {
                walked.left.push((path, "its name is not UTF-8"));
                continue;
            };
            let kind = entry.file_type().map_err(refused)?;
            if kind.is_dir() {
                folders.push((path, format!("{name}/")));
            } else if path.is_file() {
                walked.files.push((path, name));
            } else if kind.is_symlink() {
                walked.left.push((path, "it is a link that leads to no file"));
            } else {
                walked.left.push((path, "it is neither a file nor a folder"));
            }
        }
    }
    walked.files.sort();
    Ok(walked)
}

/// The file below `folder` that takes the object of this name, which comes from a listing and may be anything.
pub(crate) fn below(folder: &Path, name: &str) -> Result<PathBuf, Problem> {
    let refused = |why: &str| {
        Err(Problem::new(
            Ending::Failed,
            format!("the key {name:?} can't be that of a file: {why}"),
        )
        .advising("Get this object by itself, with -o FILE."))
    };
    if name.is_empty() || name.ends_with('/') {
        return refused("it names none");
    }
    let mut path = folder.to_owned();
    for segment in name.split('/') {
        match segment {
            "" => return refused("a segment is empty"),
            "." | ".." => return refused("a segment is `.` or `..`"),
            segment if segment.chars().any(char::is_control) => return refused("it has a control character"),
            segment if segment.contains('\\') => return refused("it has a `\\`"),
            segment if is_device(segment) => return refused("Windows reserves the name"),
            segment if segment.len() > 255 => return refused("a segment has more than 255 bytes"),
            segment => path.push(segment),
        }
    }
    Ok(path)
}

/// Refuses a path that leads through a link out of the folder: somebody may have put one there.
pub(crate) fn stays_below(folder: &Path, file: &Path) -> Result<(), Problem> {
    let mut parent = file.parent();
    while let Some(ancestor) = parent.filter(|ancestor| *ancestor != folder && ancestor.starts_with(folder)) {
        if fs::symlink_metadata(ancestor).is_ok_and(|metadata| metadata.is_symlink()) {
            return Err(Problem::new(
                Ending::Failed,
                format!("{} is a link, and nothing is written through it", ancestor.display()),
            ));
        }
        parent = ancestor.parent();
    }
    Ok(())
}

/// [Names that Windows keeps for devices](https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file), with
/// any ending: a folder that holds one can't be copied there.
fn is_device(segment: &str) -> bool {
    let stem = segment.split('.').next().unwrap_or_default().trim_end();
    let numbered = |name: &str| {
        stem.len() == 4
            && stem.is_char_boundary(3)
            && stem[..3].eq_ignore_ascii_case(name)
            && matches!(stem.as_bytes()[3], b'1'..=b'9')
    };
    ["con", "prn", "aux", "nul"]
        .iter()
        .any(|name| stem.eq_ignore_ascii_case(name))
        || numbered("com")
        || numbered("lpt")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_become_files_below_the_folder_or_are_refused() {
        let folder = Path::new("/out");
        for (name, path) in [
            ("a", "/out/a"),
            ("a/b c/ü", "/out/a/b c/ü"),
            ("12:30.log", "/out/12:30.log"),
            ("com0/console/lpt.txt", "/out/com0/console/lpt.txt"),
            ("...", "/out/..."),
        ] {
            assert_eq!(below(folder, name).unwrap(), Path::new(path), "{name}");
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
            assert!(below(folder, name).is_err(), "{name:?}");
        }
        assert!(below(folder, &"x".repeat(256)).is_err());
    }

    proptest! {
        #[test]
        fn no_key_leads_out_of_the_folder(name in "([a-z.]{0,3}[/\\\\]?){0,6}|\\PC*") {
            let folder = Path::new("/out");
            if let Ok(path) = below(folder, &name) {
                prop_assert!(path.starts_with(folder) && path != folder);
                let plain = path.components().all(|part| !matches!(part, std::path::Component::ParentDir));
                prop_assert!(plain);
                prop_assert_eq!(path.strip_prefix(folder).unwrap().to_str(), Some(name.as_str()));
            }
        }
    }

    #[test]
    fn a_walk_takes_files_and_links_to_them_and_tells_what_it_leaves() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("b/c")).unwrap();
        for name in ["z", "b/c/d", "b/a"] {
            fs::write(at(name), name).unwrap();
        }
        std::os::unix::fs::symlink(at("z"), at("link")).unwrap();
        std::os::unix::fs::symlink(at("b"), at("to-folder")).unwrap();
        std::os::unix::fs::symlink(at("nowhere"), at("dangling")).unwrap();
        let walked = walk(folder.path()).unwrap();
        let names: Vec<_> = walked.files.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, ["b/a", "b/c/d", "link", "z"]);
        let left: Vec<_> = walked.left.iter().map(|(path, _)| path.clone()).collect();
        assert_eq!(left, [at("dangling"), at("to-folder")]);
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/tmp", folder.path().join("link")).unwrap();
        assert!(stays_below(folder.path(), &folder.path().join("a/b")).is_ok());
        assert!(stays_below(folder.path(), &folder.path().join("link/b")).is_err());
    }
}
