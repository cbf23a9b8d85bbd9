//! A cached value that is renewed by one request at a time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// A value from another service. It is renewed when a request finds it outdated.
#[derive(Debug)]
pub(crate) struct Refreshing<V, E> {
    state: Mutex<RefreshState<V, E>>,
    /// Locked by the request that renews the value.
    renewal: tokio::sync::Mutex<()>,
}

/// The last value and the last attempt to renew it.
#[derive(Debug)]
pub(crate) struct RefreshState<V, E> {
    snapshot: Option<Snapshot<V>>,
    last_attempt: Option<LastAttempt<E>>,
    attempts: u64,
}

/// A value, and the time at which it was obtained or confirmed.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot<V> {
    pub(crate) value: V,
    pub(crate) confirmed_at: SystemTime,
}

/// The time of an attempt to renew the value, and its error.
#[derive(Debug)]
pub(crate) struct LastAttempt<E> {
    pub(crate) at: SystemTime,
    pub(crate) error: Option<E>,
}

/// The rules by which one request judges a cached value.
pub(crate) trait RefreshSchedule<V, E> {
    /// If true, requests use a usable value while another request renews it. If false, they wait.
    const SERVE_WHILE_RENEWING: bool;

    /// Returns true if no renewal is due.
    fn is_current(&self, state: &RefreshState<V, E>) -> bool;

    /// Returns true if the request may use this value, even if a renewal is due or has failed.
    fn is_usable(&self, snapshot: &Snapshot<V>) -> bool;
}

impl<V, E> Default for Refreshing<V, E> {
    fn default() -> Self {
        let state = RefreshState {
            snapshot: None,
            last_attempt: None,
            attempts: 0,
        };
        Self {
            state: Mutex::new(state),
            renewal: tokio::sync::Mutex::default(),
        }
    }
}

impl<V: Clone, E: Clone> Refreshing<V, E> {
    /// Returns a usable value, after renewing it if that is due at `now`. `renew` receives the last snapshot.
    ///
    /// If the renewal fails, the last value is returned while it is usable. Requests that wait for the same renewal share
    /// its error. The error is `None` if the last renewal succeeded, but its value is no longer usable.
    pub(crate) async fn get(
        &self,
        schedule: &impl RefreshSchedule<V, E>,
        now: SystemTime,
        renew: impl AsyncFnOnce(Option<Snapshot<V>>) -> Result<V, E>,
    ) -> Result<V, Option<E>> {
        let attempts = {
            let state = self.state();
            if schedule.is_current(&state) {
                return state.outcome(schedule);
            }
            state.attempts
        };
        let Some(_renewal) = self.lock_renewal(schedule).await else {
            return self.state().outcome(schedule);
        };
        let last = {
            let state = self.state();
            if schedule.is_current(&state) || state.has_shared_failure(attempts, now) {
                return state.outcome(schedule);
            }
            state.snapshot.clone()
        };
        let renewed = renew(last).await;
        let mut state = self.state();
        state.record(renewed.clone(), now);
        renewed.or_else(|_| state.outcome(schedule))
    }

    /// Forgets a failed renewal, so that the next request does not wait before it renews the value.
    pub(crate) fn forget_failure(&self) {
        let mut state = self.state();
        state.last_attempt.take_if(|attempt| attempt.error.is_some());
    }

    /// Returns the lock of the renewal, or `None` if the request need not wait for the renewal of another request.
    async fn lock_renewal<S: RefreshSchedule<V, E>>(&self, schedule: &S) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        if let Ok(renewal) = self.renewal.try_lock() {
            return Some(renewal);
        }
        if S::SERVE_WHILE_RENEWING && self.state().usable(schedule).is_some() {
            return None;
        }
        Some(self.renewal.lock().await)
    }

    fn state(&self) -> MutexGuard<'_, RefreshState<V, E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V, E> RefreshState<V, E> {
    /// The last value.
    pub(crate) const fn snapshot(&self) -> Option<&Snapshot<V>> {
        self.snapshot.as_ref()
    }

    /// The last attempt to renew the value.
    pub(crate) const fn last_attempt(&self) -> Option<&LastAttempt<E>> {
        self.last_attempt.as_ref()
    }

    /// Returns true if an attempt that this request has waited for failed, or one for another part of the same request.
    fn has_shared_failure(&self, attempts_before: u64, now: SystemTime) -> bool {
        let failed = self.last_attempt.as_ref().filter(|attempt| attempt.error.is_some());
        failed.is_some_and(|attempt| self.attempts > attempts_before || attempt.at == now)
    }

    fn record(&mut self, renewed: Result<V, E>, now: SystemTime) {
        self.attempts += 1;
        let error = match renewed {
            Ok(value) => {
                self.snapshot = Some(Snapshot {
                    value,
                    confirmed_at: now,
                });
                None
            }
            Err(error) => Some(error),
        };
        self.last_attempt = Some(LastAttempt { at: now, error });
    }
}

impl<V: Clone, E: Clone> RefreshState<V, E> {
    fn usable(&self, schedule: &impl RefreshSchedule<V, E>) -> Option<V> {
        let snapshot = self.snapshot.as_ref()?;
        schedule.is_usable(snapshot).then(|| snapshot.value.clone())
    }

    fn outcome(&self, schedule: &impl RefreshSchedule<V, E>) -> Result<V, Option<E>> {
        let error = || self.last_attempt.as_ref().and_then(|attempt| attempt.error.clone());
        self.usable(schedule).ok_or_else(error)
    }
}
