//! The errors of calls to other services, and the retries of calls whose errors are transient.

use std::borrow::Cow;
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use super::https_client::{BoxError, REQUEST_TIMEOUT, SendError};

/// The pause before each further attempt.
const RETRY_PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];

/// No attempt starts if it could end later than this after the first. A request has eight seconds, and may need several
/// calls.
const RETRY_BUDGET: Duration = Duration::from_millis(6500);

/// The reason why a call to another service failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutboundError {
    #[error("no credentials to call {service}")]
    NoCredentials {
        service: Cow<'static, str>,
        source: BoxError,
    },
    #[error("failed to create the request to {service}")]
    InvalidRequest {
        service: Cow<'static, str>,
        source: BoxError,
    },
    #[error("failed to call {service}")]
    Send {
        service: Cow<'static, str>,
        source: SendError,
    },
    #[error("{service} rejected {operation}: {status}, {code}: {message}")]
    Rejected {
        service: Cow<'static, str>,
        operation: String,
        status: StatusCode,
        code: String,
        message: String,
    },
    #[error("unexpected response from {service}: {problem}")]
    InvalidResponse {
        service: Cow<'static, str>,
        problem: Cow<'static, str>,
    },
    #[error("{service} completed {operation} only in part")]
    Incomplete {
        service: Cow<'static, str>,
        operation: &'static str,
    },
}

impl OutboundError {
    /// Returns the error of a response with unexpected content.
    pub(crate) fn invalid_response(service: &'static str, problem: impl Into<Cow<'static, str>>) -> Self {
        Self::InvalidResponse {
            service: service.into(),
            problem: problem.into(),
        }
    }

    /// Returns true if the same call may succeed a moment later.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Send { .. } | Self::Incomplete { .. } => true,
            Self::Rejected { status, code, .. } => status.is_server_error() || is_throttling(code),
            Self::NoCredentials { .. } | Self::InvalidRequest { .. } | Self::InvalidResponse { .. } => false,
        }
    }
}

/// Returns true for the error codes with which AWS services limit the rate of calls.
fn is_throttling(code: &str) -> bool {
    const CODES: [&str; 3] = ["Throttl", "ProvisionedThroughputExceeded", "RequestLimitExceeded"];
    CODES.iter().any(|prefix| code.starts_with(prefix))
}

/// Calls `attempt` up to three times, while its errors are transient and the time allows.
pub(crate) async fn with_retries<T, E, F>(attempt: impl Fn() -> F, is_transient: impl Fn(&E) -> bool) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    let started = Instant::now();
    for pause in RETRY_PAUSES {
        let outcome = attempt().await;
        let in_time = started.elapsed() + pause + REQUEST_TIMEOUT <= RETRY_BUDGET;
        match outcome {
            Err(error) if is_transient(&error) && in_time => tokio::time::sleep(pause).await,
            outcome => return outcome,
        }
    }
    attempt().await
}
