//! What alarms count, in `CloudWatch`'s embedded metric format
//! ([specification](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html)):
//! a line on standard output of which `CloudWatch` makes metrics, without a call.

use std::io::{Write as _, stdout};
use std::time::SystemTime;

use serde_json::{Value, json};

use super::request_log::{Answered, milliseconds};

/// The namespace of the metrics.
const NAMESPACE: &str = "Signpost";

/// Each metric with its unit.
const METRICS: [(&str, &str); 5] = [
    ("Requests", "Count"),
    ("Refused", "Count"),
    ("Failed", "Count"),
    ("ColdStarts", "Count"),
    ("Duration", "Milliseconds"),
];

/// Tells of one request to the bucket of this name. A closed standard output is no reason to stop.
pub(super) fn emit(bucket: &str, answered: Answered, now: SystemTime) {
    let _ = writeln!(stdout().lock(), "{}", line(bucket, answered, now));
}

/// The bucket is the only dimension: each further one is a metric more to pay for.
fn line(bucket: &str, answered: Answered, now: SystemTime) -> Value {
    let Answered { status, took, cold } = answered;
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let metrics = METRICS.map(|(name, unit)| json!({"Name": name, "Unit": unit}));
    json!({
        "_aws": {
            "Timestamp": u64::try_from(since.as_millis()).unwrap_or_default(),
            "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [["Bucket"]], "Metrics": metrics}],
        },
        "Bucket": bucket,
        "Requests": 1,
        "Refused": u8::from((400..500).contains(&status)),
        "Failed": u8::from(status >= 500),
        "ColdStarts": u8::from(cold),
        "Duration": milliseconds(took),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_metric_that_is_declared_has_a_value_of_its_own() {
        let cases = [
            (307, [1, 0, 0, 1]),
            (404, [1, 1, 0, 1]),
            (503, [1, 0, 1, 1]),
            (200, [1, 0, 0, 1]),
        ];
        for (status, counts) in cases {
            let took = Duration::from_micros(1500);
            let answered = Answered {
                status,
                took,
                cold: true,
            };
            let line = line(
                "example-bucket",
                answered,
                SystemTime::UNIX_EPOCH + Duration::from_secs(7),
            );
            let declared = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
            let values = declared.iter().map(|metric| &line[metric["Name"].as_str().unwrap()]);
            let values: Vec<f64> = values.map(|value| value.as_f64().unwrap()).collect();
            assert_eq!(values, [counts.map(f64::from).as_slice(), &[1.5]].concat(), "{status}");
            assert_eq!(line["_aws"]["Timestamp"], 7000);
            assert_eq!(line["Bucket"], "example-bucket");
        }
    }
}
