//! Identifies the front by its response headers, and describes its limits.

use reqwest::header::HeaderMap;

use super::check_result::CheckResult;

/// Describes the front that added these headers.
pub(super) fn findings(headers: &HeaderMap, origin: &str) -> Vec<CheckResult> {
    let has = |name: &str| headers.contains_key(name);
    let mut findings = Vec::new();
    findings.push(if has("x-amz-apigw-id") {
        CheckResult::note("the front is a REST API: it supports all keys, and uploads through the redirect up to about 4.5 MB")
    } else if has("apigw-requestid") {
        CheckResult::note(
            "the front is an HTTP API: it supports no keys with a `?` or `//`, and uploads through the redirect up to about 4.5 MB",
        )
    } else if origin.ends_with(".on.aws") || has("x-amzn-requestid") {
        CheckResult::note("the front is a function URL: it supports all keys, and uploads through the redirect up to about 4.5 MB")
    } else {
        CheckResult::note(
            "the front cannot be identified; an ALB supports uploads up to 1 MB through the redirect, other fronts \
             up to about 4.5 MB",
        )
    });
    findings.push(CheckResult::note(
        "larger uploads require two steps or parts; `signpost put` does this automatically",
    ));
    if has("x-amz-cf-id") {
        findings.push(CheckResult::note(
            "CloudFront is in front of the service: it must forward Authorization and must not cache responses",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fronts_are_identified_by_their_headers() {
        let report = |names: &[&'static str], origin: &str| {
            let headers: HeaderMap = names
                .iter()
                .map(|name| (name.parse().unwrap(), "1".parse().unwrap()))
                .collect();
            findings(&headers, origin)
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n")
        };
        assert!(report(&["x-amz-apigw-id", "x-amzn-requestid"], "https://h").contains("REST API"));
        assert!(report(&["apigw-requestid"], "https://h").contains("no keys with a `?` or `//`"));
        assert!(report(&[], "https://x.lambda-url.eu-central-1.on.aws").contains("function URL"));
        assert!(report(&["x-amz-apigw-id", "x-amz-cf-id"], "https://h").contains("CloudFront"));
        assert!(report(&[], "http://127.0.0.1:1").contains("cannot be identified"));
    }
}
