//! The stored state of transfers, in the state folder of the user, so that the same command can resume them. The state
//! is always verified: S3 lists the parts that it has, and files are read again.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use etcetera::BaseStrategy as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::checksum::ContentChecksum;
use crate::platform;

/// The folder with the stored state.
#[derive(Clone, Debug)]
pub(crate) struct StateFolder {
    /// `None` if the system has no state folder.
    folder: Option<PathBuf>,
    resumable: Arc<AtomicBool>,
}

/// The identity of a file and its content. A changed or replaced file has another identity.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct FileIdentity {
    device: u64,
    inode: u64,
    pub(crate) len: u64,
    modified: (i64, i64),
}

/// A multipart upload that can be resumed.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct ResumableUpload {
    pub(crate) url: String,
    pub(crate) file: PathBuf,
    pub(crate) identity: FileIdentity,
    /// The attributes of the object. With other attributes, a new upload is started.
    pub(crate) content_type: Option<String>,
    pub(crate) metadata: Vec<(String, String)>,
    pub(crate) upload_id: String,
    pub(crate) part_size: u64,
}

/// The identity of a file, independent of its content.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct FileInode {
    device: u64,
    inode: u64,
}

/// The first line of the record of a download.
#[derive(Serialize)]
struct DownloadHeader<'a> {
    #[serde(flatten)]
    object: &'a RemoteObject,
    part: FileInode,
}

/// The partial file of an earlier download.
#[derive(Deserialize)]
struct PartialFileHeader {
    part: FileInode,
}

/// An object that is being downloaded, according to the first response of S3.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct RemoteObject {
    pub(crate) etag: String,
    pub(crate) len: u64,
    pub(crate) checksum: Option<ContentChecksum>,
    /// The size of the ranges that `FinishedRange` numbers.
    pub(crate) range_size: u64,
}

/// A range that has been written to the file.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct FinishedRange {
    pub(crate) number: u32,
    pub(crate) checksum: ContentChecksum,
}

/// The record of one transfer.
#[derive(Clone, Debug)]
pub(crate) struct TransferRecord {
    /// `None` if nothing can be stored.
    path: Option<PathBuf>,
    resumable: Arc<AtomicBool>,
}

/// A record to which finished ranges are appended.
#[derive(Debug)]
pub(crate) struct RangeLog(Option<File>);

impl StateFolder {
    /// The user's state folder, according to the [XDG
    /// specification](https://specifications.freedesktop.org/basedir-spec/latest/).
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
            resumable: Arc::default(),
        }
    }

    /// Returns true if another command can resume a transfer of this command.
    pub(crate) fn has_resumable(&self) -> bool {
        self.resumable.load(Ordering::Relaxed)
    }

    /// The record of an upload of this file to this URL.
    pub(crate) fn upload(&self, url: &str, file: &Path) -> TransferRecord {
        self.record("put", url, file)
    }

    /// The record of a download from this URL to this file.
    pub(crate) fn download(&self, url: &str, file: &Path) -> TransferRecord {
        self.record("get", url, file)
    }

    fn record(&self, kind: &str, url: &str, file: &Path) -> TransferRecord {
        let mut name = kind.to_owned();
        name.push('-');
        let digest = Sha256::digest(format!("{url}\0{}", file.display()));
        for byte in &digest[..12] {
            write!(name, "{byte:02x}").expect("writing to a String cannot fail");
        }
        TransferRecord {
            path: self.folder.as_ref().map(|folder| folder.join(name)),
            resumable: Arc::clone(&self.resumable),
        }
    }
}

impl FileIdentity {
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let (device, inode) = platform::file_id(&metadata);
        Ok(Self {
            device,
            inode,
            len: metadata.len(),
            modified: platform::modified(&metadata),
        })
    }
}

impl FileInode {
    pub(crate) fn of(metadata: &fs::Metadata) -> Self {
        let (device, inode) = platform::file_id(metadata);
        Self { device, inode }
    }
}

impl TransferRecord {
    /// Returns true if the record exists.
    pub(crate) fn exists(&self) -> bool {
        self.path.as_ref().is_some_and(|path| path.exists())
    }

    /// The stored upload, if there is one.
    pub(crate) fn load_upload(&self) -> Option<ResumableUpload> {
        serde_json::from_str(&fs::read_to_string(self.path.as_ref()?).ok()?).ok()
    }

    /// Stores an upload. If this fails, the caller reports it and continues without a record.
    pub(crate) fn save_upload(&self, upload: &ResumableUpload) -> io::Result<()> {
        let text = serde_json::to_string(upload).expect("texts and numbers can be serialized");
        let Some(mut file) = self.create()? else { return Ok(()) };
        file.write_all(text.as_bytes())?;
        // Without the record, the upload would have to start again after a power failure.
        file.sync_all()?;
        self.mark_resumable();
        Ok(())
    }

    /// Records that another command can resume this transfer.
    pub(crate) fn mark_resumable(&self) {
        self.resumable.store(self.path.is_some(), Ordering::Relaxed);
    }

    /// The stored download and its finished ranges. A line that was cut off by a kill, and everything after it, is
    /// ignored.
    pub(crate) fn load_download(&self) -> Option<(RemoteObject, Vec<FinishedRange>)> {
        let text = fs::read_to_string(self.path.as_ref()?).ok()?;
        let mut lines = text.lines();
        let object = serde_json::from_str(lines.next()?).ok()?;
        let finished = lines.map_while(|line| serde_json::from_str(line).ok()).collect();
        Some((object, finished))
    }

