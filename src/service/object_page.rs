//! The pages about one object: their previews are signed, and their forms are carried out.

use std::time::SystemTime;

use super::handler::{Handler, not_signed};
use crate::decide::OfObject;
use crate::plan::{Instruction, Kept, PresignPlan};
use crate::policy::Policy;
use crate::request::ApiRequest;
use crate::response::{self, ApiResponse, Trouble};
use crate::service::request_log::RequestLog;

impl Handler {
    /// Handles a request for a page about one object, or the form of that page.
    pub(super) async fn of_object(
        &self,
        policy: &Policy,
        request: &ApiRequest,
        page: OfObject,
        now: SystemTime,
    ) -> (ApiResponse, RequestLog) {
        match page {
            OfObject::Show {
                preview: None,
                key,
                offers,
            } => {
                let response = response::object_page(request, &key, None, &offers, self.presigner.origin());
                (response, RequestLog::object_page(&key))
            }
            OfObject::Show {
                preview: Some((preview, plan)),
                key,
                offers,
            } => match self.sign(policy, plan, now).await {
                Ok(instruction) => {
                    let shown = Some((preview, &instruction));
                    let response = response::object_page(request, &key, shown, &offers, self.presigner.origin());
                    (response, RequestLog::signed(&instruction))
                }
                Err(trouble) => not_signed(policy, request, &trouble),
            },
            OfObject::AskToDelete { key, offers } => (
                response::delete_page(request, &key, &offers),
                RequestLog::object_page(&key),
            ),
            OfObject::Delete(plan) => match self.delete(policy, plan, now).await {
                Ok(instruction) => (
                    response::deleted(request, &instruction.plan.name),
                    RequestLog::deleted(&instruction),
                ),
                Err(trouble) => not_signed(policy, request, &trouble),
            },
        }
    }

    async fn delete(&self, policy: &Policy, plan: PresignPlan<Kept>, now: SystemTime) -> Result<Instruction, Trouble> {
        let instruction = self.sign(policy, plan, now).await?;
        let deleted = self.s3.delete(&instruction).await;
        deleted.map_err(|error| Trouble::Failed(error.into()))?;
        Ok(instruction)
    }
}
