//! How far a transfer is, how fast it goes, and how that is put.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use serde_json::json;

/// How far a transfer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) bytes: u64,
    pub(crate) bytes_known: u64,
    pub(crate) files: u64,
    pub(crate) files_known: u64,
    /// Bytes a second, lately.
    pub(crate) speed: u64,
}

/// How fast it went lately.
#[derive(Debug, Default)]
pub(crate) struct Speed(VecDeque<(Instant, u64)>);

/// What "lately" means.
const LATELY: Duration = Duration::from_secs(8);

/// How long a bar may be, and below which length it tells nothing.
const LONGEST_BAR: usize = 20;
const SHORTEST_BAR: usize = 8;

impl Speed {
    /// The speed at this moment, when so many bytes have passed.
    pub(crate) fn at(&mut self, now: Instant, bytes: u64) -> u64 {
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
    pub(crate) fn line(&self, width: usize) -> String {
        let percent = format!("{:>3}%", self.percent());
        let parts = [
            format!("  {}", self.speed_words()),
            format!("  {}", self.time_left()),
            format!("  {} of {} files", self.files, self.files_known),
            format!("  {} of {}", size(self.bytes), size(self.bytes_known)),
        ];
        let mut told = String::new();
        for part in parts {
            let is_needed = self.files_known > 1 || !part.ends_with("files");
            if is_needed && percent.len() + told.len() + part.len() <= width {
                told.push_str(&part);
            }
        }
        let room = width.saturating_sub(percent.len() + told.len());
        let mut line = format!("{percent}{}{told}", self.bar(room));
        line.truncate(width);
        line
    }

    /// A bar, where there is room for one.
    fn bar(&self, room: usize) -> String {
        let width = LONGEST_BAR.min(room.saturating_sub(" []".len()));
        // Figures that grow by a digit do not move it each time.
        let width = width - width % 4;
        if width < SHORTEST_BAR {
            return String::new();
        }
        let full = usize::try_from(self.percent()).unwrap_or(0) * width / 100;
        format!(" [{}{}]", "#".repeat(full), ".".repeat(width - full))
    }

    pub(crate) fn words(&self) -> String {
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

    pub(crate) fn json(&self, elapsed: Duration) -> String {
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
        for (width, line) in [
            (
                100,
                " 50% [##########..........]  1.0 KiB/s  8:32 left  3 of 10 files  512.0 KiB of 1.0 MiB",
            ),
            (
                79,
                " 50% [######......]  1.0 KiB/s  8:32 left  3 of 10 files  512.0 KiB of 1.0 MiB",
            ),
            (60, " 50% [########........]  1.0 KiB/s  8:32 left  3 of 10 files"),
            (39, " 50% [####....]  1.0 KiB/s  8:32 left"),
            (30, " 50%  1.0 KiB/s  8:32 left"),
            (20, " 50%  1.0 KiB/s"),
        ] {
            assert_eq!(HALF.line(width), line);
        }
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
