//! Buckets and their settings.

use redb::{ReadableDatabase, ReadableTable};

use super::records::{BucketRecord, VersioningState};
use super::{ObjectStore, StoreError, tables, unix_now};

impl ObjectStore {
    /// Creates a bucket. Returns an error if it exists.
    pub(crate) fn create_bucket(&self, name: &str) -> Result<(), StoreError> {
        let write = self.index.begin_write()?;
        {
            let mut table = write.open_table(tables::BUCKETS)?;
            if table.get(name)?.is_some() {
                return Err(StoreError::BucketExists);
            }
            let bucket = BucketRecord {
                created: unix_now(),
                versioning: VersioningState::Never,
                cors: None,
            };
            table.insert(name, tables::encode_record(&bucket)?.as_slice())?;
        }
        Ok(write.commit()?)
    }

    /// Returns the settings of a bucket.
    pub(crate) fn get_bucket(&self, name: &str) -> Result<BucketRecord, StoreError> {
        tables::read_bucket(&self.index.begin_read()?.open_table(tables::BUCKETS)?, name)
    }

    /// Returns all buckets, ordered by name.
    pub(crate) fn list_buckets(&self) -> Result<Vec<(String, BucketRecord)>, StoreError> {
        let table = self.index.begin_read()?.open_table(tables::BUCKETS)?;
        let rows = table.iter()?;
        rows.map(|row| {
            let (name, record) = row?;
            Ok((name.value().to_owned(), tables::decode_record(record.value())?))
        })
        .collect()
    }

    /// Changes the settings of a bucket.
    pub(crate) fn update_bucket(&self, name: &str, change: impl FnOnce(&mut BucketRecord)) -> Result<(), StoreError> {
        let write = self.index.begin_write()?;
        {
            let mut table = write.open_table(tables::BUCKETS)?;
            let mut bucket = tables::read_bucket(&table, name)?;
            change(&mut bucket);
            table.insert(name, tables::encode_record(&bucket)?.as_slice())?;
        }
        Ok(write.commit()?)
    }
}
