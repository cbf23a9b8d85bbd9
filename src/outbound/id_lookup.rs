//! The results of calls to the id table, and new ids.

use std::sync::Arc;
use std::time::SystemTime;

use ring::rand::{SecureRandom as _, SystemRandom};
use ulid::Ulid;

/// The reason why the table did not respond. Several entries can share it.
pub(crate) type TableError = Arc<dyn std::error::Error + Send + Sync>;

/// The id of an entry, or `None` if it has none.
pub(crate) type IdLookupResult = Result<Option<Ulid>, TableError>;

/// The result of adding or removing a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockChange {
    /// The lock has been added or removed.
    Done,
    /// Another lock prevents it, or the lock does not exist.
    Conflict,
    /// The table has no space for another lock of the repository.
    Full,
}

/// Returns a new random id, which cannot be predicted ([ULID](https://github.com/ulid/spec)).
pub(crate) fn new_id(now: SystemTime) -> Result<Ulid, RandomnessError> {
    let mut random = [0; 16];
    SystemRandom::new().fill(&mut random).map_err(|_| RandomnessError)?;
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let milliseconds = u64::try_from(since.as_millis()).unwrap_or_default();
    Ok(Ulid::from_parts(milliseconds, u128::from_be_bytes(random)))
}

#[derive(Debug, thiserror::Error)]
#[error("the system has no source of randomness")]
pub(crate) struct RandomnessError;

/// Returns an error that several entries can share.
pub(crate) fn shared(error: impl std::error::Error + Send + Sync + 'static) -> TableError {
    Arc::new(error)
}
