//! Rules that are stored in an S3 object or in a parameter of Systems Manager.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};

use super::credentials::CredentialSource;
use super::parameter_store::{Parameter, ParameterStore};
use super::presigner::Presigner;
use super::sts::element;
use crate::config::{ConfigError, RulesSource, Settings};
use crate::key::ObjectKey;
use crate::operation::Operation;
use crate::outbound::https_client::{HttpsClient, Idempotency};
use crate::outbound::outbound_error::{OutboundError, with_retries};
use crate::plan::PresignPlan;
use crate::policy::GrantScope;

/// The maximum size of a rules file.
const MAX_RULES_BYTES: usize = 256 * 1024;

/// The name of the service in errors.
const S3: &str = "S3";

/// A place outside the function where rules are stored.
#[derive(Debug)]
pub(crate) enum PolicySource {
    Object(RulesObject),
    Parameter { ssm: ParameterStore, name: String },
}

#[derive(Debug)]
pub(crate) struct RulesObject {
    presigner: Presigner,
    key: ObjectKey,
    credentials: CredentialSource,
    https: HttpsClient,
}

/// The text of a rules file.
#[derive(Debug)]
pub(crate) struct RulesText {
    pub(crate) text: String,
    /// The version of the text: an `ETag` or the version of the parameter.
    pub(crate) tag: String,
}

impl PolicySource {
    /// Prepares for `source`. `credentials` are those of the function itself.
    pub(crate) async fn new(
        settings: &Settings,
        source: &RulesSource,
        credentials: CredentialSource,
        https: HttpsClient,
    ) -> Result<Self, ConfigError> {
        match source {
            RulesSource::S3 { bucket, key } => Ok(Self::Object(RulesObject {
                presigner: Presigner::resolve(&settings_for_bucket(settings, bucket)).await?,
                key: key.clone(),
                credentials,
                https,
            })),
            RulesSource::Ssm { name } => Ok(Self::Parameter {
                ssm: ParameterStore::new(settings, credentials, https)?,
                name: name.clone(),
            }),
        }
    }

    /// Returns the rules, or `None` if they still have the tag `known_tag`.
    pub(crate) async fn fetch(
        &self,
        known_tag: Option<&str>,
        now: SystemTime,
    ) -> Result<Option<RulesText>, OutboundError> {
        match self {
            Self::Object(object) => with_retries(|| object.fetch(known_tag, now), OutboundError::is_transient).await,
            Self::Parameter { ssm, name } => fetch_parameter(ssm, name, known_tag).await,
        }
    }
}

/// Returns the settings for the bucket of the rules, which clients do not use.
fn settings_for_bucket(settings: &Settings, bucket: &str) -> Settings {
    Settings {
        bucket: Some(bucket.to_owned()),
        accelerate: false,
        ..settings.clone()
    }
}

impl RulesObject {
    async fn fetch(&self, known_tag: Option<&str>, now: SystemTime) -> Result<Option<RulesText>, OutboundError> {
        let request = self.request(known_tag, now).await?;
        let response = self.https.send(request, Idempotency::Idempotent, MAX_RULES_BYTES).await;
        let response = response.map_err(|source| OutboundError::Send {
            service: S3.into(),
            source,
        })?;
        match response.status() {
            StatusCode::OK => rules_text(response).map(Some),
            StatusCode::NOT_MODIFIED if known_tag.is_some() => Ok(None),
            status => Err(rejected(status, &String::from_utf8_lossy(response.body()))),
        }
    }

    async fn request(&self, known_tag: Option<&str>, now: SystemTime) -> Result<Request<Bytes>, OutboundError> {
        let plan = PresignPlan {
            operation: Operation::GetObject,
            key: self.key.clone(),
            public_key: self.key.clone(),
            headers: Vec::new(),
            query: Vec::new(),
            expires: Duration::from_mins(1),
            reuse_url_for: None,
            scope: GrantScope::default(),
            link_use: None,
        };
        let credentials = self.credentials.credentials().await;
        let credentials = credentials.map_err(|error| OutboundError::NoCredentials {
            service: S3.into(),
            source: error.into(),
        })?;
        let signed = self.presigner.sign(plan, &credentials, now);
        let signed = signed.map_err(|error| invalid_request(error.into()))?;
        let request = Request::get(signed.url.expose());
        let request = known_tag
            .into_iter()
            .fold(request, |request, tag| request.header(header::IF_NONE_MATCH, tag));
        request
            .body(Bytes::new())
            .map_err(|error| invalid_request(error.into()))
    }
}

fn invalid_request(source: Box<dyn std::error::Error + Send + Sync>) -> OutboundError {
    OutboundError::InvalidRequest {
        service: S3.into(),
        source,
    }
}

fn rejected(status: StatusCode, xml: &str) -> OutboundError {
    let field = |name| element(xml, name).unwrap_or("-").to_owned();
    OutboundError::Rejected {
        service: S3.into(),
        operation: "GetObject for the rules".to_owned(),
        status,
        code: field("Code"),
        message: field("Message"),
    }
}

fn rules_text(response: Response<Bytes>) -> Result<RulesText, OutboundError> {
    let tag = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok());
    let tag = tag.ok_or_else(|| OutboundError::invalid_response(S3, "it has no ETag"))?;
    let tag = tag.to_owned();
    let text = String::from_utf8(response.into_body().into());
    let text = text.map_err(|_| OutboundError::invalid_response(S3, "the rules are not UTF-8"))?;
    Ok(RulesText { text, tag })
}

async fn fetch_parameter(
    ssm: &ParameterStore,
    name: &str,
    known_tag: Option<&str>,
) -> Result<Option<RulesText>, OutboundError> {
    let Parameter { value, version } = ssm.get(name).await?;
    Ok((known_tag != Some(&version)).then_some(RulesText {
        text: value,
        tag: version,
    }))
}
