//! Multipart uploads: parts are blobs of their own, and completing one is a single transaction without a copy.

use redb::{ReadableDatabase, ReadableTable};

use super::objects::insert_version;
use super::records::{Object, Part, StoredChecksum, Upload};
use super::{Store, StoreError, WriteCondition, ids, tables};

/// The least size of a part that is not the last.
const LEAST_PART: u64 = 5 * 1024 * 1024;

/// An upload and where it belongs.
#[derive(Debug)]
pub(crate) struct UploadRow {
    pub(crate) key: String,
    pub(crate) id: String,
    pub(crate) upload: Upload,
}

/// A part as the completing request names it.
#[derive(Debug)]
pub(crate) struct NamedPart {
    pub(crate) number: u32,
    pub(crate) etag: String,
    pub(crate) checksum: Option<StoredChecksum>,
}

/// The request that makes an object of an upload.
pub(crate) struct CompleteRequest<'a> {
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
    pub(crate) upload_id: &'a str,
    pub(crate) parts: &'a [NamedPart],
    pub(crate) condition: &'a WriteCondition,
}

impl Store {
    /// Begins an upload, and tells its ID.
    pub(crate) fn create_upload(&self, bucket: &str, key: &str, upload: &Upload) -> Result<String, StoreError> {
        let id = ids::random();
        let write = self.index.begin_write()?;
        tables::bucket_in(&write.open_table(tables::BUCKETS)?, bucket)?;
        let record = tables::encode(upload)?;
        write
            .open_table(tables::UPLOADS)?
            .insert((bucket, key.as_bytes(), id.as_str()), record.as_slice())?;
        write.commit()?;
        Ok(id)
    }

    /// The upload with this ID.
    pub(crate) fn upload(&self, bucket: &str, key: &str, id: &str) -> Result<Upload, StoreError> {
        let read = self.index.begin_read()?;
        tables::bucket_in(&read.open_table(tables::BUCKETS)?, bucket)?;
        let table = read.open_table(tables::UPLOADS)?;
        let row = table
            .get((bucket, key.as_bytes(), id))?
            .ok_or(StoreError::NoSuchUpload)?;
        tables::decode(row.value())
    }

    /// Stores a part; one that has the same number is replaced.
    pub(crate) fn put_part(
        &self,
        (bucket, key): (&str, &str),
        (upload_id, number): (&str, u32),
        part: &Part,
    ) -> Result<(), StoreError> {
        let write = self.index.begin_write()?;
        let replaced: Option<Part> = {
            let uploads = write.open_table(tables::UPLOADS)?;
            uploads
                .get((bucket, key.as_bytes(), upload_id))?
                .ok_or(StoreError::NoSuchUpload)?;
            let mut parts = write.open_table(tables::PARTS)?;
            let record = tables::encode(part)?;
            let old = parts.insert((upload_id, number), record.as_slice())?;
            old.map(|row| tables::decode(row.value())).transpose()?
        };
        write.commit()?;
        self.blobs
            .remove(replaced.iter().map(|part| part.segment.blob.as_str()));
        Ok(())
    }

    /// The parts of an upload by number.
    pub(crate) fn parts(&self, upload_id: &str) -> Result<Vec<(u32, Part)>, StoreError> {
        parts_in(&self.index.begin_read()?.open_table(tables::PARTS)?, upload_id)
    }

    /// The uploads under way below a prefix, by key.
    pub(crate) fn uploads(&self, bucket: &str, prefix: &str) -> Result<Vec<UploadRow>, StoreError> {
        let read = self.index.begin_read()?;
        tables::bucket_in(&read.open_table(tables::BUCKETS)?, bucket)?;
        let mut rows = Vec::new();
        for row in read
            .open_table(tables::UPLOADS)?
            .range((bucket, prefix.as_bytes(), "")..)?
        {
            let (place, record) = row?;
            let (found, key, id) = place.value();
            if found != bucket || !key.starts_with(prefix.as_bytes()) {
                break;
            }
            let key = String::from_utf8_lossy(key).into_owned();
            rows.push(UploadRow {
                key,
                id: id.to_owned(),
                upload: tables::decode(record.value())?,
            });
        }
        Ok(rows)
    }

