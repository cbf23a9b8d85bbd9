//! `AssumeRole`: one signed call to the regional endpoint of STS.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sdk_sts::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_types::date_time::{DateTime, Format};
use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::Full;
use percent_encoding::utf8_percent_encode;

use super::https::{self, Https};
use super::session::SessionError;
use crate::config::Settings;
use crate::key::QUERY;

/// A client waits for a redirect meanwhile, and the function itself has ten seconds.
const ONE_ATTEMPT: Duration = Duration::from_secs(2);

/// How long to wait before each further attempt.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];

/// Assumes the signer role.
#[derive(Debug)]
pub(super) struct Sts {
    role_arn: String,
    place: Params,
    region: String,
    session: Duration,
    base: SharedCredentialsProvider,
    https: Https,
}

/// What is asked of STS besides the role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) session_name: String,
    pub(super) source_identity: Option<String>,
    pub(super) policy: Option<String>,
}

type Boxed = Box<dyn std::error::Error + Send + Sync>;
type Assumed = Result<Credentials, SessionError>;

#[derive(Debug, thiserror::Error)]
enum StsError {
    #[error("there are no credentials to assume the role with")]
    NoCredentials(#[source] Boxed),
    #[error("the call of STS can't be made")]
    Call(#[source] Boxed),
    #[error("STS was not reached")]
    Unreached(#[source] https::Error),
    #[error("STS did not answer within {} s", ONE_ATTEMPT.as_secs())]
    Silent,
    #[error("STS gave no session of {role_arn}: {status}, {code}: {message}")]
    Refused {
        role_arn: String,
        status: StatusCode,
        code: String,
        message: String,
    },
    #[error("the answer of STS lacks credentials, or their end")]
    Incomplete,
}

impl Sts {
    /// Prepares for the role; `base` are the credentials that may assume it.
    pub(super) fn new(settings: &Settings, role_arn: &str, base: SharedCredentialsProvider) -> Result<Self, String> {
        let place = Params::builder()
            .region(&settings.region)
            .set_endpoint(settings.custom_sts_endpoint().map(str::to_owned))
            .use_fips(settings.use_fips)
            .use_dual_stack(settings.use_dual_stack)
            .use_global_endpoint(false)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self {
            role_arn: role_arn.to_owned(),
            place,
            region: settings.region.clone(),
            session: settings.signer_session,
            base,
            https: Https::default(),
        })
    }

    /// A new session. The future stands on the heap, so that the path of every other request does not carry it.
    pub(super) fn assume(&self, wanted: Wanted) -> Pin<Box<dyn Future<Output = Assumed> + Send + '_>> {
        Box::pin(async move {
            let session = self
                .patiently(&wanted)
                .await
                .map_err(|error| Arc::new(error) as SessionError)?;
            tracing::info!(session = wanted.session_name, "assumed the signer role");
            Ok(session)
        })
    }

    async fn patiently(&self, wanted: &Wanted) -> Result<Credentials, StsError> {
        for pause in PAUSES {
            match self.once(wanted).await {
                Err(error) if error.may_pass() => tokio::time::sleep(pause).await,
                outcome => return outcome,
            }
        }
        self.once(wanted).await
    }

    async fn once(&self, wanted: &Wanted) -> Result<Credentials, StsError> {
        let request = self.request(self.form(wanted)).await?;
        let answer = tokio::time::timeout(ONE_ATTEMPT, self.https.send(request));
        let (status, text) = answer
            .await
            .map_err(|_| StsError::Silent)?
            .map_err(StsError::Unreached)?;
        if status != StatusCode::OK {
            let told = |name| element(&text, name).unwrap_or("-").to_owned();
            return Err(StsError::Refused {
                role_arn: self.role_arn.clone(),
                status,
                code: told("Code"),
                message: told("Message"),
            });
        }
        session(&text).ok_or(StsError::Incomplete)
    }

    fn form(&self, wanted: &Wanted) -> String {
        let seconds = self.session.as_secs().to_string();
        let always = [
            ("Action", "AssumeRole"),
            ("Version", "2011-06-15"),
            ("RoleArn", &self.role_arn),
            ("RoleSessionName", &wanted.session_name),
            ("DurationSeconds", &seconds),
        ];
        let sometimes = [
            ("SourceIdentity", wanted.source_identity.as_deref()),
            ("Policy", wanted.policy.as_deref()),
        ];
        let sometimes = sometimes.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let pairs = always.into_iter().chain(sometimes);
        let pairs = pairs.map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, QUERY)));
        pairs.collect::<Vec<_>>().join("&")
    }

    async fn request(&self, form: String) -> Result<Request<Full<Bytes>>, StsError> {
        let credentials = self.base.provide_credentials().await;
        let identity = Identity::from(credentials.map_err(|error| StsError::NoCredentials(error.into()))?);
        let call = |error: Boxed| StsError::Call(error);
        let endpoint = DefaultResolver::new()
            .resolve_endpoint(&self.place)
            .await
            .map_err(call)?;
        let scheme = endpoint.auth_schemes().first();
        let region = scheme.and_then(|scheme| scheme.get("signingRegion")?.as_string());
        let uri: Uri = endpoint
            .url()
            .parse()
            .map_err(|error: http::uri::InvalidUri| call(error.into()))?;
        let host = uri.authority().map_or("", http::uri::Authority::as_str).to_owned();
        let mut request = Request::post(&uri)
            .header(header::HOST, &host)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")
            .body(Full::from(form.clone()))
            .map_err(|error| call(error.into()))?;
        let params = SigningParams::builder()
            .identity(&identity)
            .region(region.unwrap_or(&self.region))
            .name("sts")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| call(error.into()))?;
        let signable = SignableRequest::new(
            "POST",
            uri.to_string(),
            [("host", host.as_str())].into_iter(),
            SignableBody::Bytes(form.as_bytes()),
        )
        .map_err(|error| call(error.into()))?;
        let signed = sign(signable, &params.into()).map_err(|error| call(error.into()))?;
        signed.into_parts().0.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}

impl StsError {
    /// Whether the same call may succeed in a moment.
    fn may_pass(&self) -> bool {
        match self {
            Self::Unreached(_) | Self::Silent => true,
            Self::Refused { status, code, .. } => status.is_server_error() || code.starts_with("Throttling"),
            Self::NoCredentials(_) | Self::Call(_) | Self::Incomplete => false,
        }
    }
}

/// The session in the XML of the answer.
fn session(text: &str) -> Option<Credentials> {
    let expiration = DateTime::from_str(element(text, "Expiration")?, Format::DateTimeWithOffset).ok()?;
    Some(Credentials::new(
        element(text, "AccessKeyId")?,
        element(text, "SecretAccessKey")?,
        Some(element(text, "SessionToken")?.to_owned()),
        Some(SystemTime::try_from(expiration).ok()?),
        "signer role",
    ))
}

/// What stands in the first element of this name. None of those that are read has attributes, children or, but for
/// messages, anything to unescape.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (value, _) = rest.split_once("</")?;
    Some(value.trim()).filter(|value| !value.is_empty())
}
