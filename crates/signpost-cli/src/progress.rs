//! Shows the progress of a command on standard error: one total for all files.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::AbortHandle;

use crate::progress_snapshot::{ProgressSnapshot, TransferSpeed};

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ProgressMode {
    /// A progress bar on a terminal, and no output otherwise.
    Auto,
    /// A progress bar.
    Bar,
    /// A line of text every five seconds.
    Plain,
    /// A line of JSON every second.
    Json,
    /// No output.
    None,
}

/// The progress of one command.
#[derive(Clone, Debug)]
pub(crate) struct TransferProgress(Arc<ProgressState>);

#[derive(Debug)]
struct ProgressState {
    mode: ProgressMode,
    counts: ProgressCounters,
    bar: ProgressBar,
    started: Instant,
    ticker: Option<AbortHandle>,
}

#[derive(Debug, Default)]
struct ProgressCounters {
    bytes: AtomicU64,
    bytes_total: AtomicU64,
    /// The bytes in `bytes` that existed before. They do not count for the speed.
    bytes_existing: AtomicU64,
    files: AtomicU64,
    files_total: AtomicU64,
}

impl ProgressMode {
    /// Resolves `auto`.
    fn resolve(self) -> Self {
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        match self {
            Self::Auto if std::io::stderr().is_terminal() && !is_dumb => Self::Bar,
            Self::Auto => Self::None,
            mode => mode,
        }
    }

    const fn interval(self) -> Option<Duration> {
        match self {
            Self::Bar => Some(Duration::from_millis(100)),
            Self::Plain => Some(Duration::from_secs(5)),
            Self::Json => Some(Duration::from_secs(1)),
            Self::Auto | Self::None => None,
        }
    }
}

impl TransferProgress {
    /// Starts to show progress. It must be called inside the runtime.
    pub(crate) fn start(mode: ProgressMode) -> Self {
        let mode = mode.resolve();
        let bar = if mode == ProgressMode::Bar {
            progress_bar()
        } else {
            ProgressBar::hidden()
        };
        Self(Arc::new_cyclic(|state: &std::sync::Weak<ProgressState>| {
            let state = state.clone();
            let ticker = mode.interval().map(|pause| {
                let ticks = async move {
                    let mut speed = TransferSpeed::default();
                    let mut ticks = tokio::time::interval(pause);
                    ticks.tick().await;
                    loop {
                        ticks.tick().await;
                        let Some(state) = state.upgrade() else {
                            return;
                        };
                        state.show(&mut speed);
                    }
                };
                tokio::spawn(ticks).abort_handle()
            });
            ProgressState {
                mode,
                counts: ProgressCounters::default(),
                bar,
                started: Instant::now(),
                ticker,
            }
        }))
    }

    /// Adds a file with this expected length.
    pub(crate) fn add_file(&self, bytes: u64) {
        self.0.counts.files_total.fetch_add(1, Ordering::Relaxed);
        self.correct_length(0, bytes);
    }

    /// Replaces the expected length of a file by its actual length.
    pub(crate) fn correct_length(&self, expected_len: u64, bytes: u64) {
        let known = &self.0.counts.bytes_total;
        known.fetch_add(bytes, Ordering::Relaxed);
        known.fetch_sub(expected_len, Ordering::Relaxed);
    }

    pub(crate) fn add_bytes(&self, bytes: u64) {
        self.0.counts.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Adds bytes that existed before.
    pub(crate) fn add_existing_bytes(&self, bytes: u64) {
        self.0.counts.bytes_existing.fetch_add(bytes, Ordering::Relaxed);
        self.add_bytes(bytes);
    }

    /// Removes bytes that must be sent again.
    pub(crate) fn remove_bytes(&self, bytes: u64) {
        self.0.counts.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// The number of bytes that have been transferred or existed before.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.counts.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn finish_file(&self) {
        self.0.counts.files.fetch_add(1, Ordering::Relaxed);
    }

    /// Suspends the progress bar while lines are printed.
    pub(crate) fn suspend_bar(&self, write: impl FnOnce()) {
        self.0.bar.suspend(write);
    }
}

impl ProgressState {
    fn show(&self, speed: &mut TransferSpeed) {
        let now = self.snapshot(speed);
        match self.mode {
            ProgressMode::Bar => {
                let (_, width) = Term::stderr().size();
                self.bar.set_message(now.bar_line(usize::from(width).saturating_sub(1)));
                self.bar.tick();
            }
            ProgressMode::Plain => write_line(&now.plain_line()),
            ProgressMode::Json => write_line(&now.json(self.started.elapsed())),
            ProgressMode::Auto | ProgressMode::None => {}
        }
    }

    fn snapshot(&self, speed: &mut TransferSpeed) -> ProgressSnapshot {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let counts = &self.counts;
        let bytes = read(&counts.bytes);
        ProgressSnapshot {
            bytes,
            bytes_total: read(&counts.bytes_total),
            bytes_existing: read(&counts.bytes_existing),
            files: read(&counts.files),
            files_total: read(&counts.files_total),
            speed: speed.record(Instant::now(), bytes.saturating_sub(read(&counts.bytes_existing))),
        }
    }
}

impl Drop for ProgressState {
    fn drop(&mut self) {
        if let Some(ticker) = &self.ticker {
            ticker.abort();
        }
        self.bar.finish_and_clear();
        // A transfer that ended between two ticks must also report its last state.
        if self.mode == ProgressMode::Json {
            let mut speed = TransferSpeed::default();
            speed.record(self.started, 0);
            write_line(&self.snapshot(&mut speed).json(self.started.elapsed()));
        }
    }
}

fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{msg}").expect("the template is valid");
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10)).with_style(style)
}

/// If standard error is closed, nothing can be reported.
fn write_line(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
