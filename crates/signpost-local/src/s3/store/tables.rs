//! The tables of the index, and functions that read records.

use redb::{ReadableTable, Table, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;
use super::records::{BucketRecord, VersionRecord};

/// Maps a bucket name to a [`BucketRecord`].
pub(super) const BUCKETS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("buckets");

/// Maps bucket, key and rank to a [`VersionRecord`]. The rank decreases, so the newest version of a key is first.
pub(super) const VERSIONS: TableDefinition<'_, VersionKey<'_>, &[u8]> = TableDefinition::new("versions");

/// Maps bucket, key and upload id to an upload.
pub(super) const UPLOADS: TableDefinition<'_, UploadKey<'_>, &[u8]> = TableDefinition::new("uploads");

/// Maps upload id and part number to a part.
pub(super) const PARTS: TableDefinition<'_, (&str, u32), &[u8]> = TableDefinition::new("parts");

/// Maps bucket, key and upload id to a completed upload.
pub(super) const COMPLETED: TableDefinition<'_, UploadKey<'_>, &[u8]> = TableDefinition::new("completed");

/// Counters by name.
pub(super) const COUNTERS: TableDefinition<'_, &str, u64> = TableDefinition::new("counters");

pub(super) type VersionKey<'a> = (&'a str, &'a [u8], u64);
pub(super) type UploadKey<'a> = (&'a str, &'a [u8], &'a str);

/// A version with its rank among the versions of the key.
pub(super) type RankedVersion = (u64, VersionRecord);

pub(super) fn encode_record(record: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    Ok(serde_json::to_vec(record)?)
}

pub(super) fn decode_record<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    Ok(serde_json::from_slice(bytes)?)
}

pub(super) fn read_bucket(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    name: &str,
) -> Result<BucketRecord, StoreError> {
    let row = table.get(name)?.ok_or(StoreError::NoSuchBucket)?;
    decode_record(row.value())
}

/// Returns all versions of a key, newest first.
pub(super) fn read_versions(
    table: &impl ReadableTable<VersionKey<'static>, &'static [u8]>,
    bucket: &str,
    key: &str,
) -> Result<Vec<RankedVersion>, StoreError> {
    let key = key.as_bytes();
    table
        .range((bucket, key, 0)..=(bucket, key, u64::MAX))?
        .map(|row| {
            let (location, record) = row?;
            Ok((location.value().2, decode_record(record.value())?))
        })
        .collect()
}

/// Returns a rank that sorts before the ranks of all existing versions.
pub(super) fn next_rank(counters: &mut Table<'_, &'static str, u64>) -> Result<u64, StoreError> {
    let next = counters.get("written")?.map_or(0, |row| row.value()) + 1;
    counters.insert("written", next)?;
    Ok(u64::MAX - next)
}
