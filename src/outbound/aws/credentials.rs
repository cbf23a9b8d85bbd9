//! The credentials that sign: those of the function, sessions of a role, or an access key.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use lru::LruCache;

use super::role_sessions::SessionCache;
use super::sts::{AssumeRoleRequest, StsClient, is_policy_too_large};
use crate::config::{AccessKey, ConfigError, Settings, SigningMode};
use crate::error::chain;
use crate::mount::{Mount, MountCredentials};
use crate::outbound::https_client::HttpsClient;
use crate::plan::{PresignError, min_useful_lifetime};
use crate::policy::session_policy::{self, BucketArn, SessionPolicyError};
use crate::policy::{GrantScope, MIN_LIFETIME, Policy};

/// The maximum number of cached sessions in mode `scoped`. Each has about 2 KB.
const MAX_SESSIONS: NonZeroUsize = NonZeroUsize::new(1000).expect("it is not zero");

/// The problem of a scope that STS has rejected before.
const PACKED_TOO_LARGE: &str = "STS rejected the session policy before (PackedPolicyTooLarge)";

/// The epoch of rules without `epoch`.
const DEFAULT_EPOCH: &str = "1";

/// A source of credentials, before any role is assumed.
#[derive(Clone, Debug)]
pub struct CredentialSource(pub(super) SharedCredentialsProvider);

impl CredentialSource {
    /// Returns the credentials of the environment: in Lambda, those of the function's own role, without a network call.
    ///
    /// The environment is read once, because it cannot change. If it has no credentials, it is read again for each
    /// request, and that request fails with a log line.
    pub async fn environment() -> Self {
        let environment = EnvironmentVariableCredentialsProvider::new();
        match environment.provide_credentials().await {
            Ok(credentials) => Self::from_provider(credentials),
            Err(_) => Self::from_provider(environment),
        }
    }

    /// Returns a source that uses a provider of the SDK.
    pub fn from_provider(provider: impl ProvideCredentials + 'static) -> Self {
        Self(SharedCredentialsProvider::new(provider))
    }

    /// Returns an access key of a store. It does not expire.
    pub fn from_access_key(key: &AccessKey) -> Self {
        let (id, secret) = key.expose();
        Self::from_provider(Credentials::new(id, secret, None, None, "access key"))
    }

    #[cfg(test)]
    pub(crate) fn example() -> Self {
        Self::from_provider(Credentials::new("AKIAIOSFODNN7EXAMPLE", "key", None, None, "test"))
    }

    pub(super) async fn credentials(&self) -> Result<Credentials, PresignError> {
        self.0
            .provide_credentials()
            .await
            .map_err(|error| PresignError::NoCredentials(error.into()))
    }
}

/// The credentials that sign, according to the signing mode.
#[derive(Clone, Debug)]
pub struct SigningCredentials(SigningSource);

#[derive(Clone, Debug)]
enum SigningSource {
    /// The credentials of the function itself, or an access key, without a network call.
    Execution(CredentialSource),
    /// One session of a role.
    Signer(Arc<SharedSession>),
    /// One session of a role for each user, rule and mount.
    Scoped(Arc<ScopedSessions>),
}

#[derive(Debug)]
struct SharedSession {
    sts: StsClient,
    sessions: SessionCache,
}

#[derive(Debug)]
struct ScopedSessions {
    sts: StsClient,
    /// The AWS partition of the role and the buckets.
    partition: String,
    sets_source_identity: bool,
    sessions: SessionCache,
    /// The scopes that are too large for STS, so that not every request repeats the call.
    oversized: Mutex<LruCache<GrantScope, ()>>,
}

/// The permissions that a request needs from a session.
#[derive(Clone, Copy, Debug)]
pub struct SessionTarget<'a> {
    /// Everything that the rule allows the caller.
    pub scope: &'a GrantScope,
    /// The storage key, folder or prefix of the request.
    pub key: &'a str,
}

/// The reason why there are no session credentials for a scope.
enum ScopeError {
    /// The scope does not fit into a session policy.
    TooLarge(String),
    /// STS did not return a session, or the rule has a problem that does not depend on its size.
    Failed(PresignError),
}

impl SigningCredentials {
    /// Prepares the signing mode of the settings. `base` are the credentials that sign, or that assume the signer role for
    /// the first URL.
    pub(crate) fn new(settings: &Settings, base: CredentialSource, https: HttpsClient) -> Result<Self, ConfigError> {
        match (settings.signing_mode, &settings.signer_role_arn) {
            (SigningMode::Signer | SigningMode::Scoped, Some(role_arn)) => {
                Self::for_role(settings, (role_arn, None), base, https)
            }
            (SigningMode::Execution, _) | (_, None) => Ok(Self(SigningSource::Execution(base))),
        }
    }

