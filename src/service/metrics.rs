//! The metrics of the function, in the embedded metric format of `CloudWatch`
//! ([specification](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html)):
//! `CloudWatch` creates metrics from a line on standard output, without a call.

use std::io::{Write as _, stdout};
use std::time::SystemTime;

use serde_json::{Value, json};

use super::request_log::{RequestLog, ResponseStats, milliseconds};

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

/// Writes the metrics of one request. `root` is the bucket of requests outside every mount. Without a bucket, the dimension is
/// `-`. An error of standard output is ignored.
pub(super) fn emit(root: Option<&str>, log: &RequestLog, stats: ResponseStats, now: SystemTime) {
    let bucket = log.bucket().or(root).unwrap_or("-");
    let _ = writeln!(stdout().lock(), "{}", metric_line(bucket, log.is_failure(), stats, now));
}

/// The bucket is the only dimension, because AWS charges for each combination of dimensions. A rejection with a status
/// of 500 or above, such as that of a prefetch, is not a failure of the service.
fn metric_line(bucket: &str, is_failure: bool, stats: ResponseStats, now: SystemTime) -> Value {
    let ResponseStats { status, duration, cold } = stats;
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let metrics = METRICS.map(|(name, unit)| json!({"Name": name, "Unit": unit}));
    json!({
        "_aws": {
            "Timestamp": u64::try_from(since.as_millis()).unwrap_or_default(),
            "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [["Bucket"]], "Metrics": metrics}],
        },
        "Bucket": bucket,
        "Requests": 1,
        "Refused": u8::from(status >= 400 && !is_failure),
        "Failed": u8::from(is_failure),
        "ColdStarts": u8::from(cold),
        "Duration": milliseconds(duration),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_declared_metric_has_its_value() {
        let cases = [
            (307, false, [1, 0, 0, 1]),
            (404, false, [1, 1, 0, 1]),
            (503, true, [1, 0, 1, 1]),
            (503, false, [1, 1, 0, 1]),
            (200, false, [1, 0, 0, 1]),
        ];
        for (status, is_failure, counts) in cases {
            let duration = Duration::from_micros(1500);
            let stats = ResponseStats {
                status,
                duration,
                cold: true,
            };
            let line = metric_line(
                "example-bucket",
                is_failure,
                stats,
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
