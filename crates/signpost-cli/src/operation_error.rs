//! The error of a request or a transfer: the reason, the remedy, and whether a retry can help.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use rustls::{AlertDescription, Error as TlsError, InvalidMessage};

use crate::exit_status::ExitStatus;

/// An error. It never contains a presigned URL or a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OperationError {
    /// The exit status of a command that fails with this error.
    pub(crate) exit_status: ExitStatus,
    /// The error code of Signpost or S3.
    pub(crate) code: Option<String>,
    /// A lower-case fragment that says what is wrong.
    pub(crate) message: String,
    /// A sentence that says what to do.
    pub(crate) remedy: Option<String>,
    /// The retry advice.
    pub(crate) retry: RetryAdvice,
}

/// Advice about retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryAdvice {
    /// A retry would fail again.
    Never,
    /// Retry after a delay; the server may have specified it.
    Later(Option<Duration>),
    /// Retry once with a new URL: S3 rejected this one.
    NewUrl,
}

impl OperationError {
    pub(crate) fn new(exit_status: ExitStatus, message: impl Into<String>) -> Self {
        Self {
            exit_status,
            code: None,
            message: message.into(),
            remedy: None,
            retry: RetryAdvice::Never,
        }
    }

    /// The command line is invalid.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitStatus::Usage, message)
    }

    /// A temporary failure of the network or a server.
    pub(crate) fn temporary(message: impl Into<String>) -> Self {
        Self::new(ExitStatus::Temporary, message).with_retry(RetryAdvice::Later(None))
    }

    /// A local file or stream cannot be read or written.
    pub(crate) fn io(action: impl fmt::Display, error: &std::io::Error) -> Self {
        Self::new(ExitStatus::Failure, format!("{action}: {error}"))
    }

    /// An error of the HTTP client, without the URL, which can be a secret.
    pub(crate) fn network(error: reqwest::Error) -> Self {
        let host = error.url().and_then(|url| url.host_str().map(str::to_owned));
        let error = error.without_url();
        // The outermost error only says that a request failed. The innermost error contains the reason.
        let mut cause: &(dyn Error + 'static) = &error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let is_permanent = is_permanent_tls_error(cause);
        let cause = cause.to_string();
        let message = match host {
            Some(host) => format!("no response from {host}: {cause}"),
            None => cause,
        };
        if is_permanent {
            return Self::new(ExitStatus::Failure, message)
                .with_remedy("Check the URL, the certificate of the server and the clock of this machine.");
        }
        Self::temporary(message).with_remedy("Check the network and the URL, and run the command again.")
    }

    pub(crate) fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    pub(crate) fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    pub(crate) const fn with_retry(mut self, retry: RetryAdvice) -> Self {
        self.retry = retry;
        self
    }
}

/// Returns true if one of the two sides rejects the TLS connection, so that every other attempt would fail too.
fn is_permanent_tls_error(cause: &(dyn Error + 'static)) -> bool {
    match tls_error(cause) {
        Some(TlsError::AlertReceived(alert)) => is_rejection(*alert),
        Some(
            TlsError::InvalidCertificate(_)
            | TlsError::NoCertificatesPresented
            | TlsError::PeerIncompatible(_)
            | TlsError::InvalidMessage(InvalidMessage::InvalidContentType),
        ) => true,
        _ => false,
    }
}

/// The error of TLS, which can be inside errors of streams.
fn tls_error<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a TlsError> {
    let inner = || cause.downcast_ref::<std::io::Error>()?.get_ref();
    cause.downcast_ref().or_else(|| tls_error(inner()?))
}

/// Returns true if a server sends this alert because of the client or its own configuration.
const fn is_rejection(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::AccessDenied
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateRequired
            | AlertDescription::CertificateUnknown
            | AlertDescription::HandshakeFailure
            | AlertDescription::InsufficientSecurity
            | AlertDescription::NoApplicationProtocol
            | AlertDescription::ProtocolVersion
            | AlertDescription::UnknownCA
            | AlertDescription::UnrecognisedName
    )
}

impl fmt::Display for OperationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n{remedy}"),
            None => Ok(()),
        }
    }
}

impl Error for OperationError {}
