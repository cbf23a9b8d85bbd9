//! Parameters of Systems Manager.

use serde_json::json;

use super::credentials::CredentialSource;
use super::json_protocol::JsonService;
use super::signed_call::AwsService;
use crate::config::{ConfigError, Settings};
use crate::outbound::https_client::{HttpsClient, Idempotency};
use crate::outbound::outbound_error::OutboundError;

/// The name of the service in errors.
const SSM: &str = "Systems Manager";

/// The Parameter Store of Systems Manager.
#[derive(Debug)]
pub(crate) struct ParameterStore(JsonService);

/// The decrypted value of a parameter.
pub(super) struct Parameter {
    pub(super) value: String,
    /// The version number, as a text.
    pub(super) version: String,
}

impl ParameterStore {
    pub(super) fn new(
        settings: &Settings,
        credentials: CredentialSource,
        https: HttpsClient,
    ) -> Result<Self, ConfigError> {
        let endpoint = settings.custom_ssm_endpoint();
        let service = AwsService::new("ssm", settings, endpoint, credentials.0, https);
        let service = service.map_err(|problem| ConfigError {
            var: "AWS_ENDPOINT_URL_SSM",
            problem,
        })?;
        Ok(Self(JsonService::new(
            service,
            "AmazonSSM",
            "application/x-amz-json-1.1",
        )))
    }

    pub(super) async fn get(&self, name: &str) -> Result<Parameter, OutboundError> {
        let input = json!({"Name": name, "WithDecryption": true});
        let output = self.0.call("GetParameter", &input, Idempotency::Idempotent).await?;
        let parameter = &output["Parameter"];
        let value = parameter["Value"].as_str();
        let value = value.ok_or_else(|| OutboundError::invalid_response(SSM, "the parameter has no value"))?;
        Ok(Parameter {
            value: value.to_owned(),
            version: parameter["Version"].to_string(),
        })
    }
}
