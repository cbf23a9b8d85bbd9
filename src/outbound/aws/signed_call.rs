//! Calls to AWS services that take a signed POST to a single path.

use std::time::SystemTime;

use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sdk_sts::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::identity::Identity;
use bytes::Bytes;
use http::{Request, Response, header};

use super::plain_names::is_plain_region;
use crate::config::Settings;
use crate::outbound::https_client::{BoxError, HttpsClient, Idempotency};
use crate::outbound::outbound_error::OutboundError;

/// The maximum size of a response.
const MAX_RESPONSE_BYTES: usize = 256 * 1024;

/// An AWS service in the region of the settings.
#[derive(Debug)]
pub(super) struct AwsService {
    name: &'static str,
    /// The endpoint, if it is a custom one or a normal one in the partition `aws`.
    plain_url: Option<String>,
    endpoint_params: Params,
    has_custom_endpoint: bool,
    region: String,
    credentials: SharedCredentialsProvider,
    https: HttpsClient,
}

impl AwsService {
    /// Returns the service that endpoints and signatures call `name`. `custom_endpoint` replaces its AWS endpoint.
    pub(super) fn new(
        name: &'static str,
        settings: &Settings,
        custom_endpoint: Option<&str>,
        credentials: SharedCredentialsProvider,
        https: HttpsClient,
    ) -> Result<Self, String> {
        let endpoint_params = Params::builder()
            .region(&settings.region)
            .set_endpoint(custom_endpoint.map(str::to_owned))
            .use_fips(settings.use_fips)
            .use_dual_stack(settings.use_dual_stack)
            .use_global_endpoint(false)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self {
            name,
            plain_url: plain_url(name, settings, custom_endpoint),
            endpoint_params,
            has_custom_endpoint: custom_endpoint.is_some(),
            region: settings.region.clone(),
            credentials,
            https,
        })
    }

    /// Returns the name of the service in errors.
    pub(super) fn display_name(&self) -> &'static str {
        match self.name {
            "sts" => "STS",
            "ssm" => "Systems Manager",
            "dynamodb" => "DynamoDB",
            "secretsmanager" => "Secrets Manager",
            other => other,
        }
    }

    /// Opens a connection for the next call.
    pub(super) async fn connect(&self) -> Result<(), BoxError> {
        let (origin, _) = self.endpoint().await?;
        self.https.connect(origin.parse()?).await
    }

    /// Sends `body` with these headers, without retries.
    pub(super) async fn post(
        &self,
        headers: &[(header::HeaderName, &str)],
        body: impl Into<Bytes>,
        idempotency: Idempotency,
    ) -> Result<Response<Bytes>, OutboundError> {
        let service = self.display_name().into();
        let request = self.signed_request(headers, body.into()).await?;
        let response = self.https.send(request, idempotency, MAX_RESPONSE_BYTES).await;
        response.map_err(|source| OutboundError::Send { service, source })
    }

    async fn signed_request(
        &self,
        headers: &[(header::HeaderName, &str)],
        body: Bytes,
    ) -> Result<Request<Bytes>, OutboundError> {
        let invalid = |source| OutboundError::InvalidRequest {
            service: self.display_name().into(),
            source,
        };
        let (origin, region) = self.endpoint().await.map_err(invalid)?;
        let mut request = unsigned_request(&origin, headers, body).map_err(|error| invalid(error.into()))?;
        let credentials = self.credentials.provide_credentials().await;
        let credentials = credentials.map_err(|error| OutboundError::NoCredentials {
            service: self.display_name().into(),
            source: error.into(),
        })?;
        self.sign(&mut request, &Identity::from(credentials), &region)
            .map_err(invalid)?;
        Ok(request)
    }

    /// Returns the origin of the service and the region of its signatures.
    async fn endpoint(&self) -> Result<(String, String), BoxError> {
        match &self.plain_url {
            Some(url) => Ok((url.clone(), self.region.clone())),
            None => self.resolved_endpoint().await,
        }
    }

    /// The resolver of the SDK for STS knows partitions, FIPS and dual-stack. The endpoints of the other services here
    /// differ from those of STS in the first word only
    /// ([AWS service endpoints](https://docs.aws.amazon.com/general/latest/gr/rande.html)). The resolver compiles regular
    /// expressions on first use, so it is not used for plain endpoints.
    async fn resolved_endpoint(&self) -> Result<(String, String), BoxError> {
        let endpoint = DefaultResolver::new().resolve_endpoint(&self.endpoint_params).await?;
        let scheme = endpoint.auth_schemes().first();
        let region = scheme.and_then(|scheme| scheme.get("signingRegion")?.as_string());
        let region = region.unwrap_or(&self.region).to_owned();
        let url = endpoint.url();
        let url = match url.strip_prefix("https://sts") {
            Some(rest) if !self.has_custom_endpoint => format!("https://{}{rest}", self.name),
            _ => url.to_owned(),
        };
        Ok((url, region))
    }

    fn sign(&self, request: &mut Request<Bytes>, identity: &Identity, region: &str) -> Result<(), BoxError> {
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

/// Returns the URL of an endpoint that needs no resolver.
fn plain_url(name: &str, settings: &Settings, custom_endpoint: Option<&str>) -> Option<String> {
    let region = &settings.region;
    match custom_endpoint {
        _ if settings.use_fips || settings.use_dual_stack => None,
        Some(url) => Some(url.to_owned()),
        None if is_plain_region(region) => Some(format!("https://{name}.{region}.amazonaws.com")),
        None => None,
    }
}

fn unsigned_request(
    origin: &str,
    headers: &[(header::HeaderName, &str)],
    body: Bytes,
) -> Result<Request<Bytes>, http::Error> {
    let uri: http::Uri = origin.parse()?;
    let host = uri.authority().map_or("", http::uri::Authority::as_str).to_owned();
    let request = Request::post(uri).header(header::HOST, host);
    let with =
        |request: http::request::Builder, (name, value): &(header::HeaderName, &str)| request.header(name, *value);
    headers.iter().fold(request, with).body(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::aws::CredentialSource;

    type SdkSettings = &'static [(&'static str, &'static str)];

    #[tokio::test]
    async fn a_service_has_the_endpoint_of_aws() {
        let cases: [(&str, SdkSettings, &str); 8] = [
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
        for (region, sdk_settings, expected) in cases {
            let base = [("SIGNPOST_BUCKET", "example-bucket"), ("AWS_REGION", region)];
            let env = sdk_settings.iter().chain(&base);
            let env = env.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let settings = Settings::from_env(env).unwrap();
            for name in ["sts", "ssm", "dynamodb", "secretsmanager"] {
                let credentials = CredentialSource::example().0;
                let endpoint = settings.any_endpoint.as_deref();
                let service = AwsService::new(name, &settings, endpoint, credentials, HttpsClient::default()).unwrap();
                for endpoint in [service.endpoint().await, service.resolved_endpoint().await] {
                    let (origin, signing_region) = endpoint.unwrap();
                    assert_eq!(
                        (origin.trim_end_matches('/'), signing_region.as_str()),
                        (expected.replace("SERVICE", name).as_str(), region),
                        "{sdk_settings:?}"
                    );
                }
            }
        }
    }
}
