//! Calls of AWS services that take a POST to their one path, signed in the headers.

use std::time::{Duration, SystemTime};

use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sdk_sts::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::identity::Identity;
use bytes::Bytes;
use http::{Request, Response, header};

use crate::config::Settings;
use crate::outbound::https_client::{self as https, Https};

/// A client waits for its answer meanwhile, and the function itself has ten seconds.
const ONE_ATTEMPT: Duration = Duration::from_secs(2);

/// How long to wait before each further attempt.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];

/// No answer that is read here is longer.
const LONGEST_ANSWER: usize = 256 * 1024;

/// An AWS service in the region of the settings.
#[derive(Debug)]
pub(super) struct Service {
    name: &'static str,
    place: Params,
    is_custom: bool,
    region: String,
    credentials: SharedCredentialsProvider,
    https: Https,
}

/// Why there is no answer of a service.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("there are no credentials to call {service} with")]
    NoCredentials {
        service: &'static str,
        source: https::Error,
    },
    #[error("the call of {service} can't be made")]
    Unmade {
        service: &'static str,
        source: https::Error,
    },
    #[error("{service} was not reached")]
    Unreached {
        service: &'static str,
        source: https::Error,
    },
    #[error("{service} did not answer within {} s", ONE_ATTEMPT.as_secs())]
    Silent { service: &'static str },
}

