//! The errors of the store: errors that S3 defines, and internal errors.

use std::io;

use super::records::{ChecksumCoverage, DigestAlgorithm};

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
    DeleteMarkerVersion { version: String, modified: i64 },
    #[error("the bucket already exists")]
    BucketExists,
    #[error("the condition {condition} is not met")]
    PreconditionFailed { condition: &'static str },
    #[error("the key changed during the upload, whose completion has the condition {condition}")]
    ConditionalConflict { condition: &'static str },
    #[error("part {number} does not exist or its ETag differs")]
    InvalidPart { number: u32, etag: String },
    #[error("the parts are not in ascending order")]
    InvalidPartOrder,
    #[error("part {number}, which is not the last, is smaller than 5 MiB")]
    PartTooSmall { number: u32, etag: String, size: u64 },
    #[error("the completion request does not contain the checksums of its parts")]
    MissingPartChecksums,
    #[error("the checksum of the object differs")]
    ChecksumMismatch { algorithm: DigestAlgorithm },
    #[error("the upload has another checksum type")]
    ChecksumTypeMismatch { coverage: ChecksumCoverage },
    #[error("the checksum of part {number} differs")]
    PartChecksumMismatch { number: u32, algorithm: DigestAlgorithm },
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
