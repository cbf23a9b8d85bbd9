//! What an error document of S3 means, and what to do.

use percent_encoding::utf8_percent_encode;
use serde::Deserialize;

use super::finding::Finding;
use super::presigned::Presigned;
use crate::explain;
use crate::service::UNRESERVED;

/// [Error responses](https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html), with what S3 adds to some.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Told {
    code: String,
    message: String,
    /// Of a URL that has expired.
    expires: Option<String>,
    server_time: Option<String>,
    request_time: Option<String>,
    /// Of a request with headers that nobody signed.
    headers_not_signed: Option<String>,
    /// Of a region that is not the bucket's.
    region: Option<String>,
    endpoint: Option<String>,
    argument_name: Option<String>,
    canonical_request: Option<String>,
}

impl Told {
    /// Reads a document that is an error of S3's.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let told: Self = quick_xml::de::from_str(text).ok()?;
        (!told.code.is_empty()).then_some(told)
    }

    /// What it means, for the URL that it answers where that is known.
    pub(super) fn findings(&self, url: Option<&Presigned>) -> Vec<Finding> {
        let mut findings = vec![Finding::note(format!(
            "S3 says {}: {}",
            self.code,
            self.message.trim_end_matches('.')
        ))];
        findings.push(self.meaning());
        if let (Some(seen), Some(url)) = (&self.canonical_request, url) {
            findings.extend(differences(seen, url));
        }
        findings
    }

    /// Whether S3 says no more than no.
    pub(super) fn is_plain_denial(&self) -> bool {
        self.code == "AccessDenied" && self.message.trim_end_matches('.') == "Access Denied"
    }

    fn meaning(&self) -> Finding {
        let asked = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".to_owned());
        match (self.code.as_str(), self.message.as_str()) {
            ("AccessDenied", _) if self.expires.is_some() || self.message.contains("expired") => Finding::wrong(
                format!(
                    "the URL had expired at {}, when it was {} there",
                    asked(&self.expires),
                    asked(&self.server_time)
                ),
                "Ask for another one. If it was fresh, compare the clocks.",
            ),
            ("AccessDenied", message) if self.headers_not_signed.is_some() || message.contains("not signed") => {
                Finding::wrong(
                    format!(
                        "headers were sent that nobody signed: {}",
                        asked(&self.headers_not_signed)
                    ),
                    "Send none that begins with x-amz- but those that the URL signs.",
                )
            }
            ("AccessDenied", message) if message.contains("not yet valid") => Finding::wrong(
                "the URL is from the future, by the clock of S3",
                "Set the clock of whoever signed it.",
            ),
            ("RequestTimeTooSkewed", _) => Finding::wrong(
                format!(
                    "the request says {}, and it was {} there",
                    asked(&self.request_time),
                    asked(&self.server_time)
                ),
                "Set the clock of this machine, or of whoever signed.",
            ),
            ("InvalidArgument", message)
                if message.contains("Only one auth mechanism")
                    || self.argument_name.as_deref() == Some("Authorization") =>
            {
                Finding::wrong(
                    "the request had two credentials: the signature in the URL, and an Authorization header",
                    "Do not send Authorization to S3; curl drops it on a redirect to another host, but not with \
                     --location-trusted.",
                )
            }
            (
                "AuthorizationHeaderMalformed"
                | "AuthorizationQueryParametersError"
                | "PermanentRedirect"
                | "TemporaryRedirect",
                _,
            ) if self.region.is_some() || self.endpoint.is_some() => {
                let where_to = self.region.clone().or_else(|| self.endpoint.clone());
                Finding::wrong(
                    format!("the bucket is elsewhere: {}", asked(&where_to)),
                    "Set the region of the service to the bucket's (AWS_REGION), and sign for its regional endpoint.",
                )
            }
            (code, _) => match explain::remedy(code) {
                Some(remedy) => Finding::wrong(format!("that is {code}"), remedy),
                None => Finding::wrong(
                    format!("{code} is nothing that presigned URLs are known for"),
                    "Look it up among S3's error codes.",
                ),
            },
        }
    }
}

