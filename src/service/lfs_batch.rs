//! Batches of git-lfs.

use std::time::SystemTime;

use tokio::task::JoinSet;

use super::handler::Handler;
use crate::decide::{LfsBatch, LfsObject, LfsOperation, LfsTransfer, RejectedRequest};
use crate::outbound::id_table::IdLookups;
use crate::plan::{ObjectLocation, PresignPlan, StorageError};
use crate::policy::Policy;
use crate::rejection::LfsRejection;
use crate::request::ApiRequest;
use crate::response::{self, ApiResponse, LfsAction, LfsResult, RequestError};
use crate::service::request_log::RequestLog;

/// The maximum number of concurrent requests to S3: half of the objects of the largest batch.
const MAX_CONCURRENT_CALLS: usize = 50;

/// The size of a stored object, or `None` if there is none.
type StoredSize = Result<Option<u64>, StorageError>;

/// A batch with everything that its parts require.
struct BatchJob<'a> {
    policy: &'a Policy,
    ids: IdLookups,
    transfer: LfsTransfer,
    now: SystemTime,
}

impl Handler {
    /// Handles a batch. An error of one object is reported in its place.
    pub(super) async fn lfs_batch(
        &self,
        policy: &Policy,
        request: &ApiRequest,
        batch: LfsBatch,
        now: SystemTime,
    ) -> (ApiResponse, RequestLog) {
        let LfsBatch {
            operation,
            transfer,
            objects,
        } = batch;
        let plans = objects.iter().filter_map(|object| object.outcome.as_ref().ok());
        let lookups = plans.filter_map(PresignPlan::id_lookup).collect();
        let job = BatchJob {
            policy,
            ids: self.id_table.look_up(lookups, now).await,
            transfer,
            now,
        };
        let mut stored = match operation {
            LfsOperation::Upload => self.stored_sizes(&job, &objects).await,
            LfsOperation::Download => objects.iter().map(|_| None).collect(),
        };
        let mut results = Vec::with_capacity(objects.len());
        for (object, stored) in objects.into_iter().zip(stored.drain(..)) {
            let result = self.lfs_object(&job, object, stored).await;
            log_result(&result).emit_part(request);
            results.push(result);
        }
        let response = response::lfs_batch(request, operation, transfer, &results);
        (response, RequestLog::bulk(results.len()))
    }

    /// Returns the action for an object, of which `stored` is the size in the bucket if it was requested.
    async fn lfs_object(&self, job: &BatchJob<'_>, object: LfsObject, stored: Option<StoredSize>) -> LfsResult {
        let LfsObject { oid, size, outcome } = object;
        let outcome = match (outcome, stored) {
            (Err(rejected), _) => Err(RequestError::Rejected(rejected)),
            (Ok(_), Some(Err(error))) => Err(RequestError::Failed(error.into())),
            (Ok(plan), Some(Ok(Some(stored)))) => check_size(&plan, stored, size.as_u64()).map(|()| None),
            (Ok(plan), Some(Ok(None)) | None) => self.lfs_action(job, plan).await.map(Some),
        };
        LfsResult { oid, size, outcome }
    }

    async fn lfs_action(
        &self,
        job: &BatchJob<'_>,
        plan: PresignPlan<ObjectLocation>,
    ) -> Result<LfsAction, RequestError> {
        match job.transfer {
            LfsTransfer::Agent => Ok(LfsAction::Path(plan.public_key.to_path())),
            LfsTransfer::Basic => {
                let instruction = self.sign_with(job.policy, plan, &job.ids, job.now).await?;
                Ok(LfsAction::Signed(Box::new(instruction)))
            }
        }
    }

    /// Requests the sizes of all objects of an upload at once. `None` for an object that is rejected anyway.
    async fn stored_sizes(&self, job: &BatchJob<'_>, objects: &[LfsObject]) -> Vec<Option<StoredSize>> {
        let mut sizes: Vec<Option<StoredSize>> = objects.iter().map(|_| None).collect();
        let mut calls = JoinSet::new();
        for (index, object) in objects.iter().enumerate() {
            let Ok(plan) = &object.outcome else { continue };
            // The action reports an error of the signer.
            let Ok(head) = self.sign_with(job.policy, plan.head(), &job.ids, job.now).await else {
                continue;
            };
            if calls.len() >= MAX_CONCURRENT_CALLS {
                store_next(&mut calls, &mut sizes).await;
            }
            let s3 = self.s3.clone();
            calls.spawn(async move { (index, s3.size(&head.url).await) });
        }
        while !calls.is_empty() {
            store_next(&mut calls, &mut sizes).await;
        }
        sizes
    }
}

async fn store_next(calls: &mut JoinSet<(usize, StoredSize)>, sizes: &mut [Option<StoredSize>]) {
    if let Some(Ok((index, size))) = calls.join_next().await {
        sizes[index] = Some(size);
    }
}

/// Rejects an object that the client describes with another size than that of the stored object.
fn check_size(plan: &PresignPlan<ObjectLocation>, stored: u64, length: Option<u64>) -> Result<(), RequestError> {
    match length {
        Some(length) if length != stored => {
            let rejection = LfsRejection::WrongSize { length };
            let rejected = RejectedRequest::from_plan(plan, rejection.into());
            Err(RequestError::Rejected(rejected))
        }
        Some(_) | None => Ok(()),
    }
}

fn log_result(result: &LfsResult) -> RequestLog {
    match &result.outcome {
        Ok(Some(LfsAction::Signed(instruction))) => RequestLog::signed(instruction),
        Ok(Some(LfsAction::Path(_))) => RequestLog::new("allowed"),
        Ok(None) => RequestLog::new("found"),
        Err(error) => RequestLog::not_signed(error),
    }
}
