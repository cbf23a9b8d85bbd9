//! The locks of git-lfs ([its API](https://github.com/git-lfs/git-lfs/blob/main/docs/api/locking.md)).
//!
//! Rules decide about the lock on the file `PATH` as about the key `locks/PATH` below the prefix of the repository. `read`
//! lists the lock, `write` creates it and removes an own one, and `delete` removes a lock of another user.

use serde::Deserialize;
use serde_json::Number;
use ulid::Ulid;

use super::caller::CallerContext;
use super::lfs_batch::{RefName, read_body};
use super::rejected_request::{RejectedRequest, RejectionContext};
use crate::auth::{Principal, User};
use crate::dialect::lfs::locks_key;
use crate::dialect::{LfsPath, LfsResource};
use crate::key::ObjectKey;
use crate::operation::Action;
use crate::plan::Lock;
use crate::policy::Policy;
use crate::rejection::{LfsRejection, Rejection};
use crate::request::{Pairs, bad_value, check_names};

/// The maximum number of locks in one response.
const MAX_LOCKS: usize = 100;

/// The locks of a repository, as the caller may see and change them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LfsLocks {
    /// The name of the repository.
    pub repository: String,
    /// The key of the repository's locks in rules.
    locks_key: String,
    principal: Principal,
}

/// What to do with the locks of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockStep {
    /// Lock a file.
    Create {
        /// The path of the file.
        path: String,
        /// The owner of the lock.
        owner: User,
    },
    /// List the locks that match.
    List {
        /// Only the lock on this file.
        path: Option<String>,
        /// Only the lock with this id.
        id: Option<String>,
        /// The page to return.
        page: LockPage,
    },
    /// List the locks of the caller and those of others.
    Verify(LockPage),
    /// Remove the lock with this id.
    Unlock {
        /// The id of the lock.
        id: String,
        /// If true, remove the lock of another user.
        force: bool,
    },
}

/// A page of a list of locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockPage {
    /// The id of the first lock.
    pub cursor: Ulid,
    /// The maximum number of locks.
    pub limit: usize,
}

#[derive(Deserialize)]
struct CreateRequest {
    path: String,
    #[serde(rename = "ref")]
    _ref: Option<RefName>,
}

#[derive(Deserialize)]
struct VerifyRequest {
    cursor: Option<String>,
    limit: Option<Number>,
    #[serde(rename = "ref")]
    _ref: Option<RefName>,
}

#[derive(Deserialize)]
struct UnlockRequest {
    force: Option<bool>,
    #[serde(rename = "ref")]
    _ref: Option<RefName>,
}

/// Decides about a request for locks. `at` is the prefix of all repositories.
pub(super) fn decide(
    caller: &CallerContext<'_>,
    at: &str,
    path: LfsPath,
) -> Result<(LfsLocks, LockStep), RejectedRequest> {
    let locks = LfsLocks {
        locks_key: locks_key(at, &path.repository),
        principal: caller.principal()?.clone(),
        repository: path.repository,
    };
    if !caller.policy.has_id_table {
        return Err(Rejection::from(LfsRejection::LocksOff).into());
    }
    let step = match (path.resource, caller.request.method.as_str()) {
        (LfsResource::Locks, "GET") => {
            locks.check(caller.policy, Action::Read, None)?;
            list(&caller.request.query)?
        }
        (LfsResource::VerifyLocks, _) => {
            locks.check(caller.policy, Action::Write, None)?;
            let VerifyRequest { cursor, limit, .. } = read_body(caller)?;
            let limit = limit.map(|limit| limit.to_string());
            LockStep::Verify(LockPage::parse(cursor.as_deref(), limit.as_deref())?)
        }
        (LfsResource::Unlock { id }, _) => {
            let UnlockRequest { force, .. } = read_body(caller)?;
            locks.owner()?;
            let force = force.unwrap_or_default();
            LockStep::Unlock { id, force }
        }
        (LfsResource::Locks | LfsResource::Batch, _) => create(caller, &locks)?,
    };
    Ok((locks, step))
}

fn create(caller: &CallerContext<'_>, locks: &LfsLocks) -> Result<LockStep, RejectedRequest> {
    let CreateRequest { path, .. } = read_body(caller)?;
    if path.is_empty() || path.split('/').any(str::is_empty) {
        return Err(bad_value("path", "must be the path of a file, relative to the repository").into());
    }
    ObjectKey::new(locks.file_key(&path)).map_err(Rejection::from)?;
    locks.check(caller.policy, Action::Write, Some(&path))?;
    let owner = locks.owner()?.clone();
    Ok(LockStep::Create { path, owner })
}