/// Where the request that S3 saw is not the one that the URL names. Values may be secret, so names are told alone.
fn differences(seen: &str, url: &Presigned) -> Vec<Finding> {
    let mut lines = seen.lines();
    let (method, path, query) = (lines.next(), lines.next(), lines.next());
    let (Some(method), Some(path), Some(query)) = (method, path, query) else {
        return Vec::new();
    };
    let (own_path, own_names) = url.canonical();
    let mut findings = vec![Finding::note(format!(
        "S3 saw the method {method}; a URL is for the one method that it was signed for"
    ))];
    if path != own_path {
        findings.push(Finding::wrong(
            format!("S3 saw the path {path}, and the URL has {own_path}"),
            "Something on the way rewrites paths: a proxy, or a client that normalises them.",
        ));
    }
    let mut names: Vec<_> = query
        .split('&')
        .filter_map(|pair| pair.split('=').next())
        .map(str::to_owned)
        .collect();
    names.sort();
    let spelt: Vec<_> = own_names.iter().map(|name| encoded(name)).collect();
    for name in spelt.iter().filter(|name| !names.contains(name)) {
        findings.push(Finding::wrong(
            format!("S3 did not see the parameter {name}"),
            "Put the URL into quotes, and look for a proxy that drops parameters.",
        ));
    }
    for name in names.iter().filter(|name| !spelt.contains(name)) {
        findings.push(Finding::wrong(
            format!("S3 saw the parameter {name}, which the URL does not have"),
            "Nothing may be added to a signed query.",
        ));
    }
    let signed = seen.lines().skip(3).take_while(|line| !line.is_empty());
    let headers: Vec<_> = signed
        .filter_map(|line| line.split(':').next())
        .filter(|name| *name != "host")
        .collect();
    if !headers.is_empty() {
        findings.push(Finding::note(format!(
            "compare what was sent of these with what was signed: {}",
            headers.join(", ")
        )));
    }
    findings
}

/// As canonical requests spell a name.
fn encoded(name: &str) -> String {
    utf8_percent_encode(name, UNRESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    fn findings(inner: &str) -> Vec<Finding> {
        let text =
            format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>{inner}<RequestId>R</RequestId></Error>");
        Told::parse(&text).unwrap().findings(None)
    }

    #[test]
    fn errors_of_s3_are_explained() {
        for (inner, words) in [
            (
                "<Code>AccessDenied</Code><Message>Request has expired</Message><X-Amz-Expires>300</X-Amz-Expires>\
                 <Expires>2026-01-01T00:05:00Z</Expires><ServerTime>2026-01-01T01:00:00Z</ServerTime>",
                "had expired at 2026-01-01T00:05:00Z",
            ),
            (
                "<Code>AccessDenied</Code><Message>There were headers present in the request which were not signed\
                 </Message><HeadersNotSigned>x-amz-acl</HeadersNotSigned>",
                "nobody signed: x-amz-acl",
            ),
            (
                "<Code>RequestTimeTooSkewed</Code><Message>The difference is too large.</Message>\
                 <RequestTime>A</RequestTime><ServerTime>B</ServerTime>",
                "says A, and it was B",
            ),
            (
                "<Code>InvalidArgument</Code><Message>Only one auth mechanism allowed</Message>\
                 <ArgumentName>Authorization</ArgumentName>",
                "two credentials",
            ),
            (
                "<Code>AuthorizationQueryParametersError</Code><Message>the region is wrong</Message>\
                 <Region>eu-west-1</Region>",
                "elsewhere: eu-west-1",
            ),
            (
                "<Code>NoSuchKey</Code><Message>The key does not exist.</Message>",
                "that is NoSuchKey",
            ),
            ("<Code>Odd</Code>", "Odd is nothing"),
        ] {
            let found = findings(inner);
            let wrong = found.iter().find(|finding| finding.verdict == Verdict::Wrong).unwrap();
            assert!(
                wrong.what.contains(words) && wrong.remedy.is_some(),
                "{words}: {found:#?}"
            );
        }
        assert!(Told::parse("<html></html>").is_none() && Told::parse("no XML").is_none());
    }

    #[test]
    fn a_request_that_changed_on_its_way_is_compared_with_its_url() {
        let url =
            "https://h/a%20b?X-Amz-Date=20260101T000000Z&X-Amz-Credential=AKID&x-id=GetObject&X-Amz-Signature=5eC";
        let url = Presigned::parse(url).unwrap();
        let error = |canonical: &str| {
            let text = format!(
                "<Error><Code>SignatureDoesNotMatch</Code><Message>m</Message><CanonicalRequest>{canonical}\
                 </CanonicalRequest></Error>"
            );
            let found = Told::parse(&text).unwrap().findings(Some(&url));
            found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        let told =
            error("PUT\n/a%2520b\nX-Amz-Credential=AKID&amp;X-Amz-Date=2&amp;extra=1\nhost:h\nrange:x\n\nhost\nU");
        for words in [
            "method PUT",
            "/a%2520b, and the URL has /a%20b",
            "did not see the parameter x-id",
            "saw the parameter extra",
            "range",
        ] {
            assert!(told.contains(words), "{words}: {told}");
        }
        assert!(!told.contains("AKID") && !told.contains("5eC"), "{told}");
        let same = error("GET\n/a%20b\nX-Amz-Credential=AKID&amp;X-Amz-Date=2&amp;x-id=GetObject\nhost:h\n\nhost\nU");
        assert!(
            !same.contains("S3 saw the path") && !same.contains("parameter"),
            "{same}"
        );
    }
}
