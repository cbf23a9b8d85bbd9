//! Multipart uploads. Each part is a blob, and completing an upload is one transaction that copies no bytes.

use redb::{ReadableDatabase, ReadableTable};

use super::objects::insert_version;
use super::records::{ObjectRecord, PartRecord, StoredChecksum, UploadRecord};
use super::{ObjectStore, StoreError, WriteCondition, ids, tables};

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

    /// Completes an upload. `assemble` builds the object from the requested parts, in order.
    pub(crate) fn complete_upload(
        &self,
        request: &CompletionRequest<'_>,
        assemble: impl FnOnce(&UploadRecord, Vec<PartRecord>) -> Result<ObjectRecord, StoreError>,
    ) -> Result<(ObjectRecord, Option<String>), StoreError> {
        let location = (request.bucket, request.key);
        let write = self.index.begin_write()?;
        tables::read_bucket(&write.open_table(tables::BUCKETS)?, request.bucket)?;
        let (upload, stored) = remove_upload(&write, location, request.upload_id)?;
        let (selected, unused) = select_parts(stored, request.parts)?;
        let object = assemble(&upload, selected)?;
        let written = insert_version(&write, location, Some(object.clone()), request.condition)?;
        write.commit()?;
        self.remove_blobs_of(&written.replaced);
        self.blobs.remove(unused.iter().map(|part| part.segment.blob.as_str()));
        Ok((object, written.version))
    }
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
            Some(requested) if part_matches(requested, &part) => selected.push(part),
            Some(_) => return Err(StoreError::InvalidPart),
            None => unused.push(part),
        }
    }
    if expected.peek().is_some() || selected.is_empty() {
        return Err(StoreError::InvalidPart);
    }
    let last = selected.len() - 1;
    if selected[..last].iter().any(|part| part.segment.size < MIN_PART_BYTES) {
        return Err(StoreError::PartTooSmall);
    }
    Ok((selected, unused))
}

fn part_matches(requested: &RequestedPart, part: &PartRecord) -> bool {
    let checksum_matches = match (&requested.checksum, &part.checksum) {
        (Some(requested), Some(stored)) => requested.algorithm == stored.algorithm && requested.value == stored.value,
        (Some(requested), None) => requested.value == part.crc64nvme,
        (None, _) => true,
    };
    requested.etag == part.etag && checksum_matches
}
