//! Where the bucket is, and the signature.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sdk_s3::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};

use aws_sigv4::http_request::{
    PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_types::Document;
use percent_encoding::utf8_percent_encode;

use crate::config::{ConfigError, PathStyle, Settings};
use crate::key::QUERY;
use crate::plan::{Instruction, PresignError, PresignPlan, PresignedUrl};

/// Room for a URL with a session token, which alone is about 1,000 bytes long.
const URL_CAPACITY: usize = 2048;

/// Signs plans for one bucket.
#[derive(Clone, Debug)]
pub struct Signer {
    /// Scheme, host, and the bucket where it stands in the path.
    bucket_url: String,
    region: String,
    service: String,
}

impl Signer {
    /// Asks the SDK's own resolver where the bucket is, once: partitions, FIPS, dual-stack, acceleration, access
    /// points and dotted names are its business.
    pub async fn resolve(settings: &Settings) -> Result<Self, ConfigError> {
        let wrong = |problem: String| ConfigError {
            var: "SIGNPOST_BUCKET",
            problem,
        };
        let params = endpoint_params(settings).map_err(&wrong)?;
        let endpoint = DefaultResolver::new()
            .resolve_endpoint(&params)
            .await
            .map_err(|error| wrong(error.to_string()))?;
        let scheme = endpoint.auth_schemes().first();
        if scheme.is_some_and(|scheme| scheme.name() != "sigv4") {
            return Err(wrong(
                "directory buckets and multi-region access points are signed in another way".into(),
            ));
        }
        let told = |name| scheme.and_then(|scheme| scheme.get(name)).and_then(Document::as_string);
        Ok(Self {
            bucket_url: endpoint.url().trim_end_matches('/').to_owned(),
            region: told("signingRegion").unwrap_or(&settings.region).to_owned(),
            service: told("signingName").unwrap_or("s3").to_owned(),
        })
    }

    /// Signs `plan` as of `time` with `credentials`, for as long as both allow.
    pub fn sign(
        &self,
        plan: PresignPlan,
        credentials: &Credentials,
        time: SystemTime,
    ) -> Result<Instruction, PresignError> {
        // The signature tells whole seconds only.
        let time = whole_seconds(time);
        let expires_in = lifetime(&plan, credentials, time)?;
        let mut url = self.unsigned_url(&plan);
        let headers = plan.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let method = plan.operation.method();
        let request = SignableRequest::new(method.as_str(), url.as_str(), headers, SignableBody::UnsignedPayload)
            .map_err(|error| PresignError::Signer(error.into()))?;
        let identity = Identity::from(credentials.clone());
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(&self.service)
            .time(time)
            .settings(signing_settings(expires_in))
            .build()
            .map_err(|error| PresignError::Signer(error.into()))?;
        let signed = sign(request, &params.into()).map_err(|error| PresignError::Signer(error.into()))?;
        let (_, signature) = signed.into_parts().0.into_parts();
        for (name, value) in signature {
            push_parameter(&mut url, name, &value);
        }
        Ok(Instruction {
            plan,
            url: PresignedUrl::new(url),
            expires_in,
            expires_at: time + expires_in,
        })
    }

    fn unsigned_url(&self, plan: &PresignPlan) -> String {
        let mut url = String::with_capacity(URL_CAPACITY);
        url.push_str(&self.bucket_url);
        url.push_str(&plan.key.to_path());
        for (name, value) in &plan.query {
            push_parameter(&mut url, name, value);
        }
        url
    }
}

fn push_parameter(url: &mut String, name: &str, value: &str) {
    url.push(if url.contains('?') { '&' } else { '?' });
    url.extend(utf8_percent_encode(name, QUERY));
    url.push('=');
    url.extend(utf8_percent_encode(value, QUERY));
}

fn endpoint_params(settings: &Settings) -> Result<Params, String> {
    let custom = settings.custom_endpoint();
    let path_style = match settings.path_style {
        PathStyle::Auto => custom.is_some(),
        PathStyle::Always => true,
        PathStyle::Never => false,
    };
    Params::builder()
        .bucket(&settings.bucket)
        .region(&settings.region)
        .set_endpoint(custom.map(str::to_owned))
        .use_fips(settings.use_fips)
        .use_dual_stack(settings.use_dual_stack)
        .accelerate(settings.accelerate)
        .force_path_style(path_style)
        .build()
        .map_err(|error| error.to_string())
}

fn signing_settings(expires_in: Duration) -> SigningSettings {
    let mut settings = SigningSettings::default();
    // S3 signs the path as it is sent: escaped once, never normalised.
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(expires_in);
    settings.excluded_headers = None;
    settings
}

fn whole_seconds(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs())
}

fn lifetime(plan: &PresignPlan, credentials: &Credentials, time: SystemTime) -> Result<Duration, PresignError> {
    let Some(expiry) = credentials.expiry() else {
        return Ok(plan.expires);
    };
    let left = expiry.duration_since(time).unwrap_or_default();
    if left < plan.least_lifetime() {
        return Err(PresignError::CredentialsExpire);
    }
    Ok(plan.expires.min(Duration::from_secs(left.as_secs())))
}
