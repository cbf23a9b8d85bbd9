//! What is said of a transfer while it goes on: on standard error, one total for many files.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use tokio::task::AbortHandle;

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

/// How far a transfer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Snapshot {
    bytes: u64,
    bytes_known: u64,
    files: u64,
    files_known: u64,
    /// Bytes a second, lately.
    speed: u64,
}

/// How fast it went lately.
#[derive(Debug, Default)]
struct Speed(VecDeque<(Instant, u64)>);

/// What "lately" means.
const LATELY: Duration = Duration::from_secs(8);

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

    /// There is more to do: a file of this length.
    pub(crate) fn expect(&self, bytes: u64) {
        self.0.counts.files_known.fetch_add(1, Ordering::Relaxed);
        self.expect_bytes(bytes);
    }

    /// A file of which only now so much is known.
    pub(crate) fn expect_bytes(&self, bytes: u64) {
        self.0.counts.bytes_known.fetch_add(bytes, Ordering::Relaxed);
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

impl Speed {
    fn at(&mut self, now: Instant, bytes: u64) -> u64 {
        self.0.push_back((now, bytes));
        while self.0.len() > 2 && now.duration_since(self.0[1].0) > LATELY {
            self.0.pop_front();
        }
        let (then, before) = self.0[0];
        let millis = u64::try_from(now.duration_since(then).as_millis()).unwrap_or(u64::MAX);
        (bytes.saturating_sub(before) * 1000).checked_div(millis).unwrap_or(0)
    }
}

impl Snapshot {
    /// What fits into a line of so many columns; the least important is left out first.
    fn line(&self, width: usize) -> String {
        let mut line = format!("{:>3}%", self.percent());
        let bar_width = 20.min(width.saturating_sub(50));
        if bar_width >= 8 {
            let full = usize::try_from(self.percent()).unwrap_or(0) * bar_width / 100;
            write!(line, " [{}{}]", "#".repeat(full), ".".repeat(bar_width - full))
                .expect("a String takes every write");
        }
        for part in [
            format!("  {}", self.speed_words()),
            format!("  {}", self.time_left()),
            format!("  {} of {}", size(self.bytes), size(self.bytes_known)),
            format!("  {} of {} files", self.files, self.files_known),
        ] {
            let is_needed = self.files_known > 1 || !part.ends_with("files");
            if is_needed && line.len() + part.len() <= width {
                line.push_str(&part);
            }
        }
        line.truncate(width);
        line
    }

    fn words(&self) -> String {
        let files = match self.files_known {
            0 | 1 => String::new(),
            known => format!(", {} of {known} files", self.files),
        };
        format!(
            "{} of {} ({}%), {}, {}{files}",
            size(self.bytes),
            size(self.bytes_known),
            self.percent(),
            self.speed_words(),
            self.time_left()
        )
    }

    fn json(&self, elapsed: Duration) -> String {
        json!({
            "progress": {
                "bytes": self.bytes,
                "bytes_known": self.bytes_known,
                "files": self.files,
                "files_known": self.files_known,
                "bytes_per_second": self.speed,
                "seconds": elapsed.as_secs(),
            }
        })
        .to_string()
    }

    fn percent(&self) -> u64 {
        let percent = u128::from(self.bytes) * 100 / u128::from(self.bytes_known.max(1));
        u64::try_from(percent.min(100)).unwrap_or(100)
    }

    fn speed_words(&self) -> String {
        format!("{}/s", size(self.speed))
    }

    fn time_left(&self) -> String {
        match self.bytes_known.saturating_sub(self.bytes).checked_div(self.speed) {
            None => "--:-- left".to_owned(),
            Some(seconds) if seconds >= 3600 => {
                format!("{}:{:02}:{:02} left", seconds / 3600, seconds / 60 % 60, seconds % 60)
            }
            Some(seconds) => format!("{}:{:02} left", seconds / 60, seconds % 60),
        }
    }
}

fn size(bytes: u64) -> String {
    ByteSize(bytes).display().iec().to_string()
}

fn drawn() -> ProgressBar {
    let style = ProgressStyle::with_template("{msg}").expect("the template is right");
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10)).with_style(style)
}

/// Without standard error there is nobody to tell.
fn line(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: Snapshot = Snapshot {
        bytes: 512 * 1024,
        bytes_known: 1024 * 1024,
        files: 3,
        files_known: 10,
        speed: 1024,
    };

    #[test]
    fn narrow_lines_leave_out_what_matters_least() {
        assert_eq!(
            HALF.line(100),
            " 50% [##########..........]  1.0 KiB/s  8:32 left  512.0 KiB of 1.0 MiB  3 of 10 files"
        );
        assert_eq!(HALF.line(60), " 50% [#####.....]  1.0 KiB/s  8:32 left  3 of 10 files");
        assert_eq!(HALF.line(20), " 50%  1.0 KiB/s");
        for width in 0..120 {
            assert!(HALF.line(width).len() <= width);
        }
    }

    #[test]
    fn words_and_json_tell_the_same() {
        assert_eq!(
            HALF.words(),
            "512.0 KiB of 1.0 MiB (50%), 1.0 KiB/s, 8:32 left, 3 of 10 files"
        );
        let told: serde_json::Value = serde_json::from_str(&HALF.json(Duration::from_secs(2))).unwrap();
        assert_eq!(told["progress"]["bytes"], 512 * 1024);
        assert_eq!(Snapshot::default().words(), "0 B of 0 B (0%), 0 B/s, --:-- left");
    }

    #[test]
    fn speed_is_that_of_late() {
        let start = Instant::now();
        let mut speed = Speed::default();
        assert_eq!(speed.at(start, 0), 0);
        assert_eq!(speed.at(start + Duration::from_secs(2), 200), 100);
        for second in 3..60 {
            speed.at(start + Duration::from_secs(second), 200);
        }
        assert_eq!(speed.at(start + Duration::from_mins(1), 200), 0);
    }
}
