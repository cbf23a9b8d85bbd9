//! Errors of the service itself, and the union of these with the errors of the client.

use std::sync::Arc;

use crate::decide::RejectedRequest;
use crate::plan::{PresignError, StorageError};

/// An error that the client did not cause. The response omits the details; the log contains them.
#[derive(Debug, thiserror::Error)]
pub enum ServiceFailure {
    /// A plan could not be signed.
    #[error(transparent)]
    Presign(#[from] PresignError),
    /// The signing keys of the issuer of a token are not available.
    #[error("the credential cannot be verified at the moment")]
    KeysUnavailable,
    /// S3 did not execute a request of Signpost itself.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The event is from a front that Signpost does not support, because it cannot read the event exactly.
    #[error("the front is not supported: {problem}")]
    UnknownFront {
        /// What is wrong with the event, and which fronts are supported.
        problem: &'static str,
    },
    /// The policy could not be loaded, and no earlier policy is available.
    #[error("no policy is loaded")]
    NoPolicy,
    /// The service did not complete the request in time, because another service responded too slowly.
    #[error("a service that Signpost depends on took too long")]
    Timeout,
    /// The id table, which the request requires, is not available.
    #[error("the id table is not available")]
    IdTable(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

impl ServiceFailure {
    /// Returns the public keys of the mount that is not available, if this is the failure.
    pub fn unavailable_mount(&self) -> Option<&str> {
        match self {
            Self::Presign(PresignError::MountUnavailable { at, .. })
            | Self::Storage(StorageError::Presign(PresignError::MountUnavailable { at, .. })) => Some(at),
            _ => None,
        }
    }
}

/// The reason why a request has no instruction.
pub enum RequestError {
    /// The client caused the error.
    Rejected(RejectedRequest),
    /// The service caused the error.
    Failed(ServiceFailure),
}
