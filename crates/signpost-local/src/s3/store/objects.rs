//! Reads, writes and deletes the versions of a key.

use redb::{ReadableDatabase, ReadableTable, Table, WriteTransaction};

use super::records::{BucketRecord, ObjectRecord, UploadRecord, VersionRecord, VersioningState};
use super::tables::{RankedVersion, VersionKey};
use super::{ObjectStore, StoreError, WriteCondition, ids, tables, unix_now};

/// A request to delete a key or one of its versions.
#[derive(Debug)]
pub(crate) struct DeleteRequest {
    pub(crate) key: String,
    pub(crate) version: Option<String>,
    /// Ignored if the request contains a version id.
    pub(crate) condition: WriteCondition,
}

/// The result of a deletion.
#[derive(Debug, Default)]
pub(crate) struct DeleteOutcome {
    pub(crate) version: Option<String>,
    pub(crate) is_delete_marker: bool,
}

impl ObjectStore {
    /// Returns the newest version of a key, or the version with this id, and the state of the bucket. A delete marker is
    /// an error.
    pub(crate) fn find_version(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<(VersionRecord, VersioningState), StoreError> {
        let read = self.index.begin_read()?;
        let versioning = tables::read_bucket(&read.open_table(tables::BUCKETS)?, bucket)?.versioning;
        let mut versions = tables::read_versions(&read.open_table(tables::VERSIONS)?, bucket, key)?;
        let index = version_position(&versions, version)?;
        let (_, record) = versions.swap_remove(index);
        match (&record.object, version) {
            (Some(_), _) => Ok((record, versioning)),
            (None, None) => Err(StoreError::DeleteMarker {
                version: record.version_id().to_owned(),
            }),
            (None, Some(_)) => Err(delete_marker_version(&record)),
        }
    }

    /// Returns a version like [`Self::find_version`], but a delete marker never counts as a missing key.
    pub(crate) fn find_tagged_version(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<(VersionRecord, VersioningState), StoreError> {
        match self.find_version(bucket, key, version) {
            Err(StoreError::DeleteMarker { version }) => self.find_version(bucket, key, Some(&version)),
            found => found,
        }
    }

    /// Checks the condition of a write before the body is read.
    pub(crate) fn check_put(&self, bucket: &str, key: &str, condition: &WriteCondition) -> Result<(), StoreError> {
        let read = self.index.begin_read()?;
        tables::read_bucket(&read.open_table(tables::BUCKETS)?, bucket)?;
        let versions = tables::read_versions(&read.open_table(tables::VERSIONS)?, bucket, key)?;
        condition.check(versions.first().map(|(_, version)| version))
    }

    /// Writes an object if the condition is met. Returns its version id if versioning is enabled.
    pub(crate) fn put_object(
        &self,
        bucket: &str,
        key: &str,
        object: ObjectRecord,
        condition: &WriteCondition,
    ) -> Result<Option<String>, StoreError> {
        let write = self.index.begin_write()?;
        let written = insert_version(&write, (bucket, key), Some(object), condition)?;
        write.commit()?;
        self.remove_blobs_of(&written.replaced);
        Ok(written.version)
    }

    /// Deletes a key, or removes one version permanently.
    pub(crate) fn delete_object(&self, bucket: &str, request: &DeleteRequest) -> Result<DeleteOutcome, StoreError> {
        let mut deleted = self.delete_objects(bucket, std::slice::from_ref(request))?;
        deleted.pop().expect("there is one result per request")
    }

    /// Handles many deletions in one transaction and returns one result for each. A failed deletion does not affect the others.
    pub(crate) fn delete_objects(
        &self,
        bucket: &str,
        requests: &[DeleteRequest],
    ) -> Result<Vec<Result<DeleteOutcome, StoreError>>, StoreError> {
        let write = self.index.begin_write()?;
        let versioning = tables::read_bucket(&write.open_table(tables::BUCKETS)?, bucket)?.versioning;
        let mut removed = Vec::new();
        let results = requests.iter().map(|request| {
            let location = (bucket, request.key.as_str());
            let (deleted, versions) = match &request.version {
                Some(version) => delete_version(&write, location, version),
                None => delete_current_version(&write, location, versioning, &request.condition),
            }?;
            removed.extend(versions);
            Ok(deleted)
        });
        let results = results.collect();
        write.commit()?;
        self.remove_blobs_of(&removed);
        Ok(results)
    }

    /// Changes the record of a version, for example its tags.
    pub(crate) fn update_object(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        change: impl FnOnce(&mut ObjectRecord),
    ) -> Result<Option<String>, StoreError> {
        let write = self.index.begin_write()?;
        let id = {
            tables::read_bucket(&write.open_table(tables::BUCKETS)?, bucket)?;
            let mut table = write.open_table(tables::VERSIONS)?;
            let mut versions = tables::read_versions(&table, bucket, key)?;
            let index = version_position(&versions, version)?;
            let (rank, mut record) = versions.swap_remove(index);
            let marker = delete_marker_version(&record);
            change(record.object.as_mut().ok_or(marker)?);
            table.insert(
                (bucket, key.as_bytes(), rank),
                tables::encode_record(&record)?.as_slice(),
            )?;
            record.id
        };
        write.commit()?;
        Ok(id)
    }

    /// Removes the files of versions that are no longer in the index.
    pub(super) fn remove_blobs_of(&self, versions: &[VersionRecord]) {
        let objects = versions.iter().filter_map(|version| version.object.as_ref());
        self.blobs.remove(
            objects
                .flat_map(|object| &object.segments)
                .map(|segment| segment.blob.as_str()),
        );
    }
}

/// The result of a write: the new version id, and the versions that it replaced.
pub(super) struct WriteOutcome {
    pub(super) version: Option<String>,
    pub(super) replaced: Vec<VersionRecord>,
}

/// Adds an object or a delete marker as the newest version of a key.
pub(super) fn insert_version(
    write: &WriteTransaction,
    (bucket, key): (&str, &str),
    object: Option<ObjectRecord>,
    condition: &WriteCondition,
) -> Result<WriteOutcome, StoreError> {
    let BucketRecord { versioning, .. } = tables::read_bucket(&write.open_table(tables::BUCKETS)?, bucket)?;
    let mut table = write.open_table(tables::VERSIONS)?;
    let versions = tables::read_versions(&table, bucket, key)?;
    condition.check(versions.first().map(|(_, version)| version))?;
    mark_uploads(write, (bucket, key))?;
    let (id, replaced) = if versioning == VersioningState::Enabled {
        (Some(ids::random_id()), Vec::new())
    } else {
        (None, remove_null_version(&mut table, (bucket, key), versions)?)
    };
    let rank = tables::next_rank(&mut write.open_table(tables::COUNTERS)?)?;
    let version = VersionRecord {
        id,
        modified: unix_now(),
        object,
    };
    table.insert(
        (bucket, key.as_bytes(), rank),
        tables::encode_record(&version)?.as_slice(),
    )?;
    Ok(WriteOutcome {
        version: version.id,
        replaced,
    })
}

/// Removes a version permanently and returns it. Succeeds if the version does not exist.
fn delete_version(
    write: &WriteTransaction,
    (bucket, key): (&str, &str),
    version: &str,
) -> Result<(DeleteOutcome, Vec<VersionRecord>), StoreError> {
    let mut table = write.open_table(tables::VERSIONS)?;
    let mut versions = tables::read_versions(&table, bucket, key)?;
    let removed = match version_position(&versions, Some(version)) {
        Ok(index) => {
            let (rank, removed) = versions.swap_remove(index);
            table.remove((bucket, key.as_bytes(), rank))?;
            vec![removed]
        }
        Err(_) => Vec::new(),
    };
    let deleted = DeleteOutcome {
        version: Some(version.to_owned()),
        is_delete_marker: removed.iter().any(|removed| removed.object.is_none()),
    };
    Ok((deleted, removed))
}

/// Removes the only version of an unversioned bucket, or adds a delete marker.
fn delete_current_version(
    write: &WriteTransaction,
    (bucket, key): (&str, &str),
    versioning: VersioningState,
    condition: &WriteCondition,
) -> Result<(DeleteOutcome, Vec<VersionRecord>), StoreError> {
    if versioning == VersioningState::Never {
        let mut table = write.open_table(tables::VERSIONS)?;
        let versions = tables::read_versions(&table, bucket, key)?;
        condition.check(versions.first().map(|(_, version)| version))?;
        mark_uploads(write, (bucket, key))?;
        let removed = remove_null_version(&mut table, (bucket, key), versions)?;
        return Ok((DeleteOutcome::default(), removed));
    }
    let written = insert_version(write, (bucket, key), None, condition)?;
    let version = written.version.or_else(|| Some("null".to_owned()));
    Ok((
        DeleteOutcome {
            version,
            is_delete_marker: true,
        },
        written.replaced,
    ))
}

/// Marks the unfinished uploads of a key that is written or deleted.
fn mark_uploads(write: &WriteTransaction, (bucket, key): (&str, &str)) -> Result<(), StoreError> {
    let mut uploads = write.open_table(tables::UPLOADS)?;
    let mut changed = Vec::new();
    for row in uploads.range((bucket, key.as_bytes(), "")..)? {
        let (location, record) = row?;
        let (found_bucket, found_key, id) = location.value();
        if (found_bucket, found_key) != (bucket, key.as_bytes()) {
            break;
        }
        let mut upload: UploadRecord = tables::decode_record(record.value())?;
        if !upload.key_changed {
            upload.key_changed = true;
            changed.push((id.to_owned(), tables::encode_record(&upload)?));
        }
    }
    for (id, record) in changed {
        uploads.insert((bucket, key.as_bytes(), id.as_str()), record.as_slice())?;
    }
    Ok(())
}

fn delete_marker_version(record: &VersionRecord) -> StoreError {
    StoreError::DeleteMarkerVersion {
        version: record.version_id().to_owned(),
        modified: record.modified,
    }
}

fn remove_null_version(
    table: &mut Table<'_, VersionKey<'static>, &'static [u8]>,
    (bucket, key): (&str, &str),
    versions: Vec<RankedVersion>,
) -> Result<Vec<VersionRecord>, StoreError> {
    let mut removed = Vec::new();
    for (rank, version) in versions.into_iter().filter(|(_, version)| version.id.is_none()) {
        table.remove((bucket, key.as_bytes(), rank))?;
        removed.push(version);
    }
    Ok(removed)
}

fn version_position(versions: &[RankedVersion], version_id: Option<&str>) -> Result<usize, StoreError> {
    match version_id {
        None if versions.is_empty() => Err(StoreError::NoSuchKey),
        None => Ok(0),
        Some(id) => {
            let index = versions.iter().position(|(_, version)| version.version_id() == id);
            index.ok_or(StoreError::NoSuchVersion)
        }
    }
}
