//! Buckets and their settings.

use redb::{ReadableDatabase, ReadableTable};

use super::records::{Bucket, Versioning};
use super::{Store, StoreError, now, tables};

impl Store {
    /// Makes a bucket; it must not exist.
    pub(crate) fn create_bucket(&self, name: &str) -> Result<(), StoreError> {
        let write = self.index.begin_write()?;
        {
            let mut table = write.open_table(tables::BUCKETS)?;
            if table.get(name)?.is_some() {
                return Err(StoreError::BucketExists);
            }
            let bucket = Bucket {
                created: now(),
                versioning: Versioning::Never,
                cors: None,
            };
            table.insert(name, tables::encode(&bucket)?.as_slice())?;
        }
        Ok(write.commit()?)
    }

    /// The settings of a bucket.
    pub(crate) fn bucket(&self, name: &str) -> Result<Bucket, StoreError> {
        tables::bucket_in(&self.index.begin_read()?.open_table(tables::BUCKETS)?, name)
    }

    /// All buckets by name.
    pub(crate) fn buckets(&self) -> Result<Vec<(String, Bucket)>, StoreError> {
        let table = self.index.begin_read()?.open_table(tables::BUCKETS)?;
        let rows = table.iter()?;
        rows.map(|row| {
            let (name, record) = row?;
            Ok((name.value().to_owned(), tables::decode(record.value())?))
        })
        .collect()
    }

    /// Changes the settings of a bucket.
    pub(crate) fn update_bucket(&self, name: &str, change: impl FnOnce(&mut Bucket)) -> Result<(), StoreError> {
        let write = self.index.begin_write()?;
        {
            let mut table = write.open_table(tables::BUCKETS)?;
            let mut bucket = tables::bucket_in(&table, name)?;
            change(&mut bucket);
            table.insert(name, tables::encode(&bucket)?.as_slice())?;
        }
        Ok(write.commit()?)
    }
}
