//! The JSON protocols of AWS, which Systems Manager and `DynamoDB` use
//! ([1.0 and 1.1](https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html)).

use http::{HeaderName, StatusCode, header};
use serde_json::Value;

use super::signed_call::AwsService;
use crate::error::chain;
use crate::outbound::https_client::Idempotency;
use crate::outbound::outbound_error::{OutboundError, with_retries};

/// A service that uses a JSON protocol.
#[derive(Debug)]
pub(crate) struct JsonService {
    service: AwsService,
    /// The name of the service in `X-Amz-Target`.
    target: &'static str,
    /// The media type of this version of the protocol.
    content_type: &'static str,
}

impl JsonService {
    pub(super) const fn new(service: AwsService, target: &'static str, content_type: &'static str) -> Self {
        Self {
            service,
            target,
            content_type,
        }
    }

    /// Opens a connection for the next call. A failure is not reported, because the next call opens its own.
    pub(super) async fn connect(&self) {
        if let Err(error) = self.service.connect().await {
            let service = self.service.display_name();
            tracing::debug!(error = chain(&*error), service, "failed to open a connection");
        }
    }

    /// Calls `operation`, with retries if the error is transient.
    pub(super) async fn call(
        &self,
        operation: &'static str,
        input: &Value,
        idempotency: Idempotency,
    ) -> Result<Value, OutboundError> {
        let body = input.to_string();
        let call = || self.call_once(operation, body.clone(), idempotency);
        with_retries(call, OutboundError::is_transient).await
    }

    async fn call_once(
        &self,
        operation: &'static str,
        body: String,
        idempotency: Idempotency,
    ) -> Result<Value, OutboundError> {
        const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
        let target = format!("{}.{operation}", self.target);
        let headers = [(header::CONTENT_TYPE, self.content_type), (TARGET, target.as_str())];
        let response = self.service.post(&headers, body, idempotency).await?;
        let output: Option<Value> = serde_json::from_slice(response.body()).ok();
        match response.status() {
            StatusCode::OK => self.complete(operation, output),
            status => Err(self.rejected(operation, status, &output.unwrap_or_default())),
        }
    }

    /// Rejects an output that lacks items because the table is busy.
    fn complete(&self, operation: &'static str, output: Option<Value>) -> Result<Value, OutboundError> {
        let service = self.service.display_name();
        let output = output.ok_or_else(|| OutboundError::invalid_response(service, "it is not JSON"))?;
        match output["UnprocessedKeys"].as_object() {
            Some(tables) if !tables.is_empty() => Err(OutboundError::Incomplete {
                service: service.into(),
                operation,
            }),
            Some(_) | None => Ok(output),
        }
    }

    fn rejected(&self, operation: &'static str, status: StatusCode, error: &Value) -> OutboundError {
        let text = |name: &str| error[name].as_str();
        let code = text("__type").unwrap_or("-");
        OutboundError::Rejected {
            service: self.service.display_name().into(),
            operation: operation.to_owned(),
            status,
            // The code is the last part of `com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException`.
            code: code.rsplit('#').next().unwrap_or(code).to_owned(),
            message: text("message").or_else(|| text("Message")).unwrap_or("-").to_owned(),
        }
    }
}
