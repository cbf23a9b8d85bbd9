//! The conditions under which S3 writes.

use super::StoreError;
use super::records::{Object, Version};

/// What an `If-Match` or `If-None-Match` header names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EtagMatch {
    Any,
    Etag(String),
}

impl EtagMatch {
    /// Whether this names the object.
    pub(crate) fn names(&self, object: &Object) -> bool {
        match self {
            Self::Any => true,
            Self::Etag(etag) => *etag == object.etag,
        }
    }
}

/// The condition of a write, checked in the transaction that writes.
#[derive(Debug, Clone, Default)]
pub(crate) struct WriteCondition {
    pub(crate) if_match: Option<EtagMatch>,
    pub(crate) if_none_match: Option<EtagMatch>,
}

impl WriteCondition {
    /// Holds this against the key's newest version.
    pub(super) fn check(&self, newest: Option<&Version>) -> Result<(), StoreError> {
        let object = newest.and_then(|version| version.object.as_ref());
        if let Some(wanted) = &self.if_match {
            let object = object.ok_or(StoreError::NoSuchKey)?;
            if !wanted.names(object) {
                return Err(StoreError::PreconditionFailed);
            }
        }
        match (&self.if_none_match, object) {
            (Some(unwanted), Some(object)) if unwanted.names(object) => Err(StoreError::PreconditionFailed),
            _ => Ok(()),
        }
    }
}
