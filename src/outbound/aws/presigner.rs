//! The endpoint of the bucket and the signature of its URLs.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sdk_s3::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_smithy_types::Document;
use http::Method;

use super::plain_names::{is_plain_bucket, is_plain_region};
use super::sigv4::{DailySigner, SignerCache, SigningScope, UrlRequest};
use crate::config::{ConfigError, PathStyle, Settings};
use crate::plan::{
    Instruction, LISTING_EXPIRES, ListingPlan, PresignError, PresignPlan, PresignedUrl, min_useful_lifetime, origin_of,
};

/// The maximum number of sessions whose signing keys are cached.
const MAX_SIGNERS: NonZeroUsize = NonZeroUsize::new(100).expect("it is not zero");

/// Signs plans for one bucket.
#[derive(Clone, Debug)]
pub struct Presigner {
    /// Scheme and host, and the bucket if it is part of the path.
    pub(super) bucket_url: String,
    pub(super) bucket: String,
    pub(super) region: String,
    pub(super) service: String,
    signers: SignerCache,
}

impl Presigner {
    /// Resolves the endpoint of the bucket.
    pub async fn resolve(settings: &Settings) -> Result<Self, ConfigError> {
        match Self::for_plain_bucket(settings) {
            Some(presigner) => Ok(presigner),
            None => Self::from_sdk(settings).await,
        }
    }

    /// Returns the endpoint of a plain bucket in the partition `aws`.
    ///
    /// The resolver of the SDK returns the same, but reads its table of partitions, which is a large part of a cold start.
    /// A test compares both.
    fn for_plain_bucket(settings: &Settings) -> Option<Self> {
        let (bucket, region) = (settings.bucket.as_deref()?, &settings.region);
        let switched = settings.use_fips || settings.use_dual_stack || settings.accelerate;
        let placed = settings.custom_endpoint().is_some() || settings.path_style == PathStyle::Always;
        let plain = !switched && !placed && is_plain_bucket(bucket) && is_plain_region(region);
        plain.then(|| Self {
            bucket_url: format!("https://{bucket}.s3.{region}.amazonaws.com"),
            bucket: bucket.to_owned(),
            region: region.clone(),
            service: "s3".to_owned(),
            signers: SignerCache::new(MAX_SIGNERS),
        })
    }

    /// Returns the endpoint from the resolver of the SDK, which knows partitions, FIPS, dual-stack, acceleration, access
    /// points and dotted names.
    pub(super) async fn from_sdk(settings: &Settings) -> Result<Self, ConfigError> {
        let wrong = |problem: String| ConfigError {
            var: "SIGNPOST_BUCKET",
            problem,
        };
        let bucket = settings.bucket.clone().ok_or_else(|| wrong("is required".to_owned()))?;
        let params = endpoint_params(settings, &bucket).map_err(&wrong)?;
        let endpoint = DefaultResolver::new()
            .resolve_endpoint(&params)
            .await
            .map_err(|error| wrong(error.to_string()))?;
        let scheme = endpoint.auth_schemes().first();
        if scheme.is_some_and(|scheme| scheme.name() != "sigv4") {
            return Err(wrong(
                "directory buckets and multi-region access points are not supported, because they use other signatures"
                    .into(),
            ));
        }
        let property = |name| scheme.and_then(|scheme| scheme.get(name)).and_then(Document::as_string);
        Ok(Self {
            bucket_url: endpoint.url().trim_end_matches('/').to_owned(),
            bucket,
            region: property("signingRegion").unwrap_or(&settings.region).to_owned(),
            service: property("signingName").unwrap_or("s3").to_owned(),
            signers: SignerCache::new(MAX_SIGNERS),
        })
    }

    /// Returns scheme and host of the bucket's URLs.
    pub fn origin(&self) -> &str {
        origin_of(&self.bucket_url)
    }

    /// Signs `plan` at `now` with `credentials`. The URL is valid as long as both allow.
    pub fn sign(
        &self,
        plan: PresignPlan,
        credentials: &Credentials,
        now: SystemTime,
    ) -> Result<Instruction, PresignError> {
        let now = whole_seconds(now);
        let signed_at = plan.signing_time(now);
        let lifetime = lifetime(plan.expires, credentials, signed_at, now)?;
        let request = S3Request {
            method: plan.operation.method(),
            path: &plan.key.to_path(),
            query: &plan.query,
            headers: &plan.headers,
        };
        let url = self.presign(&request, credentials, (signed_at, lifetime));
        let expires_at = signed_at + lifetime;
        Ok(Instruction {
            cache_for: plan.cache_for(signed_at, expires_at, now),
            plan,
            url,
            expires_in: expires_at.duration_since(now).unwrap_or_default(),
            expires_at,
        })
    }

    /// Signs a listing, which Signpost itself requests at once.
    pub fn sign_listing(
        &self,
        plan: &ListingPlan,
        credentials: &Credentials,
        time: SystemTime,
    ) -> Result<PresignedUrl, PresignError> {
        let time = whole_seconds(time);
        let expires_in = lifetime(LISTING_EXPIRES, credentials, time, time)?;
        let request = S3Request {
            method: Method::GET,
            path: "/",
            query: &plan.query,
            headers: &[],
        };
        Ok(self.presign(&request, credentials, (time, expires_in)))
    }

