//! `AssumeRole`: a signed call to the regional endpoint of STS
//! ([AssumeRole](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html)).

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_types::date_time::{DateTime, Format};
use http::{StatusCode, header};

use super::role_sessions::SessionError;
use super::signed_call::AwsService;
use crate::config::Settings;
use crate::encoding::form_encode;
use crate::error::chain;
use crate::outbound::https_client::{HttpsClient, Idempotency};
use crate::outbound::outbound_error::{OutboundError, with_retries};

const FORM_TYPE: (header::HeaderName, &str) =
    (header::CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8");

/// The name of the service in errors.
const STS: &str = "STS";

/// Assumes one role.
#[derive(Debug)]
pub(super) struct StsClient {
    role_arn: String,
    external_id: Option<String>,
    session_duration: Duration,
    service: AwsService,
}

/// The parameters of `AssumeRole`, besides the role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AssumeRoleRequest {
    pub(super) session_name: String,
    pub(super) source_identity: Option<String>,
    pub(super) policy: Option<String>,
}

/// A session, as STS returns it.
struct AssumedRole {
    credentials: Credentials,
    /// The size of the session policy in the packed format of STS, in percent of its limit.
    packed_policy_percent: Option<u32>,
}

type AssumeRoleResult = Result<Credentials, SessionError>;

impl StsClient {
    /// Returns a client for the role. `external_id` is the id that its trust policy may require. `base` are the credentials that
    /// may assume it.
    pub(super) fn new(
        settings: &Settings,
        (role_arn, external_id): (&str, Option<&str>),
        base: SharedCredentialsProvider,
        https: HttpsClient,
    ) -> Result<Self, String> {
        Ok(Self {
            role_arn: role_arn.to_owned(),
            external_id: external_id.map(str::to_owned),
            session_duration: settings.signer_session,
            service: AwsService::new("sts", settings, settings.custom_sts_endpoint(), base, https)?,
        })
    }

    /// Opens a connection for the next call. A failure is not reported, because the next call opens its own.
    pub(super) async fn connect(&self) {
        if let Err(error) = self.service.connect().await {
            tracing::debug!(error = chain(&*error), "failed to open a connection to STS");
        }
    }

    /// Returns a new session. The future is boxed, so that the futures of other requests stay small.
    pub(super) fn assume_role(
        &self,
        request: AssumeRoleRequest,
    ) -> Pin<Box<dyn Future<Output = AssumeRoleResult> + Send + '_>> {
        Box::pin(async move {
            let session = with_retries(|| self.assume_role_once(&request), OutboundError::is_transient);
            let AssumedRole {
                credentials,
                packed_policy_percent,
            } = session.await.map_err(|error| Arc::new(error) as SessionError)?;
            tracing::info!(
                session = request.session_name,
                role = self.role_arn,
                packed_policy_percent,
                "assumed the role"
            );
            Ok(credentials)
        })
    }

    async fn assume_role_once(&self, request: &AssumeRoleRequest) -> Result<AssumedRole, OutboundError> {
        let form = self.form(request);
        let response = self.service.post(&[FORM_TYPE], form, Idempotency::Idempotent).await?;
        let status = response.status();
        let body = String::from_utf8(response.into_body().into());
        let body = body.map_err(|_| OutboundError::invalid_response(STS, "it is not UTF-8"))?;
        if status != StatusCode::OK {
            let field = |name| element(&body, name).unwrap_or("-").to_owned();
            return Err(OutboundError::Rejected {
                service: STS.into(),
                operation: format!("AssumeRole for {}", self.role_arn),
                status,
                code: field("Code"),
                message: field("Message"),
            });
        }
        assumed_role(&body)
            .ok_or_else(|| OutboundError::invalid_response(STS, "it has no credentials, or no end of the session"))
    }

    fn form(&self, request: &AssumeRoleRequest) -> String {
        let seconds = self.session_duration.as_secs().to_string();
        let required = [
            ("Action", "AssumeRole"),
            ("Version", "2011-06-15"),
            ("RoleArn", &self.role_arn),
            ("RoleSessionName", &request.session_name),
            ("DurationSeconds", &seconds),
        ];
        let optional = [
            ("ExternalId", self.external_id.as_deref()),
            ("SourceIdentity", request.source_identity.as_deref()),
            ("Policy", request.policy.as_deref()),
        ];
        let optional = optional.into_iter().filter_map(|(name, value)| Some((name, value?)));
        form_encode(required.into_iter().chain(optional))
    }
}

/// Returns true if the session policy is too large for STS in its packed format.
pub(super) fn is_policy_too_large(error: &SessionError) -> bool {
    let error = error.downcast_ref::<OutboundError>();
    matches!(error, Some(OutboundError::Rejected { code, .. }) if code == "PackedPolicyTooLarge")
}

/// Returns the session in the XML of a response.
fn assumed_role(xml: &str) -> Option<AssumedRole> {
    let expiration = DateTime::from_str(element(xml, "Expiration")?, Format::DateTimeWithOffset).ok()?;
    let credentials = Credentials::new(
        element(xml, "AccessKeyId")?,
        element(xml, "SecretAccessKey")?,
        Some(element(xml, "SessionToken")?.to_owned()),
        Some(SystemTime::try_from(expiration).ok()?),
        "role",
    );
    Some(AssumedRole {
        credentials,
        packed_policy_percent: element(xml, "PackedPolicySize").and_then(|size| size.parse().ok()),
    })
}

/// Returns the content of the first element with this name. The elements that are read have no attributes and no
/// children. Only messages can contain character references.
pub(super) fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (value, _) = rest.split_once("</")?;
    Some(value.trim()).filter(|value| !value.is_empty())
}
