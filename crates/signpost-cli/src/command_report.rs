//! The output and the exit status of a command.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;

use signpost::policy::RulesError;

use crate::console_output::ObjectOutcome;
use crate::exit_status::ExitStatus;
use crate::operation_error::OperationError;
use crate::terminal_text;

/// The output of a command. It can contain a new secret, so it does not implement `Debug`.
#[expect(missing_debug_implementations, reason = "it can contain a secret")]
pub struct CommandReport {
    /// The text for standard output.
    pub stdout: String,
    /// The text for standard error.
    pub stderr: String,
    /// The exit status.
    pub exit_status: ExitStatus,
}

/// The reasons why a command fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error("{0}")]
    Usage(String),
    #[error("failed to read {file}")]
    Read {
        file: String,
        #[source]
        source: io::Error,
    },
    #[error("{file}")]
    Rules {
        file: String,
        #[source]
        source: RulesError,
    },
    #[error("{file}: {message}")]
    File { file: String, message: String },
    #[error("failed to write to standard output")]
    Output(#[source] io::Error),
    #[error("the system's random number generator failed")]
    Random(#[source] io::Error),
    #[error(transparent)]
    Operation(#[from] OperationError),
}

impl CommandReport {
    /// A successful command with this output.
    pub(crate) const fn success(stdout: String) -> Self {
        Self {
            stdout,
            stderr: String::new(),
            exit_status: ExitStatus::Success,
        }
    }

    /// A successful command with these notes, which has already printed its output.
    pub(crate) const fn with_notes(stderr: String) -> Self {
        Self {
            stdout: String::new(),
            stderr,
            exit_status: ExitStatus::Success,
        }
    }

    /// An invalid command line.
    pub fn of_invalid_usage(error: &clap::Error) -> Self {
        Self {
            stdout: String::new(),
            stderr: error.to_string(),
            exit_status: ExitStatus::Usage,
        }
    }

    /// A command that has already printed its output.
    pub(crate) const fn with_status(exit_status: ExitStatus) -> Self {
        Self {
            stdout: String::new(),
            stderr: String::new(),
            exit_status,
        }
    }

    /// Prints the report and returns the exit code. Standard error is written last, because its text can refer to the
    /// output.
    pub fn print(&self, stdout: &mut dyn Write, stderr: &mut dyn Write) -> ExitCode {
        match stdout
            .write_all(terminal_text::sanitize_lines(&self.stdout).as_bytes())
            .and_then(|()| stdout.flush())
        {
            Ok(()) => {
                // If standard error is closed, nothing can be reported.
                let _ = stderr.write_all(terminal_text::sanitize_lines(&self.stderr).as_bytes());
                self.exit_status.exit_code()
            }
            // The reader, such as `head`, closed the pipe early.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.exit_status.exit_code(),
            Err(error) => {
                let _ = writeln!(stderr, "error: failed to write to standard output: {error}");
                ExitStatus::Failure.exit_code()
            }
        }
    }

    /// The report of a command that has failed. `json_name` is the name of the command if its output is JSON: then standard
    /// output contains the error too.
    pub(crate) fn of_failure(error: &CommandError, json_name: Option<&str>) -> Self {
        let exit_status = error.exit_status();
        let message = error.full_message();
        let stdout = json_name.map(|name| {
            let outcome = ObjectOutcome::default().with_field("command", name);
            outcome.failure_line(&error.as_operation_error())
        });
        Self {
            stdout: stdout.map_or_else(String::new, |line| line + "\n"),
            stderr: format!("error: {message}\n"),
            exit_status,
        }
    }
}

impl CommandError {
    const fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Usage(_) => ExitStatus::Usage,
            Self::Operation(error) => error.exit_status,
            Self::Read { .. } | Self::Rules { .. } | Self::File { .. } | Self::Output(_) | Self::Random(_) => {
                ExitStatus::Failure
            }
        }
    }

    fn as_operation_error(&self) -> OperationError {
        match self {
            Self::Operation(error) => error.clone(),
            _ => OperationError::new(self.exit_status(), self.full_message()),
        }
    }

    /// The message of the error and its causes.
    fn full_message(&self) -> String {
        let mut message = self.to_string();
        let mut source = self.source();
        while let Some(cause) = source {
            write!(message, ": {cause}").expect("writing to a String cannot fail");
            source = cause.source();
        }
        message.truncate(message.trim_end().len());
        message
    }
}
