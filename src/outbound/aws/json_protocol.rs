//! AWS's JSON protocols, as Systems Manager and `DynamoDB` speak them
//! ([1.0 and 1.1](https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html)).

use http::{HeaderName, StatusCode, header};
use serde_json::Value;

use super::signed_call::{CallError, Service, patiently};

/// A service that speaks JSON, and its name in the targets.
#[derive(Debug)]
pub(crate) struct JsonService {
    service: Service,
    target: &'static str,
    content_type: &'static str,
}

/// Why a service did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JsonError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("{operation} was refused: {status}, {code}: {message}")]
    Refused {
        operation: &'static str,
        status: StatusCode,
        code: String,
        message: String,
    },
    #[error("the answer to {operation} is not what it should be")]
    Unreadable { operation: &'static str },
    #[error("{operation} was done in part only")]
    Unfinished { operation: &'static str },
}

impl JsonService {
    /// Wraps `service`; `target` is what it calls itself, and `content_type` names the version of the protocol.
    pub(super) const fn new(service: Service, target: &'static str, content_type: &'static str) -> Self {
        Self {
            service,
            target,
            content_type,
        }
    }

    /// Does `operation`, again where the failure may pass.
    pub(super) async fn call(&self, operation: &'static str, input: &Value) -> Result<Value, JsonError> {
        let body = input.to_string();
        patiently(|| self.once(operation, body.clone()), JsonError::may_pass).await
    }

    async fn once(&self, operation: &'static str, body: String) -> Result<Value, JsonError> {
        const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
        let target = format!("{}.{operation}", self.target);
        let headers = [(header::CONTENT_TYPE, self.content_type), (TARGET, target.as_str())];
        let answer = self.service.post(&headers, body).await?;
        let told: Option<Value> = serde_json::from_slice(answer.body()).ok();
        match answer.status() {
            StatusCode::OK => whole(operation, told.ok_or(JsonError::Unreadable { operation })?),
            status => Err(refused(operation, status, &told.unwrap_or_default())),
        }
    }
}

/// Refuses an answer that lacks something only because the table has much to do.
fn whole(operation: &'static str, told: Value) -> Result<Value, JsonError> {
    match told["UnprocessedKeys"].as_object() {
        Some(tables) if !tables.is_empty() => Err(JsonError::Unfinished { operation }),
        Some(_) | None => Ok(told),
    }
}

fn refused(operation: &'static str, status: StatusCode, told: &Value) -> JsonError {
    let text = |name: &str| told[name].as_str();
    let code = text("__type").unwrap_or("-");
    JsonError::Refused {
        operation,
        status,
        // `com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException` for the last word of it.
        code: code.rsplit('#').next().unwrap_or(code).to_owned(),
        message: text("message").or_else(|| text("Message")).unwrap_or("-").to_owned(),
    }
}

impl JsonError {
    fn may_pass(&self) -> bool {
        const PASSING: [&str; 3] = ["Throttl", "ProvisionedThroughputExceeded", "RequestLimitExceeded"];
        match self {
            Self::Call(error) => error.may_pass(),
            Self::Refused { status, code, .. } => {
                status.is_server_error() || PASSING.iter().any(|passing| code.starts_with(passing))
            }
            Self::Unfinished { .. } => true,
            Self::Unreadable { .. } => false,
        }
    }
}
