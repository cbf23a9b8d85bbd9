//! Sessions of the signer role: renewed before they run out, by one request at a time.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use lru::LruCache;

use crate::error::chain;
use crate::policy::{GrantScope, MAX_EXPIRES};

/// After a failure the session in use is left alone for so long.
const RETRY_AFTER: Duration = Duration::from_secs(15);

/// Why there is no session. Whoever waited for the same attempt gets the same error.
pub(super) type SessionError = Arc<dyn std::error::Error + Send + Sync>;

/// The sessions of one epoch, by what each is for; those used last are kept.
#[derive(Debug)]
pub(super) struct Sessions(Mutex<Kept>);

#[derive(Debug)]
struct Kept {
    epoch: String,
    sessions: LruCache<GrantScope, Arc<Session>>,
}

impl Sessions {
    pub(super) fn new(most: NonZeroUsize) -> Self {
        Self(Mutex::new(Kept {
            epoch: String::new(),
            sessions: LruCache::new(most),
        }))
    }

    /// The session of this scope, and of no other: who has another claim than before has another scope. In another
    /// epoch every session is a new one.
    pub(super) fn of(&self, epoch: &str, scope: &GrantScope) -> Arc<Session> {
        let mut kept = self.0.lock().expect("nothing panics while it holds the lock");
        if kept.epoch != epoch {
            kept.sessions.clear();
            epoch.clone_into(&mut kept.epoch);
        }
        Arc::clone(kept.sessions.get_or_insert_ref(scope, Arc::default))
    }
}

/// A session that is there, or is had when it is asked for.
#[derive(Debug, Default)]
pub(super) struct Session {
    state: Mutex<State>,
    /// Held by whoever is assuming the role.
    renewal: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    current: Option<Current>,
    attempts: u64,
    failure: Option<Failure>,
}

#[derive(Debug)]
struct Failure {
    error: SessionError,
    /// When what asked for it came.
    at: SystemTime,
}

#[derive(Clone, Debug)]
struct Current {
    credentials: Credentials,
    /// When it is to be renewed, though it goes on.
    due: SystemTime,
}

impl Session {
    /// Credentials that live for `least` at least, as of `now`. `assume` is called where there are none, and some time
    /// before they end; while it fails, those of before do as long as they last.
    pub(super) async fn credentials(
        &self,
        now: SystemTime,
        least: Duration,
        assume: impl AsyncFnOnce() -> Result<Credentials, SessionError>,
    ) -> Result<Credentials, SessionError> {
        let (usable, attempts) = {
            let state = self.state();
            if let Some(fresh) = state.fresh(now, least) {
                return Ok(fresh);
            }
            (state.usable(now, least), state.attempts)
        };
        let _renewing = match (self.renewal.try_lock(), usable) {
            (Ok(renewing), _) => renewing,
            (Err(_), Some(usable)) => return Ok(usable),
            (Err(_), None) => self.renewal.lock().await,
        };
        {
            let state = self.state();
            if let Some(fresh) = state.fresh(now, least) {
                return Ok(fresh);
            }
            // The parts of one request come at the same time, and wait for one attempt between them.
            let shared = |failure: &&Failure| state.attempts > attempts || failure.at == now;
            if let Some(failure) = state.failure.as_ref().filter(shared) {
                return Err(Arc::clone(&failure.error));
            }
        }
        let outcome = assume().await;
        self.state().settle(outcome, now, least)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the lock")
    }
}

impl State {
    fn fresh(&self, now: SystemTime, least: Duration) -> Option<Credentials> {
        let due = self.current.as_ref()?.due;
        self.usable(now, least).filter(|_| now < due)
    }

    fn usable(&self, now: SystemTime, least: Duration) -> Option<Credentials> {
        let current = self.current.as_ref()?;
        (left(&current.credentials, now) >= least).then(|| current.credentials.clone())
    }

    fn settle(
        &mut self,
        outcome: Result<Credentials, SessionError>,
        now: SystemTime,
        least: Duration,
    ) -> Result<Credentials, SessionError> {
        self.attempts += 1;
        match outcome {
            Ok(credentials) => {
                self.failure = None;
                self.current = Some(Current {
                    due: due(&credentials, now),
                    credentials: credentials.clone(),
                });
                Ok(credentials)
            }
            Err(error) => {
                self.failure = Some(Failure {
                    error: Arc::clone(&error),
                    at: now,
                });
                let usable = self.usable(now, least).ok_or(Arc::clone(&error))?;
                tracing::warn!(
                    error = chain(&*error),
                    "could not renew the session; the one before is used while it lasts"
                );
                if let Some(current) = &mut self.current {
                    current.due = now + RETRY_AFTER;
                }
                Ok(usable)
            }
        }
    }
}

/// Early enough for a URL to get its whole life, unless the session itself is short.
fn due(credentials: &Credentials, now: SystemTime) -> SystemTime {
    let left = left(credentials, now);
    now + left - MAX_EXPIRES.min(left / 2)
}

fn left(credentials: &Credentials, now: SystemTime) -> Duration {
    let expiry = credentials.expiry();
    expiry.map_or(Duration::ZERO, |expiry| expiry.duration_since(now).unwrap_or_default())
}
