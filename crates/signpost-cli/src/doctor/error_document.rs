//! Explains an error response of Signpost, S3 or a gateway.

use signpost::wire::ProblemDocument;

use super::check_result::CheckResult;
use super::presigned_details::PresignedDetails;
use super::s3_error_details::S3ErrorDetails;
use crate::exit_status::ExitStatus;
use crate::gateway_error::{self, GatewayError};
use crate::signing_service::exit_status_for_rejection;

/// The body of an error response.
#[derive(Debug)]
pub(super) enum ErrorDocument {
    S3(Box<S3ErrorDetails>),
    Signpost(Box<ProblemDocument>),
    Gateway(GatewayError),
}

impl ErrorDocument {
    /// Parses the body of an error response, with or without its head (`curl -i`).
    pub(super) fn parse(text: &str) -> Option<Self> {
        let body = without_head(text).trim();
        if let Some(details) = S3ErrorDetails::parse(body) {
            return Some(Self::S3(Box::new(details)));
        }
        if let Some(problem) = parse_problem(body) {
            return Some(Self::Signpost(Box::new(problem)));
        }
        gateway_error::explain(body).map(Self::Gateway)
    }

    /// Explains the error, for the request URL if it is known.
    pub(super) fn findings(&self, url: Option<&PresignedDetails>) -> Vec<CheckResult> {
        match self {
            Self::S3(details) => details.findings(url),
            Self::Signpost(problem) => problem_findings(problem),
            Self::Gateway(error) => vec![
                CheckResult::note("the response is not from Signpost or S3, but from the gateway in front of Signpost"),
                CheckResult::failed(error.message, error.remedy),
            ],
        }
    }
}

/// The text after the head of an HTTP response. `curl -i` also prints the heads of redirects.
fn without_head(text: &str) -> &str {
    let mut rest = text.trim_start();
    while rest.starts_with("HTTP/") {
        let ends = ["\r\n\r\n", "\n\n"]
            .into_iter()
            .filter_map(|end| Some((rest.find(end)?, end.len())));
        let Some((at, len)) = ends.min() else { return "" };
        rest = &rest[at + len..];
    }
    rest
}

/// Parses the JSON or the text of an error of Signpost.
fn parse_problem(body: &str) -> Option<ProblemDocument> {
    if let Ok(problem) = serde_json::from_str(body) {
        return Some(problem);
    }
    let (first, remedy) = body.split_once('\n').unwrap_or((body, ""));
    let (code, rest) = first.split_once(": ")?;
    let (detail, id) = rest.strip_suffix(')')?.rsplit_once(" (request ")?;
    let is_code = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_code.then(|| ProblemDocument {
        code: code.to_owned(),
        detail: detail.to_owned(),
        remedy: Some(remedy.trim().to_owned()).filter(|remedy| !remedy.is_empty()),
        request_id: Some(id.to_owned()),
        status: 0,
        title: String::new(),
        problem_type: String::new(),
    })
}

fn problem_findings(problem: &ProblemDocument) -> Vec<CheckResult> {
    let remedy = problem
        .remedy
        .clone()
        .unwrap_or_else(|| "Contact the operator.".to_owned());
    let failed = CheckResult::failed(
        format!("Signpost returned {}: {}", problem.code, problem.detail),
        remedy,
    );
    let mut findings =
        vec![failed.with_exit_status(exit_status_for_rejection(&problem.code).unwrap_or(ExitStatus::Failure))];
    if let Some(id) = &problem.request_id {
        findings.push(CheckResult::note(format!(
            "the operator finds the request in the log of the function by its request.id: {id}"
        )));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(text: &str) -> String {
        let document = ErrorDocument::parse(text).unwrap_or_else(|| panic!("{text} is unknown"));
        let lines = document.findings(None);
        lines.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn errors_of_every_server_are_recognized() {
        let json = r#"{"code":"AccessDenied","detail":"no rule allows it","remedy":"Do this.","request_id":"r1","status":403,
                       "title":"Forbidden","type":"about:blank"}"#;
        for (text, expected) in [
            (
                "<Error><Code>ExpiredToken</Code><Message>m</Message></Error>",
                "S3 returned ExpiredToken",
            ),
            (json, "Signpost returned AccessDenied: no rule allows it"),
            (
                "InvalidCredential: the token is unknown (request r-1)\nCheck it.\n",
                "Signpost returned InvalidCredential: the token is unknown\n      Check it.",
            ),
            ("AccessDenied: a (b) (request r-1)", "request.id: r-1"),
            (r#"{"message":"Forbidden"}"#, "from the gateway"),
            (
                "HTTP/2 307\r\nlocation: https://h/\r\n\r\nHTTP/1.1 403 Forbidden\r\ncontent-type: a/b\r\n\r\n{\"message\":\"Forbidden\"}",
                "from the gateway",
            ),
            (
                "HTTP/1.1 429 \nx: y\n\n{\"message\":\"Too Many Requests\"}\n",
                "more requests",
            ),
        ] {
            assert!(explained(text).contains(expected), "{text}: {}", explained(text));
        }
        for text in ["", "words", "a: b", "HTTP/1.1 200 OK", "{\"status\":\"ok\"}"] {
            assert!(ErrorDocument::parse(text).is_none(), "{text}");
        }
    }
}
