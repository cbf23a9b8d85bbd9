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
    /// Reads a stored lock. `field` returns the text of the field with a name. Returns `None` if a field is missing or invalid.
    pub fn from_fields<'a>(field: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        Some(Self {
            id: Ulid::from_string(field("id")?).ok()?,
            path: field("path")?.to_owned(),
            owner: field("owner")?.to_owned(),
            user_id: field("user_id")?.to_owned(),
        })
    }

    /// The names and texts of the fields to store.
    pub fn fields(&self) -> [(&'static str, String); 4] {
        [
            ("id", self.id.to_string()),
            ("path", self.path.clone()),
            ("owner", self.owner.clone()),
            ("user_id", self.user_id.clone()),
        ]
    }

    /// The time at which the lock was created.
    pub fn locked_at(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.id.timestamp_ms())
    }
}
