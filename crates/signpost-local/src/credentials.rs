//! The signing credentials: generated for the embedded S3, or from the AWS SDK's default chain.

use std::time::{Duration, SystemTime};

use aws_config::Region;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_runtime::expiring_cache::ExpiringCache;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Credentials are refreshed this long before they expire, so that they do not shorten the lifetime of a URL.
const REFRESH_BEFORE: Duration = Duration::from_mins(5);

/// Maximum cache time of credentials without an expiry, such as those of a profile that can be edited.
const MAX_CACHE_TIME: Duration = Duration::from_mins(15);

/// Returns random credentials that only this process knows.
pub(crate) fn generate_credentials() -> Credentials {
    let mut secret = [0; 30];
    getrandom::fill(&mut secret).expect("the operating system provides random bytes");
    Credentials::new(
        "signpost-local",
        URL_SAFE_NO_PAD.encode(secret),
        None,
        None,
        "signpost-local",
    )
}

/// Returns the region from the environment or the profile.
pub(crate) async fn default_region() -> Option<Region> {
    let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new());
    chain.or_else(ProfileFileRegionProvider::new()).region().await
}

fn https_client() -> SharedHttpClient {
    let ring = tls::Provider::Rustls(CryptoMode::Ring);
    aws_smithy_http_client::Builder::new().tls_provider(ring).build_https()
}

/// The SDK's default credential chain behind the SDK's cache.
#[derive(Debug)]
pub(crate) struct CredentialChain<P = DefaultCredentialsChain> {
    provider: P,
    cache: ExpiringCache<Credentials, CredentialsError>,
}

impl CredentialChain {
    /// Creates the chain without fetching credentials.
    pub(crate) async fn new(region: &str) -> Self {
        Self::from_provider(
            DefaultCredentialsChain::builder()
                .configure(ProviderConfig::default().with_http_client(https_client()))
                .region(Region::new(region.to_owned()))
                .build()
                .await,
        )
    }
}

impl<P: ProvideCredentials> CredentialChain<P> {
    fn from_provider(provider: P) -> Self {
        Self {
            provider,
            cache: ExpiringCache::new(REFRESH_BEFORE),
        }
    }

    async fn get_credentials(&self, now: SystemTime) -> Result<Credentials, CredentialsError> {
        if let Some(credentials) = self.cache.yield_or_clear_if_expired(now).await {
            return Ok(credentials);
        }
        let load = || async {
            let credentials = self.provider.provide_credentials().await?;
            let expiry = credentials.expiry().unwrap_or(now + MAX_CACHE_TIME);
            Ok((credentials, expiry))
        };
        self.cache.get_or_load(load).await
    }
}

impl<P: ProvideCredentials> ProvideCredentials for CredentialChain<P> {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.get_credentials(SystemTime::now()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const VALIDITY: Duration = Duration::from_hours(1);

    /// Returns numbered credentials that are valid for one hour each.
    #[derive(Debug, Default)]
    struct NumberedProvider(AtomicU32);

    impl ProvideCredentials for NumberedProvider {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let number = self.0.fetch_add(1, Ordering::SeqCst);
            let expiry = SystemTime::UNIX_EPOCH + VALIDITY * (number + 1);
            future::ProvideCredentials::ready(Ok(Credentials::new(
                number.to_string(),
                "s",
                None,
                Some(expiry),
                "test",
            )))
        }
    }

    #[tokio::test]
    async fn credentials_are_cached_and_refreshed_before_they_expire() {
        let chain = CredentialChain::from_provider(NumberedProvider::default());
        let at = async |minutes| {
            let now = SystemTime::UNIX_EPOCH + Duration::from_mins(minutes);
            chain.get_credentials(now).await.unwrap().access_key_id().to_owned()
        };
        assert_eq!(at(0).await, "0");
        assert_eq!(at(54).await, "0");
        assert_eq!(at(56).await, "1");
        assert_eq!(at(57).await, "1");
    }

    #[test]
    fn generated_credentials_differ() {
        assert_ne!(
            generate_credentials().secret_access_key(),
            generate_credentials().secret_access_key()
        );
    }
}
