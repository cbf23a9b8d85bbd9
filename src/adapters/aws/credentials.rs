//! The credentials that sign: those that are there, or sessions of the signer role.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use lru::LruCache;

use super::session::Session;
use super::session_policy::{self, BucketArn};
use super::sts::{Sts, Wanted};
use crate::config::{ConfigError, Settings, SignerScope};
use crate::plan::{PresignError, least_lifetime};
use crate::policy::{Policy, Scope};

/// How many members' sessions are kept, about 2 KB each.
const MAX_SESSIONS: NonZeroUsize = NonZeroUsize::new(1000).expect("it is not zero");

/// Where credentials come from, before any role is assumed.
#[derive(Clone, Debug)]
pub struct CredentialSource(SharedCredentialsProvider);

impl CredentialSource {
    /// The environment: in Lambda, the function's own role, without any network call. It is read once, since it can't
    /// change; without credentials there it is asked at each request, which then fails and is logged.
    pub async fn environment() -> Self {
        let environment = EnvironmentVariableCredentialsProvider::new();
        match environment.provide_credentials().await {
            Ok(credentials) => Self::from_provider(credentials),
            Err(_) => Self::from_provider(environment),
        }
    }

    /// Any provider of the SDK's.
    pub fn from_provider(provider: impl ProvideCredentials + 'static) -> Self {
        Self(SharedCredentialsProvider::new(provider))
    }

    #[cfg(test)]
    pub(crate) fn example() -> Self {
        Self::from_provider(Credentials::new("AKIAIOSFODNN7EXAMPLE", "key", None, None, "test"))
    }

    async fn credentials(&self) -> Result<Credentials, PresignError> {
        self.0
            .provide_credentials()
            .await
            .map_err(|error| PresignError::NoCredentials(error.into()))
    }
}

/// The credentials that sign, by the mode that the settings name.
#[derive(Clone, Debug)]
pub struct SigningCredentials(Mode);

#[derive(Clone, Debug)]
enum Mode {
    /// Those of the function itself, without any network call.
    Execution(CredentialSource),
    /// One session of the signer role.
    Signer(Arc<Signer>),
    /// A session of the signer role for each member and rule.
    Scoped(Arc<Scoped>),
}

#[derive(Debug)]
struct Signer {
    sts: Sts,
    epoch: String,
    session: Session,
}

#[derive(Debug)]
struct Scoped {
    sts: Sts,
    epoch: String,
    bucket: BucketArn,
    with_source_identity: bool,
    sessions: Mutex<LruCache<Scope, Arc<Session>>>,
}

impl SigningCredentials {
    /// Wires the mode that the settings name. `base` sign themselves, or assume the signer role when the first URL is
    /// asked for. What could never work under `policy` is refused at once.
    pub fn new(settings: &Settings, base: CredentialSource, policy: &Policy) -> Result<Self, ConfigError> {
        let Some(role_arn) = &settings.signer_role_arn else {
            return Ok(Self(Mode::Execution(base)));
        };
        check_session(settings, policy)?;
        let sts = Sts::new(settings, role_arn, base.0).map_err(|problem| ConfigError {
            var: "AWS_ENDPOINT_URL_STS",
            problem,
        })?;
        let epoch = settings.signer_epoch.clone();
        Ok(Self(match settings.signer_scope {
            SignerScope::Everyone => Mode::Signer(Arc::new(Signer {
                sts,
                epoch,
                session: Session::default(),
            })),
            SignerScope::Member => Mode::Scoped(Arc::new(Scoped {
                sts,
                epoch,
                bucket: checked_bucket(settings, role_arn, policy)?,
                with_source_identity: settings.signer_source_identity,
                sessions: Mutex::new(LruCache::new(MAX_SESSIONS)),
            })),
        }))
    }

    /// The credentials for what lies within `scope` and is to live for `expires` from `now`.
    pub async fn credentials(
        &self,
        scope: &Scope,
        expires: Duration,
        now: SystemTime,
    ) -> Result<Credentials, PresignError> {
        let least = least_lifetime(expires);
        match &self.0 {
            Mode::Execution(source) => source.credentials().await,
            Mode::Signer(signer) => signer.credentials(least, now).await,
            Mode::Scoped(scoped) => scoped.credentials(scope, least, now).await,
        }
    }
}

impl Signer {
    async fn credentials(&self, least: Duration, now: SystemTime) -> Result<Credentials, PresignError> {
        let wanted = Wanted {
            session_name: format!("signpost.{}", self.epoch),
            source_identity: None,
            policy: None,
        };
        let assume = || self.sts.assume(wanted);
        let outcome = self.session.credentials(now, least, assume).await;
        outcome.map_err(|error| PresignError::NoCredentials(error.into()))
    }
}

impl Scoped {
    async fn credentials(&self, scope: &Scope, least: Duration, now: SystemTime) -> Result<Credentials, PresignError> {
        let session = self.session(scope);
        let policy = session_policy::render(scope, &self.bucket).map_err(|problem| PresignError::SessionPolicy {
            rule: scope.rule.clone(),
            problem,
        })?;
        let member = if scope.uid == "-" { "anonymous" } else { &scope.uid };
        let wanted = Wanted {
            session_name: format!("{member}.{}", self.epoch),
            source_identity: self.with_source_identity.then(|| member.to_owned()),
            policy: Some(policy),
        };
        let assume = || self.sts.assume(wanted);
        let outcome = session.credentials(now, least, assume).await;
        outcome.map_err(|error| PresignError::NoCredentials(error.into()))
    }

    /// The session of this scope, and of no other: who has another claim than before has another scope.
    fn session(&self, scope: &Scope) -> Arc<Session> {
        let mut sessions = self.sessions.lock().expect("nothing panics while it holds the lock");
        Arc::clone(sessions.get_or_insert_ref(scope, Arc::default))
    }
}

/// A session is renewed in the middle of its life if not before, and a URL must be of use then.
fn check_session(settings: &Settings, policy: &Policy) -> Result<(), ConfigError> {
    let longest = policy
        .grants()
        .map(|grant| least_lifetime(grant.constraints.expires))
        .max();
    let least = longest.unwrap_or_default() * 2;
    if settings.signer_session < least {
        return Err(ConfigError {
            var: "SIGNPOST_SIGNER_SESSION",
            problem: format!(
                "{} is too short for the lifetimes of the rules, which want {}",
                humantime::format_duration(settings.signer_session),
                humantime::format_duration(least)
            ),
        });
    }
    Ok(())
}

/// The bucket as policies name it, once each rule is known to fit into a session policy.
fn checked_bucket(settings: &Settings, role_arn: &str, policy: &Policy) -> Result<BucketArn, ConfigError> {
    let wrong = |problem: String| ConfigError {
        var: "SIGNPOST_SIGNER_SCOPE",
        problem,
    };
    let partition = role_arn.split(':').nth(1).unwrap_or_default();
    let bucket = BucketArn::new(&settings.bucket, partition).map_err(|problem| wrong(problem.to_owned()))?;
    for grant in policy.grants() {
        let at = |problem: String| wrong(format!("member: rule {:?}: {problem}", grant.rule));
        session_policy::render(&grant.smallest_scope(), &bucket).map_err(at)?;
        let with_kms = grant.constraints.sse_kms_key_id.is_some()
            || grant
                .constraints
                .sse
                .as_deref()
                .is_some_and(|sse| sse.starts_with("aws:kms"));
        if with_kms {
            return Err(at(
                "a member's session has no permission for KMS, which its uploads would need".into(),
            ));
        }
    }
    Ok(bucket)
}
