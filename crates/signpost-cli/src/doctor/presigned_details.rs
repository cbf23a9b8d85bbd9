//! Checks a presigned URL. The signature, the credential and the session token are never printed.

use std::time::{Duration, SystemTime};

use reqwest::Url;

use super::check_result::CheckResult;
use super::clock_skew;

/// The maximum lifetime that S3 accepts ([query parameters of the
/// signature](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html)).
const MAX_EXPIRES: u64 = 7 * 24 * 60 * 60;

/// A parsed presigned URL.
#[derive(Debug)]
pub(super) struct PresignedDetails {
    url: Url,
}

impl PresignedDetails {
    /// Parses a URL with a signature of any version.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let presigned = Self {
            url: Url::parse(text).ok()?,
        };
        let is_signed = presigned.value("X-Amz-Signature").is_some() || presigned.value("Signature").is_some();
        is_signed.then_some(presigned)
    }

    /// Returns the parameter with this name, in any case. The checks report parameters in the wrong case.
    fn value(&self, name: &str) -> Option<String> {
        let mut pairs = self.url.query_pairs();
        pairs
            .find(|(results, _)| results.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.into_owned())
    }

    pub(super) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    pub(super) fn path(&self) -> &str {
        self.url.path()
    }

    /// Returns true if the host or the path contains the name of this bucket.
    pub(super) fn names_bucket(&self, bucket: &str) -> bool {
        let follows = |text: &str, separator: char| {
            text.strip_prefix(bucket)
                .is_some_and(|rest| rest.starts_with(separator))
        };
        follows(self.host(), '.') || follows(self.path().trim_start_matches('/'), '/')
    }

    /// The operation that the URL was signed for, by its name in the S3 API, if the URL names it.
    pub(super) fn operation(&self) -> Option<String> {
        self.value("x-id")
    }

    /// The path as it is sent, and the names of the parameters in the order of the signature.
    pub(super) fn canonical(&self) -> (String, Vec<String>) {
        let mut names: Vec<_> = self.url.query_pairs().map(|(name, _)| name.into_owned()).collect();
        names.retain(|name| name != "X-Amz-Signature");
        names.sort();
        (self.url.path().to_owned(), names)
    }

    /// Runs all checks at the time `now`.
    pub(super) fn findings(&self, now: SystemTime) -> Vec<CheckResult> {
        if self.value("X-Amz-Signature").is_none() {
            return vec![CheckResult::failed(
                "the URL is signed with SigV2, which S3 rejects for buckets created after June 2020",
                "Sign the URL with SigV4; in boto3, use Config(signature_version='s3v4').",
            )];
        }
        let mut findings = vec![CheckResult::note(format!(
            "the URL is for {}{}",
            self.host(),
            self.url.path()
        ))];
        findings.extend(self.lifetime(now));
        findings.extend(self.scope());
        findings.extend(self.headers());
        findings.extend(self.duplicate_parameter());
        findings.extend(self.endpoint());
        findings
    }

    fn lifetime(&self, now: SystemTime) -> Vec<CheckResult> {
        let signed = self
            .value("X-Amz-Date")
            .and_then(|date| clock_skew::parse_signature_date(&date));
        let lifetime = self
            .value("X-Amz-Expires")
            .and_then(|expires| expires.parse::<u64>().ok());
        let ends = signed
            .zip(lifetime.map(Duration::from_secs))
            .and_then(|(signed, lifetime)| signed.checked_add(lifetime));
        let (Some(signed), Some(lifetime), Some(ends)) = (signed, lifetime, ends) else {
            return vec![CheckResult::failed(
                "the URL lacks X-Amz-Date or X-Amz-Expires, or their values are invalid",
                "Copy the complete URL, and quote it; without quotes a shell cuts it at the first &.",
            )];
        };
        let mut findings = Vec::new();
        if lifetime > MAX_EXPIRES {
            findings.push(CheckResult::failed(
                "the lifetime is longer than 7 days, which S3 rejects",
                "Sign the URL for a shorter lifetime.",
            ));
        }
        findings.push(validity(signed, ends, now));
        if self.value("X-Amz-Security-Token").is_some() {
            findings.push(CheckResult::note(
                "the URL is signed with temporary credentials and expires with them, possibly earlier than stated",
            ));
        }
        findings
    }

    fn scope(&self) -> Vec<CheckResult> {
        let credential = self.value("X-Amz-Credential").unwrap_or_default();
        let scope: Vec<_> = credential.split('/').skip(1).collect();
        let [day, region, service, "aws4_request"] = scope[..] else {
            return vec![CheckResult::failed(
                "X-Amz-Credential is missing, or is not a SigV4 scope",
                "Copy the complete URL, or sign it again.",
            )];
        };
        let mut findings = vec![CheckResult::note(format!(
            "the URL is signed for {service} in {region}"
        ))];
        if service != "s3" {
            findings.push(CheckResult::failed(
                format!("the URL is signed for the service {service:?}"),
                "Sign the URL for s3.",
            ));
        }
        if !self.value("X-Amz-Date").is_some_and(|date| date.starts_with(day)) {
            findings.push(CheckResult::failed(
                "the day of the scope differs from X-Amz-Date",
                "The URL was changed, or the signer has an error. Sign the URL again.",
            ));
        }
        match self.host_region() {
            Some(other) if other != region => findings.push(CheckResult::failed(
                format!("the URL is for {other} but signed for {region}"),
                "Use the region of the bucket for the host and for the signature.",
            )),
            _ => {}
        }
        findings
    }

    /// The region in the host name, if the host belongs to AWS.
    fn host_region(&self) -> Option<&str> {
        let name = self.host().strip_suffix(".amazonaws.com")?;
        let (before, region) = name.rsplit_once('.')?;
        let is_s3 = before
            .rsplit('.')
            .next()
            .is_some_and(|label| label == "s3" || label == "s3-fips" || label == "dualstack");
        is_s3.then_some(region)
    }

    fn headers(&self) -> Vec<CheckResult> {
        let signed = self.value("X-Amz-SignedHeaders").unwrap_or_default();
        let required: Vec<_> = signed
            .split(';')
            .filter(|name| !name.is_empty() && *name != "host")
            .collect();
        let mut findings = Vec::new();
        if !required.is_empty() {
            findings.push(CheckResult::note(format!(
                "the client must send these headers with the signed values: {}",
                required.join(", ")
            )));
        }
        if !signed.split(';').any(|name| name == "host") {
            findings.push(CheckResult::failed(
                "the host is not signed",
                "Sign the URL again, including the host header. S3 requires it.",
            ));
        }
        findings.push(CheckResult::note(
            "the client must not send other headers that start with x-amz-, or Authorization",
        ));
        findings
    }

    fn duplicate_parameter(&self) -> Vec<CheckResult> {
        let names: Vec<_> = self
            .url
            .query_pairs()
            .map(|(name, _)| name.to_ascii_lowercase())
            .collect();
        let is_duplicate = |index: &usize| names[..*index].contains(&names[*index]);
        let duplicate = (0..names.len()).find(is_duplicate);
        duplicate
            .map(|index| {
                CheckResult::failed(
                    format!("the URL contains the parameter {} twice", names[index]),
                    "The URL was changed after it was signed. Sign it again.",
                )
            })
            .into_iter()
            .collect()
    }

    fn endpoint(&self) -> Vec<CheckResult> {
        let host = self.host();
        let mut findings = Vec::new();
        if host == "s3.amazonaws.com" || host.ends_with(".s3.amazonaws.com") {
            findings.push(CheckResult::failed(
                "the URL uses the global endpoint, which redirects to other regions and invalidates the signature",
                "Sign for the regional endpoint: BUCKET.s3.REGION.amazonaws.com.",
            ));
        }
        let bucket = host.split(".s3.").next().filter(|bucket| *bucket != host);
        if self.url.scheme() == "https" && bucket.is_some_and(|bucket| bucket.contains('.')) {
            findings.push(CheckResult::failed(
                "the name of the bucket contains a dot, so the certificate does not match the host",
                "Use a path-style URL, with the bucket in the path.",
            ));
        }
        findings
    }
}

