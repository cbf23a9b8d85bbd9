//! Listings, which the service requests from S3 itself.

use std::time::SystemTime;

use super::handler::{Handler, failed, reject};
use crate::decide::List;
use crate::plan::{LIST_EXPIRES, ListPlan, Page, StorageError};
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
        list: List,
        now: SystemTime,
    ) -> (ApiResponse, RequestLog) {
        let found = match &list.plan {
            Some(plan) => self.list_page(policy, plan, now).await,
            None => Ok(Page::default()),
        };
        match (found, list.unknown_next()) {
            (Ok(page), _) => {
                let page = list.view.show(policy, page);
                (
                    response::listing(request, &list.view, &page, self.presigner.origin()),
                    RequestLog::listed(&list),
                )
            }
            (Err(error), Some(refused)) if error.is_of_next() => reject(policy, request, &refused),
            (Err(error), _) => failed(request, &error.into()),
        }
    }

    async fn list_page(&self, policy: &Policy, plan: &ListPlan, now: SystemTime) -> Result<Page, StorageError> {
        let credentials = self
            .credentials
            .credentials(policy, &plan.scope, LIST_EXPIRES, now)
            .await?;
        self.s3.list(&self.presigner, plan, &credentials, now).await
    }
}
