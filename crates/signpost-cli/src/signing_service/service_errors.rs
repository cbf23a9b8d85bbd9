//! Converts the error responses of Signpost.

use reqwest::{Response, StatusCode};
use signpost::wire::ProblemDocument;

use crate::exit_status::ExitStatus;
use crate::http_client;
use crate::object_url::ObjectUrl;
use crate::operation_error::{OperationError, RetryAdvice};

/// Converts an error response.
pub(super) async fn error_from_response(response: Response, origin: &str) -> OperationError {
    let status = response.status();
    let retry = http_client::retry_advice(status, response.headers());
    let document = http_client::read_body(response).await.ok();
    match document.and_then(|body| serde_json::from_slice::<ProblemDocument>(&body).ok()) {
        Some(document) => error_from_problem(document, status, retry),
        None if status.is_redirection() || status.is_success() => unexpected_origin(origin),
        None => OperationError::new(exit_status_for(status, retry), format!("{origin} returned {status}"))
            .with_retry(retry.unwrap_or(RetryAdvice::Never)),
    }
}

/// Converts a problem document.
pub(super) fn error_from_problem(
    problem: ProblemDocument,
    status: StatusCode,
    retry: Option<RetryAdvice>,
) -> OperationError {
    OperationError {
        remedy: problem.remedy,
        ..OperationError::new(exit_status_for(status, retry), problem.detail).with_code(problem.code)
    }
    .with_retry(retry.unwrap_or(RetryAdvice::Never))
}

fn exit_status_for(status: StatusCode, retry: Option<RetryAdvice>) -> ExitStatus {
    match status {
        _ if retry.is_some() => ExitStatus::Temporary,
        StatusCode::NOT_FOUND => ExitStatus::NotFound,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ExitStatus::NotAllowed,
        StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => ExitStatus::Conflict,
        _ => ExitStatus::Failure,
    }
}

pub(super) fn timeout_error(origin: &str) -> OperationError {
    OperationError::temporary(format!("{origin} did not respond"))
}

/// The error for a response that is not from Signpost.
pub(crate) fn unexpected_response(object_url: &ObjectUrl) -> OperationError {
    unexpected_origin(object_url.origin())
}

fn unexpected_origin(origin: &str) -> OperationError {
    OperationError::new(
        ExitStatus::Failure,
        format!("{origin} returned an unexpected response; is it a Signpost server?"),
    )
    .with_remedy("Check the URL, or run `signpost doctor URL`.")
}

/// The error for a response with another key: the path was changed on the way to the service.
pub(crate) fn key_mismatch(object_url: &ObjectUrl) -> OperationError {
    OperationError::new(
        ExitStatus::Failure,
        format!("the service returned another key than the key of {object_url}"),
    )
    .with_remedy(
        "The front of the service changes the path. Use a key without special characters, or contact the operator.",
    )
}
