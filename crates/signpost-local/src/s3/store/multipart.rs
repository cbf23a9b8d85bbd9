//! Multipart uploads. Each part is a blob, and completing an upload is one transaction that copies no bytes.

use redb::{ReadableDatabase, ReadableTable};

use super::objects::insert_version;
use super::records::{CompletedRecord, ObjectRecord, PartRecord, StoredChecksum, UploadRecord};
use super::{ObjectStore, StoreError, WriteCondition, ids, tables, unix_now};

/// Minimum size of a part other than the last.
const MIN_PART_BYTES: u64 = 5 * 1024 * 1024;

/// An upload with its key and upload id.
#[derive(Debug)]
pub(crate) struct UploadEntry {
    pub(crate) key: String,
    pub(crate) id: String,
    pub(crate) upload: UploadRecord,
}

/// A part in the request that completes an upload.
#[derive(Debug)]
pub(crate) struct RequestedPart {
    pub(crate) number: u32,
    pub(crate) etag: String,
    pub(crate) checksum: Option<StoredChecksum>,
}

/// The request that completes an upload.
pub(crate) struct CompletionRequest<'a> {
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
    pub(crate) upload_id: &'a str,
    pub(crate) parts: &'a [RequestedPart],
    pub(crate) condition: &'a WriteCondition,
}

impl RequestedPart {
    fn matches(&self, part: &PartRecord) -> bool {
        self.etag == part.etag && self.checksum_matches(part)
    }

    fn checksum_matches(&self, part: &PartRecord) -> bool {
        match (&self.checksum, &part.checksum) {
            (Some(requested), Some(stored)) => {
                requested.algorithm == stored.algorithm && requested.value == stored.value
            }
            (Some(requested), None) => requested.value == part.crc64nvme,
            (None, _) => true,
        }
    }

    fn has_other_algorithm(&self, part: &PartRecord) -> bool {
        let algorithms = self.checksum.as_ref().zip(part.checksum.as_ref());
        algorithms.is_none_or(|(requested, stored)| requested.algorithm != stored.algorithm)
    }

    fn mismatch(&self, part: &PartRecord) -> StoreError {
        match &self.checksum {
            Some(requested) if self.etag == part.etag && self.has_other_algorithm(part) => {
                StoreError::PartChecksumMismatch {
                    number: self.number,
                    algorithm: requested.algorithm,
                }
            }
            _ => self.invalid(),
        }
    }

    fn invalid(&self) -> StoreError {
        StoreError::InvalidPart {
            number: self.number,
            etag: self.etag.clone(),
        }
    }
}

impl CompletionRequest<'_> {
    fn location(&self) -> tables::UploadKey<'_> {
        (self.bucket, self.key.as_bytes(), self.upload_id)
    }

    fn part_list(&self) -> Vec<(u32, String)> {
        let parts = self.parts.iter();
        parts.map(|part| (part.number, part.etag.clone())).collect()
    }

    /// Returns the result of the same request if it has been completed before.
    fn find_completed(&self, write: &redb::WriteTransaction) -> Result<Option<CompletedRecord>, StoreError> {
        let table = write.open_table(tables::COMPLETED)?;
        let Some(row) = table.get(self.location())? else {
            return Ok(None);
        };
        let record: CompletedRecord = tables::decode_record(row.value())?;
        Ok(Some(record).filter(|record| record.parts == self.part_list()))
    }

    fn to_record(&self, object: &ObjectRecord) -> CompletedRecord {
        CompletedRecord {
            completed: unix_now(),
            parts: self.part_list(),
            etag: object.etag.clone(),
            checksum: object.checksum.clone(),
            encryption: object.description.encryption.clone(),
            version: None,
        }
    }
}

