//! The S3 client: sends requests that Signpost has signed, and parses the errors of S3.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::CONTENT_LENGTH;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;

use crate::exit_status::ExitStatus;
use crate::http_client::{self, HttpClients};
use crate::instruction::Instruction;
use crate::operation_error::{OperationError, RetryAdvice};
use crate::progress::TransferProgress;
use crate::s3_remedies;
use crate::upload_source::UploadSource;

/// How long S3 may take to complete a multipart upload.
const COMPLETE_TIMEOUT: Duration = Duration::from_mins(15);

/// A client for presigned URLs. It has no credential.
#[derive(Clone, Debug)]
pub(crate) struct S3Client {
    http: HttpClients,
}

/// [Error responses](https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct S3ErrorBody {
    pub(crate) code: String,
    pub(crate) message: String,
}

impl S3Client {
    pub(crate) const fn new(http: HttpClients) -> Self {
        Self { http }
    }

    /// Sends a request without a body. `headers` are sent in addition to the headers of the instruction.
    pub(crate) async fn send(
        &self,
        instruction: &Instruction,
        headers: &[(&str, &str)],
    ) -> Result<Response, OperationError> {
        let mut request = self.request(instruction)?;
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send_with_timeout(request, http_client::RESPONSE_TIMEOUT).await
    }

    /// Sends a request with an XML document, and reads the document in the response.
    pub(crate) async fn send_document(
        &self,
        instruction: &Instruction,
        document: String,
    ) -> Result<Bytes, OperationError> {
        // S3 can take minutes to complete a multipart upload.
        let request = self.request(instruction)?.body(document);
        http_client::read_body(send_with_timeout(request, COMPLETE_TIMEOUT).await?).await
    }

    /// Sends a request with a body.
    pub(crate) async fn upload(
        &self,
        instruction: &Instruction,
        source: &UploadSource,
        progress: &TransferProgress,
    ) -> Result<Response, OperationError> {
        let mut request = self.request(instruction)?;
        if !instruction.headers.contains_key(CONTENT_LENGTH.as_str()) {
            request = request.header(CONTENT_LENGTH, source.len());
        }
        let (body, counter) = source.body(progress);
        let sent = tokio::select! {
            sent = request.body(body).send() => sent.map_err(OperationError::network),
            () = counter.wait_until_stalled(http_client::RESPONSE_TIMEOUT) => Err(timeout_error()),
        };
        let stored = match sent {
            Ok(response) => check_status(response).await,
            Err(error) => Err(error),
        };
        if stored.is_err() {
            counter.roll_back();
            // The connection broke because the file had no more bytes to send.
            if source.is_truncated() {
                return Err(OperationError::new(
                    ExitStatus::Conflict,
                    "the file became shorter during the upload",
                ));
            }
        }
        stored
    }

    fn request(&self, instruction: &Instruction) -> Result<RequestBuilder, OperationError> {
        let mut request = self.http.request(method(instruction)?, instruction.url.expose());
        for (name, value) in &instruction.headers {
            request = request.header(name, value);
        }
        Ok(request)
    }
}

async fn send_with_timeout(request: RequestBuilder, timeout: Duration) -> Result<Response, OperationError> {
    let sent = tokio::time::timeout(timeout, request.send()).await;
    check_status(sent.map_err(|_| timeout_error())?.map_err(OperationError::network)?).await
}

fn method(instruction: &Instruction) -> Result<Method, OperationError> {
    instruction
        .method
        .parse()
        .map_err(|_| OperationError::new(ExitStatus::Failure, "the service returned an invalid HTTP method"))
}

fn timeout_error() -> OperationError {
    OperationError::temporary("S3 stopped responding")
}

/// Returns the response if its status is a success.
async fn check_status(response: Response) -> Result<Response, OperationError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let retry_advice = http_client::retry_advice(status, response.headers());
    let body = http_client::read_body(response).await.unwrap_or_default();
    Err(error_from_response(status, retry_advice, &parse_error_body(&body)))
}

/// The error in a response that has a success status.
pub(crate) fn error_in_success_response(body: &[u8]) -> OperationError {
    let body_error = parse_error_body(body);
    match body_error.code.as_str() {
        "" => OperationError::new(ExitStatus::Failure, "S3 returned an unexpected response"),
        "InternalError" | "ServiceUnavailable" | "SlowDown" => error_from_response(
            StatusCode::SERVICE_UNAVAILABLE,
            Some(RetryAdvice::Later(None)),
            &body_error,
        ),
        "PreconditionFailed" => error_from_response(StatusCode::PRECONDITION_FAILED, None, &body_error),
        "NoSuchUpload" => error_from_response(StatusCode::NOT_FOUND, None, &body_error),
        _ => error_from_response(StatusCode::BAD_REQUEST, None, &body_error),
    }
}

/// Parses an error document. The response to HEAD has no body, and the response of a proxy is not XML.
pub(crate) fn parse_error_body(body: &[u8]) -> S3ErrorBody {
    let text = std::str::from_utf8(body).unwrap_or_default();
    quick_xml::de::from_str(text).unwrap_or_default()
}

/// Converts an error response of S3.
pub(crate) fn error_from_response(
    status: StatusCode,
    retry_advice: Option<RetryAdvice>,
    body_error: &S3ErrorBody,
) -> OperationError {
    let (exit_status, retry) = match (status, body_error.code.as_str(), retry_advice) {
        (_, "BadDigest" | "InvalidDigest" | "XAmzContentChecksumMismatch" | "XAmzContentSHA256Mismatch", _) => {
            (ExitStatus::WrongChecksum, RetryAdvice::Never)
        }
        (_, "RequestTimeout" | "ConditionalRequestConflict" | "OperationAborted", None) => {
            (ExitStatus::Temporary, RetryAdvice::Later(None))
        }
        (_, _, Some(retry)) => (ExitStatus::Temporary, retry),
        (StatusCode::FORBIDDEN, ..) | (_, "ExpiredToken", _) => (ExitStatus::NotAllowed, RetryAdvice::NewUrl),
        (StatusCode::NOT_FOUND, ..) => (ExitStatus::NotFound, RetryAdvice::Never),
        (StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED, ..) => (ExitStatus::Conflict, RetryAdvice::Never),
        _ => (ExitStatus::Failure, RetryAdvice::Never),
    };
    let why = match (body_error.code.as_str(), body_error.message.as_str()) {
        ("", _) => status_message(status),
        (code, "") => format!("S3 returned {code}"),
        (code, message) => format!("S3 returned {code}: {}", message.trim_end_matches('.')),
    };
    let code = if body_error.code.is_empty() {
        status.as_str()
    } else {
        &body_error.code
    };
    OperationError {
        remedy: s3_remedies::remedy_for_code(code).map(str::to_owned),
        ..OperationError::new(exit_status, why).with_code(code).with_retry(retry)
    }
}

fn status_message(status: StatusCode) -> String {
    match status {
        StatusCode::NOT_FOUND => "the object does not exist".into(),
        StatusCode::FORBIDDEN => "S3 rejected the request".into(),
        status => format!("S3 returned {status}"),
    }
}
