//! Implements the S3 operations (the `S3` trait of `s3s`) on top of the store.

mod access_check;
mod complete_upload;
mod delete_objects;
mod digests;
mod buckets;
mod checksums;
mod conditions;
mod object_metadata;
mod object_tags;
mod s3_errors;
mod body_upload;
mod listing;
mod multipart;
mod get_object;
mod tagging;
mod s3_trait;
mod put_object;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use s3s::dto::Timestamp;
use s3s::{S3Error, S3Result};

pub(crate) use self::access_check::SignerAccess;

use super::store::{ObjectStore, StoreError};

/// The S3 operations on one store.
#[derive(Debug)]
pub(crate) struct S3Backend {
    store: Arc<ObjectStore>,
    region: String,
    /// False if a missing key must be indistinguishable from a forbidden one.
    allow_listing: bool,
}

impl S3Backend {
    /// Creates the operations on this store.
    pub(crate) const fn new(store: Arc<ObjectStore>, region: String, allow_listing: bool) -> Self {
        Self {
            store,
            region,
            allow_listing,
        }
    }

    /// Runs a blocking operation of the store on a thread for blocking work.
    async fn with_store<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&ObjectStore) -> Result<T, StoreError> + Send + 'static,
    ) -> S3Result<T> {
        let store = self.store.clone();
        let result = tokio::task::spawn_blocking(move || operation(&store)).await;
        result
            .map_err(S3Error::internal_error)?
            .map_err(s3_errors::from_store_error)
    }
}

fn to_timestamp(seconds: i64) -> Timestamp {
    let since = Duration::from_secs(seconds.try_into().unwrap_or_default());
    Timestamp::from(SystemTime::UNIX_EPOCH + since)
}

/// The key that S3 names if a request selects KMS without a key.
fn default_kms_key(region: &str) -> String {
    format!("arn:aws:kms:{region}:000000000000:key/aws-s3")
}

fn to_unix_seconds(timestamp: &Timestamp) -> i64 {
    time::OffsetDateTime::from(timestamp.clone()).unix_timestamp()
}

/// Converts a size to the type of `s3s`. No size exceeds 2^63 bytes.
fn to_i64(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
