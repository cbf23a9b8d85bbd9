//! Locks of git-lfs.

use std::time::SystemTime;

use super::handler::{Handler, no_table};
use crate::decide::{LfsLocks, LockStep};
use crate::outbound::id_lookup::{LockChange, new_id, shared};
use crate::plan::Lock;
use crate::policy::Policy;
use crate::rejection::LfsRejection;
use crate::request::ApiRequest;
use crate::response::{self, ApiResponse, NewLock, RequestError};
use crate::service::request_log::RequestLog;

impl Handler {
    /// Handles a request for the locks of a repository.
    pub(super) async fn lfs_locks(
        &self,
        policy: &Policy,
        request: &ApiRequest,
        locks: &LfsLocks,
        step: LockStep,
        now: SystemTime,
    ) -> Result<(ApiResponse, RequestLog), RequestError> {
        match step {
            LockStep::Create { path, owner } => {
                let lock = Lock {
                    id: new_id(now).map_err(|error| no_table(shared(error)))?,
                    path,
                    owner: owner.subject.clone(),
                    user_id: owner.user_id().to_owned(),
                };
                self.create_lock(request, locks, lock).await
            }
            LockStep::List { path, id, page } => {
                let mut found = self.read_locks(locks).await?;
                found.retain(|lock| {
                    path.as_ref().is_none_or(|path| *path == lock.path)
                        && id.as_ref().is_none_or(|id| *id == lock.id.to_string())
                        && locks.may_read(policy, &lock.path)
                });
                let (found, next) = page.select(found);
                let response = response::locks(&found, next.map(|next| next.to_string()));
                Ok((response, RequestLog::locks("listed", locks, None)))
            }
            LockStep::Verify(page) => {
                let mut found = self.read_locks(locks).await?;
                found.retain(|lock| locks.may_read(policy, &lock.path) || locks.may_write(policy, &lock.path));
                let (found, next) = page.select(found);
                let (ours, theirs): (Vec<_>, Vec<_>) = found.into_iter().partition(|lock| locks.owns(lock));
                let response = response::verified_locks(&ours, &theirs, next.map(|next| next.to_string()));
                Ok((response, RequestLog::locks("listed", locks, None)))
            }
            LockStep::Unlock { id, force } => self.remove_lock(policy, request, locks, (&id, force)).await,
        }
    }

    async fn read_locks(&self, locks: &LfsLocks) -> Result<Vec<Lock>, RequestError> {
        self.id_table.locks(&locks.repository).await.map_err(no_table)
    }

    /// Adds the lock. If it is removed by someone else between the attempt and the look-up of the other lock, tries again.
    async fn create_lock(
        &self,
        request: &ApiRequest,
        locks: &LfsLocks,
        lock: Lock,
    ) -> Result<(ApiResponse, RequestLog), RequestError> {
        loop {
            let added = self
                .id_table
                .add_lock(&locks.repository, &lock)
                .await
                .map_err(no_table)?;
            if added == LockChange::Full {
                let rejected = locks.rejected(Some(&lock.path), LfsRejection::TooManyLocks.into());
                return Err(RequestError::Rejected(rejected));
            }
            let log = |outcome| RequestLog::locks(outcome, locks, Some(&lock.path));
            if added == LockChange::Done {
                return Ok((response::lock(request, &NewLock::Created, &lock), log("locked")));
            }
            let found = self.read_locks(locks).await?;
            match found.iter().find(|found| found.path == lock.path) {
                // The first attempt of a repeated call has added it.
                Some(found) if found.id == lock.id => {
                    return Ok((response::lock(request, &NewLock::Created, &lock), log("locked")));
                }
                Some(found) => return Ok((response::lock(request, &NewLock::Exists, found), log("refused"))),
                None => {}
            }
        }
    }

    async fn remove_lock(
        &self,
        policy: &Policy,
        request: &ApiRequest,
        locks: &LfsLocks,
        (id, force): (&str, bool),
    ) -> Result<(ApiResponse, RequestLog), RequestError> {
        let found = self.read_locks(locks).await?;
        let found = found.into_iter().find(|lock| lock.id.to_string() == id);
        let missing = || RequestError::Rejected(locks.rejected(None, LfsRejection::NoSuchLock.into()));
        let lock = found.ok_or_else(missing)?;
        locks
            .check_unlock(policy, &lock, force)
            .map_err(RequestError::Rejected)?;
        let removed = self.id_table.remove_lock(&locks.repository, &lock).await;
        match removed.map_err(no_table)? {
            LockChange::Done => Ok((
                response::lock(request, &NewLock::Removed, &lock),
                RequestLog::locks("unlocked", locks, Some(&lock.path)),
            )),
            LockChange::Conflict | LockChange::Full => Err(missing()),
        }
    }
}
