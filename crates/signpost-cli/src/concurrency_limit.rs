//! Limits how many requests run at the same time: many small requests, or eight large ones.

use tokio::sync::{Semaphore, SemaphorePermit};

const TOTAL_PERMITS: u32 = 64;

/// The permits that a large request acquires: eight large requests use all permits.
const MAX_PERMITS_PER_REQUEST: u64 = 8;

/// A request acquires one permit for each started block of this size.
const BYTES_PER_PERMIT: u64 = 1024 * 1024;

/// The concurrency limit of a command.
#[derive(Debug)]
pub(crate) struct ConcurrencyLimit(Semaphore);

impl ConcurrencyLimit {
    pub(crate) fn new() -> Self {
        Self(Semaphore::new(TOTAL_PERMITS as usize))
    }

    /// Waits until a request with a body of `len` bytes may start.
    pub(crate) async fn acquire(&self, len: u64) -> SemaphorePermit<'_> {
        let concurrency = u32::try_from(len.div_ceil(BYTES_PER_PERMIT).clamp(1, MAX_PERMITS_PER_REQUEST))
            .expect("the number of permits is clamped");
        self.0
            .acquire_many(concurrency)
            .await
            .expect("the semaphore is never closed")
    }
}
