//! The pages about one object: their previews are signed, and their forms are carried out.

use std::time::SystemTime;

use super::handler::{Handler, not_signed};
use crate::decide::ObjectPageDecision;
use crate::plan::{Instruction, ObjectLocation, PresignPlan};
use crate::policy::Policy;
use crate::request::ApiRequest;
use crate::response::{self, ApiResponse, RequestError};
use crate::service::request_log::RequestLog;

impl Handler {
    /// Handles a request for a page about one object, or the form of that page.
    pub(super) async fn of_object(
        &self,
        policy: &Policy,
        request: &ApiRequest,
        page: ObjectPageDecision,
        now: SystemTime,
    ) -> (ApiResponse, RequestLog) {
        match page {
            ObjectPageDecision::Show {
                preview: None,
                key,
                actions,
            } => {
                let origin = match policy.mounts.find(key.as_str()) {
                    Some(mount) => self.origin(policy, mount).await,
                    None => None,
                };
                let response = response::object_page(request, &key, None, &actions, &origin.unwrap_or_default());
                (response, RequestLog::object_page(&key))
            }
            ObjectPageDecision::Show {
                preview: Some((preview, plan)),
                key,
                actions,
            } => match self.sign(policy, plan, now).await {
                Ok(instruction) => {
                    let shown = Some((preview, &instruction));
                    let response = response::object_page(request, &key, shown, &actions, instruction.url.origin());
                    (response, RequestLog::signed(&instruction))
                }
                Err(error) => not_signed(policy, request, &error, now),
            },
            ObjectPageDecision::ConfirmDelete { key, actions } => (
                response::delete_page(request, &key, &actions),
                RequestLog::object_page(&key),
            ),
            ObjectPageDecision::Delete(plan) => match self.delete(policy, plan, now).await {
                Ok(instruction) => (
                    response::deleted(request, &instruction.plan.public_key),
                    RequestLog::deleted(&instruction),
                ),
                Err(error) => not_signed(policy, request, &error, now),
            },
        }
    }

    async fn delete(
        &self,
        policy: &Policy,
        plan: PresignPlan<ObjectLocation>,
        now: SystemTime,
    ) -> Result<Instruction, RequestError> {
        let instruction = self.sign(policy, plan, now).await?;
        let deleted = self.s3.delete(&instruction).await;
        deleted.map_err(|error| RequestError::Failed(error.into()))?;
        Ok(instruction)
    }
}
