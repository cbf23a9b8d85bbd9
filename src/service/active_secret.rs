//! Secrets that are stored outside the function, and when values from such a source are renewed.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::config::{ClientSecret, ConfigError, SecretSetting, Settings};
use crate::error::chain;
use crate::outbound::aws::{CredentialSource, SecretSource};
use crate::outbound::https_client::HttpsClient;
use crate::outbound::refreshing::{RefreshSchedule, RefreshState, Refreshing, Snapshot};

/// The interval between requests to a source.
const REFRESH_INTERVAL: Duration = Duration::from_mins(1);

/// The pause after a failed request to a source.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// How long the last good value stays in use after a refresh fails.
const MAX_STALE_AGE: Duration = Duration::from_mins(10);

/// The age of a value from a source that one request accepts.
pub(super) struct SourceSchedule {
    pub(super) now: SystemTime,
}

impl<V> RefreshSchedule<V, ()> for SourceSchedule {
    const SERVE_WHILE_RENEWING: bool = false;

    /// If the clock was set back, a refresh is due.
    fn is_current(&self, state: &RefreshState<V, ()>) -> bool {
        state.last_attempt().is_some_and(|attempt| {
            let failed = attempt.error.is_some();
            let interval = if failed { RETRY_AFTER } else { REFRESH_INTERVAL };
            self.now.duration_since(attempt.at).is_ok_and(|age| age < interval)
        })
    }

    fn is_usable(&self, snapshot: &Snapshot<V>) -> bool {
        let age = self.now.duration_since(snapshot.confirmed_at);
        age.unwrap_or_default() < MAX_STALE_AGE
    }
}

/// A secret of a source. It is read when a request first requires it.
#[derive(Debug)]
pub(crate) struct RefreshedSecret<T> {
    /// The setting.
    var: Cow<'static, str>,
    source: SecretSource,
    /// The error says what is wrong without the secret.
    parse: fn(&str) -> Result<T, String>,
    /// A failed refresh is logged when it fails, so its error has no content.
    secret: Refreshing<T, ()>,
}

impl<T: Clone + Send + Sync> RefreshedSecret<T> {
    pub(super) fn new(
        var: impl Into<Cow<'static, str>>,
        source: SecretSource,
        parse: fn(&str) -> Result<T, String>,
    ) -> Self {
        Self {
            var: var.into(),
            source,
            parse,
            secret: Refreshing::default(),
        }
    }

    /// Returns the secret for a request at `now`, or `None` if the source has not provided a usable one. The future is
    /// boxed, so that the futures of requests without a source stay small.
    pub(super) fn get(&self, now: SystemTime) -> Pin<Box<dyn Future<Output = Option<T>> + Send + '_>> {
        Box::pin(async move {
            let schedule = SourceSchedule { now };
            let refresh = async |last: Option<Snapshot<T>>| {
                let has_usable = last.is_some_and(|last| schedule.is_usable(&last));
                self.fetch().await.map_err(|error| self.log_failure(&error, has_usable))
            };
            self.secret.get(&schedule, now, refresh).await.ok()
        })
    }

    /// Forgets a failure to read the secret, so that the next request reads it again at once.
    pub(super) fn forget_failure(&self) {
        self.secret.forget_failure();
    }

    async fn fetch(&self) -> Result<T, String> {
        let text = self.source.fetch().await.map_err(|error| chain(&error))?;
        (self.parse)(text.trim())
    }

    fn log_failure(&self, error: &str, has_usable_secret: bool) {
        let setting = &*self.var;
        if has_usable_secret {
            tracing::error!(
                setting,
                error,
                "failed to read the secret; using the previous one for up to 10 minutes"
            );
        } else {
            tracing::error!(
                setting,
                error,
                "failed to read the secret; every request that requires it fails"
            );
        }
    }
}

/// The client secret: from the settings, or from a source.
#[derive(Clone, Debug)]
pub(crate) enum ActiveClientSecret {
    /// The value of the setting.
    Fixed(Option<ClientSecret>),
    /// The value of a source.
    Refreshed(Arc<RefreshedSecret<ClientSecret>>),
}

impl ActiveClientSecret {
    /// Prepares for the setting, without a call.
    pub(crate) fn new(
        settings: &Settings,
        credentials: CredentialSource,
        https: HttpsClient,
    ) -> Result<Self, ConfigError> {
        Ok(match &settings.client_secret {
            None => Self::Fixed(None),
            Some(SecretSetting::Value(secret)) => Self::Fixed(Some(secret.clone())),
            Some(SecretSetting::Stored(location)) => {
                let source = SecretSource::new(settings, location, credentials, https)?;
                Self::Refreshed(Arc::new(RefreshedSecret::new("SIGNPOST_CLIENT_SECRET", source, parse)))
            }
        })
    }

    /// Returns the client secret, if there is one. The error means that the source has not provided a usable one.
    pub(crate) async fn get(&self, now: SystemTime) -> Result<Option<ClientSecret>, ()> {
        match self {
            Self::Fixed(secret) => Ok(secret.clone()),
            Self::Refreshed(secret) => secret.get(now).await.map(Some).ok_or(()),
        }
    }
}

fn parse(text: &str) -> Result<ClientSecret, String> {
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    Ok(ClientSecret::new(text.to_owned()))
}