fn list(query: &Pairs) -> Result<LockStep, Rejection> {
    check_names(query)?;
    let value = |name: &str| {
        let (_, value) = query.iter().find(|(found, _)| found == name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    };
    Ok(LockStep::List {
        path: value("path").map(str::to_owned),
        id: value("id").map(str::to_owned),
        page: LockPage::parse(value("cursor"), value("limit"))?,
    })
}

impl LockPage {
    fn parse(cursor: Option<&str>, limit: Option<&str>) -> Result<Self, Rejection> {
        let cursor = match cursor.filter(|cursor| !cursor.is_empty()) {
            None => Ulid::nil(),
            Some(text) => Ulid::from_string(text)
                .map_err(|_| bad_value("cursor", "must be the `next_cursor` of an earlier response"))?,
        };
        let limit = match limit {
            None => MAX_LOCKS,
            Some(text) => text.parse().map_err(|_| bad_value("limit", "must be a whole number"))?,
        };
        // git-lfs sends 0 for no limit.
        let limit = if limit == 0 { MAX_LOCKS } else { limit.min(MAX_LOCKS) };
        Ok(Self { cursor, limit })
    }

    /// Returns the locks of this page, and the cursor of the next page. `locks` are all locks.
    pub fn select(&self, mut locks: Vec<Lock>) -> (Vec<Lock>, Option<Ulid>) {
        locks.retain(|lock| lock.id >= self.cursor);
        locks.sort_by_key(|lock| lock.id);
        let next = locks.get(self.limit).map(|lock| lock.id);
        locks.truncate(self.limit);
        (locks, next)
    }
}

impl LfsLocks {
    /// Returns true if the caller may read the lock on the file with this path.
    pub fn may_read(&self, policy: &Policy, path: &str) -> bool {
        policy.allows(&self.principal, Action::Read, &self.file_key(path))
    }

    /// Returns true if the lock on the file with this path affects a push of the caller.
    pub fn may_write(&self, policy: &Policy, path: &str) -> bool {
        policy.allows(&self.principal, Action::Write, &self.file_key(path))
    }

    /// Returns true if the caller owns the lock.
    pub fn owns(&self, lock: &Lock) -> bool {
        self.principal.user().is_some_and(|user| user.user_id() == lock.user_id)
    }

    /// Rejects the removal of a lock that the caller may not remove.
    pub fn check_unlock(&self, policy: &Policy, lock: &Lock, force: bool) -> Result<(), RejectedRequest> {
        if self.owns(lock) {
            return self.check(policy, Action::Write, Some(&lock.path));
        }
        if !force {
            self.check(policy, Action::Write, Some(&lock.path))?;
            let owner = lock.owner.clone();
            return Err(self.rejected(Some(&lock.path), LfsRejection::OtherOwner { owner }.into()));
        }
        self.check(policy, Action::Delete, Some(&lock.path))
    }

    /// The rejection of this request, for the log.
    pub fn rejected(&self, path: Option<&str>, rejection: Rejection) -> RejectedRequest {
        RejectedRequest {
            rejection,
            context: Box::new(RejectionContext {
                user_id: Some(self.user_id().to_owned()),
                key: Some(self.key(path)),
                ..RejectionContext::default()
            }),
        }
    }

    /// The id of the caller.
    pub fn user_id(&self) -> &str {
        self.principal.user_id()
    }

    /// The key of the lock on this file, or of all locks, in rules.
    pub fn key(&self, path: Option<&str>) -> String {
        path.map_or_else(|| self.locks_key.clone(), |path| self.file_key(path))
    }

    fn file_key(&self, path: &str) -> String {
        format!("{}/{path}", self.locks_key)
    }

    fn owner(&self) -> Result<&User, Rejection> {
        self.principal.user().ok_or(Rejection::CredentialRequired)
    }

    fn check(&self, policy: &Policy, action: Action, path: Option<&str>) -> Result<(), RejectedRequest> {
        let outcome = policy.evaluate(&self.principal, action, &self.key(path));
        let rule = outcome.rule().map(str::to_owned);
        outcome.into_grant().map(|_| ()).map_err(|rejection| {
            let mut rejected = self.rejected(path, rejection);
            rejected.context.rule = rule;
            rejected
        })
    }
}