/// Compares the current time with the time of signing and the time of expiry.
fn validity(signed: SystemTime, ends: SystemTime, now: SystemTime) -> CheckResult {
    match (now.duration_since(signed), now.duration_since(ends)) {
        (Err(until_valid), _) if until_valid.duration() > Duration::from_secs(1) => CheckResult::failed(
            format!(
                "the URL becomes valid in {}",
                clock_skew::format_seconds(until_valid.duration())
            ),
            "The clock of this machine or of the signer is wrong. Set it.",
        ),
        (_, Ok(since_expiry)) => CheckResult::failed(
            format!(
                "the URL expired {} ago, after a lifetime of {}",
                clock_skew::format_seconds(since_expiry),
                clock_skew::format_seconds(ends.duration_since(signed).unwrap_or_default())
            ),
            "Request a new URL.",
        ),
        (_, Err(remaining)) => CheckResult::passed(format!(
            "the URL is valid for another {}",
            clock_skew::format_seconds(remaining.duration())
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check_result::CheckStatus;
    use super::*;

    fn now() -> SystemTime {
        clock_skew::parse_signature_date("20260101T120000Z").unwrap()
    }

    fn url(host: &str, change: impl Fn(&str) -> String) -> String {
        change(&format!(
            "https://{host}/a%20b?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20260101%2Feu-central-1\
             %2Fs3%2Faws4_request&X-Amz-Date=20260101T115800Z&X-Amz-Expires=300&X-Amz-SignedHeaders=content-length%3Bhost\
             &X-Amz-Security-Token=hushhush&X-Amz-Signature=5ec2e7"
        ))
    }

    fn findings(url: &str) -> Vec<CheckResult> {
        PresignedDetails::parse(url).unwrap().findings(now())
    }

    const HOST: &str = "files.s3.eu-central-1.amazonaws.com";

    #[test]
    fn a_valid_url_is_described_without_its_secrets() {
        let results = findings(&url(HOST, str::to_owned));
        assert!(
            results.iter().all(|result| result.status != CheckStatus::Failed),
            "{results:#?}"
        );
        let text: String = results.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        for expected in [
            "valid for another 3m",
            "s3 in eu-central-1",
            "content-length",
            "temporary credentials",
            "/a%20b",
        ] {
            assert!(text.contains(expected), "{text}");
        }
        for secret in ["AKIDEXAMPLE", "5ec2e7", "hushhush"] {
            assert!(!text.contains(secret), "{text}");
        }
    }

    #[test]
    fn errors_in_a_url_are_found() {
        let global = "files.s3.amazonaws.com";
        let elsewhere = "files.s3.us-east-1.amazonaws.com";
        let dotted = "files.example.s3.eu-central-1.amazonaws.com";
        let replaced = |from: &'static str, to: &'static str| move |url: &str| url.replace(from, to);
        for (url, expected) in [
            (url(HOST, replaced("T115800Z", "T115000Z")), "the URL expired 5m ago"),
            (url(HOST, replaced("T115800Z", "T130000Z")), "becomes valid in 1h"),
            (url(HOST, replaced("Expires=300", "Expires=604801")), "7 days"),
            (url(HOST, replaced("&X-Amz-Expires=300", "")), "lacks X-Amz-Date"),
            (url(HOST, replaced("%2Fs3%2F", "%2Fsqs%2F")), "the service \"sqs\""),
            (
                url(HOST, replaced("%2F20260101%2F", "%2F20251231%2F")),
                "the day of the scope",
            ),
            (
                url(HOST, replaced("content-length%3Bhost", "content-length")),
                "host is not signed",
            ),
            (url(HOST, |url| format!("{url}&x-amz-expires=9")), "twice"),
            (url(global, str::to_owned), "global endpoint"),
            (url(elsewhere, str::to_owned), "the URL is for us-east-1"),
            (url(dotted, str::to_owned), "certificate does not match"),
            ("https://h/k?AWSAccessKeyId=A&Signature=b&Expires=1".to_owned(), "SigV2"),
        ] {
            let results = findings(&url);
            let failed = results.iter().find(|result| result.status == CheckStatus::Failed);
            assert!(
                failed.is_some_and(|result| result.message.contains(expected)),
                "{expected}: {results:#?}"
            );
        }
        assert!(PresignedDetails::parse("https://h/k").is_none());
    }
}
