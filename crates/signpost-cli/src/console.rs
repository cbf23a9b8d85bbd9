//! What a command says while it runs: results on standard output, everything else on standard error.

use std::collections::HashSet;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};

use crate::plain;
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
        let lines: &[&str] = if words.is_empty() { &[] } else { &[words] };
        self.done_in_lines(outcome, lines);
    }

    /// Tells a result that takes some lines.
    pub(crate) fn done_in_lines(&self, outcome: Outcome, lines: &[impl AsRef<str>]) {
        if self.json {
            let mut line = outcome.with("status", "ok").0;
            line.sort_keys();
            self.out(&plain::json(&Value::Object(line).to_string()));
        } else if !lines.is_empty() {
            self.out(&plain_lines(lines));
        }
    }

    /// Tells a failure, on standard error; where JSON is wanted, on standard output as well.
    pub(crate) fn failed(&self, outcome: Outcome, what: &str, problem: &Problem) -> Ending {
        let remedy = problem.remedy.clone().filter(|remedy| self.is_news(remedy));
        let words = [Some(format!("error: {what}: {}", problem.why)), remedy];
        self.say(&words.into_iter().flatten().collect::<Vec<_>>());
        if self.json {
            let line = outcome
                .with("status", "failed")
                .with("exit", problem.ending.code())
                .with_known("code", problem.code.clone())
                .with("detail", problem.why.clone())
                .with_known("remedy", problem.remedy.clone());
            self.out(&plain::json(&json!(line.0).to_string()));
        }
        problem.ending
    }

    /// Says what is not asked for but good to know.
    pub(crate) fn note(&self, words: &str) {
        self.say(&[format!("note: {words}")]);
    }

    fn is_news(&self, remedy: &str) -> bool {
        let mut advised = self.advised.lock().unwrap_or_else(PoisonError::into_inner);
        advised.insert(remedy.to_owned())
    }

    /// A reader that has gone, such as `head`, does not stop the work.
    fn out(&self, text: &str) {
        self.progress.aside(|| drop(writeln!(std::io::stdout(), "{text}")));
    }

    fn say(&self, lines: &[String]) {
        let text = plain_lines(lines);
        self.progress.aside(|| drop(writeln!(std::io::stderr(), "{text}")));
    }
}

fn plain_lines(lines: &[impl AsRef<str>]) -> String {
    let lines: Vec<_> = lines.iter().map(|line| plain::line(line.as_ref())).collect();
    lines.join("\n")
}