    /// Returns sessions of a role: one for each user and rule in mode `scoped`, and otherwise one. `external_id` is the id that
    /// the trust policy of the role may require.
    pub(crate) fn for_role(
        settings: &Settings,
        (role_arn, external_id): (&str, Option<&str>),
        base: CredentialSource,
        https: HttpsClient,
    ) -> Result<Self, ConfigError> {
        let sts = StsClient::new(settings, (role_arn, external_id), base.0, https);
        let sts = sts.map_err(|problem| ConfigError {
            var: "AWS_ENDPOINT_URL_STS",
            problem,
        })?;
        Ok(Self(match settings.signing_mode {
            SigningMode::Execution | SigningMode::Signer => SigningSource::Signer(Arc::new(SharedSession {
                sts,
                sessions: SessionCache::new(NonZeroUsize::MIN),
            })),
            SigningMode::Scoped => SigningSource::Scoped(Arc::new(ScopedSessions {
                sts,
                partition: partition(role_arn).to_owned(),
                sets_source_identity: settings.signer_source_identity,
                sessions: SessionCache::new(MAX_SESSIONS),
                oversized: Mutex::new(LruCache::new(MAX_SESSIONS)),
            })),
        }))
    }

    /// Returns credentials that sign without sessions.
    pub fn unlimited(source: CredentialSource) -> Self {
        Self(SigningSource::Execution(source))
    }

    /// Rejects rules that cannot work with the signing mode of the settings.
    pub fn check(settings: &Settings, policy: &Policy) -> Result<(), ConfigError> {
        let roles: Vec<_> = policy
            .mounts
            .iter()
            .filter_map(|mount| Some((mount, role_of(mount, settings)?)))
            .collect();
        if roles.is_empty() {
            return match &policy.signer_epoch {
                Some(_) => Err(ConfigError {
                    var: "SIGNPOST_SIGNER_ROLE_ARN",
                    problem:
                        "`[signer]` in the rules has no effect without a signer role; set this variable or remove the table"
                            .into(),
                }),
                None => Ok(()),
            };
        }
        check_session(settings.signer_session, policy)?;
        if settings.signing_mode == SigningMode::Scoped {
            roles
                .iter()
                .try_for_each(|(mount, role)| check_grants(policy, mount, role))?;
        }
        Ok(())
    }

    /// Opens the connection that the first session requires.
    pub(crate) async fn connect(&self) {
        match &self.0 {
            SigningSource::Execution(_) => {}
            SigningSource::Signer(signer) => signer.sts.connect().await,
            SigningSource::Scoped(scoped) => scoped.sts.connect().await,
        }
    }

    /// Assumes the signer role, if all requests use the same session. After a failure, the first request tries again.
    pub(crate) async fn prepare(&self, policy: &Policy, now: SystemTime) -> Result<(), PresignError> {
        let SigningSource::Signer(signer) = &self.0 else {
            return Ok(());
        };
        let epoch = epoch(policy);
        let outcome = signer.credentials(epoch, MIN_LIFETIME, now).await;
        signer
            .sessions
            .get_or_create(epoch, &GrantScope::default())
            .forget_failure();
        outcome.map(|_| ())
    }

    /// Returns credentials for a request, for a URL that is valid for `expires` from `now` on.
    pub async fn credentials(
        &self,
        policy: &Policy,
        target: SessionTarget<'_>,
        expires: Duration,
        now: SystemTime,
    ) -> Result<Credentials, PresignError> {
        let min_lifetime = min_useful_lifetime(expires);
        let epoch = epoch(policy);
        match &self.0 {
            SigningSource::Execution(source) => source.credentials().await,
            SigningSource::Signer(signer) => signer.credentials(epoch, min_lifetime, now).await,
            SigningSource::Scoped(scoped) => scoped.credentials(epoch, target, min_lifetime, now).await,
        }
    }
}

fn epoch(policy: &Policy) -> &str {
    policy.signer_epoch.as_deref().unwrap_or(DEFAULT_EPOCH)
}

impl ScopeError {
    /// Returns the error for the caller. The log explains it to the operator, because only a change of the rule helps.
    fn into_presign_error(self, scope: &GrantScope) -> PresignError {
        match self {
            Self::Failed(error) => error,
            Self::TooLarge(problem) => {
                tracing::warn!(
                    rule = scope.rule,
                    user_id = scope.user_id,
                    error = problem,
                    "the permissions of a user do not fit into a session policy; the request is rejected"
                );
                PresignError::ClaimsTooLong {
                    rule: scope.rule.clone(),
                    problem,
                }
            }
        }
    }
}

impl SharedSession {
    async fn credentials(
        &self,
        epoch: &str,
        min_lifetime: Duration,
        now: SystemTime,
    ) -> Result<Credentials, PresignError> {
        let request = AssumeRoleRequest {
            session_name: format!("signpost.{epoch}"),
            source_identity: None,
            policy: None,
        };
        let session = self.sessions.get_or_create(epoch, &GrantScope::default());
        let assume = || self.sts.assume_role(request);
        let outcome = session.credentials(now, min_lifetime, assume).await;
        outcome.map_err(|error| PresignError::NoCredentials(error.into()))
    }
}

