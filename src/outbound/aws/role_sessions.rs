//! Sessions of the signer role, renewed before they end.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use lru::LruCache;

use crate::error::chain;
use crate::outbound::refreshing::{RefreshSchedule, RefreshState, Refreshing, Snapshot};
use crate::policy::{GrantScope, MAX_EXPIRES};

/// The pause after a failed renewal, while the last session is usable.
const RETRY_AFTER: Duration = Duration::from_secs(15);

/// The reason why there is no session. Requests that wait for the same renewal share it.
pub(super) type SessionError = Arc<dyn std::error::Error + Send + Sync>;

/// The sessions of one epoch, by their scope. The least recently used session is dropped first.
#[derive(Debug)]
pub(super) struct SessionCache(Mutex<EpochSessions>);

#[derive(Debug)]
struct EpochSessions {
    epoch: String,
    sessions: LruCache<GrantScope, Arc<RoleSession>>,
}

impl SessionCache {
    pub(super) fn new(max_sessions: NonZeroUsize) -> Self {
        Self(Mutex::new(EpochSessions {
            epoch: String::new(),
            sessions: LruCache::new(max_sessions),
        }))
    }

    /// Returns the session of this scope. A user whose claims change has another scope. Another epoch drops all sessions.
    pub(super) fn get_or_create(&self, epoch: &str, scope: &GrantScope) -> Arc<RoleSession> {
        let mut cache = self.0.lock().expect("no code panics while it holds the lock");
        if cache.epoch != epoch {
            cache.sessions.clear();
            epoch.clone_into(&mut cache.epoch);
        }
        Arc::clone(cache.sessions.get_or_insert_ref(scope, Arc::default))
    }
}

/// A session, assumed when it is first required.
#[derive(Debug, Default)]
pub(super) struct RoleSession(Refreshing<Credentials, SessionError>);

/// The session must be valid for `min_lifetime` from `now` on.
struct SessionSchedule {
    now: SystemTime,
    min_lifetime: Duration,
}

impl RoleSession {
    /// Returns credentials that are valid for at least `min_lifetime` from `now` on.
    ///
    /// `assume` is called if there are none, and some time before they end. While it fails, the last credentials are
    /// returned as long as they are valid.
    pub(super) async fn credentials(
        &self,
        now: SystemTime,
        min_lifetime: Duration,
        assume: impl AsyncFnOnce() -> Result<Credentials, SessionError>,
    ) -> Result<Credentials, SessionError> {
        let schedule = SessionSchedule { now, min_lifetime };
        let renew = async |last: Option<Snapshot<Credentials>>| {
            let assumed = assume().await;
            if let (Err(error), true) = (&assumed, last.is_some_and(|last| schedule.is_usable(&last))) {
                tracing::warn!(
                    error = chain(&**error),
                    "failed to renew the session; using the previous one while it is valid"
                );
            }
            assumed
        };
        let credentials = self.0.get(&schedule, now, renew).await;
        credentials.map_err(|error| error.unwrap_or_else(|| Arc::new(ShortSession)))
    }

    /// Forgets a failure to assume the role, so that the next request tries again.
    pub(super) fn forget_failure(&self) {
        self.0.forget_failure();
    }
}

/// A session that ends before a useful URL could.
#[derive(Debug, thiserror::Error)]
#[error("the session ends too early for the lifetime of the URL")]
struct ShortSession;

impl RefreshSchedule<Credentials, SessionError> for SessionSchedule {
    const SERVE_WHILE_RENEWING: bool = true;

    fn is_current(&self, state: &RefreshState<Credentials, SessionError>) -> bool {
        let Some(snapshot) = state.snapshot().filter(|snapshot| self.is_usable(snapshot)) else {
            return false;
        };
        let failed = state.last_attempt().filter(|attempt| attempt.error.is_some());
        match failed {
            Some(attempt) => self.now < attempt.at + RETRY_AFTER,
            None => self.now < renewal_time(snapshot),
        }
    }

    fn is_usable(&self, snapshot: &Snapshot<Credentials>) -> bool {
        lifetime(&snapshot.value, self.now) >= self.min_lifetime
    }
}

/// Returns the time of renewal: early enough for a URL with its full lifetime, unless the session itself is short.
fn renewal_time(snapshot: &Snapshot<Credentials>) -> SystemTime {
    let lifetime = lifetime(&snapshot.value, snapshot.confirmed_at);
    snapshot.confirmed_at + lifetime - MAX_EXPIRES.min(lifetime / 2)
}

fn lifetime(credentials: &Credentials, now: SystemTime) -> Duration {
    let expiry = credentials.expiry();
    expiry.map_or(Duration::ZERO, |expiry| expiry.duration_since(now).unwrap_or_default())
}
