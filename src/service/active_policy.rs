//! The rules in force: those of the start-up, or those that a source outside the function keeps.

use std::fmt;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use crate::config::{ConfigError, Settings, SigningMode};
use crate::error::chain;
use crate::outbound::aws::{CredentialSource, FetchError, Fetched, RemoteRules, SigningCredentials};
use crate::policy::{Grant, Policy};

/// The rules file of a package that has no setting for it.
const PACKAGED_RULES: &str = "rules.toml";

/// The source is asked again when its last answer is so old.
const CHECK_EVERY: Duration = Duration::from_mins(1);

/// The source is asked again so long after it gave no answer.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// Rules that the source does not confirm any more count for so long.
const KEEP: Duration = Duration::from_mins(10);

/// The rules, for each request to ask for.
#[derive(Clone, Debug)]
pub(crate) enum Rules {
    /// Those of the start-up.
    Fixed(Arc<Policy>),
    /// Those of a source.
    Watched(Arc<Watched>),
}

/// Rules that may change while the function runs.
#[derive(Debug)]
pub(crate) struct Watched {
    source: RemoteRules,
    reader: Reader,
    state: Mutex<State>,
    /// Held by whoever is asking the source.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    good: Option<Good>,
    /// When the source is to be asked again.
    due: Option<Due>,
}

/// The last rules that could be read.
#[derive(Clone, Debug)]
struct Good {
    policy: Arc<Policy>,
    tag: String,
    confirmed: SystemTime,
}

#[derive(Clone, Copy, Debug)]
struct Due {
    asked: SystemTime,
    again: Duration,
}

/// Makes rules of a text.
#[derive(Clone)]
struct Reader {
    settings: Settings,
    signing: SigningCredentials,
}

/// Why the source gave no rules.
#[derive(Debug, thiserror::Error)]
enum SourceError {
    #[error("the rules could not be fetched")]
    Fetch(#[from] FetchError),
    #[error("the new rules are not taken: {0}")]
    Read(#[from] ConfigError),
}

impl Rules {
    /// Reads the rules that the settings name. A source is not asked before the first request, so that a start waits
    /// for no network.
    pub(crate) async fn of(
        settings: &Settings,
        signing: &SigningCredentials,
        credentials: CredentialSource,
    ) -> Result<Self, ConfigError> {
        let reader = Reader {
            settings: settings.clone(),
            signing: signing.clone(),
        };
        if let Some(source) = &settings.rules_source {
            return Ok(Self::Watched(Arc::new(Watched {
                source: RemoteRules::new(settings, source, credentials).await?,
                reader,
                state: Mutex::default(),
                asking: tokio::sync::Mutex::default(),
            })));
        }
        let policy = match given(settings)? {
            Some((var, text)) => reader.read(var, &text)?,
            None => Policy::default(),
        };
        log_read(&policy);
        Ok(Self::Fixed(Arc::new(policy)))
    }

    /// The rules that count at `now`; none while their source gives none.
    pub(crate) async fn in_force(&self, now: SystemTime) -> Option<Arc<Policy>> {
        match self {
            Self::Fixed(policy) => Some(Arc::clone(policy)),
            Self::Watched(watched) => {
                if !watched.state().is_settled(now) {
                    watched.ask(now).await;
                }
                watched.state().in_force(now)
            }
        }
    }
}

impl Watched {
    /// Asks the source, unless somebody else has done so meanwhile. The future stands on the heap, so that the path of
    /// every other request does not carry it.
    fn ask(&self, now: SystemTime) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            let _asking = self.asking.lock().await;
            if self.state().is_settled(now) {
                return;
            }
            let known = self.state().good.as_ref().map(|good| good.tag.clone());
            let outcome = match self.source.fetch(known.as_deref(), now).await {
                Ok(fetched) => self.read(fetched),
                Err(error) => Err(error.into()),
            };
            self.settle(outcome, now);
        })
    }

    /// The rules in what was fetched, with its tag; nothing where those at hand are still the same.
    fn read(&self, fetched: Option<Fetched>) -> Result<Option<(Policy, String)>, SourceError> {
        let Some(Fetched { text, tag }) = fetched else {
            return Ok(None);
        };
        Ok(Some((self.reader.read("SIGNPOST_RULES_SOURCE", &text)?, tag)))
    }

    fn settle(&self, outcome: Result<Option<(Policy, String)>, SourceError>, now: SystemTime) {
        let mut state = self.state();
        let mut again = CHECK_EVERY;
        match outcome {
            Ok(None) => {
                if let Some(good) = &mut state.good {
                    good.confirmed = now;
                }
            }
            Ok(Some((policy, tag))) => {
                log_read(&policy);
                state.good = Some(Good {
                    policy: Arc::new(policy),
                    tag,
                    confirmed: now,
                });
            }
            Err(error) => {
                let kept = if state.in_force(now).is_some() {
                    "those of before are kept for ten minutes"
                } else {
                    "every request is refused"
                };
                tracing::error!(error = chain(&error), "there are no new rules; {kept}");
                again = RETRY_AFTER;
            }
        }
        state.due = Some(Due { asked: now, again });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the lock")
    }
}

