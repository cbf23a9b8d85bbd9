//! What can go wrong in the store: an answer that S3 knows, or a fault of this machine.

use std::io;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("no such bucket")]
    NoSuchBucket,
    #[error("no such key")]
    NoSuchKey,
    #[error("no such version")]
    NoSuchVersion,
    #[error("no such upload")]
    NoSuchUpload,
    #[error("the current version is a delete marker")]
    DeleteMarker { version: String },
    #[error("the named version is a delete marker")]
    MarkerNamed { version: String },
    #[error("the bucket already exists")]
    BucketExists,
    #[error("a condition does not hold")]
    PreconditionFailed,
    #[error("a part is missing or differs")]
    InvalidPart,
    #[error("the parts are not in ascending order")]
    InvalidPartOrder,
    #[error("a part other than the last is below 5 MiB")]
    PartTooSmall,
    #[error("the completing request lacks the checksums of its parts")]
    PartChecksums,
    #[error("the checksum of the whole differs")]
    ChecksumDiffers,
    #[error("the size of the whole differs")]
    SizeDiffers,
    #[error("the index failed")]
    Index(#[from] redb::Error),
    #[error("a record of the index is unreadable")]
    Record(#[from] serde_json::Error),
    #[error("a file failed")]
    File(#[from] io::Error),
}

macro_rules! from_index_errors {
    ($($error:ty),*) => {$(
        impl From<$error> for StoreError {
            fn from(error: $error) -> Self {
                Self::Index(error.into())
            }
        }
    )*};
}

from_index_errors!(
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError,
    redb::DatabaseError
);