    fn presign(
        &self,
        request: &S3Request<'_>,
        credentials: &Credentials,
        (signed_at, lifetime): (SystemTime, Duration),
    ) -> PresignedUrl {
        let origin = self.origin();
        let request = UrlRequest {
            method: request.method.as_str(),
            origin,
            path: &[&self.bucket_url[origin.len()..], request.path],
            query: request.query,
            headers: request.headers,
        };
        let signer = self.signer(credentials, signed_at);
        PresignedUrl::new(signer.sign_url(&request, signed_at, lifetime))
    }

    pub(super) fn signer(&self, credentials: &Credentials, time: SystemTime) -> Arc<DailySigner> {
        let scope = SigningScope {
            region: &self.region,
            service: &self.service,
        };
        self.signers.get(credentials, scope, time)
    }
}

/// One request to the bucket.
struct S3Request<'a> {
    method: Method,
    path: &'a str,
    query: &'a [(String, String)],
    headers: &'a [(String, String)],
}

fn endpoint_params(settings: &Settings, bucket: &str) -> Result<Params, String> {
    let custom = settings.custom_endpoint();
    let path_style = match settings.path_style {
        PathStyle::Auto => custom.is_some(),
        PathStyle::Always => true,
        PathStyle::Never => false,
    };
    Params::builder()
        .bucket(bucket)
        .region(&settings.region)
        .set_endpoint(custom.map(str::to_owned))
        .use_fips(settings.use_fips)
        .use_dual_stack(settings.use_dual_stack)
        .accelerate(settings.accelerate)
        .force_path_style(path_style)
        .build()
        .map_err(|error| error.to_string())
}

pub(super) fn whole_seconds(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs())
}

/// Returns the lifetime of a URL that `credentials` sign at `signed_at`. It is an error if the URL is useless from `now` on.
pub(super) fn lifetime(
    expires: Duration,
    credentials: &Credentials,
    signed_at: SystemTime,
    now: SystemTime,
) -> Result<Duration, PresignError> {
    let Some(expiry) = credentials.expiry() else {
        return Ok(expires);
    };
    let left = |from: SystemTime| expiry.duration_since(from).unwrap_or_default();
    if left(now) < min_useful_lifetime(expires) {
        return Err(PresignError::CredentialsExpire);
    }
    Ok(expires.min(whole(left(signed_at))))
}

fn whole(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGIONS: [&str; 20] = [
        "af-south-1",
        "ap-southeast-7",
        "ca-west-1",
        "eu-central-1",
        "eu-isoe-west-1",
        "eusc-de-east-1",
        "il-central-1",
        "me-south-1",
        "mx-central-1",
        "sa-east-1",
        "us-east-1",
        "us-west-2",
        "us-gov-west-1",
        "us-iso-east-1",
        "us-isob-east-1",
        "cn-north-1",
        "aws-global",
        "eu-central",
        "fips-us-east-1",
        "s3-external-1",
    ];
    const BUCKETS: [&str; 10] = [
        "abc",
        "example-bucket",
        "1-2-3",
        "a.dotted.name",
        "-ab",
        "ab-",
        "a--b",
        "name--use1-az4--x-s3",
        "name-abcdefghijklmnopqrstuvwxyz0123456789-s3alias",
        "name--op-s3",
    ];
    const SDK_SETTINGS: [(&str, &str); 6] = [
        ("SIGNPOST_LOG", "info"),
        ("SIGNPOST_PATH_STYLE", "true"),
        ("SIGNPOST_PATH_STYLE", "false"),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true"),
        ("SIGNPOST_ENDPOINT", "https://s3.example.com"),
    ];

    #[tokio::test]
    async fn a_plain_bucket_has_the_endpoint_of_the_sdk() {
        let mut plain = 0;
        for (region, bucket, setting) in cases() {
            let env = [("AWS_REGION", region), ("SIGNPOST_BUCKET", bucket), setting];
            let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let settings = Settings::from_env(env).unwrap();
            if let Some(presigner) = Presigner::for_plain_bucket(&settings) {
                let sdk = Presigner::from_sdk(&settings).await.unwrap();
                let parts = |presigner: Presigner| (presigner.bucket_url, presigner.region, presigner.service);
                assert_eq!(parts(sdk), parts(presigner), "{region} {bucket} {setting:?}");
                plain += 1;
            }
        }
        assert_eq!(plain, 10 * 3 * 2, "plain regions, buckets and settings");
    }

    fn cases() -> impl Iterator<Item = (&'static str, &'static str, (&'static str, &'static str))> {
        REGIONS.into_iter().flat_map(|region| {
            BUCKETS
                .into_iter()
                .flat_map(move |bucket| SDK_SETTINGS.into_iter().map(move |setting| (region, bucket, setting)))
        })
    }
}
