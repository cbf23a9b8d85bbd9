//! What a command says while it runs: results on standard output, everything else on standard error.

use std::collections::HashSet;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};

use crate::problem::Problem;
use crate::progress::Progress;
use crate::report::Ending;

/// Where a command speaks.
#[derive(Clone, Debug)]
pub(crate) struct Console {
    /// Whether results are JSON, a line for each.
    json: bool,
    /// What lines must not tear.
    progress: Progress,
    /// What has been advised: once is enough, and of many files many may fail alike.
    advised: Arc<Mutex<HashSet<String>>>,
}

/// What was done to one object: names and values, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome(Map<String, Value>);

impl Outcome {
    /// Something done to the object at this URL.
    pub(crate) fn of(command: &str, url: &str) -> Self {
        Self::default().with("command", command).with("url", url)
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// Adds what is known, and leaves out what is not.
    pub(crate) fn with_known(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}

impl Console {
    pub(crate) fn new(json: bool, progress: Progress) -> Self {
        Self {
            json,
            progress,
            advised: Arc::default(),
        }
    }

    /// Tells a result, in words where no JSON is wanted.
    pub(crate) fn done(&self, outcome: Outcome, words: &str) {
        if self.json {
            let mut line = outcome.with("status", "ok").0;
            line.sort_keys();
            self.line_out(&Value::Object(line).to_string());
        } else if !words.is_empty() {
            self.line_out(words);
        }
    }

    /// Tells a failure, on standard error; where JSON is wanted, on standard output as well.
    pub(crate) fn failed(&self, outcome: Outcome, what: &str, problem: &Problem) -> Ending {
        let mut words = format!("error: {what}: {}", problem.why);
        if let Some(remedy) = problem.remedy.as_ref().filter(|remedy| self.is_news(remedy)) {
            words.push('\n');
            words.push_str(remedy);
        }
        self.line_err(&words);
        if self.json {
            let line = outcome
                .with("status", "failed")
                .with("exit", problem.ending.code())
                .with_known("code", problem.code.clone())
                .with("detail", problem.why.clone())
                .with_known("remedy", problem.remedy.clone());
            self.line_out(&json!(line.0).to_string());
        }
        problem.ending
    }

    /// Says what is not asked for but good to know.
    pub(crate) fn note(&self, words: &str) {
        self.line_err(&format!("note: {words}"));
    }

    fn is_news(&self, remedy: &str) -> bool {
        let mut advised = self.advised.lock().unwrap_or_else(PoisonError::into_inner);
        advised.insert(remedy.to_owned())
    }

    /// A reader that has gone, such as `head`, does not stop the work.
    fn line_out(&self, line: &str) {
        self.progress.aside(|| drop(writeln!(std::io::stdout(), "{line}")));
    }

    fn line_err(&self, line: &str) {
        self.progress.aside(|| drop(writeln!(std::io::stderr(), "{line}")));
    }
}
