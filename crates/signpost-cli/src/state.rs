//! What is kept of transfers under way, in the state folder of the user, so that the same command goes on with them
//! after whatever ended it. Nothing kept is believed: S3 lists the parts that it has, files are read again.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use etcetera::BaseStrategy as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::checksum::Checksum;

/// Where it is kept.
#[derive(Clone, Debug)]
pub(crate) struct State {
    /// None where the system has no place for it.
    folder: Option<PathBuf>,
    kept: Arc<AtomicBool>,
}

/// A file as it is now; another one under its name has another identity.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
    pub(crate) len: u64,
    modified: (i64, i64),
}

/// An upload in parts that has begun.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Begun {
    pub(crate) url: String,
    pub(crate) file: PathBuf,
    pub(crate) identity: Identity,
    /// What is to be kept with the object; another wish is another upload.
    pub(crate) content_type: Option<String>,
    pub(crate) metadata: Vec<(String, String)>,
    pub(crate) upload_id: String,
    pub(crate) part_size: u64,
}

/// Which file one is, whatever is in it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Inode {
    device: u64,
    inode: u64,
}

/// The first line about a download.
#[derive(Serialize)]
struct Download<'a> {
    #[serde(flatten)]
    object: &'a Object,
    part: Inode,
}

/// The file that an earlier download has left.
#[derive(Deserialize)]
struct Left {
    part: Inode,
}

/// An object that is being downloaded, as S3 told it first.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Object {
    pub(crate) etag: String,
    pub(crate) len: u64,
    pub(crate) checksum: Option<Checksum>,
    /// The size of the ranges, of which `Finished` tells.
    pub(crate) range_size: u64,
}

/// A range that is in the file.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Finished {
    pub(crate) number: u32,
    pub(crate) checksum: Checksum,
}

/// The record of one transfer.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// None where nothing can be kept.
    path: Option<PathBuf>,
    kept: Arc<AtomicBool>,
}

/// What goes on being written.
#[derive(Debug)]
pub(crate) struct Log(Option<File>);

impl State {
    /// The user's state folder, by the [XDG specification](https://specifications.freedesktop.org/basedir-spec/latest/).
    pub(crate) fn of_user() -> Self {
        let folder = etcetera::base_strategy::Xdg::new().ok();
        let folder = folder
            .and_then(|xdg| xdg.state_dir())
            .map(|state| state.join("signpost"));
        Self::at(folder)
    }

    fn at(folder: Option<PathBuf>) -> Self {
        Self {
            folder,
            kept: Arc::default(),
        }
    }

    /// Whether something has been kept that another command can go on with.
    pub(crate) fn has_kept(&self) -> bool {
        self.kept.load(Ordering::Relaxed)
    }

    /// The record of an upload of this file to this URL.
    pub(crate) fn upload(&self, url: &str, file: &Path) -> Record {
        self.record("put", url, file)
    }

    /// The record of a download from this URL to this file.
    pub(crate) fn download(&self, url: &str, file: &Path) -> Record {
        self.record("get", url, file)
    }

    fn record(&self, kind: &str, url: &str, file: &Path) -> Record {
        let mut name = kind.to_owned();
        name.push('-');
        let digest = Sha256::digest(format!("{url}\0{}", file.display()));
        for byte in &digest[..12] {
            write!(name, "{byte:02x}").expect("a String takes every write");
        }
        Record {
            path: self.folder.as_ref().map(|folder| folder.join(name)),
            kept: Arc::clone(&self.kept),
        }
    }
}

impl Identity {
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            len: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }
}