    /// Gives an upload up.
    pub(crate) fn abort_upload(&self, bucket: &str, key: &str, id: &str) -> Result<(), StoreError> {
        let write = self.index.begin_write()?;
        let parts = {
            tables::bucket_in(&write.open_table(tables::BUCKETS)?, bucket)?;
            remove_upload(&write, (bucket, key), id)?.1
        };
        write.commit()?;
        self.blobs
            .remove(parts.iter().map(|(_, part)| part.segment.blob.as_str()));
        Ok(())
    }

    /// Makes an object of the named parts with `assemble`, which sees them in order.
    pub(crate) fn complete_upload(
        &self,
        request: &CompleteRequest<'_>,
        assemble: impl FnOnce(&Upload, Vec<Part>) -> Result<Object, StoreError>,
    ) -> Result<(Object, Option<String>), StoreError> {
        let place = (request.bucket, request.key);
        let write = self.index.begin_write()?;
        tables::bucket_in(&write.open_table(tables::BUCKETS)?, request.bucket)?;
        let (upload, stored) = remove_upload(&write, place, request.upload_id)?;
        let (chosen, left) = choose(stored, request.parts)?;
        let object = assemble(&upload, chosen)?;
        let written = insert_version(&write, place, Some(object.clone()), request.condition)?;
        write.commit()?;
        self.discard(&written.replaced);
        self.blobs.remove(left.iter().map(|part| part.segment.blob.as_str()));
        Ok((object, written.version))
    }
}

fn parts_in(
    table: &impl ReadableTable<(&'static str, u32), &'static [u8]>,
    upload_id: &str,
) -> Result<Vec<(u32, Part)>, StoreError> {
    table
        .range((upload_id, 0)..=(upload_id, u32::MAX))?
        .map(|row| {
            let (place, record) = row?;
            Ok((place.value().1, tables::decode(record.value())?))
        })
        .collect()
}

fn remove_upload(
    write: &redb::WriteTransaction,
    (bucket, key): (&str, &str),
    id: &str,
) -> Result<(Upload, Vec<(u32, Part)>), StoreError> {
    let mut uploads = write.open_table(tables::UPLOADS)?;
    let upload = {
        let row = uploads
            .remove((bucket, key.as_bytes(), id))?
            .ok_or(StoreError::NoSuchUpload)?;
        tables::decode(row.value())?
    };
    let mut table = write.open_table(tables::PARTS)?;
    let parts = parts_in(&table, id)?;
    for (number, _) in &parts {
        table.remove((id, *number))?;
    }
    Ok((upload, parts))
}

/// Splits the stored parts into those that the request names, in order, and those that it leaves out.
fn choose(stored: Vec<(u32, Part)>, named: &[NamedPart]) -> Result<(Vec<Part>, Vec<Part>), StoreError> {
    if !named.is_sorted_by(|a, b| a.number < b.number) {
        return Err(StoreError::InvalidPartOrder);
    }
    let mut wanted = named.iter().peekable();
    let (mut chosen, mut left) = (Vec::with_capacity(named.len()), Vec::new());
    for (number, part) in stored {
        match wanted.next_if(|named| named.number == number) {
            Some(named) if agrees(named, &part) => chosen.push(part),
            Some(_) => return Err(StoreError::InvalidPart),
            None => left.push(part),
        }
    }
    if wanted.peek().is_some() || chosen.is_empty() {
        return Err(StoreError::InvalidPart);
    }
    let last = chosen.len() - 1;
    if chosen[..last].iter().any(|part| part.segment.size < LEAST_PART) {
        return Err(StoreError::PartTooSmall);
    }
    Ok((chosen, left))
}

fn agrees(named: &NamedPart, part: &Part) -> bool {
    let checksum_agrees = match (&named.checksum, &part.checksum) {
        (Some(named), Some(stored)) => named.algorithm == stored.algorithm && named.value == stored.value,
        (Some(named), None) => named.value == part.crc64nvme,
        (None, _) => true,
    };
    named.etag == part.etag && checksum_agrees
}
