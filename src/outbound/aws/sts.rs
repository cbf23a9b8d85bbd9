//! `AssumeRole`: one signed call to the regional endpoint of STS.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_types::date_time::{DateTime, Format};
use http::{StatusCode, header};

use super::role_sessions::SessionError;
use super::signed_call::{CallError, Service, patiently};
use crate::config::Settings;
use crate::encoding::form_encode;

const FORM: (header::HeaderName, &str) = (header::CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8");

/// Assumes the signer role.
#[derive(Debug)]
pub(super) struct Sts {
    role_arn: String,
    session: Duration,
    service: Service,
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
    #[error("there was no answer")]
    Call(#[from] CallError),
    #[error("the answer of STS is no text")]
    NoText(#[from] std::string::FromUtf8Error),
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
        Ok(Self {
            role_arn: role_arn.to_owned(),
            session: settings.signer_session,
            service: Service::new("sts", settings, settings.custom_sts_endpoint(), base)?,
        })
    }

    /// A new session. The future stands on the heap, so that the path of every other request does not carry it.
    pub(super) fn assume(&self, wanted: Wanted) -> Pin<Box<dyn Future<Output = Assumed> + Send + '_>> {
        Box::pin(async move {
            let session = patiently(|| self.once(&wanted), StsError::may_pass)
                .await
                .map_err(|error| Arc::new(error) as SessionError)?;
            tracing::info!(session = wanted.session_name, "assumed the signer role");
            Ok(session)
        })
    }

    async fn once(&self, wanted: &Wanted) -> Result<Credentials, StsError> {
        let answer = self.service.post(&[FORM], self.form(wanted)).await?;
        let status = answer.status();
        let text = String::from_utf8(answer.into_body().into())?;
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
        form_encode(pairs)
    }
}

impl StsError {
    /// Whether the same call may succeed in a moment.
    fn may_pass(&self) -> bool {
        match self {
            Self::Call(error) => error.may_pass(),
            Self::Refused { status, code, .. } => status.is_server_error() || code.starts_with("Throttling"),
            Self::NoText(_) | Self::Incomplete => false,
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
pub(super) fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (value, _) = rest.split_once("</")?;
    Some(value.trim()).filter(|value| !value.is_empty())
}
