//! Explains the errors of the AWS services in front of Signpost: API Gateway, function URLs, ALB, `CloudFront` and AWS
//! WAF.
//! These services return them before they call the function, or instead of its response.

use serde_json::Value;

/// An explained error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GatewayError {
    /// A fragment that says what is wrong.
    pub(crate) message: &'static str,
    /// The correction.
    pub(crate) remedy: &'static str,
}

/// Parts of the text of a response, in lower case, and their explanation. The first match counts.
struct KnownError {
    /// Parts of the text. One of them is sufficient.
    texts: &'static [&'static str],
    error: GatewayError,
}

const NO_ROUTE: &str = "Check the URL: it must include the stage of the API, such as `/prod`, or the base path of the custom \
                        domain. `signpost doctor URL` checks the URL of a service.";

const LOOK_IN_LOG: &str = "Run the command again. If the error persists, the operator should look in the log of the function \
                           for an error or a timeout.";

const KNOWN_ERRORS: &[KnownError] = &[
    known(
        &["missing authentication token"],
        "API Gateway has no route for this path or method; the message does not refer to a token of Signpost",
        NO_ROUTE,
    ),
    known(
        &["key=value pair", "requires 'credential' parameter"],
        "API Gateway has no route for this path, and expects an AWS signature in the Authorization header",
        NO_ROUTE,
    ),
    known(
        &[
            "request too long",
            "content length exceeded",
            "entity too large",
            "payload too large",
            "content too large",
        ],
        "the upload is larger than the gateway accepts: about 4.5 MB through the redirect, or 1 MB behind an ALB",
        "Upload with `signpost put`, or in two steps. First request the URL with PUT and `?url&contentLength=BYTES`, without a \
         body. Then send the file to that URL.",
    ),
    known(
        &["limit exceeded"],
        "the quota of a usage plan of API Gateway is used up",
        "Wait until the quota starts again, or ask the operator for a larger one.",
    ),
    known(
        &[
            "too many requests",
            "rate exceeded",
            "throttl",
            "concurrentinvocationlimit",
        ],
        "there are more requests than the gateway or the function accepts at the same time",
        "Run the command again later. The operator can raise the throttle of the API, the reserved concurrency of the function, \
         or the quota of the account. A reserved concurrency of 0 rejects every request.",
    ),
    known(
        &["uri too long", "uri too large", "request-uri"],
        "the path is longer than the gateway accepts: about 1,500 bytes with percent-encoding for a REST API",
        "Use a shorter key, or request the instruction with `POST /-/sign`, whose body contains the key.",
    ),
    known(
        &["header or cookie too large", "header fields too large"],
        "the headers of the request are larger than the gateway accepts",
        "Delete the cookies of this host, and use a shorter token.",
    ),
    known(
        &["troubleshooting function url"],
        "the function URL is not allowed to invoke the function: it requires two permissions",
        "The operator should add both: lambda:InvokeFunctionUrl, and lambda:InvokeFunction with --invoked-via-function-url (see \
         the section \"Upgrade\" in docs/OPERATIONS.md).",
    ),
    known(
        &[
            "token has expired",
            "token included in the request is expired",
            "signature expired",
        ],
        "the credential for the authorizer of the gateway has expired",
        "Request a new token from its issuer, and check the clock of this machine.",
    ),
    known(
        &["is not authorized to", "explicit deny"],
        "an authorizer or the resource policy of the API rejects the request",
        "Send the credential that the authorizer accepts. The operator can compare the caller with the resource policy.",
    ),
    known(
        &["unauthorized", "security token included in the request is invalid"],
        "an authorizer of the gateway rejects the credential before Signpost receives it",
        "Send the credential that this authorizer accepts. It does not know the tokens in the rules.",
    ),
    known(
        &["supports only cachable requests"],
        "the CloudFront distribution does not allow this method",
        "The operator should allow all methods in the cache behavior of the distribution.",
    ),
    known(
        &["request blocked"],
        "CloudFront blocks the request: AWS WAF, a geographic restriction, or a wrong host name",
        "The operator should look for the request in the sampled requests of the web ACL, and check the alternate domain names \
         of the distribution.",
    ),
    known(
        &[
            "gateway time-out",
            "gateway timeout",
            "request timed out",
            "network error communicating",
        ],
        "the function did not respond in time",
        LOOK_IN_LOG,
    ),
    known(
        &["generated by cloudfront"],
        "CloudFront cannot get a response from the service behind it",
        "The operator should check the origin of the distribution: its host name, its path (the stage) and its certificate.",
    ),
    known(
        &["forbidden"],
        "AWS WAF or the gateway rejects the request before Signpost receives it. The cause is a rule of a web ACL, a missing API \
         key, or a custom domain without a mapping for this path",
        "The operator should look for the request in the sampled requests of the web ACL, then check the mappings of the custom \
         domain. Managed rules of AWS WAF can block uploads, long queries and share links.",
    ),
    known(
        &["bad gateway"],
        "the load balancer cannot use the response of the function: it failed, or the response is larger than 1 MB",
        LOOK_IN_LOG,
    ),
    known(
        &["service unavailable", "temporarily unavailable"],
        "the gateway cannot call the function: it is throttled, fails to start, or is not registered as a target",
        LOOK_IN_LOG,
    ),
    known(
        &["internal server error", "internal error"],
        "the gateway could not call the function, or could not use its response",
        "The operator should look in the log of the function for an error at its start, such as an invalid setting or rule. \
         Also check that the gateway may invoke the function.",
    ),
    known(&["not found"], "the gateway has no route for this path", NO_ROUTE),
    known(
        &["method not allowed", "not implemented"],
        "the gateway does not accept this method",
        "Check the URL and the method. The operator should route all methods to the function.",
    ),
    known(
        &["bad request"],
        "the gateway rejects the request as malformed",
        "Percent-encode the path and the query, and send exactly one Host header.",
    ),
];

