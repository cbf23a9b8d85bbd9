//! The active policy: the rules of the start-up, or those of a source outside the function.

use std::fmt;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::auth::Keyring;
use crate::auth::keyring::KeyringError;
use crate::config::{ConfigError, SecretSetting, Settings, SigningMode};
use crate::error::chain;
use crate::outbound::aws::{CredentialSource, PolicySource, RulesText, SecretSource, SigningCredentials};
use crate::outbound::https_client::HttpsClient;
use crate::outbound::outbound_error::OutboundError;
use crate::outbound::refreshing::{RefreshSchedule as _, Refreshing, Snapshot};
use crate::policy::{Grant, Policy};
use crate::service::active_secret::{RefreshedSecret, SourceSchedule};

/// The rules file in the package of the function, if no setting names another.
const PACKAGED_RULES: &str = "rules.toml";

/// The policy that decides about requests.
#[derive(Clone, Debug)]
pub(crate) struct ActivePolicy {
    rules: ActiveRules,
    /// The keys of share links and sessions, if they are stored outside the function.
    keys: Option<Arc<StoredKeys>>,
}

/// Keys that are stored outside the function, and the policy that contains them.
#[derive(Debug)]
struct StoredKeys {
    keyring: RefreshedSecret<Arc<Keyring>>,
    combined: Mutex<Option<CombinedPolicy>>,
}

/// A policy with keys, and the two values from which it was made.
#[derive(Debug)]
struct CombinedPolicy {
    rules: Arc<Policy>,
    keyring: Arc<Keyring>,
    policy: Arc<Policy>,
}

#[derive(Clone, Debug)]
enum ActiveRules {
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
}

