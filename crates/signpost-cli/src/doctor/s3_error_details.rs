//! Explains an S3 error document.

use percent_encoding::utf8_percent_encode;
use serde::Deserialize;

use super::check_result::CheckResult;
use super::presigned_details::PresignedDetails;
use crate::exit_status::ExitStatus;
use crate::s3_remedies;
use crate::signing_service::UNRESERVED;

/// An error document ([Error responses](https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html)), with
/// the additional elements of some errors.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct S3ErrorDetails {
    code: String,
    message: String,
    /// If the URL has expired.
    expires: Option<String>,
    server_time: Option<String>,
    request_time: Option<String>,
    /// If the request has headers that are not signed.
    headers_not_signed: Option<String>,
    /// If the region is not the region of the bucket.
    region: Option<String>,
    endpoint: Option<String>,
    argument_name: Option<String>,
    canonical_request: Option<String>,
}

impl S3ErrorDetails {
    /// Parses an S3 error document.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let details: Self = quick_xml::de::from_str(text).ok()?;
        (!details.code.is_empty()).then_some(details)
    }

    /// Explains the error, for the request URL if it is known.
    pub(super) fn findings(&self, url: Option<&PresignedDetails>) -> Vec<CheckResult> {
        let mut findings = vec![CheckResult::note(format!(
            "S3 returned {}: {}",
            self.code,
            self.message.trim_end_matches('.')
        ))];
        if self.is_generic_denial() {
            findings.extend(denial_causes(url));
        } else {
            findings.push(self.meaning());
        }
        if let (Some(received), Some(url)) = (&self.canonical_request, url) {
            findings.extend(differences(received, url));
        }
        findings
    }

    /// Returns true if S3 gives no reason.
    pub(super) fn is_generic_denial(&self) -> bool {
        self.code == "AccessDenied" && self.message.trim_end_matches('.') == "Access Denied"
    }

    fn meaning(&self) -> CheckResult {
        let or_unknown = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".to_owned());
        match (self.code.as_str(), self.message.as_str()) {
            ("AccessDenied", _) if self.expires.is_some() || self.message.contains("expired") => CheckResult::failed(
                format!(
                    "the URL expired at {}; the time at S3 was {}",
                    or_unknown(&self.expires),
                    or_unknown(&self.server_time)
                ),
                "Request a new URL. If the URL was new, compare the clocks.",
            ),
            ("AccessDenied", message) if self.headers_not_signed.is_some() || message.contains("not signed") => {
                CheckResult::failed(
                    format!(
                        "the client sent headers that are not signed: {}",
                        or_unknown(&self.headers_not_signed)
                    ),
                    "Send only those x-amz- headers that are signed.",
                )
            }
            ("AccessDenied", message) if message.contains("not yet valid") => CheckResult::failed(
                "the signing time is in the future, according to the clock of S3",
                "Set the clock of the signer.",
            ),
            ("RequestTimeTooSkewed", _) => CheckResult::failed(
                format!(
                    "the time in the request was {}; the time at S3 was {}",
                    or_unknown(&self.request_time),
                    or_unknown(&self.server_time)
                ),
                "Set the clock of this machine, or of the signer.",
            ),
            ("InvalidArgument", message)
                if message.contains("Only one auth mechanism")
                    || self.argument_name.as_deref() == Some("Authorization") =>
            {
                CheckResult::failed(
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
                CheckResult::failed(
                    format!(
                        "the bucket is in another region or at another endpoint: {}",
                        or_unknown(&where_to)
                    ),
                    "Set AWS_REGION of the service to the region of the bucket, and sign for its regional endpoint.",
                )
            }
            (code, _) => match s3_remedies::remedy_for_code(code) {
                Some(remedy) => CheckResult::failed(format!("S3 rejected the request with {code}"), remedy),
                None => CheckResult::failed(
                    format!("{code} is not a typical error of presigned URLs"),
                    "See https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList.",
                ),
            },
        }
    }
}

/// The causes of an error for which S3 gives no reason, the most likely first. If the URL had expired, S3 would say so.
fn denial_causes(url: Option<&PresignedDetails>) -> Vec<CheckResult> {
    let operation = url.and_then(PresignedDetails::operation);
    let reads = operation.is_none_or(|operation| matches!(operation.as_str(), "GetObject" | "HeadObject"));
    let missing =
        "no object has this key: S3 returns 403 instead of 404 if the signer may not list the bucket (for a download)";
    let causes = [
        reads.then_some(missing),
        Some("the signer has no permission for this operation on this key: compare the policy of the signing role"),
        Some(
            "the URL is older than the bucket policy allows (`s3:signatureAge`), even if its own lifetime has not ended",
        ),
        Some(
            "the session that signed the URL was revoked: a deny policy with `aws:TokenIssueTime` on the signing role",
        ),
        Some("the object is encrypted with a KMS key that the signer may not use"),
        Some("a bucket policy, a VPC endpoint policy or a service control policy denies it"),
    ];
    let failed = CheckResult::failed(
        "S3 denies access and gives no reason",
        "Check the following causes, the most likely first. The section \"Diagnosis\" in docs/OPERATIONS.md describes each.",
    );
    let numbered = (1..).zip(causes.into_iter().flatten());
    let notes = numbered.map(|(number, cause)| CheckResult::note(format!("{number}. {cause}")));
    std::iter::once(failed.with_exit_status(ExitStatus::NotAllowed))
        .chain(notes)
        .collect()
}

