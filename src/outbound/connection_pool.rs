//! The open connections that no request uses.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::connection::{Connection, Origin};

/// The maximum number of connections. A request that looks up many ids uses this many at once.
const MAX_CONNECTIONS: usize = 16;

/// The maximum idle time of a connection. AWS services close idle connections after about the same time.
const MAX_IDLE_TIME: Duration = Duration::from_mins(1);

/// Idle connections. The one that was used last is the last.
#[derive(Default)]
pub(super) struct ConnectionPool(Mutex<VecDeque<IdleConnection>>);

struct IdleConnection {
    connection: Connection,
    /// A system time, because other clocks can stop while the process is frozen.
    since: SystemTime,
}

impl ConnectionPool {
    /// Removes and returns the connection to `origin` that was used last, with its idle time. Closes the connections that
    /// are too old at `now`.
    pub(super) fn take(&self, origin: &Origin, now: SystemTime) -> Option<(Connection, Duration)> {
        let mut idle = self.lock();
        idle.retain(|idle| idle.time(now) < MAX_IDLE_TIME);
        let index = idle.iter().rposition(|idle| idle.connection.origin() == origin)?;
        let idle = idle.remove(index)?;
        let time = idle.time(now);
        Some((idle.connection, time))
    }

    /// Stores a connection for later requests. If there are too many, the one that was used first is closed.
    pub(super) fn put(&self, connection: Connection) {
        let mut idle = self.lock();
        if idle.len() >= MAX_CONNECTIONS {
            idle.pop_front();
        }
        idle.push_back(IdleConnection {
            connection,
            since: SystemTime::now(),
        });
    }

    /// Closes all connections to `origin`.
    pub(super) fn close(&self, origin: &Origin) {
        self.lock().retain(|idle| idle.connection.origin() != origin);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Increases the idle time of all connections.
    #[cfg(test)]
    pub(super) fn age(&self, by: Duration) {
        self.lock().iter_mut().for_each(|idle| idle.since -= by);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<IdleConnection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IdleConnection {
    /// Returns how long the connection has been idle. The clock may have been set back.
    fn time(&self, now: SystemTime) -> Duration {
        now.duration_since(self.since).unwrap_or(MAX_IDLE_TIME)
    }
}