impl Inode {
    pub(crate) fn of(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

impl Record {
    /// Whether something is kept.
    pub(crate) fn exists(&self) -> bool {
        self.path.as_ref().is_some_and(|path| path.exists())
    }

    /// The upload that has begun, if there is one.
    pub(crate) fn begun(&self) -> Option<Begun> {
        serde_json::from_str(&fs::read_to_string(self.path.as_ref()?).ok()?).ok()
    }

    /// Keeps an upload. Whether that succeeds is told; the upload goes on without.
    pub(crate) fn begin(&self, begun: &Begun) -> io::Result<()> {
        let text = serde_json::to_string(begun).expect("it is made of texts and numbers");
        let Some(mut file) = self.create()? else { return Ok(()) };
        file.write_all(text.as_bytes())?;
        // After a power failure an upload of which nothing is known would have to begin anew.
        file.sync_all()?;
        self.goes_on();
        Ok(())
    }

    /// Says that what is kept is in use.
    pub(crate) fn goes_on(&self) {
        self.kept.store(self.path.is_some(), Ordering::Relaxed);
    }

    /// The object that is being downloaded, and what of it is said to be there. A line that a kill cut short, and what
    /// follows it, counts for nothing.
    pub(crate) fn downloaded(&self) -> Option<(Object, Vec<Finished>)> {
        let text = fs::read_to_string(self.path.as_ref()?).ok()?;
        let mut lines = text.lines();
        let object = serde_json::from_str(lines.next()?).ok()?;
        let finished = lines.map_while(|line| serde_json::from_str(line).ok()).collect();
        Some((object, finished))
    }

    /// Whether the file in the making at this path is the one that an earlier download has left there.
    pub(crate) fn has_left(&self, part: &Path) -> bool {
        let text = self.path.as_ref().and_then(|path| fs::read_to_string(path).ok());
        let left = text.and_then(|text| serde_json::from_str::<Left>(text.lines().next()?).ok());
        let there = fs::symlink_metadata(part);
        left.is_some_and(|left| there.is_ok_and(|there| Inode::of(&there) == left.part))
    }

    /// Keeps that a download to this file has begun, with which nobody can go on.
    pub(crate) fn claim(&self, object: &Object, part: &File) -> io::Result<()> {
        self.begin_download(object, part).map(drop)
    }

    /// Keeps a download, with what is known to be there.
    pub(crate) fn follow(&self, object: &Object, part: &File, finished: &[Finished]) -> io::Result<Log> {
        let mut log = self.begin_download(object, part)?;
        for range in finished {
            log.write(range)?;
        }
        self.goes_on();
        Ok(log)
    }

    fn begin_download(&self, object: &Object, part: &File) -> io::Result<Log> {
        let part = Inode::of(&part.metadata()?);
        let mut log = Log(self.create()?);
        log.write(&Download { object, part })?;
        Ok(log)
    }

    /// Forgets the transfer.
    pub(crate) fn forget(&self) {
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }

    /// For the user's eyes alone: it names files.
    fn create(&self) -> io::Result<Option<File>> {
        let Some(path) = &self.path else { return Ok(None) };
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(path).map(Some)
    }
}

impl Log {
    /// One that keeps nothing.
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// Adds a range that is in the file.
    pub(crate) fn add(&mut self, finished: &Finished) -> io::Result<()> {
        self.write(finished)
    }

    /// One write for each line, so that a kill tears the last one at the most.
    fn write(&mut self, line: &impl Serialize) -> io::Result<()> {
        let Some(file) = &mut self.0 else { return Ok(()) };
        let mut text = serde_json::to_string(line).expect("it is made of texts and numbers");
        text.push('\n');
        file.write_all(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::Algorithm;

    fn checksum() -> Checksum {
        Algorithm::Crc64Nvme.hasher().finish()
    }

    #[test]
    fn an_upload_is_found_again_by_its_url_and_file() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::at(Some(folder.path().join("deep/state")));
        let file = File::open(folder.path()).unwrap();
        let begun = Begun {
            url: "https://h/k".into(),
            file: "/f".into(),
            identity: Identity::of(&file).unwrap(),
            content_type: None,
            metadata: vec![("a".into(), "b".into())],
            upload_id: "id".into(),
            part_size: 7,
        };
        let record = state.upload("https://h/k", Path::new("/f"));
        assert!(record.begun().is_none() && !state.has_kept());
        record.begin(&begun).unwrap();
        assert!(state.has_kept());
        assert_eq!(state.upload("https://h/k", Path::new("/f")).begun(), Some(begun));
        assert_eq!(state.upload("https://h/l", Path::new("/f")).begun(), None);
        assert_eq!(state.upload("https://h/k", Path::new("/g")).begun(), None);
        record.forget();
        assert!(record.begun().is_none());
    }

    #[test]
    fn a_torn_log_tells_what_it_told_before() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::at(Some(folder.path().into()));
        let record = state.download("https://h/k", Path::new("/f"));
        let object = Object {
            etag: "\"e\"".into(),
            len: 30,
            checksum: Some(checksum()),
            range_size: 10,
        };
        let finished = |number| Finished {
            number,
            checksum: checksum(),
        };
        let part = folder.path().join("part");
        let file = File::create(&part).unwrap();
        assert!(!record.has_left(&part));
        let mut log = record.follow(&object, &file, &[finished(2)]).unwrap();
        assert!(record.has_left(&part) && !record.has_left(folder.path()));
        log.add(&finished(1)).unwrap();
        let path = record.path.clone().unwrap();
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [&whole, &b"{\"number\":3,\"che"[..]].concat()).unwrap();
        assert_eq!(record.downloaded(), Some((object, vec![finished(2), finished(1)])));
        fs::write(&path, &whole[..5]).unwrap();
        assert_eq!(record.downloaded(), None);
    }

    #[test]
    fn without_a_place_nothing_is_kept_and_nothing_fails() {
        let record = State::at(None).download("u", Path::new("f"));
        let object = Object {
            etag: String::new(),
            len: 0,
            checksum: None,
            range_size: 1,
        };
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("part")).unwrap();
        record.follow(&object, &file, &[]).unwrap();
        assert_eq!(record.downloaded(), None);
    }
}
