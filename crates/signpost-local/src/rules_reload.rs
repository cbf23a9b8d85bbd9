//! Reloads the rules file when it changes.
//!
//! Each request first compares the file with the rules in use, so that a request after a change is handled with the new
//! rules. A background task does the same every second, so that the log shows a change without a request. If the new
//! content is invalid, or the file is missing, the previous rules stay in effect.

use std::fs::{self, Metadata};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use signpost::config::Settings;
use signpost::service::handler::Handler;

use crate::logging::print_line;
use crate::policy_summary::PolicySummary;
use crate::s3::EmbeddedBuckets;
use crate::startup::emulated_buckets;

/// The interval at which the background task compares the file.
const INTERVAL: Duration = Duration::from_secs(1);

/// Two changes within this time can have the same time of modification, which the file system rounds.
const TIMESTAMP_PRECISION: Duration = Duration::from_secs(2);

/// The handler with the current rules.
#[derive(Debug)]
pub(crate) struct ReloadingHandler {
    state: Mutex<ReloadState>,
    rules: Option<WatchedRules>,
}

/// The rules file, and the settings against which its content is checked.
#[derive(Clone, Debug)]
pub(crate) struct WatchedRules {
    file: PathBuf,
    settings: Settings,
    content: FileContent,
    /// The buckets of the embedded S3.
    buckets: Option<EmbeddedBuckets>,
}

#[derive(Debug)]
struct ReloadState {
    handler: Arc<Handler>,
    /// The content that was read last, valid or not. Each invalid content is reported once.
    content: Option<FileContent>,
    /// The identity of the file that was read last, unless another change could have the same identity.
    stamp: Option<FileStamp>,
}

/// The content of the rules file, or the reason why it cannot be read.
type FileContent = Result<String, io::ErrorKind>;

/// The identity of a version of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FileStamp {
    modified: SystemTime,
    len: u64,
    file: u64,
}

impl WatchedRules {
    /// Reads the rules file of the settings, before the handler does. Returns `None` if the rules are not in a file.
    pub(crate) fn new(settings: &Settings, buckets: Option<EmbeddedBuckets>) -> Option<Self> {
        let has_text = settings.rules.is_some() || settings.rules_source.is_some();
        let file = settings.rules_file.clone().filter(|_| !has_text).map(PathBuf::from)?;
        Some(Self {
            content: read(&file),
            file,
            settings: settings.clone(),
            buckets,
        })
    }

    /// Creates the buckets that the rules in `text` name.
    fn create_buckets(&self, text: &str) -> Result<(), String> {
        let Some(buckets) = &self.buckets else { return Ok(()) };
        let created = buckets.create(&emulated_buckets(text));
        created.map_err(|error| signpost::error::chain(&error))
    }

    /// The path of the file, as specified.
    pub(crate) fn file(&self) -> String {
        self.file.display().to_string()
    }
}

impl ReloadingHandler {
    /// The handler at the start. It uses the content of `rules`.
    pub(crate) fn new(handler: Handler, rules: Option<WatchedRules>) -> Self {
        Self {
            state: Mutex::new(ReloadState {
                handler: Arc::new(handler),
                content: rules.as_ref().map(|rules| rules.content.clone()),
                stamp: None,
            }),
            rules,
        }
    }

    /// Returns the handler with the current rules. A request uses one handler until its end.
    pub(crate) fn current(&self) -> Arc<Handler> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rules) = &self.rules {
            state.reload_if_changed(rules, SystemTime::now());
        }
        Arc::clone(&state.handler)
    }

    /// Compares the file until the future is dropped.
    pub(crate) async fn watch(&self) {
        if self.rules.is_none() {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(INTERVAL).await;
            self.current();
        }
    }
}

impl ReloadState {
    fn reload_if_changed(&mut self, rules: &WatchedRules, now: SystemTime) {
        let stamp = fs::metadata(&rules.file)
            .ok()
            .and_then(|metadata| FileStamp::new(&metadata));
        if stamp.is_some() && stamp == self.stamp {
            return;
        }
        let content = read(&rules.file);
        self.stamp = stamp.filter(|stamp| stamp.is_settled(now));
        if self.content.as_ref() == Some(&content) {
            return;
        }
        self.reload(rules, &content);
        self.content = Some(content);
    }

    fn reload(&mut self, rules: &WatchedRules, content: &FileContent) {
        let file = rules.file();
        let reloaded = match content {
            Ok(text) => self
                .handler
                .with_rules(text, &rules.settings)
                .map_err(|error| error.problem)
                .and_then(|handler| rules.create_buckets(text).map(|()| handler)),
            Err(kind) => Err(kind.to_string()),
        };
        match reloaded {
            Ok(handler) => {
                self.handler = Arc::new(handler);
                let summary = PolicySummary::of_handler(&self.handler);
                let counts = summary.map(|summary| summary.counts()).unwrap_or_default();
                print_line(format_args!("signpost: read {file} again: {counts}"));
            }
            Err(problem) => print_line(format_args!(
                "signpost: {file} has changed, but the previous rules stay in effect: {}",
                problem.trim_end()
            )),
        }
    }
}

fn read(file: &PathBuf) -> FileContent {
    fs::read_to_string(file).map_err(|error| error.kind())
}

impl FileStamp {
    fn new(metadata: &Metadata) -> Option<Self> {
        Some(Self {
            modified: metadata.modified().ok()?,
            len: metadata.len(),
            file: file_number(metadata),
        })
    }

    /// Returns true if a later change cannot have the same time of modification.
    fn is_settled(&self, now: SystemTime) -> bool {
        now.duration_since(self.modified)
            .is_ok_and(|age| age > TIMESTAMP_PRECISION)
    }
}

#[cfg(unix)]
fn file_number(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

/// The file number is not available on stable Rust.
#[cfg(not(unix))]
fn file_number(_metadata: &Metadata) -> u64 {
    0
}
