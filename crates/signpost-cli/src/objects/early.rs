//! Instructions that are asked for before they are needed, many together, and again when they have grown old.

use tokio::sync::Mutex;

use super::Session;
use crate::instruction::Instruction;
use crate::problem::{Problem, Retry};
use crate::service::Wish;

/// An instruction for one request.
pub(super) struct Early<'a> {
    session: &'a Session,
    wish: Wish,
    asked: Option<Result<Instruction, Problem>>,
}

/// An instruction for many requests, as long as it lives.
pub(super) struct Lasting<'a> {
    session: &'a Session,
    wish: Wish,
    held: Mutex<Option<Instruction>>,
}

impl<'a> Early<'a> {
    pub(super) async fn ask(session: &'a Session, wish: Wish) -> Self {
        let asked = Some(session.service.instruction(wish.clone()).await);
        Self { session, wish, asked }
    }

    /// The instruction, or a fresh one; a refusal is told once, and then asked for again.
    pub(super) async fn take(&mut self) -> Result<Instruction, Problem> {
        match self.asked.take() {
            Some(Ok(instruction)) if !instruction.is_fresh() => {}
            Some(told) => return told,
            None => {}
        }
        self.session.service.instruction(self.wish.clone()).await
    }
}

impl<'a> Lasting<'a> {
    pub(super) fn new(session: &'a Session, wish: Wish) -> Self {
        Self {
            session,
            wish,
            held: Mutex::new(None),
        }
    }

    pub(super) async fn current(&self) -> Result<Instruction, Problem> {
        let mut held = self.held.lock().await;
        if let Some(instruction) = held.as_ref().filter(|held| held.is_fresh()) {
            return Ok(instruction.clone());
        }
        let fresh = self.session.service.instruction(self.wish.clone()).await?;
        Ok(held.insert(fresh).clone())
    }

    /// Lets go of an instruction that S3 has refused.
    pub(super) async fn refused<T>(&self, sent: Result<T, Problem>) -> Result<T, Problem> {
        if matches!(&sent, Err(problem) if problem.retry == Retry::FreshUrl) {
            *self.held.lock().await = None;
        }
        sent
    }
}
