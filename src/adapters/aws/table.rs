//! The table in `DynamoDB`. Its partition key is the text `id`; `ends` is the time after which an item may go.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::call::Service;
use super::credentials::CredentialSource;
use super::json::{JsonError, JsonService};
use crate::config::{ConfigError, Settings};
use crate::plan::CountedUse;

/// An item outlives its link by so much, since clocks differ: one that goes too early would lend its uses again.
const SLACK: Duration = Duration::from_hours(24);

/// A table.
#[derive(Debug)]
pub(crate) struct DynamoTable {
    service: JsonService,
    name: String,
}

impl DynamoTable {
    /// The table of this name or ARN; `credentials` are those of the function itself.
    pub(crate) fn new(settings: &Settings, name: &str, credentials: CredentialSource) -> Result<Self, ConfigError> {
        let service = Service::new("dynamodb", settings, settings.custom_dynamodb_endpoint(), credentials.0);
        let service = service.map_err(|problem| ConfigError {
            var: "AWS_ENDPOINT_URL_DYNAMODB",
            problem,
        })?;
        Ok(Self {
            service: JsonService::new(service, "DynamoDB_20120810", "application/x-amz-json-1.0"),
            name: name.to_owned(),
        })
    }

    /// Takes one use of a link, if one is left
    /// ([conditional updates](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithItems.html#WorkingWithItems.ConditionalUpdate)).
    /// Where the answer is lost on the way and the call repeated, a use may be lost with it; none is given twice.
    pub(crate) async fn take(&self, counted: &CountedUse) -> Result<bool, JsonError> {
        match self.service.call("UpdateItem", &self.update(counted)).await {
            Ok(_) => Ok(true),
            Err(JsonError::Refused { code, .. }) if code == "ConditionalCheckFailedException" => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn update(&self, counted: &CountedUse) -> Value {
        let ends = (counted.ends + SLACK).duration_since(SystemTime::UNIX_EPOCH);
        let number = |number: u64| json!({"N": number.to_string()});
        json!({
            "TableName": self.name,
            "Key": {"id": {"S": format!("use:{}", counted.link)}},
            "UpdateExpression": "SET #ends = :ends ADD #used :one",
            "ConditionExpression": "attribute_not_exists(#used) OR #used < :most",
            "ExpressionAttributeNames": {"#used": "used", "#ends": "ends"},
            "ExpressionAttributeValues": {
                ":one": number(1),
                ":most": number(counted.most.into()),
                ":ends": number(ends.unwrap_or_default().as_secs()),
            },
        })
    }
}
