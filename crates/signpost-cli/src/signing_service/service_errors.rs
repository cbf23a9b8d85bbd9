//! Converts the error responses of Signpost.

use reqwest::{Response, StatusCode};
use signpost::wire::ProblemDocument;

use crate::exit_status::ExitStatus;
use crate::gateway_error::{self, GatewayError};
use crate::http_client;
use crate::object_url::ObjectUrl;
use crate::operation_error::{OperationError, RetryAdvice};

/// Converts an error response.
pub(super) async fn error_from_response(response: Response, origin: &str) -> OperationError {
    let status = response.status();
    let retry = http_client::retry_advice(status, response.headers());
    let body = http_client::read_body(response).await.unwrap_or_default();
    match serde_json::from_slice::<ProblemDocument>(&body).ok() {
        Some(document) => error_from_problem(document, status, retry),
        None if status.is_redirection() || status.is_success() => unexpected_origin(origin),
        None => error_from_gateway(status, retry, origin, &String::from_utf8_lossy(&body)),
    }
}

/// Converts an error response that is not from Signpost.
fn error_from_gateway(status: StatusCode, retry: Option<RetryAdvice>, origin: &str, body: &str) -> OperationError {
    let returned = format!("{origin} returned {status}");
    let error = match gateway_error::explain(body) {
        Some(GatewayError { message, remedy }) => {
            OperationError::new(exit_status_for(status, retry), format!("{returned}: {message}")).with_remedy(remedy)
        }
        None => OperationError::new(exit_status_for(status, retry), returned)
            .with_remedy("The response is not from Signpost. Check the URL with `signpost doctor URL`."),
    };
    error.with_retry(retry.unwrap_or(RetryAdvice::Never))
}

/// Replaces advice for curl with advice for this command. `base` is the URL of the service.
pub(super) fn with_command_advice(error: OperationError, base: &str, is_own_token: bool) -> OperationError {
    match error.code.as_deref() {
        Some("CredentialRequired") => error.with_remedy(login_remedy(base)),
        Some("InvalidCredential") if is_own_token => error.with_remedy(credential_remedy(base)),
        Some("UnsupportedMediaType") => {
            let types = error
                .remedy
                .as_deref()
                .and_then(|remedy| remedy.split_once(". "))
                .map(|(types, _)| types);
            let remedy = types.map(|types| format!("{types}. Specify it with --content-type."));
            OperationError { remedy, ..error }
        }
        _ => error,
    }
}

/// The remedy if the service requires a credential.
pub(crate) fn login_remedy(base: &str) -> String {
    format!("Log in with `signpost login {base}`, or set SIGNPOST_TOKEN.")
}

/// The remedy if the service rejects a generated token.
pub(crate) fn credential_remedy(base: &str) -> String {
    format!(
        "Check that the token is complete and belongs to this service. `signpost login {base}` stores another token; \
         SIGNPOST_TOKEN and --token-file override it. If the token is correct, ask the operator for a new one."
    )
}

/// The exit status for an error code of Signpost, if the code alone determines it.
pub(crate) fn exit_status_for_rejection(code: &str) -> Option<ExitStatus> {
    match code {
        "AccessDenied" | "CredentialRequired" | "InvalidCredential" => Some(ExitStatus::NotAllowed),
        "NoSuchKey" | "NoSuchUpload" => Some(ExitStatus::NotFound),
        _ => None,
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
