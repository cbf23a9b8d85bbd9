//! Listings, which the service requests from S3 itself.

use std::time::SystemTime;

use super::handler::{Handler, failed, reject};
use crate::decide::ListingDecision;
use crate::plan::{LISTING_EXPIRES, ListingPage, ListingPlan, StorageError};
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
        let credentials = self
            .credentials
            .credentials(policy, &plan.scope, LISTING_EXPIRES, now)
            .await?;
        self.s3.list(&self.presigner, plan, &credentials, now).await
    }
}
