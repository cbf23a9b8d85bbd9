//! The pages about one object: what they show is signed, and what their form asks for is done.

use std::time::SystemTime;

use super::handler::{Handler, troubled};
use crate::decide::ObjectPageDecision;
use crate::plan::{Instruction, ObjectLocation, PresignPlan};
use crate::policy::Policy;
use crate::request::ApiRequest;
use crate::response::{self, ApiResponse, Trouble};
use crate::service::request_log::Record;

impl Handler {
    /// Answers a request for a page about one object, or the form of one.
    pub(super) async fn of_object(
        &self,
        policy: &Policy,
        request: &ApiRequest,
        page: ObjectPageDecision,
        now: SystemTime,
    ) -> (ApiResponse, Record) {
        match page {
            ObjectPageDecision::Show {
                preview: None,
                key,
                actions,
            } => {
                let response = response::object_page(request, &key, None, &actions, self.signer.origin());
                (response, Record::of_page(&key))
            }
            ObjectPageDecision::Show {
                preview: Some((preview, plan)),
                key,
                actions,
            } => match self.sign(policy, plan, now).await {
                Ok(instruction) => {
                    let shown = Some((preview, &instruction));
                    let response = response::object_page(request, &key, shown, &actions, self.signer.origin());
                    (response, Record::signed(&instruction))
                }
                Err(trouble) => troubled(policy, request, &trouble),
            },
            ObjectPageDecision::ConfirmDelete { key, actions } => {
                (response::delete_page(request, &key, &actions), Record::of_page(&key))
            }
            ObjectPageDecision::Delete(plan) => match self.delete(policy, plan, now).await {
                Ok(instruction) => (
                    response::deleted(request, &instruction.plan.public_key),
                    Record::deleted(&instruction),
                ),
                Err(trouble) => troubled(policy, request, &trouble),
            },
        }
    }

    async fn delete(
        &self,
        policy: &Policy,
        plan: PresignPlan<ObjectLocation>,
        now: SystemTime,
    ) -> Result<Instruction, Trouble> {
        let instruction = self.sign(policy, plan, now).await?;
        let deleted = self.storage.delete(&instruction).await;
        deleted.map_err(|error| Trouble::Failed(error.into()))?;
        Ok(instruction)
    }
}
