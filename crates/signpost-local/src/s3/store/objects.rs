//! Reading, writing and deleting the versions of one key.

use redb::{ReadableDatabase, Table, WriteTransaction};

use super::records::{Bucket, Object, Version, Versioning};
use super::tables::{Ranked, VersionKey};
use super::{Store, StoreError, WriteCondition, ids, now, tables};

/// What is to be deleted.
#[derive(Debug)]
pub(crate) struct Doomed {
    pub(crate) key: String,
    pub(crate) version: Option<String>,
    /// It says nothing of a named version.
    pub(crate) condition: WriteCondition,
}

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
    pub(crate) fn delete(&self, bucket: &str, doomed: &Doomed) -> Result<Deleted, StoreError> {
        let mut deleted = self.delete_all(bucket, std::slice::from_ref(doomed))?;
        deleted.pop().expect("there is an answer for each")
    }

    /// Deletes many in one go, and tells of each; one that cannot be deleted keeps none of the others.
    pub(crate) fn delete_all(
        &self,
        bucket: &str,
        doomed: &[Doomed],
    ) -> Result<Vec<Result<Deleted, StoreError>>, StoreError> {
        let write = self.index.begin_write()?;
        let versioning = tables::bucket_in(&write.open_table(tables::BUCKETS)?, bucket)?.versioning;
        let mut removed = Vec::new();
        let answers = doomed.iter().map(|doomed| {
            let place = (bucket, doomed.key.as_str());
            let (deleted, versions) = match &doomed.version {
                Some(version) => delete_version(&write, place, version),
                None => delete_newest(&write, place, versioning, &doomed.condition),
            }?;
            removed.extend(versions);
            Ok(deleted)
        });
        let answers = answers.collect();
        write.commit()?;
        self.discard(&removed);
        Ok(answers)
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

/// Removes a version for good, and gives it back; one that there is not counts as removed.
fn delete_version(
    write: &WriteTransaction,
    (bucket, key): (&str, &str),
    version: &str,
) -> Result<(Deleted, Vec<Version>), StoreError> {
    let mut table = write.open_table(tables::VERSIONS)?;
    let mut versions = tables::versions_of(&table, bucket, key)?;
    let removed = match position(&versions, Some(version)) {
        Ok(place) => {
            let (rank, removed) = versions.swap_remove(place);
            table.remove((bucket, key.as_bytes(), rank))?;
            vec![removed]
        }
        Err(_) => Vec::new(),
    };
    let deleted = Deleted {
        version: Some(version.to_owned()),
        marker: removed.iter().any(|removed| removed.object.is_none()),
    };
    Ok((deleted, removed))
}

/// Takes away the only version, or puts a delete marker on top of the others.
fn delete_newest(
    write: &WriteTransaction,
    (bucket, key): (&str, &str),
    versioning: Versioning,
    condition: &WriteCondition,
) -> Result<(Deleted, Vec<Version>), StoreError> {
    if versioning == Versioning::Never {
        let mut table = write.open_table(tables::VERSIONS)?;
        let versions = tables::versions_of(&table, bucket, key)?;
        condition.check(versions.first().map(|(_, version)| version))?;
        let removed = remove_null(&mut table, (bucket, key), versions)?;
        return Ok((Deleted::default(), removed));
    }
    let written = insert_version(write, (bucket, key), None, condition)?;
    let version = written.version.or_else(|| Some("null".to_owned()));
    Ok((Deleted { version, marker: true }, written.replaced))
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
