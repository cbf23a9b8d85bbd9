//! The state of a transfer, its speed, and how both are formatted.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use serde_json::json;

/// The state of a transfer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProgressSnapshot {
    pub(crate) bytes: u64,
    pub(crate) bytes_total: u64,
    /// The bytes in `bytes` that an earlier command has transferred.
    pub(crate) bytes_existing: u64,
    pub(crate) files: u64,
    pub(crate) files_total: u64,
    /// The current speed, in bytes per second.
    pub(crate) speed: u64,
}

/// The speed of a transfer during the last seconds.
#[derive(Debug, Default)]
pub(crate) struct TransferSpeed(VecDeque<(Instant, u64)>);

/// The time over which the speed is measured.
const SPEED_WINDOW: Duration = Duration::from_secs(8);

/// The maximum width of the bar, and the width below which no bar is shown.
const MAX_BAR_WIDTH: usize = 20;
const MIN_BAR_WIDTH: usize = 8;

impl TransferSpeed {
    /// Records the number of transferred bytes, and returns the current speed.
    pub(crate) fn record(&mut self, now: Instant, bytes: u64) -> u64 {
        self.0.push_back((now, bytes));
        while self.0.len() > 2 && now.duration_since(self.0[1].0) > SPEED_WINDOW {
            self.0.pop_front();
        }
        let (then, before) = self.0[0];
        let millis = u64::try_from(now.duration_since(then).as_millis()).unwrap_or(u64::MAX);
        (bytes.saturating_sub(before) * 1000).checked_div(millis).unwrap_or(0)
    }
}

impl ProgressSnapshot {
    /// A line of at most `width` columns. The least important parts are left out first.
    pub(crate) fn bar_line(&self, width: usize) -> String {
        let percent = format!("{:>3}%", self.percent());
        let parts = [
            format!("  {}", self.speed_text()),
            format!("  {}", self.time_left()),
            format!("  {} of {} files", self.files, self.files_total),
            format!("  {} of {}", format_size(self.bytes), format_size(self.bytes_total)),
            self.existing_text("  ", " already stored"),
        ];
        let mut details = String::new();
        for part in parts {
            let is_needed = self.files_total > 1 || !part.ends_with("files");
            if is_needed && percent.len() + details.len() + part.len() <= width {
                details.push_str(&part);
            }
        }
        let room = width.saturating_sub(percent.len() + details.len());
        let mut line = format!("{percent}{}{details}", self.bar(room));
        line.truncate(width);
        line
    }

    /// A bar, if there is enough space.
    fn bar(&self, room: usize) -> String {
        let width = MAX_BAR_WIDTH.min(room.saturating_sub(" []".len()));
        // The width is a multiple of four, so that an additional digit does not move the bar.
        let width = width - width % 4;
        if width < MIN_BAR_WIDTH {
            return String::new();
        }
        let full = usize::try_from(self.percent()).unwrap_or(0) * width / 100;
        format!(" [{}{}]", "#".repeat(full), ".".repeat(width - full))
    }

    pub(crate) fn plain_line(&self) -> String {
        let files = match self.files_total {
            0 | 1 => String::new(),
            known => format!(", {} of {known} files", self.files),
        };
        format!(
            "{} of {} ({}%{}), {}, {}{files}",
            format_size(self.bytes),
            format_size(self.bytes_total),
            self.percent(),
            self.existing_text(", ", " already stored"),
            self.speed_text(),
            self.time_left()
        )
    }

    pub(crate) fn json(&self, elapsed: Duration) -> String {
        json!({
            "progress": {
                "bytes": self.bytes,
                "bytes_total": self.bytes_total,
                "bytes_existing": self.bytes_existing,
                "files": self.files,
                "files_total": self.files_total,
                "bytes_per_second": self.speed,
                "seconds": elapsed.as_secs(),
            }
        })
        .to_string()
    }

    fn percent(&self) -> u64 {
        let percent = u128::from(self.bytes) * 100 / u128::from(self.bytes_total.max(1));
        u64::try_from(percent.min(100)).unwrap_or(100)
    }

    /// The number of bytes that an earlier command has transferred, as text. Empty for no bytes.
    fn existing_text(&self, before: &str, after: &str) -> String {
        match self.bytes_existing {
            0 => String::new(),
            bytes => format!("{before}{}{after}", format_size(bytes)),
        }
    }

    fn speed_text(&self) -> String {
        format!("{}/s", format_size(self.speed))
    }

    fn time_left(&self) -> String {
        match self.bytes_total.saturating_sub(self.bytes).checked_div(self.speed) {
            None => "--:-- left".to_owned(),
            Some(seconds) if seconds >= 3600 => {
                format!("{}:{:02}:{:02} left", seconds / 3600, seconds / 60 % 60, seconds % 60)
            }
            Some(seconds) => format!("{}:{:02} left", seconds / 60, seconds % 60),
        }
    }
}

fn format_size(bytes: u64) -> String {
    ByteSize(bytes).display().iec().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: ProgressSnapshot = ProgressSnapshot {
        bytes: 512 * 1024,
        bytes_total: 1024 * 1024,
        bytes_existing: 0,
        files: 3,
        files_total: 10,
        speed: 1024,
    };

    #[test]
    fn narrow_lines_omit_the_least_important_parts() {
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
            assert_eq!(HALF.bar_line(width), line);
        }
        for width in 0..120 {
            assert!(HALF.bar_line(width).len() <= width);
        }
    }

    #[test]
    fn text_and_json_have_the_same_values() {
        assert_eq!(
            HALF.plain_line(),
            "512.0 KiB of 1.0 MiB (50%), 1.0 KiB/s, 8:32 left, 3 of 10 files"
        );
        let details: serde_json::Value = serde_json::from_str(&HALF.json(Duration::from_secs(2))).unwrap();
        assert_eq!(details["progress"]["bytes"], 512 * 1024);
        assert_eq!(
            ProgressSnapshot::default().plain_line(),
            "0 B of 0 B (0%), 0 B/s, --:-- left"
        );
    }

    #[test]
    fn bytes_of_an_earlier_command_are_shown() {
        let resumed = ProgressSnapshot {
            bytes_existing: 256 * 1024,
            ..HALF
        };
        assert_eq!(
            resumed.plain_line(),
            "512.0 KiB of 1.0 MiB (50%, 256.0 KiB already stored), 1.0 KiB/s, 8:32 left, 3 of 10 files"
        );
        assert!(
            resumed
                .bar_line(120)
                .ends_with("  512.0 KiB of 1.0 MiB  256.0 KiB already stored")
        );
        let details: serde_json::Value = serde_json::from_str(&resumed.json(Duration::from_secs(2))).unwrap();
        assert_eq!(details["progress"]["bytes_existing"], 256 * 1024);
        for width in 0..120 {
            assert!(resumed.bar_line(width).len() <= width);
        }
    }

    #[test]
    fn the_speed_covers_only_the_last_seconds() {
        let start = Instant::now();
        let mut speed = TransferSpeed::default();
        assert_eq!(speed.record(start, 0), 0);
        assert_eq!(speed.record(start + Duration::from_secs(2), 200), 100);
        for second in 3..60 {
            speed.record(start + Duration::from_secs(second), 200);
        }
        assert_eq!(speed.record(start + Duration::from_mins(1), 200), 0);
    }
}