/// The reason why the source has no new policy.
#[derive(Debug, thiserror::Error)]
enum RefreshError {
    #[error("failed to fetch the rules")]
    Fetch(#[from] OutboundError),
    #[error("the new rules are invalid: {0}")]
    Invalid(#[from] ConfigError),
}

impl ActivePolicy {
    /// Reads the rules and keys of the settings, without a call to a source.
    pub(crate) async fn load(
        settings: &Settings,
        credentials: CredentialSource,
        https: &HttpsClient,
    ) -> Result<Self, ConfigError> {
        let keys = match &settings.keys {
            SecretSetting::Value(_) => None,
            SecretSetting::Stored(location) => {
                let source = SecretSource::new(settings, location, credentials.clone(), https.clone())?;
                Some(Arc::new(StoredKeys {
                    keyring: RefreshedSecret::new("SIGNPOST_KEYS", source, parse_keyring),
                    combined: Mutex::default(),
                }))
            }
        };
        let rules = ActiveRules::load(settings, credentials, https).await?;
        Ok(Self { rules, keys })
    }

    /// Reads the sources before the first request. If a source fails, the first request reads it again.
    pub(crate) async fn prepare(&self, now: SystemTime) -> Option<Arc<Policy>> {
        let policy = self.get(now).await;
        if let ActiveRules::Refreshed(rules) = &self.rules {
            rules.policy.forget_failure();
        }
        if let Some(keys) = &self.keys {
            keys.keyring.forget_failure();
        }
        policy
    }

    /// Returns the policy with the rules in `text`, the new content of the local file, and with the same keys.
    pub(crate) fn with_rules(&self, text: &str, settings: &Settings) -> Result<Self, ConfigError> {
        let policy = PolicyReader::new(settings).read("SIGNPOST_RULES_FILE", text)?;
        log_policy(&policy);
        Ok(Self {
            rules: ActiveRules::Fixed(Arc::new(policy)),
            keys: self.keys.clone(),
        })
    }

    /// Returns the policy for a request at `now`, or `None` if a source has not provided a usable one.
    pub(crate) async fn get(&self, now: SystemTime) -> Option<Arc<Policy>> {
        let Some(keys) = &self.keys else {
            return self.rules.get(now).await;
        };
        // The two sources are independent, so a request waits for both at the same time.
        let (rules, keyring) = tokio::join!(self.rules.get(now), keys.keyring.get(now));
        Some(keys.combine(rules?, keyring?))
    }
}

impl StoredKeys {
    /// Returns the policy with these keys. It is made again only if one of the two has changed.
    fn combine(&self, rules: Arc<Policy>, keyring: Arc<Keyring>) -> Arc<Policy> {
        let mut combined = self.combined.lock().unwrap_or_else(PoisonError::into_inner);
        let is_current =
            |last: &&CombinedPolicy| Arc::ptr_eq(&last.rules, &rules) && Arc::ptr_eq(&last.keyring, &keyring);
        if let Some(last) = combined.as_ref().filter(is_current) {
            return Arc::clone(&last.policy);
        }
        let mut policy = Policy::clone(&rules);
        policy.authenticators.keys = Keyring::clone(&keyring);
        let policy = Arc::new(policy);
        *combined = Some(CombinedPolicy {
            rules,
            keyring,
            policy: Arc::clone(&policy),
        });
        policy
    }
}

/// The text is a secret, so the error does not contain it.
fn parse_keyring(text: &str) -> Result<Arc<Keyring>, String> {
    let keyring: Keyring = text.parse().map_err(|error: KeyringError| error.to_string())?;
    if keyring.is_empty() {
        return Err("contains no key".to_owned());
    }
    Ok(Arc::new(keyring))
}

impl ActiveRules {
    async fn load(
        settings: &Settings,
        credentials: CredentialSource,
        https: &HttpsClient,
    ) -> Result<Self, ConfigError> {
        if let Some(source) = &settings.rules_source {
            return Ok(Self::Refreshed(Arc::new(RefreshedPolicy {
                source: PolicySource::new(settings, source, credentials, https.clone()).await?,
                reader: PolicyReader::new(settings),
                policy: Refreshing::default(),
            })));
        }
        let reader = PolicyReader::new(settings);
        let policy = match local_rules(settings)? {
            Some((var, text)) => reader.read(var, &text)?,
            None => reader.complete("SIGNPOST_RULES", Policy::default())?,
        };
        log_policy(&policy);
        Ok(Self::Fixed(Arc::new(policy)))
    }

    async fn get(&self, now: SystemTime) -> Option<Arc<Policy>> {
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
            let schedule = SourceSchedule { now };
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

/// The settings may contain the text of the rules, with the digests of tokens.
impl fmt::Debug for PolicyReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PolicyReader(redacted)")
    }
}

impl PolicyReader {
    fn new(settings: &Settings) -> Self {
        Self {
            settings: settings.clone(),
        }
    }

    /// Parses the rules in `text`, which is the value of the setting `var`.
    fn read(&self, var: &'static str, text: &str) -> Result<Policy, ConfigError> {
        let policy = Policy::parse(text).map_err(|error| ConfigError {
            var,
            problem: error.to_string(),
        })?;
        self.complete(var, policy)
    }

    /// Adds the settings to the rules of the setting `var`, and checks the two against each other.
    fn complete(&self, var: &'static str, mut policy: Policy) -> Result<Policy, ConfigError> {
        if let Some(local) = &self.settings.local_mounts {
            policy.mounts = policy.mounts.localized(local.emulate, &local.added);
        }
        policy.mounts.set_root(self.settings.bucket.as_deref());
        if let SecretSetting::Value(keys) = &self.settings.keys {
            policy.authenticators.keys.clone_from(keys);
        }
        policy.has_id_table = self.settings.table.is_some();
        policy.has_scoped_sessions = self.settings.signing_mode == SigningMode::Scoped;
        check_lifetimes(&policy, self.settings.max_expires)?;
        check_sign_in(&policy, &self.settings.keys)?;
        check_table(&policy)?;
        check_mounts(var, &policy, &self.settings)?;
        SigningCredentials::check(&self.settings, &policy)?;
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
fn check_sign_in(policy: &Policy, keys: &SecretSetting<Keyring>) -> Result<(), ConfigError> {
    let known = &policy.authenticators;
    let has_no_keys = matches!(keys, SecretSetting::Value(keys) if keys.is_empty());
    match known.oidc.iter().find(|issuer| issuer.client.is_some()) {
        Some(issuer) if has_no_keys => Err(ConfigError {
            var: "SIGNPOST_KEYS",
            problem: format!(
                "issuer {:?} has a client_id, so sessions require a key; create one with `signpost key new`",
                issuer.name
            ),
        }),
        Some(_) | None => Ok(()),
    }
}

/// Requires a bucket, and settings that support every mount.
fn check_mounts(var: &'static str, policy: &Policy, settings: &Settings) -> Result<(), ConfigError> {
    if policy.mounts.iter().next().is_none() {
        return Err(ConfigError {
            var: "SIGNPOST_BUCKET",
            problem: "is required, because the rules have no [[mount]]".to_owned(),
        });
    }
    let mut mounts = policy.mounts.with_lines();
    let problem = mounts.find_map(|(mount, line)| {
        let problem = settings.mount_problem(mount)?;
        Some(format!("line {line}, mount {:?}: {problem}", mount.at))
    });
    problem.map_or(Ok(()), |problem| Err(ConfigError { var, problem }))
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
pub fn local_rules(settings: &Settings) -> Result<Option<(&'static str, String)>, ConfigError> {
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
        problem: format!("failed to read {path}: {error}"),
    };
    std::fs::read_to_string(path).map_err(unreadable)
}
