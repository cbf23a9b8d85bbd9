//! Requests of dialects.

use super::caller::CallerContext;
use super::lfs_batch::{self, LfsBatch};
use super::lfs_locks::{self, LfsLocks, LockStep};
use super::rejected_request::RejectedRequest;
use super::{Decision, nx, turborepo};
use crate::dialect::{Dialect, DialectPath, LfsResource};
use crate::plan::{ObjectLocation, PresignPlan};

/// The response that a request of a dialect requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialectDecision {
    /// Sign this plan, and return its URL in the response to the preflight request of Turborepo.
    TurborepoPreflight(PresignPlan<ObjectLocation>),
    /// Report to Turborepo that the cache is enabled.
    TurborepoStatus,
    /// Ignore the events of Turborepo.
    TurborepoEvents,
    /// Redirect this upload of Nx, unless the object exists and must not be replaced.
    NxUpload(PresignPlan<ObjectLocation>),
    /// Sign the actions of a batch of git-lfs.
    LfsBatch(LfsBatch),
    /// Read or change the locks of a git-lfs repository.
    LfsLocks(LfsLocks, LockStep),
}

/// Decides about the request of the caller for a path of a dialect.
pub(super) fn decide(caller: &CallerContext<'_>, path: DialectPath) -> Result<Decision, RejectedRequest> {
    let prefix = |dialect| caller.policy.dialects.require(dialect);
    match path {
        DialectPath::Turborepo(path) => turborepo::decide(caller, prefix(Dialect::Turborepo)?, path),
        DialectPath::Nx { hash } => nx::decide(caller, prefix(Dialect::Nx)?, &hash),
        DialectPath::Lfs(path) => {
            let at = prefix(Dialect::Lfs)?;
            Ok(Decision::Dialect(match path.resource {
                LfsResource::Batch => DialectDecision::LfsBatch(lfs_batch::decide(caller, at, &path.repository)?),
                LfsResource::Locks | LfsResource::VerifyLocks | LfsResource::Unlock { .. } => {
                    let (locks, step) = lfs_locks::decide(caller, at, path)?;
                    DialectDecision::LfsLocks(locks, step)
                }
            }))
        }
    }
}
