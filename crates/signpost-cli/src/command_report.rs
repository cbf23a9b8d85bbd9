//! The output and the exit status of a command.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;

use signpost::policy::RulesError;

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
}

impl From<CommandError> for CommandReport {
    fn from(error: CommandError) -> Self {
        let exit_status = match error {
            CommandError::Usage(_) => ExitStatus::Usage,
            CommandError::Operation(ref error) => error.exit_status,
            CommandError::Read { .. }
            | CommandError::Rules { .. }
            | CommandError::File { .. }
            | CommandError::Random(_) => ExitStatus::Failure,
        };
        let mut notes = format!("error: {error}");
        let mut source = error.source();
        while let Some(cause) = source {
            write!(notes, ": {cause}").expect("writing to a String cannot fail");
            source = cause.source();
        }
        Self {
            stdout: String::new(),
            stderr: format!("{}\n", notes.trim_end()),
            exit_status,
        }
    }
}