impl Service {
    /// The service that endpoints and signatures call `name`, at the origin `custom` if there is one; called with
    /// `credentials`.
    pub(super) fn new(
        name: &'static str,
        settings: &Settings,
        custom: Option<&str>,
        credentials: SharedCredentialsProvider,
    ) -> Result<Self, String> {
        let place = Params::builder()
            .region(&settings.region)
            .set_endpoint(custom.map(str::to_owned))
            .use_fips(settings.use_fips)
            .use_dual_stack(settings.use_dual_stack)
            .use_global_endpoint(false)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self {
            name,
            place,
            is_custom: custom.is_some(),
            region: settings.region.clone(),
            credentials,
            https: Https::default(),
        })
    }

    /// Sends `body` once, with these headers.
    pub(super) async fn post(
        &self,
        headers: &[(header::HeaderName, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Response<Bytes>, CallError> {
        let service = self.name;
        let (origin, region) = self
            .endpoint()
            .await
            .map_err(|source| CallError::Unmade { service, source })?;
        let mut request = unsigned(&origin, headers, body.into()).map_err(|error| CallError::Unmade {
            service,
            source: error.into(),
        })?;
        let credentials = self.credentials.provide_credentials().await;
        let credentials = credentials.map_err(|error| CallError::NoCredentials {
            service,
            source: error.into(),
        })?;
        self.sign(&mut request, &Identity::from(credentials), &region)
            .map_err(|source| CallError::Unmade { service, source })?;
        let answer = tokio::time::timeout(ONE_ATTEMPT, self.https.send(request, LONGEST_ANSWER)).await;
        answer
            .map_err(|_| CallError::Silent { service })?
            .map_err(|source| CallError::Unreached { service, source })
    }

    /// The origin and the region to sign for. The SDK's resolver for STS knows partitions, FIPS and dual-stack; the
    /// endpoints of the other services here differ from those of STS in the first word only
    /// ([AWS service endpoints](https://docs.aws.amazon.com/general/latest/gr/rande.html)).
    async fn endpoint(&self) -> Result<(String, String), https::Error> {
        let endpoint = DefaultResolver::new().resolve_endpoint(&self.place).await?;
        let scheme = endpoint.auth_schemes().first();
        let region = scheme.and_then(|scheme| scheme.get("signingRegion")?.as_string());
        let region = region.unwrap_or(&self.region).to_owned();
        let url = endpoint.url();
        let url = match url.strip_prefix("https://sts") {
            Some(rest) if !self.is_custom => format!("https://{}{rest}", self.name),
            _ => url.to_owned(),
        };
        Ok((url, region))
    }

    fn sign(&self, request: &mut Request<Bytes>, identity: &Identity, region: &str) -> Result<(), https::Error> {
        let params = SigningParams::builder()
            .identity(identity)
            .region(region)
            .name(self.name)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?;
        let headers = request.headers().iter();
        let headers = headers.map(|(name, value)| Ok((name.as_str(), value.to_str()?)));
        let headers = headers.collect::<Result<Vec<_>, header::ToStrError>>()?;
        let signable = SignableRequest::new(
            request.method().as_str(),
            request.uri().to_string(),
            headers.into_iter(),
            SignableBody::Bytes(request.body()),
        )?;
        let signed = sign(signable, &params.into())?;
        signed.into_parts().0.apply_to_request_http1x(request);
        Ok(())
    }
}

fn unsigned(origin: &str, headers: &[(header::HeaderName, &str)], body: Bytes) -> Result<Request<Bytes>, http::Error> {
    let uri: http::Uri = origin.parse()?;
    let host = uri.authority().map_or("", http::uri::Authority::as_str).to_owned();
    let request = Request::post(uri).header(header::HOST, host);
    let with =
        |request: http::request::Builder, (name, value): &(header::HeaderName, &str)| request.header(name, *value);
    headers.iter().fold(request, with).body(body)
}

impl CallError {
    /// Whether the same call may succeed in a moment.
    pub(super) const fn may_pass(&self) -> bool {
        match self {
            Self::Unreached { .. } | Self::Silent { .. } => true,
            Self::NoCredentials { .. } | Self::Unmade { .. } => false,
        }
    }
}

/// Does `once` up to three times, as long as what is wrong `may_pass`.
pub(super) async fn patiently<T, E, F>(once: impl Fn() -> F, may_pass: impl Fn(&E) -> bool) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    for pause in PAUSES {
        match once().await {
            Err(error) if may_pass(&error) => tokio::time::sleep(pause).await,
            outcome => return outcome,
        }
    }
    once().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::aws::CredentialSource;

    type Switches = &'static [(&'static str, &'static str)];

    #[tokio::test]
    async fn a_service_is_where_aws_has_it() {
        let cases: [(&str, Switches, &str); 8] = [
            ("eu-central-1", &[], "https://SERVICE.eu-central-1.amazonaws.com"),
            ("us-east-1", &[], "https://SERVICE.us-east-1.amazonaws.com"),
            ("cn-north-1", &[], "https://SERVICE.cn-north-1.amazonaws.com.cn"),
            ("us-gov-west-1", &[], "https://SERVICE.us-gov-west-1.amazonaws.com"),
            (
                "us-gov-west-1",
                &[("AWS_USE_FIPS_ENDPOINT", "true")],
                "https://SERVICE.us-gov-west-1.amazonaws.com",
            ),
            (
                "us-east-1",
                &[("AWS_USE_FIPS_ENDPOINT", "true")],
                "https://SERVICE-fips.us-east-1.amazonaws.com",
            ),
            (
                "eu-central-1",
                &[("AWS_USE_DUALSTACK_ENDPOINT", "true")],
                "https://SERVICE.eu-central-1.api.aws",
            ),
            (
                "eu-central-1",
                &[("AWS_ENDPOINT_URL", "https://sts.example.com")],
                "https://sts.example.com",
            ),
        ];
        for (region, switches, expected) in cases {
            let base = [("SIGNPOST_BUCKET", "example-bucket"), ("AWS_REGION", region)];
            let env = switches.iter().chain(&base);
            let env = env.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let settings = Settings::from_env(env).unwrap();
            for name in ["sts", "ssm", "dynamodb"] {
                let credentials = CredentialSource::example().0;
                let service = Service::new(name, &settings, settings.any_endpoint.as_deref(), credentials).unwrap();
                let (origin, signed_for) = service.endpoint().await.unwrap();
                assert_eq!(
                    (origin.trim_end_matches('/'), signed_for.as_str()),
                    (expected.replace("SERVICE", name).as_str(), region),
                    "{switches:?}"
                );
            }
        }
    }
}
