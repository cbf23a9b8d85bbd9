//! The conditions of conditional writes.

use super::StoreError;
use super::records::{ObjectRecord, UploadRecord, VersionRecord};

/// The value of an `If-Match` or `If-None-Match` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EtagMatch {
    Any,
    Etag(String),
}

impl EtagMatch {
    /// Returns true if the condition matches the object.
    pub(crate) fn matches(&self, object: &ObjectRecord) -> bool {
        match self {
            Self::Any => true,
            Self::Etag(etag) => *etag == object.etag,
        }
    }
}

/// The condition of a write, checked in the transaction of the write.
#[derive(Debug, Clone, Default)]
pub(crate) struct WriteCondition {
    pub(crate) if_match: Option<EtagMatch>,
    pub(crate) if_none_match: Option<EtagMatch>,
}

impl WriteCondition {
    /// Checks the condition against the newest version of the key.
    pub(super) fn check(&self, newest: Option<&VersionRecord>) -> Result<(), StoreError> {
        let object = newest.and_then(|version| version.object.as_ref());
        if let Some(expected) = &self.if_match {
            let object = object.ok_or(StoreError::NoSuchKey)?;
            if !expected.matches(object) {
                return Err(StoreError::PreconditionFailed { condition: "If-Match" });
            }
        }
        match (&self.if_none_match, object) {
            (Some(excluded), Some(object)) if excluded.matches(object) => Err(StoreError::PreconditionFailed {
                condition: "If-None-Match",
            }),
            _ => Ok(()),
        }
    }

    /// Rejects the conditional completion of an upload whose key has changed since the upload was created.
    pub(super) fn check_conflict(&self, upload: &UploadRecord) -> Result<(), StoreError> {
        let condition = match (&self.if_match, &self.if_none_match) {
            (Some(_), _) => "If-Match",
            (None, Some(_)) => "If-None-Match",
            (None, None) => return Ok(()),
        };
        if upload.key_changed {
            return Err(StoreError::ConditionalConflict { condition });
        }
        Ok(())
    }
}
