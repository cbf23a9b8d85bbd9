//! Prints results to standard output and all other messages to standard error while a command runs.

use std::collections::HashSet;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde_json::{Map, Value};

use crate::exit_status::ExitStatus;
use crate::operation_error::OperationError;
use crate::progress::TransferProgress;
use crate::terminal_text;

/// The output streams of a command.
#[derive(Clone, Debug)]
pub(crate) struct ConsoleOutput {
    /// If true, results are JSON, one line each.
    json: bool,
    /// The first failure to write to standard output.
    failure: OutputFailure,
    /// The progress display, which is suspended while a line is printed.
    progress: TransferProgress,
    /// The remedies that have been printed. Many files can fail for the same reason, so each remedy is printed once.
    printed_remedies: Arc<Mutex<HashSet<String>>>,
}

/// The first failure to write to standard output, which the command reports when it ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct OutputFailure(Arc<OnceLock<io::Error>>);

impl OutputFailure {
    /// Returns the error, or `None` if all output was written or the reader, such as `head`, has closed the pipe.
    pub(crate) fn get(&self) -> Option<&io::Error> {
        self.0.get()
    }

    fn record(&self, written: io::Result<()>) {
        if let Err(error) = written
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            let _ = self.0.set(error);
        }
    }
}

/// The result for one object: names and values, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct ObjectOutcome(Map<String, Value>);

impl ObjectOutcome {
    /// Creates the result of a command for the object at this URL.
    pub(crate) fn new(command: &str, url: &str) -> Self {
        Self::default().with_field("command", command).with_field("url", url)
    }

    pub(crate) fn with_field(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// The line of JSON for a failure.
    pub(crate) fn failure_line(self, error: &OperationError) -> String {
        let outcome = self
            .with_field("status", "failed")
            .with_field("exit_code", error.exit_status.code())
            .with_optional("code", error.code.clone())
            .with_field("detail", error.message.clone())
            .with_optional("remedy", error.remedy.clone());
        outcome.line()
    }

    /// The line of JSON, with sorted names.
    fn line(mut self) -> String {
        self.0.sort_keys();
        terminal_text::escape_json(&Value::Object(self.0).to_string())
    }

    /// Adds a value if it is known.
    pub(crate) fn with_optional(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with_field(name, value),
            None => self,
        }
    }
}

impl ConsoleOutput {
    pub(crate) fn new(json: bool, progress: TransferProgress, failure: OutputFailure) -> Self {
        Self {
            json,
            failure,
            progress,
            printed_remedies: Arc::default(),
        }
    }

    /// Reports a success. `text` is printed if the output is not JSON.
    pub(crate) fn report_success(&self, outcome: ObjectOutcome, text: &str) {
        let lines: &[&str] = if text.is_empty() { &[] } else { &[text] };
        self.report_success_lines(outcome, lines);
    }

    /// Reports a success that takes several lines.
    pub(crate) fn report_success_lines(&self, outcome: ObjectOutcome, lines: &[impl AsRef<str>]) {
        if self.json {
            self.write_stdout(&outcome.with_field("status", "ok").line());
        } else if !lines.is_empty() {
            self.write_stdout(&sanitize_lines(lines));
        }
    }

    /// Reports a failure on standard error, and also on standard output if the output is JSON.
    pub(crate) fn report_failure(&self, outcome: ObjectOutcome, action: &str, error: &OperationError) -> ExitStatus {
        let remedy = error.remedy.clone().filter(|remedy| self.is_first_time(remedy));
        let text = [Some(format!("error: {action}: {}", error.message)), remedy];
        self.write_stderr(&text.into_iter().flatten().collect::<Vec<_>>());
        if self.json {
            self.write_stdout(&outcome.failure_line(error));
        }
        error.exit_status
    }

    /// Prints additional information.
    pub(crate) fn print_note(&self, text: &str) {
        self.write_stderr(&[format!("note: {text}")]);
    }

    /// Prints information about a result, unless the JSON of the result contains it.
    pub(crate) fn print_result_note(&self, text: &str) {
        if !self.json {
            self.print_note(text);
        }
    }

    fn is_first_time(&self, remedy: &str) -> bool {
        let mut printed_remedies = self.printed_remedies.lock().unwrap_or_else(PoisonError::into_inner);
        printed_remedies.insert(remedy.to_owned())
    }

    /// The command continues if the reader, such as `head`, has closed the pipe.
    fn write_stdout(&self, text: &str) {
        self.progress
            .suspend_bar(|| self.failure.record(writeln!(io::stdout(), "{text}")));
    }

    fn write_stderr(&self, lines: &[String]) {
        let text = sanitize_lines(lines);
        self.progress
            .suspend_bar(|| drop(writeln!(std::io::stderr(), "{text}")));
    }
}

fn sanitize_lines(lines: &[impl AsRef<str>]) -> String {
    let lines: Vec<_> = lines
        .iter()
        .map(|line| terminal_text::sanitize_line(line.as_ref()))
        .collect();
    lines.join("\n")
}
