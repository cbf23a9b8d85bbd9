//! Reading, writing and deleting the versions of one key.

use redb::{ReadableDatabase, Table, WriteTransaction};

use super::records::{Bucket, Object, Version, Versioning};
use super::tables::{Ranked, VersionKey};
use super::{Store, StoreError, WriteCondition, ids, now, tables};

/// What a deletion did.
#[derive(Debug, Default)]
pub(crate) struct Deleted {
    pub(crate) version: Option<String>,
    pub(crate) marker: bool,
}

impl Store {
    /// The newest version of a key or the named one; delete markers are errors of their own.
    pub(crate) fn find(&self, bucket: &str, key: &str, version: Option<&str>) -> Result<Version, StoreError> {
        let read = self.index.begin_read()?;
        tables::bucket_in(&read.open_table(tables::BUCKETS)?, bucket)?;
        let mut versions = tables::versions_of(&read.open_table(tables::VERSIONS)?, bucket, key)?;
        let place = position(&versions, version)?;
        let (_, found) = versions.swap_remove(place);
        match (&found.object, version) {
            (Some(_), _) => Ok(found),
            (None, None) => Err(StoreError::DeleteMarker {
                version: found.name().to_owned(),
            }),
            (None, Some(_)) => Err(StoreError::MarkerNamed {
                version: found.name().to_owned(),
            }),
        }
    }

    /// Whether a write under this condition could succeed now; asked before the body is read.
    pub(crate) fn may_put(&self, bucket: &str, key: &str, condition: &WriteCondition) -> Result<(), StoreError> {
        let read = self.index.begin_read()?;
        tables::bucket_in(&read.open_table(tables::BUCKETS)?, bucket)?;
        let versions = tables::versions_of(&read.open_table(tables::VERSIONS)?, bucket, key)?;
        condition.check(versions.first().map(|(_, version)| version))
    }

    /// Writes an object under a condition, and tells the version's name if the bucket keeps versions.
    pub(crate) fn put(
        &self,
        bucket: &str,
        key: &str,
        object: Object,
        condition: &WriteCondition,
    ) -> Result<Option<String>, StoreError> {
        let write = self.index.begin_write()?;
        let written = insert_version(&write, (bucket, key), Some(object), condition)?;
        write.commit()?;
        self.discard(&written.replaced);
        Ok(written.version)
    }

    /// Deletes a key, or one version of it for good.
    pub(crate) fn delete(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        condition: &WriteCondition,
    ) -> Result<Deleted, StoreError> {
        match version {
            Some(version) => self.delete_version(bucket, key, version),
            None => self.delete_newest(bucket, key, condition),
        }
    }

    fn delete_version(&self, bucket: &str, key: &str, version: &str) -> Result<Deleted, StoreError> {
        let write = self.index.begin_write()?;
        let removed = {
            tables::bucket_in(&write.open_table(tables::BUCKETS)?, bucket)?;
            let mut table = write.open_table(tables::VERSIONS)?;
            let mut versions = tables::versions_of(&table, bucket, key)?;
            let Ok(place) = position(&versions, Some(version)) else {
                return Ok(Deleted {
                    version: Some(version.to_owned()),
                    marker: false,
                });
            };
            let (rank, removed) = versions.swap_remove(place);
            table.remove((bucket, key.as_bytes(), rank))?;
            removed
        };
        write.commit()?;
        let deleted = Deleted {
            version: Some(version.to_owned()),
            marker: removed.object.is_none(),
        };
        self.discard(&[removed]);
        Ok(deleted)
    }