impl ScopedSessions {
    /// Returns the credentials of a session for the whole scope. If its policy is too large, the session is only for the
    /// patterns that contain the key.
    async fn credentials(
        &self,
        epoch: &str,
        target: SessionTarget<'_>,
        min_lifetime: Duration,
        now: SystemTime,
    ) -> Result<Credentials, PresignError> {
        let SessionTarget { scope, key } = target;
        let session = self.credentials_for(epoch, scope, min_lifetime, now).await;
        let Err(ScopeError::TooLarge(_)) = session else {
            return session.map_err(|error| error.into_presign_error(scope));
        };
        let narrowed = scope.narrowed_to(key);
        let session = self.credentials_for(epoch, &narrowed, min_lifetime, now).await;
        session.map_err(|error| error.into_presign_error(scope))
    }

    async fn credentials_for(
        &self,
        epoch: &str,
        scope: &GrantScope,
        min_lifetime: Duration,
        now: SystemTime,
    ) -> Result<Credentials, ScopeError> {
        if self.oversized().contains(scope) {
            return Err(ScopeError::TooLarge(PACKED_TOO_LARGE.to_owned()));
        }
        let request = self.request(epoch, scope)?;
        let session = self.sessions.get_or_create(epoch, scope);
        let assume = || self.sts.assume_role(request);
        let outcome = session.credentials(now, min_lifetime, assume).await;
        outcome.map_err(|error| {
            if is_policy_too_large(&error) {
                self.oversized().put(scope.clone(), ());
                return ScopeError::TooLarge(chain(&*error));
            }
            ScopeError::Failed(PresignError::NoCredentials(error.into()))
        })
    }

    fn request(&self, epoch: &str, scope: &GrantScope) -> Result<AssumeRoleRequest, ScopeError> {
        let no_policy = |problem: String| {
            ScopeError::Failed(PresignError::SessionPolicy {
                rule: scope.rule.clone(),
                problem,
            })
        };
        let bucket = BucketArn::new(&scope.mount.bucket, &self.partition);
        let bucket = bucket.map_err(|problem| no_policy(problem.to_owned()))?;
        let policy = session_policy::render(scope, &bucket).map_err(|error| match error {
            SessionPolicyError::TooLong(_) => ScopeError::TooLarge(error.to_string()),
            SessionPolicyError::NoAction => no_policy(error.to_string()),
        })?;
        let user = if scope.user_id == "-" {
            "anonymous"
        } else {
            &scope.user_id
        };
        Ok(AssumeRoleRequest {
            session_name: format!("{user}.{epoch}"),
            source_identity: self.sets_source_identity.then(|| user.to_owned()),
            policy: Some(policy),
        })
    }

    fn oversized(&self) -> MutexGuard<'_, LruCache<GrantScope, ()>> {
        self.oversized.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the role whose sessions sign the URLs of a mount.
fn role_of<'a>(mount: &'a Mount, settings: &'a Settings) -> Option<&'a str> {
    match (&mount.credentials, settings.signing_mode) {
        (MountCredentials::Service, SigningMode::Execution)
        | (MountCredentials::Static { .. } | MountCredentials::Machine, _) => None,
        (MountCredentials::Service, _) => settings.signer_role_arn.as_deref(),
        (MountCredentials::Role { arn, .. }, _) => Some(arn),
    }
}

/// Rejects rules that do not fit into a session policy for a mount.
fn check_grants(policy: &Policy, mount: &Arc<Mount>, role_arn: &str) -> Result<(), ConfigError> {
    let bucket = BucketArn::new(&mount.bucket, partition(role_arn));
    let bucket = bucket.map_err(|problem| mode_error(problem.to_owned()))?;
    for grant in policy.grants() {
        let error = |problem: String| mode_error(format!("scoped: rule {:?}: {problem}", grant.rule));
        let scope = grant.smallest_scope(&policy.mounts, mount);
        if scope.keys.is_empty() {
            continue;
        }
        let rendered = session_policy::render(&scope, &bucket);
        rendered.map_err(|problem| error(problem.to_string()))?;
        let sse = grant.constraints.sse.as_deref();
        if grant.constraints.sse_kms_key_id.is_some() || sse.is_some_and(|sse| sse.starts_with("aws:kms")) {
            return Err(error(
                "uploads require KMS permissions, which the session of a user does not have; use mode signer".into(),
            ));
        }
    }
    Ok(())
}

/// Rejects a session that is too short. A session is renewed after half of its lifetime at the latest, and a URL must still
/// be useful then.
fn check_session(session_duration: Duration, policy: &Policy) -> Result<(), ConfigError> {
    let longest = policy
        .grants()
        .map(|grant| min_useful_lifetime(grant.constraints.expires))
        .max();
    let required = longest.unwrap_or_default() * 2;
    if session_duration < required {
        return Err(ConfigError {
            var: "SIGNPOST_SIGNER_SESSION",
            problem: format!(
                "{} is too short for the lifetimes of URLs in the rules, which require at least {}",
                humantime::format_duration(session_duration),
                humantime::format_duration(required)
            ),
        });
    }
    Ok(())
}

fn partition(role_arn: &str) -> &str {
    role_arn.split(':').nth(1).unwrap_or_default()
}

const fn mode_error(problem: String) -> ConfigError {
    ConfigError {
        var: "SIGNPOST_SIGNING_MODE",
        problem,
    }
}