/// Compares the request that S3 received with the URL. Values can be secret, so only names are printed.
fn differences(received: &str, url: &PresignedDetails) -> Vec<CheckResult> {
    let mut lines = received.lines();
    let (method, path, query) = (lines.next(), lines.next(), lines.next());
    let (Some(method), Some(path), Some(query)) = (method, path, query) else {
        return Vec::new();
    };
    let (own_path, own_names) = url.canonical();
    let mut findings = vec![CheckResult::note(format!(
        "S3 received the method {method}; a URL is valid only for the signed method"
    ))];
    if path != own_path {
        findings.push(CheckResult::failed(
            format!("S3 received the path {path}, but the URL has {own_path}"),
            "A proxy or the client changes paths.",
        ));
    }
    findings.extend(parameter_differences(query, &own_names));
    findings.extend(signed_headers(received));
    findings
}

/// Compares the names of the parameters that S3 received with the names in the URL.
fn parameter_differences(query: &str, own_names: &[String]) -> Vec<CheckResult> {
    let names = query.split('&').filter_map(|pair| pair.split('=').next());
    let mut names: Vec<_> = names.map(str::to_owned).collect();
    names.sort();
    let own_names: Vec<_> = own_names.iter().map(|name| encode_name(name)).collect();
    let missing = own_names.iter().filter(|name| !names.contains(name)).map(|name| {
        CheckResult::failed(
            format!("S3 did not receive the parameter {name}"),
            "Quote the URL, and look for a proxy that removes parameters.",
        )
    });
    let added = names.iter().filter(|name| !own_names.contains(name)).map(|name| {
        CheckResult::failed(
            format!("S3 received the parameter {name}, which is not in the URL"),
            "Do not add parameters to a signed query.",
        )
    });
    missing.chain(added).collect()
}

/// Lists the signed headers, except for the host.
fn signed_headers(received: &str) -> Option<CheckResult> {
    let signed = received.lines().skip(3).take_while(|line| !line.is_empty());
    let headers: Vec<_> = signed
        .filter_map(|line| line.split(':').next())
        .filter(|name| *name != "host")
        .collect();
    (!headers.is_empty()).then(|| {
        CheckResult::note(format!(
            "compare the sent and the signed values of these headers: {}",
            headers.join(", ")
        ))
    })
}

/// Encodes a name as in a canonical request.
fn encode_name(name: &str) -> String {
    utf8_percent_encode(name, UNRESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::check_result::CheckStatus;
    use super::*;

    fn findings(inner: &str) -> Vec<CheckResult> {
        let text =
            format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>{inner}<RequestId>R</RequestId></Error>");
        S3ErrorDetails::parse(&text).unwrap().findings(None)
    }

    #[test]
    fn s3_errors_are_explained() {
        for (inner, expected) in [
            (
                "<Code>AccessDenied</Code><Message>Request has expired</Message><X-Amz-Expires>300</X-Amz-Expires>\
                 <Expires>2026-01-01T00:05:00Z</Expires><ServerTime>2026-01-01T01:00:00Z</ServerTime>",
                "expired at 2026-01-01T00:05:00Z",
            ),
            (
                "<Code>AccessDenied</Code><Message>There were headers present in the request which were not signed\
                 </Message><HeadersNotSigned>x-amz-acl</HeadersNotSigned>",
                "not signed: x-amz-acl",
            ),
            (
                "<Code>RequestTimeTooSkewed</Code><Message>The difference is too large.</Message>\
                 <RequestTime>A</RequestTime><ServerTime>B</ServerTime>",
                "was A; the time at S3 was B",
            ),
            (
                "<Code>InvalidArgument</Code><Message>Only one auth mechanism allowed</Message>\
                 <ArgumentName>Authorization</ArgumentName>",
                "two credentials",
            ),
            (
                "<Code>AuthorizationQueryParametersError</Code><Message>the region is wrong</Message>\
                 <Region>eu-west-1</Region>",
                "endpoint: eu-west-1",
            ),
            (
                "<Code>NoSuchKey</Code><Message>The key does not exist.</Message>",
                "S3 rejected the request with NoSuchKey",
            ),
            ("<Code>Odd</Code>", "Odd is not a typical"),
        ] {
            let results = findings(inner);
            let failed = results
                .iter()
                .find(|result| result.status == CheckStatus::Failed)
                .unwrap();
            assert!(
                failed.message.contains(expected) && failed.remedy.is_some(),
                "{expected}: {results:#?}"
            );
        }
        assert!(S3ErrorDetails::parse("<html></html>").is_none() && S3ErrorDetails::parse("no XML").is_none());
    }

    #[test]
    fn a_changed_request_is_compared_with_its_url() {
        let url =
            "https://h/a%20b?X-Amz-Date=20260101T000000Z&X-Amz-Credential=AKID&x-id=GetObject&X-Amz-Signature=5eC";
        let url = PresignedDetails::parse(url).unwrap();
        let error = |canonical: &str| {
            let text = format!(
                "<Error><Code>SignatureDoesNotMatch</Code><Message>m</Message><CanonicalRequest>{canonical}\
                 </CanonicalRequest></Error>"
            );
            let results = S3ErrorDetails::parse(&text).unwrap().findings(Some(&url));
            results.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        let details =
            error("PUT\n/a%2520b\nX-Amz-Credential=AKID&amp;X-Amz-Date=2&amp;extra=1\nhost:h\nrange:x\n\nhost\nU");
        for expected in [
            "method PUT",
            "/a%2520b, but the URL has /a%20b",
            "did not receive the parameter x-id",
            "received the parameter extra",
            "range",
        ] {
            assert!(details.contains(expected), "{expected}: {details}");
        }
        assert!(!details.contains("AKID") && !details.contains("5eC"), "{details}");
        let same = error("GET\n/a%20b\nX-Amz-Credential=AKID&amp;X-Amz-Date=2&amp;x-id=GetObject\nhost:h\n\nhost\nU");
        assert!(
            !same.contains("S3 received the path") && !same.contains("parameter"),
            "{same}"
        );
    }
}
