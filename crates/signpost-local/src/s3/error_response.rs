//! The XML of error responses, in one format for rejections and errors of `s3s`.

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

/// The request that an error response is about.
#[derive(Debug)]
pub(crate) struct ErrorContext<'a> {
    pub(crate) method: &'a str,
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
    pub(crate) upload_id: Option<&'a str>,
    pub(crate) version_id: Option<&'a str>,
    pub(crate) request_id: &'a str,
    pub(crate) host_id: &'a str,
}

impl ErrorBody<'_> {
    /// Builds the response with the ids of the request.
    pub(crate) fn into_response(self, context: &ErrorContext<'_>) -> Response<Body> {
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
        push_element(&mut xml, "Code", self.code);
        push_element(&mut xml, "Message", self.message);
        for (name, value) in self.details {
            push_element(&mut xml, name, value);
        }
        push_element(&mut xml, "RequestId", context.request_id);
        push_element(&mut xml, "HostId", context.host_id);
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
    reported: Vec<(&'static str, String)>,
    context: &ErrorContext<'_>,
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
    if code == "NoSuchKey" && !allow_listing {
        let rejection = ErrorBody {
            status: StatusCode::FORBIDDEN,
            code: "AccessDenied",
            message: "Access Denied",
            details: &[],
        };
        return rejection.into_response(context);
    }
    let message = default_message(&code).map_or_else(
        || element_text(&text, "Message").unwrap_or_else(|| "The request was rejected".into()),
        str::to_owned,
    );
    let mut details = reported;
    add_context(&mut details, &code, context);
    let (mut rewritten, body) = ErrorBody {
        status,
        code: &code,
        message: &message,
        details: &details,
    }
    .into_response(context)
    .into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.extend(std::mem::take(&mut rewritten.headers));
    Response::from_parts(parts, body)
}

/// Adds the elements that depend only on the request.
fn add_context(details: &mut Vec<(&'static str, String)>, code: &str, context: &ErrorContext<'_>) {
    let mut add = |name, value: &str| {
        if !value.is_empty() && !details.iter().any(|(found, _)| *found == name) {
            details.push((name, value.to_owned()));
        }
    };
    match code {
        "NoSuchBucket" | "InvalidBucketName" | "BucketAlreadyOwnedByYou" | "NoSuchCORSConfiguration" => {
            add("BucketName", context.bucket);
        }
        "NoSuchKey" | "ConditionalRequestConflict" => add("Key", context.key),
        "NoSuchVersion" => {
            add("Key", context.key);
            add("VersionId", context.version_id.unwrap_or_default());
        }
        "NoSuchUpload" | "InvalidPart" | "InvalidPartOrder" => add("UploadId", context.upload_id.unwrap_or_default()),
        "MethodNotAllowed" => {
            add("Method", context.method);
            add("ResourceType", if context.key.is_empty() { "BUCKET" } else { "OBJECT" });
        }
        "KeyTooLongError" => {
            add("Size", &context.key.len().to_string());
            add("MaxSizeAllowed", "1024");
        }
        _ => {}
    }
}

/// Returns the message of AWS for an error that `s3s` creates without one.
fn default_message(code: &str) -> Option<&'static str> {
    Some(match code {
        "AccessDenied" => "Access Denied",
        "MethodNotAllowed" => "The specified method is not allowed against this resource.",
        "NoSuchBucket" => "The specified bucket does not exist",
        "NoSuchKey" => "The specified key does not exist.",
        "PreconditionFailed" => "At least one of the pre-conditions you specified did not hold",
        "InternalError" => "We encountered an internal error. Please try again.",
        "MalformedXML" => "The XML you provided was not well-formed or did not validate against our published schema",
        "KeyTooLongError" => "Your key is too long",
        "InvalidBucketName" => "The specified bucket is not valid.",
        "InvalidURI" => "Couldn't parse the specified URI.",
        "MissingRequestBodyError" => "Request Body is empty",
        "MissingContentLength" => "You must provide the Content-Length HTTP header.",
        "SignatureDoesNotMatch" => {
            "The request signature we calculated does not match the signature you provided. Check your key and signing \
             method."
        }
        _ => return None,
    })
}

/// Appends an element with an escaped text.
pub(crate) fn push_element(xml: &mut String, name: &str, value: &str) {
    xml.push('<');
    xml.push_str(name);
    xml.push('>');
    for character in value.chars() {
        match character {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
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
