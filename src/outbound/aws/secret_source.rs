//! Secrets that are stored in Systems Manager or Secrets Manager.

use serde_json::json;

use super::credentials::CredentialSource;
use super::json_protocol::JsonService;
use super::parameter_store::ParameterStore;
use super::signed_call::AwsService;
use crate::config::{ConfigError, SecretLocation, Settings};
use crate::outbound::https_client::{HttpsClient, Idempotency};
use crate::outbound::outbound_error::OutboundError;

/// The name of the service in errors.
const SECRETS_MANAGER: &str = "Secrets Manager";

/// A place outside the function where a secret is stored.
#[derive(Debug)]
pub(crate) enum SecretSource {
    Parameter { ssm: ParameterStore, name: String },
    Secret { secrets_manager: JsonService, id: String },
}

impl SecretSource {
    /// Prepares for `location`. `credentials` are those of the function itself.
    pub(crate) fn new(
        settings: &Settings,
        location: &SecretLocation,
        credentials: CredentialSource,
        https: HttpsClient,
    ) -> Result<Self, ConfigError> {
        Ok(match location {
            SecretLocation::Ssm { name } => Self::Parameter {
                ssm: ParameterStore::new(settings, credentials, https)?,
                name: name.clone(),
            },
            SecretLocation::SecretsManager { id } => Self::Secret {
                secrets_manager: secrets_manager(settings, credentials, https)?,
                id: id.clone(),
            },
        })
    }

    /// Returns the secret text.
    pub(crate) async fn fetch(&self) -> Result<String, OutboundError> {
        match self {
            Self::Parameter { ssm, name } => Ok(ssm.get(name).await?.value),
            Self::Secret { secrets_manager, id } => {
                let input = json!({"SecretId": id});
                let output = secrets_manager
                    .call("GetSecretValue", &input, Idempotency::Idempotent)
                    .await?;
                let text = output["SecretString"].as_str();
                let problem = "the secret has no text";
                let text = text.ok_or_else(|| OutboundError::invalid_response(SECRETS_MANAGER, problem))?;
                Ok(text.to_owned())
            }
        }
    }
}

fn secrets_manager(
    settings: &Settings,
    credentials: CredentialSource,
    https: HttpsClient,
) -> Result<JsonService, ConfigError> {
    let endpoint = settings.custom_secrets_manager_endpoint();
    let service = AwsService::new("secretsmanager", settings, endpoint, credentials.0, https);
    let service = service.map_err(|problem| ConfigError {
        var: "AWS_ENDPOINT_URL_SECRETS_MANAGER",
        problem,
    })?;
    Ok(JsonService::new(
        service,
        "secretsmanager",
        "application/x-amz-json-1.1",
    ))
}
