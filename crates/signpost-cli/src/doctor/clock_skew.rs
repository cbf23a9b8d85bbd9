//! Parses the times in HTTP headers and signatures, and compares two clocks.

use std::time::{Duration, SystemTime};

use super::check_result::CheckResult;

/// S3 accepts requests up to this clock difference
/// ([RequestTimeTooSkewed](https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html)).
const S3_CLOCK_TOLERANCE: Duration = Duration::from_mins(15);

/// From this difference on, URLs with a short lifetime fail occasionally.
const CLOCK_WARNING: Duration = Duration::from_secs(30);

/// Parses a time of [RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(super) fn parse_http_date(text: &str) -> Option<SystemTime> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let words: Vec<_> = text.split(' ').collect();
    let [_, day, month, year, time, "GMT"] = words[..] else {
        return None;
    };
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    humantime::parse_rfc3339(&format!("{year}-{month:02}-{day}T{time}Z")).ok()
}

/// Parses the time of a signature: `19941106T084937Z`.
pub(super) fn parse_signature_date(text: &str) -> Option<SystemTime> {
    let digits = |range| {
        text.get(range)
            .filter(|digits: &&str| digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let date = (digits(0..4)?, digits(4..6)?, digits(6..8)?);
    let time = (digits(9..11)?, digits(11..13)?, digits(13..15)?);
    if text.len() != 16 || text.get(8..9) != Some("T") || text.get(15..) != Some("Z") {
        return None;
    }
    let written = format!("{}-{}-{}T{}:{}:{}Z", date.0, date.1, date.2, time.0, time.1, time.2);
    humantime::parse_rfc3339(&written).ok()
}

/// Compares the clock of `name` with the clock of this machine.
pub(super) fn compare(name: &str, their_time: SystemTime, our_time: SystemTime) -> CheckResult {
    let (difference, direction) = match our_time.duration_since(their_time) {
        Ok(difference) => (difference, "ahead of"),
        Err(error) => (error.duration(), "behind"),
    };
    let message = format!(
        "the clock of this machine is {} {direction} the clock of {name}",
        format_seconds(difference)
    );
    match difference {
        difference if difference >= S3_CLOCK_TOLERANCE => CheckResult::failed(message, "Set the clock that is wrong."),
        difference if difference >= CLOCK_WARNING => CheckResult::failed(
            message,
            "Set the clock that is wrong; URLs with a short lifetime fail until then.",
        ),
        _ => CheckResult::passed(format!("the clocks of this machine and {name} agree")),
    }
}

/// Formats a duration in whole seconds.
pub(super) fn format_seconds(duration: Duration) -> String {
    humantime::format_duration(Duration::from_secs(duration.as_secs())).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::check_result::CheckStatus;
    use super::*;

    #[test]
    fn both_formats_are_parsed() {
        let time = humantime::parse_rfc3339("1994-11-06T08:49:37Z").unwrap();
        assert_eq!(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(time));
        assert_eq!(parse_signature_date("19941106T084937Z"), Some(time));
        for failed in [
            "",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "19941106T084937",
            "1994ä106T084937Z",
        ] {
            assert_eq!(
                (parse_http_date(failed), parse_signature_date(failed)),
                (None, None),
                "{failed}"
            );
        }
    }

    #[test]
    fn clocks_are_compared_in_both_directions() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(1);
        let hour = compare("S3", now - Duration::from_mins(20), now);
        assert_eq!(
            hour.message,
            "the clock of this machine is 20m ahead of the clock of S3"
        );
        let minute = compare("S3", now + Duration::from_mins(1), now);
        assert_eq!(minute.message, "the clock of this machine is 1m behind the clock of S3");
        assert_eq!((hour.status, minute.status), (CheckStatus::Failed, CheckStatus::Failed));
        assert_eq!(
            compare("S3", now, now + Duration::from_secs(2)).status,
            CheckStatus::Passed
        );
    }
}
