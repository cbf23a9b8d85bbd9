//! `AssumeRole`, at the regional endpoint of STS.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::Client;
use aws_sdk_sts::config::retry::RetryConfig;
use aws_sdk_sts::config::timeout::TimeoutConfig;
use aws_sdk_sts::config::{BehaviorVersion, IdentityCache, Region, StalledStreamProtectionConfig};
use aws_sdk_sts::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};

use super::session::SessionError;
use crate::config::Settings;

/// A client waits for a redirect meanwhile, and the function itself has ten seconds.
const WHOLE_CALL: Duration = Duration::from_secs(6);
const ONE_ATTEMPT: Duration = Duration::from_secs(2);

/// Assumes the signer role.
#[derive(Debug)]
pub(super) struct Sts {
    role_arn: String,
    region: String,
    endpoint: Option<String>,
    use_fips: bool,
    use_dual_stack: bool,
    seconds: i32,
    base: SharedCredentialsProvider,
    /// Made on first use: TLS and its roots cost milliseconds.
    client: OnceLock<Client>,
}

/// What is asked of STS besides the role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) session_name: String,
    pub(super) source_identity: Option<String>,
    pub(super) policy: Option<String>,
}

type Assumed = Result<Credentials, SessionError>;

#[derive(Debug, thiserror::Error)]
enum StsError {
    #[error("STS did not give a session of {role_arn}{answer}")]
    Refused {
        role_arn: String,
        answer: String,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("the answer of STS lacks credentials, or their end")]
    Incomplete,
}

impl Sts {
    /// Prepares for the role; `base` are the credentials that may assume it.
    pub(super) fn new(settings: &Settings, role_arn: &str, base: SharedCredentialsProvider) -> Self {
        Self {
            role_arn: role_arn.to_owned(),
            region: settings.region.clone(),
            endpoint: settings.custom_sts_endpoint().map(str::to_owned),
            use_fips: settings.use_fips,
            use_dual_stack: settings.use_dual_stack,
            seconds: i32::try_from(settings.signer_session.as_secs()).expect("a session has 12 hours at most"),
            base,
            client: OnceLock::new(),
        }
    }

    /// A new session. The future stands on the heap, so that the path of every other request does not carry it.
    pub(super) fn assume(&self, wanted: Wanted) -> Pin<Box<dyn Future<Output = Assumed> + Send + '_>> {
        Box::pin(async { self.call(wanted).await.map_err(|error| Arc::new(error) as SessionError) })
    }

    async fn call(&self, wanted: Wanted) -> Result<Credentials, StsError> {
        let name = wanted.session_name.clone();
        let call = self.client.get_or_init(|| self.client()).assume_role();
        let answer = call
            .role_arn(&self.role_arn)
            .role_session_name(wanted.session_name)
            .duration_seconds(self.seconds)
            .set_source_identity(wanted.source_identity)
            .set_policy(wanted.policy)
            .send()
            .await
            .map_err(|error| self.refused(error))?;
        let given = answer.credentials.ok_or(StsError::Incomplete)?;
        let expiry = SystemTime::try_from(given.expiration).map_err(|_| StsError::Incomplete)?;
        tracing::info!(session = name, "assumed the signer role");
        Ok(Credentials::new(
            given.access_key_id,
            given.secret_access_key,
            Some(given.session_token),
            Some(expiry),
            "signer role",
        ))
    }

    fn refused<R>(&self, error: SdkError<AssumeRoleError, R>) -> StsError
    where
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        let told = |text: Option<&str>| text.map(|text| format!(": {text}")).unwrap_or_default();
        StsError::Refused {
            role_arn: self.role_arn.clone(),
            answer: told(error.code()) + &told(error.message()),
            source: error.into(),
        }
    }

    fn client(&self) -> Client {
        let ring = tls::Provider::Rustls(CryptoMode::Ring);
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(ONE_ATTEMPT)
            .operation_attempt_timeout(ONE_ATTEMPT)
            .operation_timeout(WHOLE_CALL);
        let mut config = aws_sdk_sts::Config::builder();
        config.set_endpoint_url(self.endpoint.clone());
        let config = config
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .use_fips(self.use_fips)
            .use_dual_stack(self.use_dual_stack)
            .credentials_provider(self.base.clone())
            // Credentials of the environment never change, and every other source has its own cache.
            .identity_cache(IdentityCache::no_cache())
            .http_client(aws_smithy_http_client::Builder::new().tls_provider(ring).build_https())
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .timeout_config(timeouts.build())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        Client::from_conf(config)
    }
}
