//! The paths of git-lfs, below `/-/lfs/`, and the keys of its objects and locks.

use super::name::check_name;
use crate::rejection::Rejection;

/// A path of git-lfs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LfsPath {
    /// The name of the repository: one or more segments.
    pub repository: String,
    /// The resource of the repository.
    pub resource: LfsResource,
}

/// A resource of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LfsResource {
    /// `objects/batch`.
    Batch,
    /// `locks`.
    Locks,
    /// `locks/verify`.
    VerifyLocks,
    /// `locks/{id}/unlock`.
    Unlock {
        /// The id of the lock.
        id: String,
    },
}

/// The segments that no repository name contains, because resources begin with them.
const RESOURCES: [&str; 2] = ["objects", "locks"];

impl LfsPath {
    pub(super) fn parse(path: &str) -> Result<Self, Rejection> {
        let (repository, resource) = LfsResource::split(path).ok_or(Rejection::UnknownReservedPath)?;
        for segment in repository.split('/') {
            check_name("repository", segment)?;
            if RESOURCES.contains(&segment) {
                return Err(Rejection::UnknownReservedPath);
            }
        }
        Ok(Self {
            repository: repository.to_owned(),
            resource,
        })
    }
}

impl LfsResource {
    /// Splits a path into the name of the repository and the resource.
    fn split(path: &str) -> Option<(&str, Self)> {
        let fixed = [
            ("/objects/batch", Self::Batch),
            ("/locks/verify", Self::VerifyLocks),
            ("/locks", Self::Locks),
        ];
        let found = fixed
            .into_iter()
            .find_map(|(suffix, resource)| Some((path.strip_suffix(suffix)?, resource)));
        found.or_else(|| {
            let (repository, id) = path.strip_suffix("/unlock")?.rsplit_once("/locks/")?;
            Some((repository, Self::Unlock { id: id.to_owned() }))
        })
    }
}

/// The key of the object with this id, as in the folder `.git/lfs/objects`.
pub(crate) fn object_key(at: &str, repository: &str, oid: &str) -> String {
    format!("{at}{repository}/{}", object_path(oid))
}

/// The path of the object with this id below the prefix of its repository. `oid` is an id: see [`is_oid`].
pub fn object_path(oid: &str) -> String {
    format!("{}/{}/{oid}", &oid[..2], &oid[2..4])
}

/// The key with which rules allow the locks of a repository as a whole. No object has this key.
pub(crate) fn locks_key(at: &str, repository: &str) -> String {
    format!("{at}{repository}/locks")
}

/// Returns true for a SHA-256 digest as git-lfs writes it.
pub fn is_oid(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
