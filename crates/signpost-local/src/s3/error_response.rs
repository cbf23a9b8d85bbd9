//! The XML of error responses, in one format for errors of the verification and of `s3s`.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use s3s::Body;

/// The content of an error response.
#[derive(Debug)]
pub(crate) struct ErrorBody<'a> {
    pub(crate) status: StatusCode,
    pub(crate) code: &'a str,
    pub(crate) message: &'a str,
    /// Further elements, such as `HeadersNotSigned`.
    pub(crate) details: &'a [(&'static str, String)],
}

impl ErrorBody<'_> {
    /// Builds the response with the resource and the request id.
    pub(crate) fn into_response(self, resource: &str, request_id: &str) -> Response<Body> {
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
        push_element(&mut xml, "Code", self.code);
        push_element(&mut xml, "Message", self.message);
        for (name, value) in self.details {
            push_element(&mut xml, name, value);
        }
        push_element(&mut xml, "Resource", resource);
        push_element(&mut xml, "RequestId", request_id);
        xml.push_str("</Error>");
        let mut response = Response::new(Body::from(Bytes::from(xml)));
        *response.status_mut() = self.status;
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        response
    }
}

/// Rewrites an error of `s3s` to the common format. Without `allow_listing`, a missing key becomes `AccessDenied`.
pub(crate) fn rewrite_error(
    response: Response<Body>,
    allow_listing: bool,
    resource: &str,
    request_id: &str,
) -> Response<Body> {
    let status = response.status();
    if status == StatusCode::NOT_MODIFIED {
        return response.map(|_| Body::empty());
    }
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let text = body.bytes().unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let code = element_text(&text, "Code").unwrap_or_else(|| "InternalError".into());
    let message = element_text(&text, "Message").unwrap_or_else(|| default_message(&code).into());
    if code == "NoSuchKey" && !allow_listing {
        let rejection = ErrorBody {
            status: StatusCode::FORBIDDEN,
            code: "AccessDenied",
            message: "Access Denied",
            details: &[],
        };
        return rejection.into_response(resource, request_id);
    }
    let (mut rewritten, body) = ErrorBody {
        status,
        code: &code,
        message: &message,
        details: &[],
    }
    .into_response(resource, request_id)
    .into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.extend(std::mem::take(&mut rewritten.headers));
    Response::from_parts(parts, body)
}

fn default_message(code: &str) -> &'static str {
    match code {
        "AccessDenied" => "Access Denied",
        "MethodNotAllowed" => "The specified method is not allowed against this resource.",
        "NoSuchBucket" => "The specified bucket does not exist",
        "NoSuchKey" => "The specified key does not exist.",
        "PreconditionFailed" => "At least one of the pre-conditions you specified did not hold",
        "InternalError" => "We encountered an internal error. Please try again.",
        "NotImplemented" => "The embedded S3 does not implement this header or operation",
        _ => "The request was rejected",
    }
}

fn push_element(xml: &mut String, name: &str, value: &str) {
    xml.push('<');
    xml.push_str(name);
    xml.push('>');
    for character in value.chars() {
        match character {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '\n' | '\t' => xml.push(character),
            // XML 1.0 cannot represent other control characters.
            control if control.is_control() => xml.push('\u{fffd}'),
            other => xml.push(other),
        }
    }
    xml.push_str("</");
    xml.push_str(name);
    xml.push('>');
}

fn element_text(xml: &str, name: &str) -> Option<String> {
    let start = xml.find(&format!("<{name}>"))? + name.len() + 2;
    let end = xml[start..].find(&format!("</{name}>"))? + start;
    let text = xml[start..end]
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"");
    Some(text.replace("&apos;", "'").replace("&amp;", "&"))
}
