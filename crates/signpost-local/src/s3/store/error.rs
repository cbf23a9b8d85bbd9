//! The errors of the store: errors that S3 defines, and internal errors.

use std::io;

/// An error of the store.
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
    #[error("the requested version is a delete marker")]
    DeleteMarkerVersion { version: String },
    #[error("the bucket already exists")]
    BucketExists,
    #[error("a precondition failed")]
    PreconditionFailed,
    #[error("a part does not exist or its ETag differs")]
    InvalidPart,
    #[error("the parts are not in ascending order")]
    InvalidPartOrder,
    #[error("a part other than the last is smaller than 5 MiB")]
    PartTooSmall,
    #[error("the completion request does not contain the checksums of its parts")]
    MissingPartChecksums,
    #[error("the checksum of the object differs")]
    ChecksumMismatch,
    #[error("the size of the object differs")]
    SizeMismatch,
    #[error("index error")]
    Index(#[from] redb::Error),
    #[error("invalid record in the index")]
    Record(#[from] serde_json::Error),
    #[error("file error")]
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
