//! Listings, which the handler carries out itself.

use std::time::SystemTime;

use super::handler::{Handler, failed, refuse};
use crate::decide::List;
use crate::plan::{LIST_EXPIRES, ListPlan, Page, StorageError};
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
        list: List,
        now: SystemTime,
    ) -> (ApiResponse, Record) {
        let found = match &list.plan {
            Some(plan) => self.ask_s3(policy, plan, now).await,
            None => Ok(Page::default()),
        };
        match (found, list.unknown_next()) {
            (Ok(page), _) => {
                let page = list.view.show(policy, page);
                (
                    response::listing(request, &list.view, &page, self.signer.origin()),
                    Record::listed(&list),
                )
            }
            (Err(error), Some(refused)) if error.is_of_next() => refuse(policy, request, &refused),
            (Err(error), _) => failed(request, &error.into()),
        }
    }

    async fn ask_s3(&self, policy: &Policy, plan: &ListPlan, now: SystemTime) -> Result<Page, StorageError> {
        let credentials = self
            .credentials
            .credentials(policy, &plan.scope, LIST_EXPIRES, now)
            .await?;
        self.storage.list(&self.signer, plan, &credentials, now).await
    }
}
