//! The tables of the index, and the helpers that read a key's versions.

use redb::{ReadableTable, Table, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;
use super::records::{Bucket, Version};

/// Bucket name to [`Bucket`].
pub(super) const BUCKETS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("buckets");

/// Bucket, key and rank to [`Version`]. The rank counts down, so the newest version of a key comes first.
pub(super) const VERSIONS: TableDefinition<'_, VersionKey<'_>, &[u8]> = TableDefinition::new("versions");

/// Bucket, key and upload ID to an upload.
pub(super) const UPLOADS: TableDefinition<'_, UploadKey<'_>, &[u8]> = TableDefinition::new("uploads");

/// Upload ID and part number to a part.
pub(super) const PARTS: TableDefinition<'_, (&str, u32), &[u8]> = TableDefinition::new("parts");

/// Counters by name.
pub(super) const COUNTERS: TableDefinition<'_, &str, u64> = TableDefinition::new("counters");

pub(super) type VersionKey<'a> = (&'a str, &'a [u8], u64);
pub(super) type UploadKey<'a> = (&'a str, &'a [u8], &'a str);

/// A version and its place among those of its key.
pub(super) type Ranked = (u64, Version);

pub(super) fn encode(record: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    Ok(serde_json::to_vec(record)?)
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    Ok(serde_json::from_slice(bytes)?)
}

pub(super) fn bucket_in(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    name: &str,
) -> Result<Bucket, StoreError> {
    let row = table.get(name)?.ok_or(StoreError::NoSuchBucket)?;
    decode(row.value())
}

/// All versions of a key, the newest first.
pub(super) fn versions_of(
    table: &impl ReadableTable<VersionKey<'static>, &'static [u8]>,
    bucket: &str,
    key: &str,
) -> Result<Vec<Ranked>, StoreError> {
    let key = key.as_bytes();
    table
        .range((bucket, key, 0)..=(bucket, key, u64::MAX))?
        .map(|row| {
            let (place, record) = row?;
            Ok((place.value().2, decode(record.value())?))
        })
        .collect()
}

/// A rank before that of every version written so far.
pub(super) fn next_rank(counters: &mut Table<'_, &'static str, u64>) -> Result<u64, StoreError> {
    let next = counters.get("written")?.map_or(0, |row| row.value()) + 1;
    counters.insert("written", next)?;
    Ok(u64::MAX - next)
}
