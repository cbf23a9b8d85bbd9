//! Times as HTTP and signatures write them, and how far two clocks are apart.

use std::time::{Duration, SystemTime};

use super::finding::Finding;

/// S3 takes requests that are no more than this off
/// ([RequestTimeTooSkewed](https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html)).
const TOO_FAR: Duration = Duration::from_mins(15);

/// From here on URLs that live for a short time fail now and then.
const FAR: Duration = Duration::from_secs(30);

/// A time of [RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(super) fn of_header(text: &str) -> Option<SystemTime> {
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

/// A time of a signature: `19941106T084937Z`.
pub(super) fn of_signature(text: &str) -> Option<SystemTime> {
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

/// How far the clock of `whose` is from ours.
pub(super) fn compare(whose: &str, theirs: SystemTime, ours: SystemTime) -> Finding {
    let (apart, which) = match ours.duration_since(theirs) {
        Ok(apart) => (apart, "ahead of"),
        Err(error) => (error.duration(), "behind"),
    };
    let what = format!("the clock of this machine is {} {which} that of {whose}", words(apart));
    match apart {
        apart if apart >= TOO_FAR => Finding::wrong(what, "Set the clock of this machine, or have theirs set."),
        apart if apart >= FAR => Finding::wrong(what, "URLs that live for a short time will fail: set the clock."),
        _ => Finding::right(format!("the clocks of this machine and {whose} agree")),
    }
}

/// A duration without what nobody wants to know.
pub(super) fn words(duration: Duration) -> String {
    humantime::format_duration(Duration::from_secs(duration.as_secs())).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn both_spellings_are_read() {
        let time = humantime::parse_rfc3339("1994-11-06T08:49:37Z").unwrap();
        assert_eq!(of_header("Sun, 06 Nov 1994 08:49:37 GMT"), Some(time));
        assert_eq!(of_signature("19941106T084937Z"), Some(time));
        for wrong in [
            "",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "19941106T084937",
            "1994ä106T084937Z",
        ] {
            assert_eq!((of_header(wrong), of_signature(wrong)), (None, None), "{wrong}");
        }
    }

    #[test]
    fn clocks_are_compared_both_ways() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(1);
        let hour = compare("S3", now - Duration::from_mins(20), now);
        assert_eq!(hour.what, "the clock of this machine is 20m ahead of that of S3");
        let minute = compare("S3", now + Duration::from_mins(1), now);
        assert_eq!(minute.what, "the clock of this machine is 1m behind that of S3");
        assert_eq!((hour.verdict, minute.verdict), (Verdict::Wrong, Verdict::Wrong));
        assert_eq!(compare("S3", now, now + Duration::from_secs(2)).verdict, Verdict::Right);
    }
}
