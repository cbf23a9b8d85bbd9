//! Buckets, versions, tags and uploads on disk.
//!
//! The index is one `redb` file, a crash-safe B-tree in pure Rust. Its keys are ordered, so a listing is a range scan. A
//! conditional write checks its condition in the same transaction. A start does not load the index into memory.
//! The alternative was one metadata file per blob. It would require an index in memory, rebuilt at each start, and
//! separate locks for conditional writes. The bytes of objects are files next to the index (see [`blobs`]).
//! `redb` locks its file, so a second server cannot open the same directory.

pub(crate) mod blobs;
mod buckets;
mod conditions;
mod error;
pub(crate) mod ids;
mod listing;
mod multipart;
mod objects;
pub(crate) mod records;
mod tables;

use std::collections::HashSet;
use std::path::Path;

use redb::backends::FileBackend;
use redb::{Database, ReadableDatabase, ReadableTable};

use crate::private_files;

pub(crate) use self::conditions::{EtagMatch, WriteCondition};
pub(crate) use self::error::StoreError;
pub(crate) use self::listing::{ListEntry, ListMarker, ListPage, ListQuery};
pub(crate) use self::multipart::{CompletionRequest, RequestedPart, UploadEntry};
pub(crate) use self::objects::{DeleteOutcome, DeleteRequest};

use self::blobs::BlobFiles;
use self::records::{CompletedRecord, PartBlob, VersionBlobs};

const CACHE_BYTES: usize = 32 * 1024 * 1024;

/// A server that starts forgets uploads that were completed before this time.
const COMPLETED_SECONDS: i64 = 24 * 60 * 60;

/// The data directory of one server.
#[derive(Debug)]
pub(crate) struct ObjectStore {
    index: Database,
    pub(crate) blobs: BlobFiles,
}

impl ObjectStore {
    /// Opens or creates the directory, and removes the files of interrupted uploads.
    pub(crate) fn open(folder: &Path) -> Result<Self, StoreError> {
        private_files::create_dir_all(folder)?;
        let index = private_files::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join("index.redb"))?;
        let index = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(FileBackend::new(index)?)?;
        let store = Self {
            index,
            blobs: BlobFiles::open(folder.join("blobs"))?,
        };
        store.create_tables()?;
        let removed = store.blobs.remove_unreferenced(&store.referenced_blobs()?)?;
        if removed > 0 {
            tracing::info!(files = removed, "removed files of interrupted uploads");
        }
        Ok(store)
    }

    fn create_tables(&self) -> Result<(), StoreError> {
        let write = self.index.begin_write()?;
        write.open_table(tables::BUCKETS)?;
        write.open_table(tables::VERSIONS)?;
        write.open_table(tables::UPLOADS)?;
        write.open_table(tables::PARTS)?;
        write.open_table(tables::COMPLETED)?.retain(is_recent)?;
        write.open_table(tables::COUNTERS)?;
        Ok(write.commit()?)
    }

    /// Returns the numbers of the blobs that the index refers to. Only the names are read, and the numbers need little memory,
    /// because each object has at least one blob.
    fn referenced_blobs(&self) -> Result<HashSet<u128>, StoreError> {
        let read = self.index.begin_read()?;
        let mut referenced = HashSet::new();
        for row in read.open_table(tables::VERSIONS)?.iter()? {
            let version: VersionBlobs = tables::decode_record(row?.1.value())?;
            let segments = version.object.into_iter().flat_map(|object| object.segments);
            referenced.extend(segments.map(|segment| segment.blob));
        }
        for row in read.open_table(tables::PARTS)?.iter()? {
            let part: PartBlob = tables::decode_record(row?.1.value())?;
            referenced.insert(part.segment.blob);
        }
        Ok(referenced)
    }
}

/// Returns true if a completed upload is still known.
fn is_recent(_: tables::UploadKey<'_>, record: &[u8]) -> bool {
    let record: Result<CompletedRecord, _> = tables::decode_record(record);
    record.is_ok_and(|record| record.completed + COMPLETED_SECONDS > unix_now())
}

/// Returns the current time in seconds since 1970, the format of the index.
pub(crate) fn unix_now() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}
