//! The credentials that sign: those that are there, or sessions of the signer role.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};

use super::role_sessions::Sessions;
use super::session_policy::{self, BucketArn};
use super::sts::{Sts, Wanted};
use crate::config::{ConfigError, Settings, SigningMode};
use crate::plan::{PresignError, least_lifetime};
use crate::policy::{GrantScope, Policy};

/// How many members' sessions are kept, about 2 KB each.
const MAX_SESSIONS: NonZeroUsize = NonZeroUsize::new(1000).expect("it is not zero");

/// The epoch of rules that name none.
const FIRST_EPOCH: &str = "1";

/// Where credentials come from, before any role is assumed.
#[derive(Clone, Debug)]
pub struct CredentialSource(pub(super) SharedCredentialsProvider);

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

    pub(super) async fn credentials(&self) -> Result<Credentials, PresignError> {
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
    lasts: Duration,
    sessions: Sessions,
}

#[derive(Debug)]
struct Scoped {
    sts: Sts,
    lasts: Duration,
    bucket: BucketArn,
    with_source_identity: bool,
    sessions: Sessions,
}

impl SigningCredentials {
    /// Wires the mode that the settings name. `base` sign themselves, or assume the signer role when the first URL is
    /// asked for.
    pub fn new(settings: &Settings, base: CredentialSource) -> Result<Self, ConfigError> {
        let (SigningMode::Signer | SigningMode::Scoped, Some(role_arn)) =
            (settings.signing_mode, &settings.signer_role_arn)
        else {
            return Ok(Self(Mode::Execution(base)));
        };
        let sts = Sts::new(settings, role_arn, base.0).map_err(|problem| ConfigError {
            var: "AWS_ENDPOINT_URL_STS",
            problem,
        })?;
        let lasts = settings.signer_session;
        Ok(Self(match settings.signing_mode {
            SigningMode::Execution | SigningMode::Signer => Mode::Signer(Arc::new(Signer {
                sts,
                lasts,
                sessions: Sessions::new(NonZeroUsize::MIN),
            })),
            SigningMode::Scoped => Mode::Scoped(Arc::new(Scoped {
                sts,
                lasts,
                bucket: bucket_arn(&settings.bucket, role_arn)?,
                with_source_identity: settings.signer_source_identity,
                sessions: Sessions::new(MAX_SESSIONS),
            })),
        }))
    }

    /// Refuses rules with which these credentials could never work.
    pub fn check(&self, policy: &Policy) -> Result<(), ConfigError> {
        match &self.0 {
            Mode::Execution(_) if policy.signer_epoch.is_some() => Err(ConfigError {
                var: "SIGNPOST_SIGNER_ROLE_ARN",
                problem: "without it nobody assumes a role, so `[signer]` in the rules can do nothing".into(),
            }),
            Mode::Execution(_) => Ok(()),
            Mode::Signer(signer) => check_session(signer.lasts, policy),
            Mode::Scoped(scoped) => {
                check_session(scoped.lasts, policy)?;
                scoped.check_grants(policy)
            }
        }
    }

    /// The credentials for what lies within `scope` by the rules `policy`, and is to live for `expires` from `now`.
    pub async fn credentials(
        &self,
        policy: &Policy,
        scope: &GrantScope,
        expires: Duration,
        now: SystemTime,
    ) -> Result<Credentials, PresignError> {
        let least = least_lifetime(expires);
        let epoch = policy.signer_epoch.as_deref().unwrap_or(FIRST_EPOCH);
        match &self.0 {
            Mode::Execution(source) => source.credentials().await,
            Mode::Signer(signer) => signer.credentials(epoch, least, now).await,
            Mode::Scoped(scoped) => scoped.credentials(epoch, scope, least, now).await,
        }
    }
}

impl Signer {
    async fn credentials(&self, epoch: &str, least: Duration, now: SystemTime) -> Result<Credentials, PresignError> {
        let wanted = Wanted {
            session_name: format!("signpost.{epoch}"),
            source_identity: None,
            policy: None,
        };
        let session = self.sessions.of(epoch, &GrantScope::default());
        let assume = || self.sts.assume(wanted);
        let outcome = session.credentials(now, least, assume).await;
        outcome.map_err(|error| PresignError::NoCredentials(error.into()))
    }
}

impl Scoped {
    async fn credentials(
        &self,
        epoch: &str,
        scope: &GrantScope,
        least: Duration,
        now: SystemTime,
    ) -> Result<Credentials, PresignError> {
        let policy = session_policy::render(scope, &self.bucket).map_err(|problem| PresignError::SessionPolicy {
            rule: scope.rule.clone(),
            problem,
        })?;
        let member = if scope.user_id == "-" {
            "anonymous"
        } else {
            &scope.user_id
        };
        let wanted = Wanted {
            session_name: format!("{member}.{epoch}"),
            source_identity: self.with_source_identity.then(|| member.to_owned()),
            policy: Some(policy),
        };
        let session = self.sessions.of(epoch, scope);
        let assume = || self.sts.assume(wanted);
        let outcome = session.credentials(now, least, assume).await;
        outcome.map_err(|error| PresignError::NoCredentials(error.into()))
    }

    /// Each rule must fit into a session policy.
    fn check_grants(&self, policy: &Policy) -> Result<(), ConfigError> {
        for grant in policy.grants() {
            let at = |problem: String| wrong_scope(format!("member: rule {:?}: {problem}", grant.rule));
            session_policy::render(&grant.smallest_scope(), &self.bucket).map_err(at)?;
            let sse = grant.constraints.sse.as_deref();
            if grant.constraints.sse_kms_key_id.is_some() || sse.is_some_and(|sse| sse.starts_with("aws:kms")) {
                return Err(at(
                    "a member's session has no permission for KMS, which its uploads would need".into(),
                ));
            }
        }
        Ok(())
    }
}

/// A session is renewed in the middle of its life if not before, and a URL must be of use then.
fn check_session(lasts: Duration, policy: &Policy) -> Result<(), ConfigError> {
    let longest = policy
        .grants()
        .map(|grant| least_lifetime(grant.constraints.expires))
        .max();
    let least = longest.unwrap_or_default() * 2;
    if lasts < least {
        return Err(ConfigError {
            var: "SIGNPOST_SIGNER_SESSION",
            problem: format!(
                "{} is too short for the lifetimes of the rules, which want {}",
                humantime::format_duration(lasts),
                humantime::format_duration(least)
            ),
        });
    }
    Ok(())
}

/// The bucket as policies name it.
fn bucket_arn(bucket: &str, role_arn: &str) -> Result<BucketArn, ConfigError> {
    let partition = role_arn.split(':').nth(1).unwrap_or_default();
    BucketArn::new(bucket, partition).map_err(|problem| wrong_scope(problem.to_owned()))
}

const fn wrong_scope(problem: String) -> ConfigError {
    ConfigError {
        var: "SIGNPOST_SIGNING_MODE",
        problem,
    }
}
