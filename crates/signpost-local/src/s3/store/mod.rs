//! Buckets, versions, tags and uploads on disk.
//!
//! The index is one `redb` file: a pure-Rust, crash-safe B-tree with ordered keys, so a listing is a range scan,
//! a condition and the write that it guards are one transaction, and a start reads nothing into memory. Sidecar
//! files beside the blobs were the alternative; they would need an index in memory, rebuilt at each start, and
//! locks of our own for every condition. The bytes are plain files beside the index (see [`blobs`]).
//! `redb` locks its file, which keeps a second server out of the folder.

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

use redb::{Database, ReadableDatabase, ReadableTable};

pub(crate) use self::conditions::{EtagMatch, WriteCondition};
pub(crate) use self::error::StoreError;
pub(crate) use self::listing::{After, ListQuery, Listed, Row};
pub(crate) use self::multipart::{CompleteRequest, NamedPart, UploadRow};
pub(crate) use self::objects::{Deleted, Doomed};

use self::blobs::Blobs;
use self::records::{Part, Version};

const CACHE_BYTES: usize = 32 * 1024 * 1024;

/// The data of one server.
#[derive(Debug)]
pub(crate) struct Store {
    index: Database,
    pub(crate) blobs: Blobs,
}

impl Store {
    /// Opens the folder, making it when missing, and sweeps what an earlier process left unfinished.
    pub(crate) fn open(folder: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder)?;
        let index = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create(folder.join("index.redb"))?;
        let store = Self {
            index,
            blobs: Blobs::open(folder.join("blobs"))?,
        };
        store.make_tables()?;
        let swept = store.blobs.sweep(&store.named_blobs()?)?;
        if swept > 0 {
            tracing::info!(files = swept, "removed what an interrupted upload had left");
        }
        Ok(store)
    }

    fn make_tables(&self) -> Result<(), StoreError> {
        let write = self.index.begin_write()?;
        write.open_table(tables::BUCKETS)?;
        write.open_table(tables::VERSIONS)?;
        write.open_table(tables::UPLOADS)?;
        write.open_table(tables::PARTS)?;
        write.open_table(tables::COUNTERS)?;
        Ok(write.commit()?)
    }

    fn named_blobs(&self) -> Result<HashSet<String>, StoreError> {
        let read = self.index.begin_read()?;
        let mut named = HashSet::new();
        for row in read.open_table(tables::VERSIONS)?.iter()? {
            let version: Version = tables::decode(row?.1.value())?;
            named.extend(
                version
                    .object
                    .into_iter()
                    .flat_map(|object| object.segments)
                    .map(|segment| segment.blob),
            );
        }
        for row in read.open_table(tables::PARTS)?.iter()? {
            let part: Part = tables::decode(row?.1.value())?;
            named.insert(part.segment.blob);
        }
        Ok(named)
    }
}

/// The current time as the index keeps it.
pub(crate) fn now() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}
