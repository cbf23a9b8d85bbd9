//! The pages about one object: what they show is signed, and what their form asks for is done.

use std::time::SystemTime;

use super::handler::{Handler, troubled};
use crate::decide::OfObject;
use crate::plan::{Instruction, Kept, PresignPlan};
use crate::policy::Policy;
use crate::request::ApiRequest;
use crate::response::{self, ApiResponse, RequestError};
use crate::service::request_log::Record;

impl Handler {
    /// Answers a request for a page about one object, or the form of one.
    pub(super) async fn of_object(
        &self,
        policy: &Policy,
        request: &ApiRequest,
        page: OfObject,
        now: SystemTime,
    ) -> (ApiResponse, Record) {
        match page {
            OfObject::Show {
                preview: None,
                key,
                offers,
            } => {
                let response = response::object_page(request, &key, None, &offers, self.signer.origin());
                (response, Record::of_page(&key))
            }
            OfObject::Show {
                preview: Some((preview, plan)),
                key,
                offers,
            } => match self.sign(policy, plan, now).await {
                Ok(instruction) => {
                    let shown = Some((preview, &instruction));
                    let response = response::object_page(request, &key, shown, &offers, self.signer.origin());
                    (response, Record::signed(&instruction))
                }
                Err(trouble) => troubled(policy, request, &trouble),
            },
            OfObject::AskToDelete { key, offers } => {
                (response::delete_page(request, &key, &offers), Record::of_page(&key))
            }
            OfObject::Delete(plan) => match self.delete(policy, plan, now).await {
                Ok(instruction) => (
                    response::deleted(request, &instruction.plan.name),
                    Record::deleted(&instruction),
                ),
                Err(trouble) => troubled(policy, request, &trouble),
            },
        }
    }

    async fn delete(
        &self,
        policy: &Policy,
        plan: PresignPlan<Kept>,
        now: SystemTime,
    ) -> Result<Instruction, RequestError> {
        let instruction = self.sign(policy, plan, now).await?;
        let deleted = self.storage.delete(&instruction).await;
        deleted.map_err(|error| RequestError::Failed(error.into()))?;
        Ok(instruction)
    }
}
