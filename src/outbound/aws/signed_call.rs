//! Calls to AWS services that take a signed POST to a single path.

use std::num::NonZeroUsize;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sdk_sts::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};

use super::plain_names::is_plain_region;
use super::sigv4::{HeaderRequest, SignerCache, SigningScope};
use crate::config::Settings;
use crate::outbound::https_client::{BoxError, HttpsClient, Idempotency};
use crate::outbound::outbound_error::OutboundError;

/// The maximum size of a response of `DynamoDB`
/// ([BatchGetItem](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html)).
const MAX_DYNAMODB_BYTES: usize = 16 * 1024 * 1024;

/// The maximum size of a response of another service: several times the size of the largest secret, 64 KiB.
const MAX_RESPONSE_BYTES: usize = 256 * 1024;

/// An AWS service in the region of the settings.
#[derive(Debug)]
pub(super) struct AwsService {
    name: &'static str,
    /// The endpoint, if it is a custom one or a normal one in the partition `aws`.
    plain_url: Option<String>,
    endpoint_params: Params,
    has_custom_endpoint: bool,
    /// The first word of the host name.
    host_word: &'static str,
    region: String,
    credentials: SharedCredentialsProvider,
    https: HttpsClient,
    signers: SignerCache,
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
        let host_word = own_host_word(name, settings).filter(|_| custom_endpoint.is_none());
        let follows_sts = host_word.is_none();
        let endpoint_params = Params::builder()
            .region(&settings.region)
            .set_endpoint(custom_endpoint.map(str::to_owned))
            .use_fips(settings.use_fips && follows_sts)
            .use_dual_stack(settings.use_dual_stack && follows_sts)
            .use_global_endpoint(false)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self {
            name,
            plain_url: plain_url(name, settings, custom_endpoint),
            endpoint_params,
            has_custom_endpoint: custom_endpoint.is_some(),
            host_word: host_word.unwrap_or(name),
            region: settings.region.clone(),
            credentials,
            https,
            signers: SignerCache::new(NonZeroUsize::MIN),
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

    fn max_response_bytes(&self) -> usize {
        match self.name {
            "dynamodb" => MAX_DYNAMODB_BYTES,
            _ => MAX_RESPONSE_BYTES,
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
        let response = self.https.send(request, idempotency, self.max_response_bytes()).await;
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
        self.sign(&mut request, &credentials, &region, SystemTime::now())
            .map_err(invalid)?;
        Ok(request)
    }

    /// Returns the origin of the service and the region of its signatures.
    pub(super) async fn endpoint(&self) -> Result<(String, String), BoxError> {
        match &self.plain_url {
            Some(url) => Ok((url.clone(), self.region.clone())),
            None => self.resolved_endpoint().await,
        }
    }

    /// The resolver of the SDK for STS knows partitions, FIPS and dual-stack. The endpoints of the other services here
    /// differ from those of STS in the first word only, in all regions that botocore knows (`tests/peers/endpoints.json`). The
    /// resolver compiles regular expressions on first use, so it is not used for plain endpoints.
    pub(super) async fn resolved_endpoint(&self) -> Result<(String, String), BoxError> {
        let endpoint = DefaultResolver::new().resolve_endpoint(&self.endpoint_params).await?;
        let scheme = endpoint.auth_schemes().first();
        let region = scheme.and_then(|scheme| scheme.get("signingRegion")?.as_string());
        let region = region.unwrap_or(&self.region).to_owned();
        let url = endpoint.url();
        let url = match url.strip_prefix("https://sts") {
            Some(rest) if !self.has_custom_endpoint => format!("https://{}{rest}", self.host_word),
            _ => url.to_owned(),
        };
        Ok((url, region))
    }

    /// Adds the headers of the signature.
    fn sign(
        &self,
        request: &mut Request<Bytes>,
        credentials: &Credentials,
        region: &str,
        time: SystemTime,
    ) -> Result<(), BoxError> {
        let scope = SigningScope {
            region,
            service: self.name,
        };
        let daily_signer = self.signers.get(credentials, scope, time);
        let date_time = daily_signer.date_time(time);
        request
            .headers_mut()
            .insert("x-amz-date", HeaderValue::from_str(&date_time)?);
        if let Some(token) = credentials.session_token() {
            let mut token = HeaderValue::from_str(token)?;
            token.set_sensitive(true);
            request.headers_mut().insert("x-amz-security-token", token);
        }
        let headers = request.headers().iter();
        let headers = headers.map(|(name, value)| Ok((name.as_str(), value.to_str()?)));
        let signed = HeaderRequest {
            method: request.method().as_str(),
            path: request.uri().path(),
            headers: headers.collect::<Result<_, header::ToStrError>>()?,
            body: request.body(),
        };
        let authorization = daily_signer.authorization(signed, &date_time);
        request
            .headers_mut()
            .insert(header::AUTHORIZATION, HeaderValue::from_str(&authorization)?);
        Ok(())
    }
}

/// Returns the first word of the host name of a service that has no dual-stack names in most partitions, and FIPS names in
/// all of them.
fn own_host_word(name: &str, settings: &Settings) -> Option<&'static str> {
    let fips = settings.use_fips.then_some("secretsmanager-fips");
    (name == "secretsmanager").then(|| fips.unwrap_or("secretsmanager"))
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

    #[tokio::test]
    async fn a_custom_endpoint_replaces_that_of_aws() {
        let env = [
            ("SIGNPOST_BUCKET", "example-bucket"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ENDPOINT_URL", "https://sts.example.com"),
        ];
        let settings = Settings::from_env(env.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap();
        for name in ["sts", "ssm", "dynamodb", "secretsmanager"] {
            let (credentials, endpoint) = (CredentialSource::example().0, settings.any_endpoint.as_deref());
            let service = AwsService::new(name, &settings, endpoint, credentials, HttpsClient::default()).unwrap();
            for endpoint in [service.endpoint().await, service.resolved_endpoint().await] {
                let (origin, region) = endpoint.unwrap();
                assert_eq!(
                    (origin.trim_end_matches('/'), region.as_str()),
                    ("https://sts.example.com", "eu-central-1")
                );
            }
        }
    }

    /// Compares the header with that of the complete signer of `aws-sigv4`.
    #[tokio::test]
    async fn a_call_has_the_signature_of_the_complete_signer() {
        use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
        use aws_sigv4::sign::v4::SigningParams;

        let settings = |endpoint: &str| {
            let env = [
                ("SIGNPOST_BUCKET", "example-bucket"),
                ("AWS_REGION", "eu-central-1"),
                ("AWS_ENDPOINT_URL", endpoint),
            ];
            Settings::from_env(env.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap()
        };
        let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_783_711_144);
        let mut compared = 0;
        for endpoint in [
            "https://example.com",
            "http://127.0.0.1:1234",
            "https://example.com:8443",
        ] {
            for token in [None, Some("to/ken+=".to_owned())] {
                for (value, body) in [("a", ""), ("  DynamoDB_20120810.UpdateItem  x ", "{\"a\": \"é\"}")] {
                    let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "key", token.clone(), None, "test");
                    let source = SharedCredentialsProvider::new(credentials.clone());
                    let settings = settings(endpoint);
                    let endpoint = settings.any_endpoint.as_deref();
                    let service = AwsService::new("dynamodb", &settings, endpoint, source, HttpsClient::default());
                    let target = header::HeaderName::from_static("x-amz-target");
                    let headers = [(header::CONTENT_TYPE, "application/x-amz-json-1.0"), (target, value)];
                    let mut ours = unsigned_request(endpoint.unwrap(), &headers, body.into()).unwrap();
                    let mut theirs = ours.clone();
                    service
                        .unwrap()
                        .sign(&mut ours, &credentials, "eu-central-1", time)
                        .unwrap();

                    let identity = credentials.into();
                    let params = SigningParams::builder()
                        .identity(&identity)
                        .region("eu-central-1")
                        .name("dynamodb")
                        .time(time)
                        .settings(SigningSettings::default())
                        .build()
                        .unwrap();
                    let headers = theirs.headers().iter();
                    let headers = headers.map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
                    let body = SignableBody::Bytes(theirs.body());
                    let uri = theirs.uri().to_string();
                    let signable = SignableRequest::new("POST", uri, headers, body).unwrap();
                    let (instructions, _) = sign(signable, &params.into()).unwrap().into_parts();
                    instructions.apply_to_request_http1x(&mut theirs);
                    assert_eq!(ours.headers(), theirs.headers());
                    compared += 1;
                }
            }
        }
        assert_eq!(compared, 12);
    }
}
