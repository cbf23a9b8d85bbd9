//! The active policy: the rules of the start-up, or those of a source outside the function.

use std::fmt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::config::{ConfigError, Settings, SigningMode};
use crate::error::chain;
use crate::outbound::aws::{CredentialSource, PolicySource, RulesText, SigningCredentials};
use crate::outbound::outbound_error::OutboundError;
use crate::outbound::refreshing::{RefreshSchedule, RefreshState, Refreshing, Snapshot};
use crate::policy::{Grant, Policy};

/// The rules file in the package of the function, if no setting names another.
const PACKAGED_RULES: &str = "rules.toml";

/// The interval between requests to the source.
const REFRESH_INTERVAL: Duration = Duration::from_mins(1);

/// The pause after a failed request to the source.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// How long the last good policy stays in use after a refresh fails.
const MAX_STALE_AGE: Duration = Duration::from_mins(10);

/// The policy that decides about requests.
#[derive(Clone, Debug)]
pub(crate) enum ActivePolicy {
    /// The policy of the start-up.
    Fixed(Arc<Policy>),
    /// The policy of a source.
    Refreshed(Arc<RefreshedPolicy>),
}

/// A policy that may change while the function runs.
#[derive(Debug)]
pub(crate) struct RefreshedPolicy {
    source: PolicySource,
    reader: PolicyReader,
    /// A failed refresh is logged where it fails, so its error has no content.
    policy: Refreshing<LoadedPolicy, ()>,
}

/// A policy and the version of its text.
#[derive(Clone, Debug)]
struct LoadedPolicy {
    policy: Arc<Policy>,
    tag: String,
}

/// Parses a rules file and checks it against the settings.
#[derive(Clone)]
struct PolicyReader {
    settings: Settings,
    signing: SigningCredentials,
}

/// The reason why the source has no new policy.
#[derive(Debug, thiserror::Error)]
enum RefreshError {
    #[error("failed to fetch the rules")]
    Fetch(#[from] OutboundError),
    #[error("the new rules are invalid: {0}")]
    Invalid(#[from] ConfigError),
}

/// The age that one request accepts.
struct PolicySchedule {
    now: SystemTime,
}

impl ActivePolicy {
    /// Reads the rules of the settings. A source is not read before the first request, so that the start-up makes no call.
    pub(crate) async fn load(
        settings: &Settings,
        signing: &SigningCredentials,
        credentials: CredentialSource,
    ) -> Result<Self, ConfigError> {
        let reader = PolicyReader {
            settings: settings.clone(),
            signing: signing.clone(),
        };
        if let Some(source) = &settings.rules_source {
            return Ok(Self::Refreshed(Arc::new(RefreshedPolicy {
                source: PolicySource::new(settings, source, credentials).await?,
                reader,
                policy: Refreshing::default(),
            })));
        }
        let policy = match local_rules(settings)? {
            Some((var, text)) => reader.read(var, &text)?,
            None => Policy::default(),
        };
        log_policy(&policy);
        Ok(Self::Fixed(Arc::new(policy)))
    }

    /// Returns the policy for a request at `now`, or `None` if the source has not provided a usable one.
    pub(crate) async fn get(&self, now: SystemTime) -> Option<Arc<Policy>> {
        match self {
            Self::Fixed(policy) => Some(Arc::clone(policy)),
            Self::Refreshed(refreshed) => refreshed.get(now).await,
        }
    }
}

impl RefreshedPolicy {
    /// The future is boxed, so that the futures of requests without a source stay small.
    fn get(&self, now: SystemTime) -> Pin<Box<dyn Future<Output = Option<Arc<Policy>>> + Send + '_>> {
        Box::pin(async move {
            let schedule = PolicySchedule { now };
            let refresh = async |last: Option<Snapshot<LoadedPolicy>>| {
                let has_usable = last.as_ref().is_some_and(|last| schedule.is_usable(last));
                let refreshed = self.refresh(last.map(|last| last.value), now).await;
                refreshed.map_err(|error| log_failure(&error, has_usable))
            };
            let loaded = self.policy.get(&schedule, now, refresh).await;
            loaded.ok().map(|loaded| loaded.policy)
        })
    }

    /// Returns the policy of the source. It is the last one if the source has not changed.
    async fn refresh(&self, last: Option<LoadedPolicy>, now: SystemTime) -> Result<LoadedPolicy, RefreshError> {
        let known_tag = last.as_ref().map(|last| last.tag.as_str());
        let fetched = self.source.fetch(known_tag, now).await?;
        match (fetched, last) {
            (None, Some(last)) => Ok(last),
            (Some(RulesText { text, tag }), _) => {
                let policy = self.reader.read("SIGNPOST_RULES_SOURCE", &text)?;
                log_policy(&policy);
                let policy = Arc::new(policy);
                Ok(LoadedPolicy { policy, tag })
            }
            (None, None) => unreachable!("a source without a known tag returns its text"),
        }
    }
}

fn log_failure(error: &RefreshError, has_usable_policy: bool) {
    let error = chain(error);
    if has_usable_policy {
        tracing::error!(
            error,
            "failed to refresh the policy; using the previous one for up to 10 minutes"
        );
    } else {
        tracing::error!(error, "failed to refresh the policy; every request is rejected");
    }
}

impl RefreshSchedule<LoadedPolicy, ()> for PolicySchedule {
    const SERVE_WHILE_RENEWING: bool = false;

