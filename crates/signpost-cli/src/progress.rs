//! What is said of a transfer while it goes on: on standard error, one total for many files.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::AbortHandle;

use crate::snapshot::{Snapshot, Speed};

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mode {
    /// A bar on a terminal, and nothing elsewhere.
    Auto,
    /// A bar that is drawn anew.
    Bar,
    /// A line now and then.
    Plain,
    /// A line of JSON each second.
    Json,
    /// Nothing.
    None,
}

/// The progress of one command.
#[derive(Clone, Debug)]
pub(crate) struct Progress(Arc<Shown>);

#[derive(Debug)]
struct Shown {
    mode: Mode,
    counts: Counts,
    bar: ProgressBar,
    started: Instant,
    ticking: Option<AbortHandle>,
}

#[derive(Debug, Default)]
struct Counts {
    bytes: AtomicU64,
    bytes_known: AtomicU64,
    /// Of `bytes`, those that were there before, and say nothing of the speed.
    bytes_before: AtomicU64,
    files: AtomicU64,
    files_known: AtomicU64,
}

impl Mode {
    /// What `auto` means here.
    fn settled(self) -> Self {
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        match self {
            Self::Auto if std::io::stderr().is_terminal() && !is_dumb => Self::Bar,
            Self::Auto => Self::None,
            mode => mode,
        }
    }

    const fn pause(self) -> Option<Duration> {
        match self {
            Self::Bar => Some(Duration::from_millis(100)),
            Self::Plain => Some(Duration::from_secs(5)),
            Self::Json => Some(Duration::from_secs(1)),
            Self::Auto | Self::None => None,
        }
    }
}

impl Progress {
    /// Begins to show progress. It must be called where the runtime is.
    pub(crate) fn start(mode: Mode) -> Self {
        let mode = mode.settled();
        let bar = if mode == Mode::Bar {
            drawn()
        } else {
            ProgressBar::hidden()
        };
        Self(Arc::new_cyclic(|shown: &std::sync::Weak<Shown>| {
            let shown = shown.clone();
            let ticking = mode.pause().map(|pause| {
                let ticks = async move {
                    let mut speed = Speed::default();
                    let mut ticks = tokio::time::interval(pause);
                    ticks.tick().await;
                    loop {
                        ticks.tick().await;
                        let Some(shown) = shown.upgrade() else { return };
                        shown.show(&mut speed);
                    }
                };
                tokio::spawn(ticks).abort_handle()
            });
            Shown {
                mode,
                counts: Counts::default(),
                bar,
                started: Instant::now(),
                ticking,
            }
        }))
    }

    /// There is more to do: a file, which is thought to have this length.
    pub(crate) fn expect(&self, bytes: u64) {
        self.0.counts.files_known.fetch_add(1, Ordering::Relaxed);
        self.amend(0, bytes);
    }

    /// What was thought to be so long is of another length.
    pub(crate) fn amend(&self, thought: u64, bytes: u64) {
        let known = &self.0.counts.bytes_known;
        known.fetch_add(bytes, Ordering::Relaxed);
        known.fetch_sub(thought, Ordering::Relaxed);
    }

    pub(crate) fn advance(&self, bytes: u64) {
        self.0.counts.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// These bytes were there before.
    pub(crate) fn skip(&self, bytes: u64) {
        self.0.counts.bytes_before.fetch_add(bytes, Ordering::Relaxed);
        self.advance(bytes);
    }

    /// These bytes count no longer, since they must go again.
    pub(crate) fn take_back(&self, bytes: u64) {
        self.0.counts.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn file_done(&self) {
        self.0.counts.files.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes lines without tearing them or the bar.
    pub(crate) fn aside(&self, write: impl FnOnce()) {
        self.0.bar.suspend(write);
    }
}

impl Shown {
    fn show(&self, speed: &mut Speed) {
        let now = self.snapshot(speed);
        match self.mode {
            Mode::Bar => {
                let (_, width) = Term::stderr().size();
                self.bar.set_message(now.line(usize::from(width).saturating_sub(1)));
                self.bar.tick();
            }
            Mode::Plain => line(&now.words()),
            Mode::Json => line(&now.json(self.started.elapsed())),
            Mode::Auto | Mode::None => {}
        }
    }

    fn snapshot(&self, speed: &mut Speed) -> Snapshot {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let counts = &self.counts;
        let bytes = read(&counts.bytes);
        Snapshot {
            bytes,
            bytes_known: read(&counts.bytes_known),
            files: read(&counts.files),
            files_known: read(&counts.files_known),
            speed: speed.at(Instant::now(), bytes.saturating_sub(read(&counts.bytes_before))),
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(ticking) = &self.ticking {
            ticking.abort();
        }
        self.bar.finish_and_clear();
        // A transfer that ended between two ticks has been somewhere, too.
        if self.mode == Mode::Json {
            let mut speed = Speed::default();
            speed.at(self.started, 0);
            line(&self.snapshot(&mut speed).json(self.started.elapsed()));
        }
    }
}

fn drawn() -> ProgressBar {
    let style = ProgressStyle::with_template("{msg}").expect("the template is right");
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10)).with_style(style)
}

/// Without standard error there is nobody to tell.
fn line(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