const fn known(texts: &'static [&'static str], message: &'static str, remedy: &'static str) -> KnownError {
    KnownError {
        texts,
        error: GatewayError { message, remedy },
    }
}

/// Explains the body of an error response. Returns `None` for a text that no gateway returns.
pub(crate) fn explain(body: &str) -> Option<GatewayError> {
    let text = error_text(body)?.to_lowercase();
    let matches_text = |known: &&KnownError| known.texts.iter().any(|part| text.contains(part));
    KNOWN_ERRORS.iter().find(matches_text).map(|known| known.error)
}

/// The text with the reason: the message of a JSON object, an HTML page, or one line.
fn error_text(body: &str) -> Option<String> {
    let body = body.trim();
    if let Ok(Value::Object(members)) = serde_json::from_str(body) {
        let texts = ["message", "Message", "Reason"]
            .into_iter()
            .filter_map(|name| members.get(name)?.as_str());
        let text = texts.collect::<Vec<_>>().join(" ");
        return (!text.is_empty()).then_some(text);
    }
    let is_html = body
        .get(..9)
        .is_some_and(|start| start.eq_ignore_ascii_case("<!doctype"))
        || body.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("<html"));
    let is_line = !body.contains(['\n', '<']) && body.len() <= 200;
    (is_html || is_line && !body.is_empty()).then(|| body.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_each_gateway_are_explained() {
        for (body, expected) in [
            (
                r#"{"message":"Missing Authentication Token"}"#,
                "no route for this path or method",
            ),
            (
                r#"{"message":"Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter."}"#,
                "expects an AWS signature",
            ),
            (
                r#"{"message":"Invalid key=value pair (missing equal-sign) in Authorization header: 'Bearer …'."}"#,
                "expects an AWS signature",
            ),
            (r#"{"message": "Request Too Long"}"#, "larger than the gateway accepts"),
            (
                "HTTP content length exceeded 10485760 bytes.",
                "larger than the gateway accepts",
            ),
            (
                r#"{"message":"Request Entity Too Large"}"#,
                "larger than the gateway accepts",
            ),
            (
                "<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n<body></body>\r\n</html>",
                "larger than the gateway accepts",
            ),
            (r#"{"message":"Too Many Requests"}"#, "more requests"),
            (r#"{"message":"Limit Exceeded"}"#, "usage plan"),
            (
                r#"{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}"#,
                "more requests",
            ),
            (
                "<html><head><title>414 Request-URI Too Large</title></head></html>",
                "the path is longer",
            ),
            (
                "<html><head><title>400 Request Header Or Cookie Too Large</title></head></html>",
                "the headers of the request",
            ),
            (
                r#"{"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/"}"#,
                "two permissions",
            ),
            (r#"{"message":"Forbidden"}"#, "AWS WAF"),
            (
                "<html>\r\n<head><title>403 Forbidden</title></head>\r\n<body>\r\n<center><h1>403 Forbidden</h1></center>\r\n</body>\r\n</html>",
                "AWS WAF",
            ),
            (
                "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01 Transitional//EN\"><HTML><H1>403 ERROR</H1>Request blocked. \
                 Generated by cloudfront (CloudFront)</HTML>",
                "CloudFront blocks the request",
            ),
            (
                "<!DOCTYPE HTML><HTML><H1>504 Gateway Timeout ERROR</H1>Generated by cloudfront (CloudFront)</HTML>",
                "did not respond in time",
            ),
            (
                r#"{"message":"Unauthorized"}"#,
                "rejects the credential before Signpost",
            ),
            (r#"{"message":"The incoming token has expired"}"#, "has expired"),
            (
                r#"{"Message":"User: anonymous is not authorized to perform: execute-api:Invoke on resource: arn:…"}"#,
                "resource policy",
            ),
            (
                r#"{"message": "Endpoint request timed out"}"#,
                "did not respond in time",
            ),
            (
                "<html><head><title>504 Gateway Time-out</title></head></html>",
                "did not respond in time",
            ),
            (
                "<html><head><title>502 Bad Gateway</title></head></html>",
                "larger than 1 MB",
            ),
            (
                "<html><head><title>503 Service Temporarily Unavailable</title></head></html>",
                "cannot call the function",
            ),
            (r#"{"message":"Service Unavailable"}"#, "cannot call the function"),
            (r#"{"message": "Internal server error"}"#, "could not call the function"),
            ("Internal Server Error", "could not call the function"),
            (r#"{"message":"Not Found"}"#, "no route for this path"),
        ] {
            let explained = explain(body).unwrap_or_else(|| panic!("{body} is unknown"));
            assert!(explained.message.contains(expected), "{body}: {explained:?}");
        }
    }

    #[test]
    fn other_texts_are_not_explained() {
        for body in [
            "",
            "words",
            "{}",
            r#"{"message":5}"#,
            "[]",
            "<Error><Code>X</Code></Error>",
            "forbidden\nfruit",
        ] {
            assert_eq!(explain(body), None, "{body}");
        }
    }
}
