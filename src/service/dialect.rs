//! Requests of dialects.

use std::time::SystemTime;

use super::handler::{Handler, not_signed};
use crate::decide::{DialectDecision, RejectedRequest};
use crate::plan::{Instruction, ObjectLocation, PresignPlan};
use crate::policy::Policy;
use crate::rejection::Rejection;
use crate::request::{ApiRequest, ResponseFormat};
use crate::response::{self, ApiResponse, RequestError};
use crate::service::request_log::RequestLog;

impl Handler {
    /// Handles a request of a dialect.
    pub(super) async fn dialect(
        &self,
        policy: &Policy,
        request: &ApiRequest,
        decision: DialectDecision,
        now: SystemTime,
    ) -> (ApiResponse, RequestLog) {
        match decision {
            DialectDecision::TurborepoPreflight(plan) => match self.sign(policy, plan, now).await {
                Ok(instruction) => (
                    response::turborepo_preflight(&instruction),
                    RequestLog::signed(&instruction),
                ),
                Err(error) => not_signed(policy, request, &error, now),
            },
            DialectDecision::TurborepoStatus => (response::turborepo_status(), RequestLog::new("described")),
            DialectDecision::TurborepoEvents => (response::turborepo_events(), RequestLog::new("ignored")),
            DialectDecision::NxUpload(plan) => match self.nx_upload(policy, plan, now).await {
                Ok(instruction) => (
                    response::instruction(request, &instruction, ResponseFormat::Redirect),
                    RequestLog::signed(&instruction),
                ),
                Err(error) => not_signed(policy, request, &error, now),
            },
            DialectDecision::LfsBatch(batch) => self.lfs_batch(policy, request, batch, now).await,
            DialectDecision::LfsLocks(locks, step) => match self.lfs_locks(policy, request, &locks, step, now).await {
                Ok(handled) => handled,
                Err(error) => not_signed(policy, request, &error, now),
            },
        }
    }

    /// Signs an upload of Nx, unless it cannot succeed because the object exists. Nx accepts only the status 409 for it, and S3
    /// returns 412.
    async fn nx_upload(
        &self,
        policy: &Policy,
        plan: PresignPlan<ObjectLocation>,
        now: SystemTime,
    ) -> Result<Instruction, RequestError> {
        if plan.is_create_only() {
            let head = self.sign(policy, plan.head(), now).await?;
            let size = self.s3.size(&head.url).await;
            if size.map_err(|error| RequestError::Failed(error.into()))?.is_some() {
                let rejected = RejectedRequest::from_plan(&plan, Rejection::ObjectExists);
                return Err(RequestError::Rejected(rejected));
            }
        }
        self.sign(policy, plan, now).await
    }
}
