//! How much goes on at once: many small requests, or eight large ones.

use tokio::sync::{Semaphore, SemaphorePermit};

const LANES: u32 = 64;

/// What a large request takes, so that eight of them take all.
const WIDEST: u64 = 8;

/// A request takes one lane for each of these begun.
const WIDTH: u64 = 1024 * 1024;

/// The lanes of a command.
#[derive(Debug)]
pub(crate) struct Lanes(Semaphore);

impl Lanes {
    pub(crate) fn new() -> Self {
        Self(Semaphore::new(LANES as usize))
    }

    /// Waits until a request with a body of this length may go.
    pub(crate) async fn enter(&self, len: u64) -> SemaphorePermit<'_> {
        let lanes = u32::try_from(len.div_ceil(WIDTH).clamp(1, WIDEST)).expect("it is small");
        self.0.acquire_many(lanes).await.expect("the lanes are never closed")
    }
}
