//! Listings, which the handler carries out itself.

use std::time::SystemTime;

use super::handler::{Handler, failed, refuse};
use crate::decide::ListingDecision;
use crate::plan::{LISTING_EXPIRES, ListingPage, ListingPlan, StorageError};
use crate::policy::Policy;
use crate::request::ApiRequest;
use crate::response::{self, ApiResponse};
use crate::service::request_log::Record;

impl Handler {
    /// Answers a request for a listing.
    pub(super) async fn list(
        &self,
        policy: &Policy,
        request: &ApiRequest,
        list: ListingDecision,
        now: SystemTime,
    ) -> (ApiResponse, Record) {
        let found = match &list.plan {
            Some(plan) => self.ask_s3(policy, plan, now).await,
            None => Ok(ListingPage::default()),
        };
        match (found, list.invalid_cursor()) {
            (Ok(page), _) => {
                let page = list.view.filter(policy, page);
                (
                    response::listing(request, &list.view, &page, self.signer.origin()),
                    Record::listed(&list),
                )
            }
            (Err(error), Some(refused)) if error.is_invalid_cursor() => refuse(policy, request, &refused),
            (Err(error), _) => failed(request, &error.into()),
        }
    }

    async fn ask_s3(&self, policy: &Policy, plan: &ListingPlan, now: SystemTime) -> Result<ListingPage, StorageError> {
        let credentials = self
            .credentials
            .credentials(policy, &plan.scope, LISTING_EXPIRES, now)
            .await?;
        self.storage.list(&self.signer, plan, &credentials, now).await
    }
}