    fn delete_newest(&self, bucket: &str, key: &str, condition: &WriteCondition) -> Result<Deleted, StoreError> {
        let write = self.index.begin_write()?;
        let versioning = tables::bucket_in(&write.open_table(tables::BUCKETS)?, bucket)?.versioning;
        let (deleted, replaced) = if versioning == Versioning::Never {
            let mut table = write.open_table(tables::VERSIONS)?;
            let versions = tables::versions_of(&table, bucket, key)?;
            condition.check(versions.first().map(|(_, version)| version))?;
            (Deleted::default(), remove_null(&mut table, (bucket, key), versions)?)
        } else {
            let written = insert_version(&write, (bucket, key), None, condition)?;
            let version = written.version.or_else(|| Some("null".to_owned()));
            (Deleted { version, marker: true }, written.replaced)
        };
        write.commit()?;
        self.discard(&replaced);
        Ok(deleted)
    }

    /// Changes the description of a version, its tags for one.
    pub(crate) fn update_object(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        change: impl FnOnce(&mut Object),
    ) -> Result<Option<String>, StoreError> {
        let write = self.index.begin_write()?;
        let id = {
            tables::bucket_in(&write.open_table(tables::BUCKETS)?, bucket)?;
            let mut table = write.open_table(tables::VERSIONS)?;
            let mut versions = tables::versions_of(&table, bucket, key)?;
            let place = position(&versions, version)?;
            let (rank, mut found) = versions.swap_remove(place);
            change(found.object.as_mut().ok_or(StoreError::NoSuchKey)?);
            table.insert((bucket, key.as_bytes(), rank), tables::encode(&found)?.as_slice())?;
            found.id
        };
        write.commit()?;
        Ok(id)
    }

    /// Removes the files of versions that the index no longer names.
    pub(super) fn discard(&self, versions: &[Version]) {
        let objects = versions.iter().filter_map(|version| version.object.as_ref());
        self.blobs.remove(
            objects
                .flat_map(|object| &object.segments)
                .map(|segment| segment.blob.as_str()),
        );
    }
}

/// What a write did: the new version's name, and the versions whose place it took.
pub(super) struct Written {
    pub(super) version: Option<String>,
    pub(super) replaced: Vec<Version>,
}

/// Puts an object or a delete marker on top of a key's versions.
pub(super) fn insert_version(
    write: &WriteTransaction,
    (bucket, key): (&str, &str),
    object: Option<Object>,
    condition: &WriteCondition,
) -> Result<Written, StoreError> {
    let Bucket { versioning, .. } = tables::bucket_in(&write.open_table(tables::BUCKETS)?, bucket)?;
    let mut table = write.open_table(tables::VERSIONS)?;
    let versions = tables::versions_of(&table, bucket, key)?;
    condition.check(versions.first().map(|(_, version)| version))?;
    let (id, replaced) = if versioning == Versioning::Enabled {
        (Some(ids::random()), Vec::new())
    } else {
        (None, remove_null(&mut table, (bucket, key), versions)?)
    };
    let rank = tables::next_rank(&mut write.open_table(tables::COUNTERS)?)?;
    let version = Version {
        id,
        modified: now(),
        object,
    };
    table.insert((bucket, key.as_bytes(), rank), tables::encode(&version)?.as_slice())?;
    let name = (versioning != Versioning::Never).then(|| version.name().to_owned());
    Ok(Written {
        version: name,
        replaced,
    })
}

fn remove_null(
    table: &mut Table<'_, VersionKey<'static>, &'static [u8]>,
    (bucket, key): (&str, &str),
    versions: Vec<Ranked>,
) -> Result<Vec<Version>, StoreError> {
    let mut removed = Vec::new();
    for (rank, version) in versions.into_iter().filter(|(_, version)| version.id.is_none()) {
        table.remove((bucket, key.as_bytes(), rank))?;
        removed.push(version);
    }
    Ok(removed)
}

fn position(versions: &[Ranked], wanted: Option<&str>) -> Result<usize, StoreError> {
    match wanted {
        None if versions.is_empty() => Err(StoreError::NoSuchKey),
        None => Ok(0),
        Some(name) => {
            let place = versions.iter().position(|(_, version)| version.name() == name);
            place.ok_or(StoreError::NoSuchVersion)
        }
    }
}
