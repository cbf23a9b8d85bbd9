//! Listings, which the service requests from S3 itself.

use std::time::SystemTime;

use super::handler::{Handler, failed, not_signed, presign_error, reject};
use crate::decide::ListingDecision;
use crate::outbound::aws::SessionTarget;
use crate::plan::{LISTING_EXPIRES, ListingPage, ListingPlan, PresignError, StorageError};
use crate::policy::Policy;
use crate::request::ApiRequest;
use crate::response::{self, ApiResponse};
use crate::service::request_log::RequestLog;

impl Handler {
    /// Handles a request for a listing.
    pub(super) async fn list(
        &self,
        policy: &Policy,
        request: &ApiRequest,
        list: ListingDecision,
        now: SystemTime,
    ) -> (ApiResponse, RequestLog) {
        let found = match &list.plan {
            Some(plan) => self.list_page(policy, plan, now).await,
            None => Ok(ListingPage::default()),
        };
        match (found, list.invalid_cursor()) {
            (Ok(page), _) => {
                let page = list.view.filter(policy, page);
                (
                    response::listing(request, &list.view, &page, self.presigner.origin()),
                    RequestLog::listed(&list),
                )
            }
            (Err(StorageError::Presign(error @ PresignError::ClaimsTooLong { .. })), _) => {
                let error = presign_error(error, |rejection| list.rejected(rejection));
                not_signed(policy, request, &error)
            }
            (Err(error), Some(refused)) if error.is_invalid_cursor() => reject(policy, request, &refused),
            (Err(error), _) => failed(request, &error.into()),
        }
    }

    async fn list_page(
        &self,
        policy: &Policy,
        plan: &ListingPlan,
        now: SystemTime,
    ) -> Result<ListingPage, StorageError> {
        let prefix = plan.query.iter().find(|(name, _)| name == "prefix");
        let target = SessionTarget {
            scope: &plan.scope,
            key: prefix.map_or("", |(_, prefix)| prefix),
        };
        let credentials = self
            .credentials
            .credentials(policy, target, LISTING_EXPIRES, now)
            .await?;
        self.s3.list(&self.presigner, plan, &credentials, now).await
    }
}
