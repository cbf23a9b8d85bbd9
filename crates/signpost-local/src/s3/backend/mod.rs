//! The operations of S3 on top of the store, as the `S3` trait of `s3s`.

mod access;
mod assemble;
mod bulk;
mod buckets;
mod checksums;
mod conditions;
mod describe;
mod failure;
mod ingest;
mod listing;
mod multipart;
mod read;
mod tagging;
mod trait_impl;
mod write;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use s3s::dto::Timestamp;
use s3s::{S3Error, S3Result};

pub(crate) use self::access::Access;

use super::store::{Store, StoreError};

/// The operations.
#[derive(Debug)]
pub(crate) struct Backend {
    store: Arc<Store>,
    region: String,
    /// Who may not list is not told which keys there are not.
    may_list: bool,
}

impl Backend {
    /// The operations on this store.
    pub(crate) const fn new(store: Arc<Store>, region: String, may_list: bool) -> Self {
        Self {
            store,
            region,
            may_list,
        }
    }

    /// Asks the store, which blocks, away from the threads that serve.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> S3Result<T> {
        let store = self.store.clone();
        let answer = tokio::task::spawn_blocking(move || question(&store)).await;
        answer.map_err(S3Error::internal_error)?.map_err(failure::of_store)
    }
}

fn timestamp(seconds: i64) -> Timestamp {
    let since = Duration::from_secs(seconds.try_into().unwrap_or_default());
    Timestamp::from(SystemTime::UNIX_EPOCH + since)
}

fn seconds(timestamp: &Timestamp) -> i64 {
    time::OffsetDateTime::from(timestamp.clone()).unix_timestamp()
}

/// Sizes fit: nothing here is larger than 2^63 bytes.
fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
