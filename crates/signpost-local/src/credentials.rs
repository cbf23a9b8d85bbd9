//! The credentials that sign: made up for the embedded S3, or those of the SDK's default chain.

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

/// Credentials are fetched anew when so little of their life is left, so that no URL is cut short by them.
const REFRESH_BEFORE: Duration = Duration::from_mins(5);

/// When credentials without an end, such as those of a profile that may be edited, are read again.
const REREAD_AFTER: Duration = Duration::from_mins(15);

/// Credentials that only this process knows.
pub(crate) fn made_up() -> Credentials {
    let mut secret = [0; 30];
    getrandom::fill(&mut secret).expect("the system has randomness");
    Credentials::new(
        "signpost-local",
        URL_SAFE_NO_PAD.encode(secret),
        None,
        None,
        "signpost-local",
    )
}

/// The region that the environment or the profile names.
pub(crate) async fn default_region() -> Option<Region> {
    let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new());
    chain.or_else(ProfileFileRegionProvider::new()).region().await
}

fn https() -> SharedHttpClient {
    let ring = tls::Provider::Rustls(CryptoMode::Ring);
    aws_smithy_http_client::Builder::new().tls_provider(ring).build_https()
}

/// The SDK's default chain, with the SDK's cache in front.
#[derive(Debug)]
pub(crate) struct DefaultChain<P = DefaultCredentialsChain> {
    provider: P,
    cache: ExpiringCache<Credentials, CredentialsError>,
}

impl DefaultChain {
    /// Prepares the chain; nothing is fetched yet.
    pub(crate) async fn new(region: &str) -> Self {
        Self::over(
            DefaultCredentialsChain::builder()
                .configure(ProviderConfig::default().with_http_client(https()))
                .region(Region::new(region.to_owned()))
                .build()
                .await,
        )
    }
}

impl<P: ProvideCredentials> DefaultChain<P> {
    fn over(provider: P) -> Self {
        Self {
            provider,
            cache: ExpiringCache::new(REFRESH_BEFORE),
        }
    }

    async fn current(&self, now: SystemTime) -> Result<Credentials, CredentialsError> {
        if let Some(credentials) = self.cache.yield_or_clear_if_expired(now).await {
            return Ok(credentials);
        }
        let load = || async {
            let credentials = self.provider.provide_credentials().await?;
            let expiry = credentials.expiry().unwrap_or(now + REREAD_AFTER);
            Ok((credentials, expiry))
        };
        self.cache.get_or_load(load).await
    }
}

impl<P: ProvideCredentials> ProvideCredentials for DefaultChain<P> {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.current(SystemTime::now()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const LIFE: Duration = Duration::from_hours(1);

    /// Hands out credentials that live for an hour, numbered.
    #[derive(Debug, Default)]
    struct Numbered(AtomicU32);

    impl ProvideCredentials for Numbered {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let number = self.0.fetch_add(1, Ordering::SeqCst);
            let expiry = SystemTime::UNIX_EPOCH + LIFE * (number + 1);
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
    async fn credentials_are_fetched_once_and_again_before_they_expire() {
        let chain = DefaultChain::over(Numbered::default());
        let at = async |minutes| {
            let now = SystemTime::UNIX_EPOCH + Duration::from_mins(minutes);
            chain.current(now).await.unwrap().access_key_id().to_owned()
        };
        assert_eq!(at(0).await, "0");
        assert_eq!(at(54).await, "0");
        assert_eq!(at(56).await, "1");
        assert_eq!(at(57).await, "1");
    }

    #[test]
    fn made_up_credentials_differ() {
        assert_ne!(made_up().secret_access_key(), made_up().secret_access_key());
    }
}
