//! What a presigned URL says of itself. Its signature, its credential and its token are never told.

use std::time::{Duration, SystemTime};

use reqwest::Url;

use super::clock;
use super::finding::Finding;

/// The longest life that S3 grants
/// ([signatures in the query](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html)).
const LONGEST: u64 = 7 * 24 * 60 * 60;

/// A presigned URL, taken apart.
#[derive(Debug)]
pub(super) struct Presigned {
    url: Url,
}

impl Presigned {
    /// Takes a URL that bears a signature, of whatever version.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let presigned = Self {
            url: Url::parse(text).ok()?,
        };
        let is_signed = presigned.value("X-Amz-Signature").is_some() || presigned.value("Signature").is_some();
        is_signed.then_some(presigned)
    }

    /// The parameter of this name; they have one spelling, and what uses another should be told of it.
    fn value(&self, name: &str) -> Option<String> {
        let mut pairs = self.url.query_pairs();
        pairs
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.into_owned())
    }

    pub(super) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The path as it is sent, and the names of the parameters in the order in which they are signed.
    pub(super) fn canonical(&self) -> (String, Vec<String>) {
        let mut names: Vec<_> = self.url.query_pairs().map(|(name, _)| name.into_owned()).collect();
        names.retain(|name| name != "X-Amz-Signature");
        names.sort();
        (self.url.path().to_owned(), names)
    }

    /// Everything that can be said at `now`.
    pub(super) fn findings(&self, now: SystemTime) -> Vec<Finding> {
        if self.value("X-Amz-Signature").is_none() {
            return vec![Finding::wrong(
                "the URL is signed with SigV2, which buckets made after June 2020 refuse",
                "Have the signer use SigV4; boto3 does with Config(signature_version='s3v4').",
            )];
        }
        let mut findings = vec![Finding::note(format!("it leads to {}{}", self.host(), self.url.path()))];
        findings.extend(self.life(now));
        findings.extend(self.scope());
        findings.extend(self.headers());
        findings.extend(self.twice());
        findings.extend(self.endpoint());
        findings
    }

    fn life(&self, now: SystemTime) -> Vec<Finding> {
        let signed = self.value("X-Amz-Date").and_then(|date| clock::of_signature(&date));
        let life = self
            .value("X-Amz-Expires")
            .and_then(|expires| expires.parse::<u64>().ok());
        let ends = signed
            .zip(life.map(Duration::from_secs))
            .and_then(|(signed, life)| signed.checked_add(life));
        let (Some(signed), Some(life), Some(ends)) = (signed, life, ends) else {
            return vec![Finding::wrong(
                "the URL lacks X-Amz-Date or X-Amz-Expires, or they can't be read",
                "Copy the whole URL; a shell cuts it at the first & where it stands without quotes.",
            )];
        };
        let mut findings = Vec::new();
        if life > LONGEST {
            findings.push(Finding::wrong(
                "it asks for more than 7 days, and S3 refuses that",
                "Sign it for less.",
            ));
        }
        findings.push(match (now.duration_since(signed), now.duration_since(ends)) {
            (Err(early), _) if early.duration() > Duration::from_secs(1) => Finding::wrong(
                format!("it is valid only {} from now", clock::words(early.duration())),
                "The clock of this machine or of the signer is wrong: set it.",
            ),
            (_, Ok(late)) => Finding::wrong(
                format!(
                    "it expired {} ago, having lived for {}",
                    clock::words(late),
                    clock::words(Duration::from_secs(life))
                ),
                "Ask for another one.",
            ),
            (_, Err(left)) => Finding::right(format!("it is valid for another {}", clock::words(left.duration()))),
        });
        if self.value("X-Amz-Security-Token").is_some() {
            findings.push(Finding::note(
                "temporary credentials signed it: it ends with them, whatever it says itself",
            ));
        }
        findings
    }

    fn scope(&self) -> Vec<Finding> {
        let credential = self.value("X-Amz-Credential").unwrap_or_default();
        let scope: Vec<_> = credential.split('/').skip(1).collect();
        let [day, region, service, "aws4_request"] = scope[..] else {
            return vec![Finding::wrong(
                "X-Amz-Credential is missing, or is no scope of SigV4",
                "Copy the whole URL, or have it signed again.",
            )];
        };
        let mut findings = vec![Finding::note(format!("it is signed for {service} in {region}"))];
        if service != "s3" {
            findings.push(Finding::wrong(
                format!("it is signed for the service {service:?}"),
                "Sign it for s3.",
            ));
        }
        if !self.value("X-Amz-Date").is_some_and(|date| date.starts_with(day)) {
            findings.push(Finding::wrong(
                "the day of its scope is not that of X-Amz-Date",
                "Something has changed the URL, or its signer is wrong.",
            ));
        }
        match self.region_of_host() {
            Some(other) if other != region => findings.push(Finding::wrong(
                format!("it leads to {other} and is signed for {region}"),
                "Sign for the bucket's own region, and lead there.",
            )),
            _ => {}
        }
        findings
    }

    /// What the host says of the region, where it is one of AWS's.
    fn region_of_host(&self) -> Option<&str> {
        let name = self.host().strip_suffix(".amazonaws.com")?;
        let (before, region) = name.rsplit_once('.')?;
        let is_s3 = before
            .rsplit('.')
            .next()
            .is_some_and(|label| label == "s3" || label == "s3-fips" || label == "dualstack");
        is_s3.then_some(region)
    }

    fn headers(&self) -> Vec<Finding> {
        let signed = self.value("X-Amz-SignedHeaders").unwrap_or_default();
        let must: Vec<_> = signed
            .split(';')
            .filter(|name| !name.is_empty() && *name != "host")
            .collect();
        let mut findings = Vec::new();
        if !must.is_empty() {
            findings.push(Finding::note(format!(
                "whoever uses it must send, as they were signed: {}",
                must.join(", ")
            )));
        }
        if !signed.split(';').any(|name| name == "host") {
            findings.push(Finding::wrong(
                "it does not sign the host",
                "Have it signed again: S3 demands that.",
            ));
        }
        findings.push(Finding::note(
            "no other header that begins with x-amz- may be sent with it, and no Authorization",
        ));
        findings
    }

    fn twice(&self) -> Vec<Finding> {
        let names: Vec<_> = self
            .url
            .query_pairs()
            .map(|(name, _)| name.to_ascii_lowercase())
            .collect();
        let stands_twice = |index: &usize| names[..*index].contains(&names[*index]);
        let twice = (0..names.len()).find(stands_twice);
        twice
            .map(|index| {
                Finding::wrong(
                    format!("the parameter {} stands in it twice", names[index]),
                    "Have it signed again; something has added to it.",
                )
            })
            .into_iter()
            .collect()
    }

    fn endpoint(&self) -> Vec<Finding> {
        let host = self.host();
        let mut findings = Vec::new();
        if host == "s3.amazonaws.com" || host.ends_with(".s3.amazonaws.com") {
            findings.push(Finding::wrong(
                "it leads to the global endpoint, which redirects for buckets elsewhere and breaks the signature",
                "Sign for the regional endpoint: BUCKET.s3.REGION.amazonaws.com.",
            ));
        }
        let bucket = host.split(".s3.").next().filter(|bucket| *bucket != host);
        if self.url.scheme() == "https" && bucket.is_some_and(|bucket| bucket.contains('.')) {
            findings.push(Finding::wrong(
                "the bucket's name has a dot, and no certificate covers its host",
                "Put the bucket into the path, not into the host.",
            ));
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    fn now() -> SystemTime {
        clock::of_signature("20260101T120000Z").unwrap()
    }

    fn url(host: &str, change: impl Fn(&str) -> String) -> String {
        change(&format!(
            "https://{host}/a%20b?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20260101%2Feu-central-1\
             %2Fs3%2Faws4_request&X-Amz-Date=20260101T115800Z&X-Amz-Expires=300&X-Amz-SignedHeaders=content-length%3Bhost\
             &X-Amz-Security-Token=hushhush&X-Amz-Signature=5ec2e7"
        ))
    }

    fn findings(url: &str) -> Vec<Finding> {
        Presigned::parse(url).unwrap().findings(now())
    }

    const HOST: &str = "files.s3.eu-central-1.amazonaws.com";

    #[test]
    fn a_good_url_is_described_without_its_secrets() {
        let found = findings(&url(HOST, str::to_owned));
        assert!(
            found.iter().all(|finding| finding.verdict != Verdict::Wrong),
            "{found:#?}"
        );
        let text: String = found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        for words in [
            "valid for another 3m",
            "s3 in eu-central-1",
            "content-length",
            "temporary credentials",
            "/a%20b",
        ] {
            assert!(text.contains(words), "{text}");
        }
        for secret in ["AKIDEXAMPLE", "5ec2e7", "hushhush"] {
            assert!(!text.contains(secret), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_url_is_found() {
        let global = "files.s3.amazonaws.com";
        let elsewhere = "files.s3.us-east-1.amazonaws.com";
        let dotted = "files.example.s3.eu-central-1.amazonaws.com";
        let replaced = |from: &'static str, to: &'static str| move |url: &str| url.replace(from, to);
        for (url, words) in [
            (url(HOST, replaced("T115800Z", "T115000Z")), "it expired 5m ago"),
            (url(HOST, replaced("T115800Z", "T130000Z")), "valid only 1h from now"),
            (url(HOST, replaced("Expires=300", "Expires=604801")), "7 days"),
            (url(HOST, replaced("&X-Amz-Expires=300", "")), "lacks X-Amz-Date"),
            (url(HOST, replaced("%2Fs3%2F", "%2Fsqs%2F")), "the service \"sqs\""),
            (
                url(HOST, replaced("%2F20260101%2F", "%2F20251231%2F")),
                "the day of its scope",
            ),
            (
                url(HOST, replaced("content-length%3Bhost", "content-length")),
                "sign the host",
            ),
            (url(HOST, |url| format!("{url}&x-amz-expires=9")), "twice"),
            (url(global, str::to_owned), "global endpoint"),
            (url(elsewhere, str::to_owned), "leads to us-east-1"),
            (url(dotted, str::to_owned), "no certificate"),
            ("https://h/k?AWSAccessKeyId=A&Signature=b&Expires=1".to_owned(), "SigV2"),
        ] {
            let found = findings(&url);
            let wrong = found.iter().find(|finding| finding.verdict == Verdict::Wrong);
            assert!(
                wrong.is_some_and(|finding| finding.what.contains(words)),
                "{words}: {found:#?}"
            );
        }
        assert!(Presigned::parse("https://h/k").is_none());
    }
}
