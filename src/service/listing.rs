//! Listings, which the service requests from S3 itself.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, timeout_at};

use super::handler::{Handler, not_signed, presign_error, unavailable};
use crate::decide::{ListingDecision, ListingView};
use crate::mount::Mount;
use crate::operation::{Action, MAX_ENTRIES};
use crate::outbound::aws::SessionTarget;
use crate::plan::{LISTING_EXPIRES, ListingPage, ListingPlan, StorageError};
use crate::policy::Policy;
use crate::rejection::ListingProblem;
use crate::request::{ApiRequest, ListingFormat};
use crate::response::{self, ApiResponse, RequestError};
use crate::service::request_log::RequestLog;

/// The time limit of a complete listing. A request has eight seconds.
const TIME_LIMIT: Duration = Duration::from_millis(6500);

/// The maximum number of mounts in a folder whose origins the page of the folder allows.
const MAX_PAGE_MOUNTS: usize = 20;

/// A request for a listing, with everything that each of its requests to S3 requires.
struct ListingJob<'a> {
    policy: &'a Policy,
    request: &'a ApiRequest,
    list: &'a ListingDecision,
    plan: &'a ListingPlan,
    now: SystemTime,
}

impl Handler {
    /// Handles a request for a listing.
    pub(super) async fn list(
        &self,
        policy: &Policy,
        request: &ApiRequest,
        list: ListingDecision,
        now: SystemTime,
    ) -> (ApiResponse, RequestLog) {
        match self.respond_with_listing(policy, request, &list, now).await {
            Ok(response) => (response, RequestLog::listed(&list)),
            Err(error) => not_signed(policy, request, &error, now),
        }
    }

    async fn respond_with_listing(
        &self,
        policy: &Policy,
        request: &ApiRequest,
        list: &ListingDecision,
        now: SystemTime,
    ) -> Result<ApiResponse, RequestError> {
        let Some(plan) = &list.plan else {
            let page = list.view.filter(policy, ListingPage::default(), true);
            return self.render_listing(policy, request, list, &page).await;
        };
        let job = ListingJob {
            policy,
            request,
            list,
            plan,
            now,
        };
        if list.view.request.complete {
            self.list_everything(&job).await
        } else {
            self.list_page(&job).await
        }
    }

    /// Returns one page. If the response exceeds the limit of the front, requests a page with fewer entries.
    async fn list_page(&self, job: &ListingJob<'_>) -> Result<ApiResponse, RequestError> {
        let mut max_keys = job.list.view.request.max_keys;
        loop {
            let page = self.read_page(job, job.plan.clone().with_max_keys(max_keys)).await?;
            let page = job
                .list
                .view
                .filter(job.policy, page, job.list.view.request.next.is_none());
            let response = self.render_listing(job.policy, job.request, job.list, &page).await?;
            let excess = response::excess(job.request, &response);
            if excess <= 1.0 || max_keys == 1 {
                return Ok(response);
            }
            max_keys = reduced(max_keys, excess);
        }
    }

    /// Returns all entries, or an error.
    async fn list_everything(&self, job: &ListingJob<'_>) -> Result<ApiResponse, RequestError> {
        let too_large = |problem| RequestError::Rejected(job.list.too_large(problem));
        let deadline = Instant::now() + TIME_LIMIT;
        let mut page = self.read_page(job, job.plan.clone()).await?;
        let mut next = page.next.take();
        let mut entries = job.list.view.filter(job.policy, page, true);
        while let Some(cursor) = next {
            let plan = job.plan.clone().at_cursor(&cursor).ok_or_else(|| {
                let problem = "the cursor is invalid".to_owned();
                RequestError::Failed(StorageError::InvalidResponse { problem }.into())
            })?;
            let read = timeout_at(deadline, self.read_page(job, plan)).await;
            let mut page = read.map_err(|_| too_large(ListingProblem::Time))??;
            next = page.next.take();
            entries.append(job.list.view.filter(job.policy, page, false));
            if entries.len() > MAX_ENTRIES {
                return Err(too_large(ListingProblem::Entries));
            }
            if entries.key_bytes() > job.request.max_response_bytes {
                return Err(too_large(ListingProblem::Size));
            }
        }
        job.list.view.sort(&mut entries);
        let response = self.render_listing(job.policy, job.request, job.list, &entries).await?;
        if response::excess(job.request, &response) > 1.0 {
            return Err(too_large(ListingProblem::Size));
        }
        Ok(response)
    }

    async fn read_page(&self, job: &ListingJob<'_>, plan: ListingPlan) -> Result<ListingPage, RequestError> {
        let prefix = plan.query.iter().find(|(name, _)| name == "prefix");
        let target = SessionTarget {
            scope: &plan.scope,
            key: prefix.map_or("", |(_, prefix)| prefix),
        };
        let bucket = self
            .buckets
            .get(job.policy, &plan.scope.mount)
            .await
            .map_err(unavailable)?;
        let credentials = bucket
            .credentials(job.policy, target, LISTING_EXPIRES, job.now)
            .await
            .map_err(|error| presign_error(error, |rejection| job.list.rejected(rejection)))?;
        let read = self.s3.list(&bucket.presigner, &plan, &credentials, job.now).await;
        read.map_err(|error| match job.list.invalid_cursor() {
            Some(refused) if error.is_invalid_cursor() => RequestError::Rejected(refused),
            _ => RequestError::Failed(error.into()),
        })
    }

    async fn render_listing(
        &self,
        policy: &Policy,
        request: &ApiRequest,
        list: &ListingDecision,
        page: &ListingPage,
    ) -> Result<ApiResponse, RequestError> {
        let origins = match list.view.request.format {
            ListingFormat::Page => self.folder_origins(policy, &list.view).await,
            ListingFormat::Index | ListingFormat::Json | ListingFormat::Text | ListingFormat::Names => String::new(),
        };
        Ok(response::listing(request, &list.view, page, &origins))
    }

    /// Returns the origins of S3 for the page of a folder: those of its bucket, and of the mounts in the folder that the
    /// user may use. A folder that the user uploads can contain files for both.
    async fn folder_origins(&self, policy: &Policy, view: &ListingView) -> String {
        let is_usable = |mount: &&Arc<Mount>| {
            let mut actions = [Action::Read, Action::Write, Action::List].into_iter();
            actions.any(|action| policy.allows_in_mount(&view.principal, action, mount))
        };
        let below = policy.mounts.below(&view.request.prefix).filter(is_usable);
        let mut origins: Vec<String> = Vec::new();
        for mount in view.mount.iter().chain(below.take(MAX_PAGE_MOUNTS)) {
            let origin = self.origin(policy, mount).await;
            origins.extend(origin.filter(|origin| !origins.contains(origin)));
        }
        origins.join(" ")
    }

    /// Returns the origin of the bucket of a mount. `None` if its endpoint cannot be resolved: the page itself works without it.
    pub(super) async fn origin(&self, policy: &Policy, mount: &Arc<Mount>) -> Option<String> {
        let bucket = self.buckets.get(policy, mount).await.ok()?;
        Some(bucket.presigner.origin().to_owned())
    }
}

/// Returns a smaller number of entries, for a response that exceeds its limit by the factor `excess`. Keys differ in length, so the
/// number is smaller than the factor requires.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the result is between 1 and max_keys"
)]
fn reduced(max_keys: u32, excess: f64) -> u32 {
    let fitting = f64::from(max_keys) * 0.9 / excess;
    (fitting as u32).clamp(1, max_keys - 1)
}
