//! Rules that are kept in an object or in a parameter of Systems Manager.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use serde_json::json;

use super::credentials::CredentialSource;
use super::json_protocol::{JsonError, JsonService};
use super::presigner::Signer;
use super::signed_call::{Service, patiently};
use super::sts::element;
use crate::config::{ConfigError, RulesSource, Settings};
use crate::key::ObjectKey;
use crate::operation::Operation;
use crate::outbound::https_client::{self as https, Https};
use crate::plan::{PresignError, PresignPlan};
use crate::policy::GrantScope;

/// No rules are longer.
const LONGEST_RULES: usize = 256 * 1024;

/// A client waits for its answer meanwhile, and the function itself has ten seconds.
const ONE_ATTEMPT: Duration = Duration::from_secs(2);

/// A place outside the function that keeps rules.
#[derive(Debug)]
pub(crate) enum RemoteRules {
    Object(RulesObject),
    Parameter { ssm: JsonService, name: String },
}

#[derive(Debug)]
pub(crate) struct RulesObject {
    signer: Signer,
    key: ObjectKey,
    credentials: CredentialSource,
    https: Https,
}

/// A text of rules.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// The text.
    pub(crate) text: String,
    /// What tells it from others that are kept in the same place.
    pub(crate) tag: String,
}

/// Why rules could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error(transparent)]
    Sign(#[from] PresignError),
    #[error("the request can't be made")]
    Request(#[from] http::Error),
    #[error("S3 was not reached")]
    Unreached(#[source] https::Error),
    #[error("S3 did not answer within {} s", ONE_ATTEMPT.as_secs())]
    Silent,
    #[error("S3 answered {status}, {code}")]
    Refused { status: StatusCode, code: String },
    #[error("S3 told no ETag")]
    Untagged,
    #[error(transparent)]
    Ssm(#[from] JsonError),
    #[error("the parameter has no value")]
    NoValue,
    #[error("the rules are not UTF-8")]
    NotText(#[from] std::string::FromUtf8Error),
}

impl RemoteRules {
    /// Finds out where `source` is; `credentials` are those of the function itself.
    pub(crate) async fn new(
        settings: &Settings,
        source: &RulesSource,
        credentials: CredentialSource,
    ) -> Result<Self, ConfigError> {
        match source {
            RulesSource::S3 { bucket, key } => Ok(Self::Object(RulesObject {
                signer: Signer::resolve(&in_bucket(settings, bucket)).await?,
                key: key.clone(),
                credentials,
                https: Https::default(),
            })),
            RulesSource::Ssm { name } => {
                let service = Service::new("ssm", settings, settings.custom_ssm_endpoint(), credentials.0);
                let service = service.map_err(|problem| ConfigError {
                    var: "AWS_ENDPOINT_URL_SSM",
                    problem,
                })?;
                Ok(Self::Parameter {
                    ssm: JsonService::new(service, "AmazonSSM", "application/x-amz-json-1.1"),
                    name: name.clone(),
                })
            }
        }
    }

    /// The rules, unless they are those with the tag `known`.
    pub(crate) async fn fetch(&self, known: Option<&str>, now: SystemTime) -> Result<Option<Fetched>, FetchError> {
        match self {
            Self::Object(object) => patiently(|| object.fetch(known, now), FetchError::may_pass).await,
            Self::Parameter { ssm, name } => parameter(ssm, name, known).await,
        }
    }
}

/// The settings for an object that clients have nothing to do with.
fn in_bucket(settings: &Settings, bucket: &str) -> Settings {
    Settings {
        bucket: bucket.to_owned(),
        accelerate: false,
        ..settings.clone()
    }
}

impl RulesObject {
    async fn fetch(&self, known: Option<&str>, now: SystemTime) -> Result<Option<Fetched>, FetchError> {
        let request = self.request(known, now).await?;
        let answer = tokio::time::timeout(ONE_ATTEMPT, self.https.send(request, LONGEST_RULES)).await;
        let answer = answer.map_err(|_| FetchError::Silent)?.map_err(FetchError::Unreached)?;
        match answer.status() {
            StatusCode::OK => Ok(Some(fetched(answer)?)),
            StatusCode::NOT_MODIFIED if known.is_some() => Ok(None),
            status => Err(FetchError::Refused {
                status,
                code: element(&String::from_utf8_lossy(answer.body()), "Code")
                    .unwrap_or("-")
                    .to_owned(),
            }),
        }
    }

    async fn request(&self, known: Option<&str>, now: SystemTime) -> Result<Request<Bytes>, FetchError> {
        let plan = PresignPlan {
            operation: Operation::GetObject,
            key: self.key.clone(),
            name: self.key.clone(),
            headers: Vec::new(),
            query: Vec::new(),
            expires: Duration::from_mins(1),
            reuse_url_for: None,
            scope: GrantScope::default(),
            counted: None,
        };
        let credentials = self.credentials.credentials().await?;
        let signed = self.signer.sign(plan, &credentials, now)?;
        let request = Request::get(signed.url.expose());
        let request = known
            .into_iter()
            .fold(request, |request, tag| request.header(header::IF_NONE_MATCH, tag));
        Ok(request.body(Bytes::new())?)
    }
}

fn fetched(answer: Response<Bytes>) -> Result<Fetched, FetchError> {
    let tag = answer.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok());
    let tag = tag.ok_or(FetchError::Untagged)?.to_owned();
    let text = String::from_utf8(answer.into_body().into())?;
    Ok(Fetched { text, tag })
}

async fn parameter(ssm: &JsonService, name: &str, known: Option<&str>) -> Result<Option<Fetched>, FetchError> {
    let answer = ssm
        .call("GetParameter", &json!({"Name": name, "WithDecryption": true}))
        .await?;
    let parameter = &answer["Parameter"];
    let tag = parameter["Version"].to_string();
    if known == Some(&tag) {
        return Ok(None);
    }
    let text = parameter["Value"].as_str().ok_or(FetchError::NoValue)?.to_owned();
    Ok(Some(Fetched { text, tag }))
}

impl FetchError {
    fn may_pass(&self) -> bool {
        match self {
            Self::Unreached(_) | Self::Silent => true,
            Self::Refused { status, .. } => status.is_server_error(),
            Self::Sign(_) | Self::Request(_) | Self::Untagged | Self::Ssm(_) | Self::NoValue | Self::NotText(_) => {
                false
            }
        }
    }
}