impl State {
    /// Whether the source need not be asked at `now`. With a clock that was set back it is.
    fn is_settled(&self, now: SystemTime) -> bool {
        self.due
            .is_some_and(|due| now.duration_since(due.asked).is_ok_and(|age| age < due.again))
    }

    fn in_force(&self, now: SystemTime) -> Option<Arc<Policy>> {
        let good = self.good.as_ref()?;
        let age = now.duration_since(good.confirmed).unwrap_or_default();
        (age < KEEP).then(|| Arc::clone(&good.policy))
    }
}

/// The settings may hold the text of the rules, digests and all.
impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader(redacted)")
    }
}

impl Reader {
    /// The rules in `text`, which the setting `var` names.
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

/// A rule whose URLs the bucket would refuse before their end is a mistake, and better told now.
fn check_lifetimes(policy: &Policy, longest: Duration) -> Result<(), ConfigError> {
    match policy.grants().find(|grant| grant.constraints.expires > longest) {
        Some(grant) => Err(ConfigError {
            var: "SIGNPOST_MAX_EXPIRES",
            problem: format!(
                "rule {:?} gives URLs that live for {}, and the longest allowed is {}",
                grant.rule,
                humantime::format_duration(grant.constraints.expires),
                humantime::format_duration(longest)
            ),
        }),
        None => Ok(()),
    }
}

/// Where the rules want people to sign in, there must be keys for their sessions.
fn check_sign_in(policy: &Policy) -> Result<(), ConfigError> {
    let known = &policy.authenticators;
    match known.oidc.iter().find(|issuer| issuer.client.is_some()) {
        Some(issuer) if known.keys.is_empty() => Err(ConfigError {
            var: "SIGNPOST_KEYS",
            problem: format!(
                "issuer {:?} has a client_id, and sessions need a key (`signpost key new`)",
                issuer.name
            ),
        }),
        Some(_) | None => Ok(()),
    }
}

/// Where the rules keep objects under ids, there must be a table for them.
fn check_table(policy: &Policy) -> Result<(), ConfigError> {
    match policy.grants().find(Grant::needs_id_table) {
        Some(grant) if !policy.has_id_table => Err(ConfigError {
            var: "SIGNPOST_TABLE",
            problem: format!(
                "rule {:?} keeps objects under ids ({{id}}), so name the DynamoDB table that is to have them",
                grant.rule
            ),
        }),
        Some(_) | None => Ok(()),
    }
}

fn log_read(policy: &Policy) {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        rules = policy.len(),
        rules.sha256 = policy.digest(),
        "read the rules"
    );
    if policy.is_empty() {
        tracing::warn!("there are no rules, so every request is refused");
    }
}

/// The text of the rules that need no network, and the setting that names it.
fn given(settings: &Settings) -> Result<Option<(&'static str, String)>, ConfigError> {
    Ok(match (&settings.rules, &settings.rules_file) {
        (Some(text), _) => Some(("SIGNPOST_RULES", text.clone())),
        (None, Some(path)) => Some(("SIGNPOST_RULES_FILE", read(path)?)),
        (None, None) if Path::new(PACKAGED_RULES).exists() => Some(("SIGNPOST_RULES_FILE", read(PACKAGED_RULES)?)),
        (None, None) => None,
    })
}

fn read(path: &str) -> Result<String, ConfigError> {
    let unreadable = |error| ConfigError {
        var: "SIGNPOST_RULES_FILE",
        problem: format!("{path:?}: {error}"),
    };
    std::fs::read_to_string(path).map_err(unreadable)
}