impl ObjectStore {
    /// Creates an upload and returns its upload id.
    pub(crate) fn create_upload(&self, bucket: &str, key: &str, upload: &UploadRecord) -> Result<String, StoreError> {
        let id = ids::random_id();
        let write = self.index.begin_write()?;
        tables::read_bucket(&write.open_table(tables::BUCKETS)?, bucket)?;
        let record = tables::encode_record(upload)?;
        write
            .open_table(tables::UPLOADS)?
            .insert((bucket, key.as_bytes(), id.as_str()), record.as_slice())?;
        write.commit()?;
        Ok(id)
    }

    /// Returns the upload with this id.
    pub(crate) fn get_upload(&self, bucket: &str, key: &str, id: &str) -> Result<UploadRecord, StoreError> {
        let read = self.index.begin_read()?;
        tables::read_bucket(&read.open_table(tables::BUCKETS)?, bucket)?;
        let table = read.open_table(tables::UPLOADS)?;
        let row = table
            .get((bucket, key.as_bytes(), id))?
            .ok_or(StoreError::NoSuchUpload)?;
        tables::decode_record(row.value())
    }

    /// Stores a part. Replaces a part with the same number.
    pub(crate) fn put_part(
        &self,
        (bucket, key): (&str, &str),
        (upload_id, number): (&str, u32),
        part: &PartRecord,
    ) -> Result<(), StoreError> {
        let write = self.index.begin_write()?;
        let replaced: Option<PartRecord> = {
            let uploads = write.open_table(tables::UPLOADS)?;
            uploads
                .get((bucket, key.as_bytes(), upload_id))?
                .ok_or(StoreError::NoSuchUpload)?;
            let mut parts = write.open_table(tables::PARTS)?;
            let record = tables::encode_record(part)?;
            let old = parts.insert((upload_id, number), record.as_slice())?;
            old.map(|row| tables::decode_record(row.value())).transpose()?
        };
        write.commit()?;
        self.blobs
            .remove(replaced.iter().map(|part| part.segment.blob.as_str()));
        Ok(())
    }

    /// Returns the parts of an upload, ordered by number.
    pub(crate) fn list_parts(&self, upload_id: &str) -> Result<Vec<(u32, PartRecord)>, StoreError> {
        read_parts(&self.index.begin_read()?.open_table(tables::PARTS)?, upload_id)
    }

    /// Returns the unfinished uploads below a prefix, ordered by key.
    pub(crate) fn list_uploads(&self, bucket: &str, prefix: &str) -> Result<Vec<UploadEntry>, StoreError> {
        let read = self.index.begin_read()?;
        tables::read_bucket(&read.open_table(tables::BUCKETS)?, bucket)?;
        let mut rows = Vec::new();
        for row in read
            .open_table(tables::UPLOADS)?
            .range((bucket, prefix.as_bytes(), "")..)?
        {
            let (location, record) = row?;
            let (found_bucket, key, id) = location.value();
            if found_bucket != bucket || !key.starts_with(prefix.as_bytes()) {
                break;
            }
            let key = String::from_utf8_lossy(key).into_owned();
            rows.push(UploadEntry {
                key,
                id: id.to_owned(),
                upload: tables::decode_record(record.value())?,
            });
        }
        Ok(rows)
    }

    /// Aborts an upload and removes its parts.
    pub(crate) fn abort_upload(&self, bucket: &str, key: &str, id: &str) -> Result<(), StoreError> {
        let write = self.index.begin_write()?;
        let parts = {
            tables::read_bucket(&write.open_table(tables::BUCKETS)?, bucket)?;
            remove_upload(&write, (bucket, key), id)?.1
        };
        write.commit()?;
        self.blobs
            .remove(parts.iter().map(|(_, part)| part.segment.blob.as_str()));
        Ok(())
    }

