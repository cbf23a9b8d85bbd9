//! Requests instructions before they are needed, so that they can be batched, and renews expired instructions.

use tokio::sync::Mutex;

use super::TransferSession;
use crate::instruction::Instruction;
use crate::operation_error::{OperationError, RetryAdvice};
use crate::signing_service::InstructionRequest;

/// An instruction for one request.
pub(super) struct PrefetchedInstruction<'a> {
    session: &'a TransferSession,
    request: InstructionRequest,
    prefetched: Option<Result<Instruction, OperationError>>,
}

/// An instruction for several requests, until it expires.
pub(super) struct CachedInstruction<'a> {
    session: &'a TransferSession,
    request: InstructionRequest,
    cached: Mutex<Option<Instruction>>,
}

impl<'a> PrefetchedInstruction<'a> {
    pub(super) async fn prefetch(session: &'a TransferSession, request: InstructionRequest) -> Self {
        let prefetched = Some(session.service.request_instruction(request.clone()).await);
        Self {
            session,
            request,
            prefetched,
        }
    }

    /// Returns the instruction, or a new one if it has expired. An error is returned once; the next call requests a
    /// new instruction.
    pub(super) async fn take(&mut self) -> Result<Instruction, OperationError> {
        match self.prefetched.take() {
            Some(Ok(instruction)) if !instruction.is_unexpired() => {}
            Some(response) => return response,
            None => {}
        }
        self.session.service.request_instruction(self.request.clone()).await
    }
}

impl<'a> CachedInstruction<'a> {
    pub(super) fn new(session: &'a TransferSession, request: InstructionRequest) -> Self {
        Self {
            session,
            request,
            cached: Mutex::new(None),
        }
    }

    pub(super) async fn current(&self) -> Result<Instruction, OperationError> {
        let mut cached = self.cached.lock().await;
        if let Some(instruction) = cached.as_ref().filter(|cached| cached.is_unexpired()) {
            return Ok(instruction.clone());
        }
        let renewed = self.session.service.request_instruction(self.request.clone()).await?;
        Ok(cached.insert(renewed).clone())
    }

    /// Discards the instruction if S3 rejected it.
    pub(super) async fn check_sent<T>(&self, sent: Result<T, OperationError>) -> Result<T, OperationError> {
        if matches!(&sent, Err(error) if error.retry == RetryAdvice::NewUrl) {
            *self.cached.lock().await = None;
        }
        sent
    }
}
