//! The locks of git-lfs.

use std::time::{Duration, SystemTime};

use ulid::Ulid;

/// A lock on a file of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// The id, which contains the time of the lock.
    pub id: Ulid,
    /// The path of the file in the repository.
    pub path: String,
    /// The name of the owner.
    pub owner: String,
    /// The [`crate::auth::User::user_id`] of the owner.
    pub user_id: String,
}

impl Lock {
    /// The time at which the lock was created.
    pub fn locked_at(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.id.timestamp_ms())
    }
}
