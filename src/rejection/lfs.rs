//! The rejections of git-lfs requests.

/// An error that a git-lfs client can correct.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LfsRejection {
    /// The objects of the batch are named by another hash algorithm.
    #[error("the hash algorithm {} is not supported", super::quoted(algorithm))]
    HashAlgorithm {
        /// The algorithm of the request.
        algorithm: String,
    },
    /// The batch contains too many objects.
    #[error("the batch has more than {max} objects")]
    TooManyObjects {
        /// The limit.
        max: usize,
    },
    /// The upload is too large for one request.
    #[error(
        "the object has {length} bytes, and S3 allows {} bytes in one request",
        super::MAX_PUT_BYTES
    )]
    NeedsAgent {
        /// The size of the object.
        length: u64,
    },
    /// The stored object has another size than the client says.
    #[error("the stored object does not have {length} bytes")]
    WrongSize {
        /// The size in the request. The caller may lack the permission to read the size of the object.
        length: u64,
    },
    /// The service has no table for locks.
    #[error("this service does not support locks")]
    LocksOff,
    /// There is no lock with this id.
    #[error("the lock does not exist")]
    NoSuchLock,
    /// Another user owns the lock.
    #[error("{} owns the lock", super::quoted(owner))]
    OtherOwner {
        /// The name of the owner.
        owner: String,
    },
    /// The table has no space for another lock of this repository.
    #[error("the repository has too many locks")]
    TooManyLocks,
}

impl LfsRejection {
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::HashAlgorithm { .. } | Self::WrongSize { .. } => "InvalidArgument",
            Self::TooManyObjects { .. } | Self::NeedsAgent { .. } => "EntityTooLarge",
            Self::LocksOff => "NotImplemented",
            Self::NoSuchLock => "NoSuchKey",
            Self::OtherOwner { .. } => "AccessDenied",
            Self::TooManyLocks => "InsufficientStorage",
        }
    }

    pub(super) const fn remedy(&self) -> &'static str {
        match self {
            Self::HashAlgorithm { .. } => "Use sha256.",
            Self::TooManyObjects { .. } => "Set lfs.transfer.batchSize to this limit or less.",
            Self::NeedsAgent { .. } => "Set up `signpost lfs` as the custom transfer agent of the repository.",
            Self::WrongSize { .. } => "Check the size in the pointer file.",
            Self::LocksOff => "Ask the operator to set SIGNPOST_TABLE, or set lfs.URL.locksverify to false.",
            Self::NoSuchLock => "List the locks with `git lfs locks`.",
            Self::OtherOwner { .. } => "Ask the owner, or use `git lfs unlock --force`.",
            Self::TooManyLocks => "Remove locks that are no longer needed.",
        }
    }

    /// The name of the variant, for the log.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::HashAlgorithm { .. } => "LfsHashAlgorithm",
            Self::TooManyObjects { .. } => "LfsTooManyObjects",
            Self::NeedsAgent { .. } => "LfsNeedsAgent",
            Self::WrongSize { .. } => "LfsWrongSize",
            Self::LocksOff => "LfsLocksOff",
            Self::NoSuchLock => "LfsNoSuchLock",
            Self::OtherOwner { .. } => "LfsOtherOwner",
            Self::TooManyLocks => "LfsTooManyLocks",
        }
    }
}
