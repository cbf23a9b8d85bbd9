//! Which front answers, by its headers, and what it takes.

use reqwest::header::HeaderMap;

use super::finding::Finding;

/// What is known of the front that gave these headers.
pub(super) fn findings(headers: &HeaderMap, origin: &str) -> Vec<Finding> {
    let has = |name: &str| headers.contains_key(name);
    let mut findings = Vec::new();
    findings.push(if has("x-amz-apigw-id") {
        Finding::note("a REST API is in front: every key; uploads through the redirect up to about 4.5 MB")
    } else if has("apigw-requestid") {
        Finding::note("an HTTP API is in front: no keys with a `?`; uploads through the redirect up to about 4.5 MB")
    } else if origin.ends_with(".on.aws") || has("x-amzn-requestid") {
        Finding::note("a function URL is in front: every key; uploads through the redirect up to about 4.5 MB")
    } else {
        Finding::note(
            "the front does not tell what it is; an ALB takes uploads up to 1 MB through the redirect, other fronts \
             about 4.5 MB",
        )
    });
    findings.push(Finding::note(
        "larger uploads go in two steps or in parts, as `signpost put` does it",
    ));
    if has("x-amz-cf-id") {
        findings.push(Finding::note(
            "CloudFront is in front of it: it must pass Authorization on, and cache nothing",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fronts_are_known_by_what_they_add() {
        let told = |names: &[&'static str], origin: &str| {
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
        assert!(told(&["x-amz-apigw-id", "x-amzn-requestid"], "https://h").contains("REST API"));
        assert!(told(&["apigw-requestid"], "https://h").contains("no keys with a `?`"));
        assert!(told(&[], "https://x.lambda-url.eu-central-1.on.aws").contains("function URL"));
        assert!(told(&["x-amz-apigw-id", "x-amz-cf-id"], "https://h").contains("CloudFront"));
        assert!(told(&[], "http://127.0.0.1:1").contains("does not tell"));
    }
}