    /// Completes an upload. `assemble` builds the object from the requested parts, in order. A repeated request returns
    /// the first result.
    pub(crate) fn complete_upload(
        &self,
        request: &CompletionRequest<'_>,
        assemble: impl FnOnce(&UploadRecord, Vec<PartRecord>) -> Result<ObjectRecord, StoreError>,
    ) -> Result<CompletedRecord, StoreError> {
        let location = (request.bucket, request.key);
        let write = self.index.begin_write()?;
        tables::read_bucket(&write.open_table(tables::BUCKETS)?, request.bucket)?;
        if let Some(completed) = request.find_completed(&write)? {
            return Ok(completed);
        }
        let (upload, stored) = remove_upload(&write, location, request.upload_id)?;
        let (selected, unused) = select_parts(stored, request.parts)?;
        let object = assemble(&upload, selected)?;
        check_unchanged(&write, request, &upload)?;
        let mut completed = request.to_record(&object);
        let written = insert_version(&write, location, Some(object), request.condition)?;
        completed.version.clone_from(&written.version);
        write
            .open_table(tables::COMPLETED)?
            .insert(request.location(), tables::encode_record(&completed)?.as_slice())?;
        write.commit()?;
        self.remove_blobs_of(&written.replaced);
        self.blobs.remove(unused.iter().map(|part| part.segment.blob.as_str()));
        Ok(completed)
    }
}

/// Checks the condition of a completion, and rejects it if the key has changed since the upload was created.
fn check_unchanged(
    write: &redb::WriteTransaction,
    request: &CompletionRequest<'_>,
    upload: &UploadRecord,
) -> Result<(), StoreError> {
    let versions = tables::read_versions(&write.open_table(tables::VERSIONS)?, request.bucket, request.key)?;
    request.condition.check(versions.first().map(|(_, version)| version))?;
    request.condition.check_conflict(upload)
}

fn read_parts(
    table: &impl ReadableTable<(&'static str, u32), &'static [u8]>,
    upload_id: &str,
) -> Result<Vec<(u32, PartRecord)>, StoreError> {
    table
        .range((upload_id, 0)..=(upload_id, u32::MAX))?
        .map(|row| {
            let (location, record) = row?;
            Ok((location.value().1, tables::decode_record(record.value())?))
        })
        .collect()
}

fn remove_upload(
    write: &redb::WriteTransaction,
    (bucket, key): (&str, &str),
    id: &str,
) -> Result<(UploadRecord, Vec<(u32, PartRecord)>), StoreError> {
    let mut uploads = write.open_table(tables::UPLOADS)?;
    let upload = {
        let row = uploads
            .remove((bucket, key.as_bytes(), id))?
            .ok_or(StoreError::NoSuchUpload)?;
        tables::decode_record(row.value())?
    };
    let mut table = write.open_table(tables::PARTS)?;
    let parts = read_parts(&table, id)?;
    for (number, _) in &parts {
        table.remove((id, *number))?;
    }
    Ok((upload, parts))
}

/// Splits the stored parts into those that the request contains, in order, and the unused ones.
fn select_parts(
    stored: Vec<(u32, PartRecord)>,
    requested: &[RequestedPart],
) -> Result<(Vec<PartRecord>, Vec<PartRecord>), StoreError> {
    if !requested.is_sorted_by(|a, b| a.number < b.number) {
        return Err(StoreError::InvalidPartOrder);
    }
    let mut expected = requested.iter().peekable();
    let (mut selected, mut unused) = (Vec::with_capacity(requested.len()), Vec::new());
    for (number, part) in stored {
        match expected.next_if(|requested| requested.number == number) {
            Some(requested) if requested.matches(&part) => selected.push(part),
            Some(requested) => return Err(requested.mismatch(&part)),
            None => unused.push(part),
        }
    }
    if let Some(missing) = expected.peek() {
        return Err(missing.invalid());
    }
    let small = requested
        .iter()
        .zip(&selected)
        .rev()
        .skip(1)
        .rfind(|(_, part)| part.segment.size < MIN_PART_BYTES);
    match small {
        Some((requested, part)) => Err(StoreError::PartTooSmall {
            number: requested.number,
            etag: part.etag.clone(),
            size: part.segment.size,
        }),
        None => Ok((selected, unused)),
    }
}
