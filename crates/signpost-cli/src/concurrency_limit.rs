//! Limits how many requests run at the same time: many small requests, or eight large ones. With few file descriptors, the
//! limits are lower.

use rustix::process::{Resource, getrlimit};
use tokio::sync::{Semaphore, SemaphorePermit};

const MAX_PERMITS: u32 = 64;

/// How many files are processed at the same time. Most of them wait for a permit.
const MAX_FILES: u32 = 128;

/// The permits that a large request acquires: eight large requests use all permits.
const MAX_PERMITS_PER_REQUEST: u32 = 8;

/// A request acquires one permit for each started block of this size.
const BYTES_PER_PERMIT: u64 = 1024 * 1024;

/// File descriptors for everything but transfers: standard streams, the runtime, name resolution, records of transfers.
const RESERVED_DESCRIPTORS: u64 = 24;

/// File descriptors of one file: the file, its partial file, a connection to Signpost and one to S3, and an idle one.
const DESCRIPTORS_PER_FILE: u64 = 5;

/// The concurrency limit of a command.
#[derive(Debug)]
pub(crate) struct ConcurrencyLimit {
    permits: Semaphore,
    total: u32,
}

impl ConcurrencyLimit {
    pub(crate) fn new() -> Self {
        let total = affordable_files(descriptor_limit()).min(MAX_PERMITS);
        Self {
            permits: Semaphore::new(total as usize),
            total,
        }
    }

    /// Waits until a request with a body of `len` bytes may start.
    pub(crate) async fn acquire(&self, len: u64) -> SemaphorePermit<'_> {
        let blocks = u32::try_from(len.div_ceil(BYTES_PER_PERMIT)).unwrap_or(u32::MAX);
        let permits = blocks.clamp(1, MAX_PERMITS_PER_REQUEST.min(self.total));
        self.permits
            .acquire_many(permits)
            .await
            .expect("the semaphore is never closed")
    }
}

/// Returns how many files are processed at the same time.
pub(crate) fn concurrent_files() -> usize {
    affordable_files(descriptor_limit()) as usize
}

/// Returns the maximum number of file descriptors of this process; `None` without a limit.
fn descriptor_limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

fn affordable_files(descriptors: Option<u64>) -> u32 {
    let affordable = descriptors.map_or(u64::MAX, |descriptors| {
        descriptors.saturating_sub(RESERVED_DESCRIPTORS) / DESCRIPTORS_PER_FILE
    });
    u32::try_from(affordable).unwrap_or(u32::MAX).clamp(1, MAX_FILES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_file_descriptors_reduce_the_number_of_files() {
        for (descriptors, files) in [
            (Some(0), 1),
            (Some(32), 1),
            (Some(64), 8),
            (Some(256), 46),
            (Some(1024), MAX_FILES),
            (None, MAX_FILES),
        ] {
            assert_eq!(affordable_files(descriptors), files, "{descriptors:?}");
        }
    }

    #[tokio::test]
    async fn a_large_request_never_waits_for_more_permits_than_exist() {
        let limit = ConcurrencyLimit {
            permits: Semaphore::new(2),
            total: 2,
        };
        drop(limit.acquire(u64::MAX).await);
        let (_first, _second) = (limit.acquire(0).await, limit.acquire(1).await);
    }
}
