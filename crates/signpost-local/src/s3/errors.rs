//! The XML of every refusal: one shape, whether the strict layer or `s3s` says no.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use s3s::Body;

/// What an error tells the client.
#[derive(Debug)]
pub(crate) struct ErrorBody<'a> {
    pub(crate) status: StatusCode,
    pub(crate) code: &'a str,
    pub(crate) message: &'a str,
    /// Further elements, such as `HeadersNotSigned`.
    pub(crate) details: &'a [(&'static str, String)],
}

impl ErrorBody<'_> {
    /// The answer, with the resource and the request's ID.
    pub(crate) fn into_response(self, resource: &str, request_id: &str) -> Response<Body> {
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
        element(&mut xml, "Code", self.code);
        element(&mut xml, "Message", self.message);
        for (name, value) in self.details {
            element(&mut xml, name, value);
        }
        element(&mut xml, "Resource", resource);
        element(&mut xml, "RequestId", request_id);
        xml.push_str("</Error>");
        let mut response = Response::new(Body::from(Bytes::from(xml)));
        *response.status_mut() = self.status;
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        response
    }
}

/// Gives an error of `s3s` the shape of the others; `may_list` decides whether a missing key may be told.
pub(crate) fn reshape(response: Response<Body>, may_list: bool, resource: &str, request_id: &str) -> Response<Body> {
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
    let code = content(&text, "Code").unwrap_or_else(|| "InternalError".into());
    let message = content(&text, "Message").unwrap_or_else(|| default_message(&code).into());
    if code == "NoSuchKey" && !may_list {
        let refusal = ErrorBody {
            status: StatusCode::FORBIDDEN,
            code: "AccessDenied",
            message: "Access Denied",
            details: &[],
        };
        return refusal.into_response(resource, request_id);
    }
    let (mut reshaped, body) = ErrorBody {
        status,
        code: &code,
        message: &message,
        details: &[],
    }
    .into_response(resource, request_id)
    .into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.extend(std::mem::take(&mut reshaped.headers));
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
        "NotImplemented" => "A header or operation that you asked for is not implemented here",
        _ => "The request was refused",
    }
}

fn element(xml: &mut String, name: &str, value: &str) {
    xml.push('<');
    xml.push_str(name);
    xml.push('>');
    for character in value.chars() {
        match character {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '\n' | '\t' => xml.push(character),
            // XML 1.0 has no way to write the others.
            control if control.is_control() => xml.push('\u{fffd}'),
            other => xml.push(other),
        }
    }
    xml.push_str("</");
    xml.push_str(name);
    xml.push('>');
}

fn content(xml: &str, name: &str) -> Option<String> {
    let start = xml.find(&format!("<{name}>"))? + name.len() + 2;
    let end = xml[start..].find(&format!("</{name}>"))? + start;
    let text = xml[start..end]
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"");
    Some(text.replace("&apos;", "'").replace("&amp;", "&"))
}