    /// If the clock was set back, a refresh is due.
    fn is_current(&self, state: &RefreshState<LoadedPolicy, ()>) -> bool {
        state.last_attempt().is_some_and(|attempt| {
            let failed = attempt.error.is_some();
            let interval = if failed { RETRY_AFTER } else { REFRESH_INTERVAL };
            self.now.duration_since(attempt.at).is_ok_and(|age| age < interval)
        })
    }

    fn is_usable(&self, snapshot: &Snapshot<LoadedPolicy>) -> bool {
        let age = self.now.duration_since(snapshot.confirmed_at);
        age.unwrap_or_default() < MAX_STALE_AGE
    }
}

/// The settings may contain the text of the rules, with the digests of tokens.
impl fmt::Debug for PolicyReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PolicyReader(redacted)")
    }
}

impl PolicyReader {
    /// Parses the rules in `text`, which is the value of the setting `var`.
    fn read(&self, var: &'static str, text: &str) -> Result<Policy, ConfigError> {
        let mut policy = Policy::parse(text).map_err(|error| ConfigError {
            var,
            problem: error.to_string(),
        })?;
        policy.authenticators.keys.clone_from(&self.settings.keys);
        policy.has_id_table = self.settings.table.is_some();
        policy.masks_not_found = self.settings.signing_mode == SigningMode::Scoped;
        check_lifetimes(&policy, self.settings.max_expires)?;
        check_sign_in(&policy)?;
        check_table(&policy)?;
        self.signing.check(&policy)?;
        Ok(policy)
    }
}

/// Rejects a rule whose URLs live longer than the bucket policy accepts.
fn check_lifetimes(policy: &Policy, longest: Duration) -> Result<(), ConfigError> {
    match policy.grants().find(|grant| grant.constraints.expires > longest) {
        Some(grant) => Err(ConfigError {
            var: "SIGNPOST_MAX_EXPIRES",
            problem: format!(
                "rule {:?} allows URLs a lifetime of {}, but the maximum is {}",
                grant.rule,
                humantime::format_duration(grant.constraints.expires),
                humantime::format_duration(longest)
            ),
        }),
        None => Ok(()),
    }
}

/// Requires a key for sessions if the rules allow users to sign in.
fn check_sign_in(policy: &Policy) -> Result<(), ConfigError> {
    let known = &policy.authenticators;
    match known.oidc.iter().find(|issuer| issuer.client.is_some()) {
        Some(issuer) if known.keys.is_empty() => Err(ConfigError {
            var: "SIGNPOST_KEYS",
            problem: format!(
                "issuer {:?} has a client_id, so sessions require a key; create one with `signpost key new`",
                issuer.name
            ),
        }),
        Some(_) | None => Ok(()),
    }
}

/// Requires an id table if a rule stores objects under ids.
fn check_table(policy: &Policy) -> Result<(), ConfigError> {
    match policy.grants().find(Grant::needs_id_table) {
        Some(grant) if !policy.has_id_table => Err(ConfigError {
            var: "SIGNPOST_TABLE",
            problem: format!(
                "rule {:?} stores objects under ids ({{id}}), so this setting must name a DynamoDB table",
                grant.rule
            ),
        }),
        Some(_) | None => Ok(()),
    }
}

fn log_policy(policy: &Policy) {
    tracing::info!(
        version = crate::BUILD_VERSION,
        rules = policy.len(),
        rules.sha256 = policy.digest(),
        "read the rules"
    );
    if policy.is_empty() {
        tracing::warn!("there are no rules, so every request is rejected");
    }
}

/// Returns the rules that are stored locally, and the setting that names them.
fn local_rules(settings: &Settings) -> Result<Option<(&'static str, String)>, ConfigError> {
    Ok(match (&settings.rules, &settings.rules_file) {
        (Some(text), _) => Some(("SIGNPOST_RULES", text.clone())),
        (None, Some(path)) => Some(("SIGNPOST_RULES_FILE", read_file(path)?)),
        (None, None) if Path::new(PACKAGED_RULES).exists() => Some(("SIGNPOST_RULES_FILE", read_file(PACKAGED_RULES)?)),
        (None, None) => None,
    })
}

fn read_file(path: &str) -> Result<String, ConfigError> {
    let unreadable = |error| ConfigError {
        var: "SIGNPOST_RULES_FILE",
        problem: format!("{path:?}: {error}"),
    };
    std::fs::read_to_string(path).map_err(unreadable)
}