    /// Returns true if an earlier download created the partial file at this path.
    pub(crate) fn owns_partial_file(&self, part: &Path) -> bool {
        let text = self.path.as_ref().and_then(|path| fs::read_to_string(path).ok());
        let header = text.and_then(|text| serde_json::from_str::<PartialFileHeader>(text.lines().next()?).ok());
        let metadata = fs::symlink_metadata(part);
        header.is_some_and(|header| metadata.is_ok_and(|metadata| FileInode::of(&metadata) == header.part))
    }

    /// Records that this command created the partial file. The download cannot be resumed from this record.
    pub(crate) fn claim_partial(&self, object: &RemoteObject, part: &File) -> io::Result<()> {
        self.begin_download(object, part).map(drop)
    }

    /// Stores a download with the ranges that are in the file.
    pub(crate) fn save_download(
        &self,
        object: &RemoteObject,
        part: &File,
        finished: &[FinishedRange],
    ) -> io::Result<RangeLog> {
        let mut log = self.begin_download(object, part)?;
        for range in finished {
            log.write(range)?;
        }
        self.mark_resumable();
        Ok(log)
    }

    fn begin_download(&self, object: &RemoteObject, part: &File) -> io::Result<RangeLog> {
        let part = FileInode::of(&part.metadata()?);
        let mut log = RangeLog(self.create()?);
        log.write(&DownloadHeader { object, part })?;
        Ok(log)
    }

    /// Deletes the record.
    pub(crate) fn delete(&self) {
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }

    /// Creates the file with access for the user only, because it contains file names.
    fn create(&self) -> io::Result<Option<File>> {
        let Some(path) = &self.path else { return Ok(None) };
        if let Some(folder) = path.parent() {
            platform::create_private_folder(folder)?;
        }
        platform::create_private_file(path).map(Some)
    }
}

impl RangeLog {
    /// A log that stores nothing.
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// Appends a range that is in the file.
    pub(crate) fn append(&mut self, finished: &FinishedRange) -> io::Result<()> {
        self.write(finished)
    }

    /// Each line is one write, so that a kill can cut off only the last line.
    fn write(&mut self, line: &impl Serialize) -> io::Result<()> {
        let Some(file) = &mut self.0 else { return Ok(()) };
        let mut text = serde_json::to_string(line).expect("texts and numbers can be serialized");
        text.push('\n');
        file.write_all(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::ChecksumAlgorithm;

    fn checksum() -> ContentChecksum {
        ChecksumAlgorithm::Crc64Nvme.hasher().finish()
    }

    #[test]
    fn an_upload_is_found_by_its_url_and_file() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::at(Some(folder.path().join("deep/state")));
        let file = File::open(folder.path()).unwrap();
        let upload = ResumableUpload {
            url: "https://h/k".into(),
            file: "/f".into(),
            identity: FileIdentity::of(&file).unwrap(),
            content_type: None,
            metadata: vec![("a".into(), "b".into())],
            upload_id: "id".into(),
            part_size: 7,
        };
        let record = state.upload("https://h/k", Path::new("/f"));
        assert!(record.load_upload().is_none() && !state.has_resumable());
        record.save_upload(&upload).unwrap();
        assert!(state.has_resumable());
        assert_eq!(state.upload("https://h/k", Path::new("/f")).load_upload(), Some(upload));
        assert_eq!(state.upload("https://h/l", Path::new("/f")).load_upload(), None);
        assert_eq!(state.upload("https://h/k", Path::new("/g")).load_upload(), None);
        record.delete();
        assert!(record.load_upload().is_none());
    }

    #[test]
    fn complete_lines_of_a_truncated_log_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::at(Some(folder.path().into()));
        let record = state.download("https://h/k", Path::new("/f"));
        let object = RemoteObject {
            etag: "\"e\"".into(),
            len: 30,
            checksum: Some(checksum()),
            range_size: 10,
        };
        let finished = |number| FinishedRange {
            number,
            checksum: checksum(),
        };
        let part = folder.path().join("part");
        let file = File::create(&part).unwrap();
        assert!(!record.owns_partial_file(&part));
        let mut log = record.save_download(&object, &file, &[finished(2)]).unwrap();
        assert!(record.owns_partial_file(&part) && !record.owns_partial_file(folder.path()));
        log.append(&finished(1)).unwrap();
        let path = record.path.clone().unwrap();
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [&whole, &b"{\"number\":3,\"che"[..]].concat()).unwrap();
        assert_eq!(record.load_download(), Some((object, vec![finished(2), finished(1)])));
        fs::write(&path, &whole[..5]).unwrap();
        assert_eq!(record.load_download(), None);
    }

    #[test]
    fn without_a_state_folder_nothing_is_stored_and_nothing_fails() {
        let record = StateFolder::at(None).download("u", Path::new("f"));
        let object = RemoteObject {
            etag: String::new(),
            len: 0,
            checksum: None,
            range_size: 1,
        };
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("part")).unwrap();
        record.save_download(&object, &file, &[]).unwrap();
        assert_eq!(record.load_download(), None);
    }
}
