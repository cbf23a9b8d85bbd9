//! The result of one check.

use std::fmt;

use crate::exit_status::ExitStatus;
use crate::terminal_text;

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CheckResult {
    pub(crate) status: CheckStatus,
    /// A fragment that says what was found.
    pub(crate) message: String,
    /// A sentence that says what to do.
    pub(crate) remedy: Option<String>,
    /// The exit status of the command, if this is its first failed check.
    pub(crate) exit_status: ExitStatus,
}

/// The status of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CheckStatus {
    Passed,
    /// Additional information.
    Note,
    Failed,
}

impl CheckStatus {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Passed => "ok",
            Self::Note => "note",
            Self::Failed => "error",
        }
    }
}

impl CheckResult {
    pub(crate) fn passed(message: impl Into<String>) -> Self {
        Self::new(CheckStatus::Passed, message)
    }

    pub(crate) fn note(message: impl Into<String>) -> Self {
        Self::new(CheckStatus::Note, message)
    }

    /// A failed check and its remedy.
    pub(crate) fn failed(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            exit_status: ExitStatus::Failure,
            ..Self::new(CheckStatus::Failed, message).with_remedy(remedy)
        }
    }

    /// Adds what to do, if the finding is a problem.
    pub(crate) fn with_remedy(self, remedy: impl Into<String>) -> Self {
        Self {
            remedy: Some(remedy.into()),
            ..self
        }
    }

    /// Adds the mount that the check concerns.
    pub(crate) fn in_mount(self, at: &str) -> Self {
        Self {
            message: format!("mount {at:?}: {}", self.message),
            ..self
        }
    }

    pub(crate) fn with_exit_status(self, exit_status: ExitStatus) -> Self {
        Self { exit_status, ..self }
    }

    fn new(status: CheckStatus, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            remedy: None,
            exit_status: ExitStatus::Success,
        }
    }
}

impl fmt::Display for CheckResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<6}{}",
            self.status.name(),
            terminal_text::sanitize_line(&self.message)
        )?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n      {}", terminal_text::sanitize_line(remedy)),
            None => Ok(()),
        }
    }
}
