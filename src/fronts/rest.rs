//! Events of a REST API of API Gateway, payload format 1.0.

use http::HeaderMap;
use percent_encoding::percent_decode_str;

use super::authorizer;
use super::content_length;
use super::event::FrontEvent;
use super::front_response::FrontResponse;
use super::key_path::{KeyPath, is_below, required};
use crate::key::PathEncoding;
use crate::rejection::Rejection;
use crate::request::{BodyLength, GatewayIdentity, Pairs};
use crate::response::{ApiResponse, ServiceFailure};

/// The resource of the API that a request matches: a fixed part, and a path parameter with the key.
struct Resource<'a> {
    /// The part before the parameter, without a trailing `/`.
    fixed: &'a str,
    /// The value of the parameter; empty for the resource `/`.
    value: &'a str,
    /// True if the value can contain several segments.
    is_greedy: bool,
}

/// Returns the path of the key, which no single field of the event contains.
///
/// `path` keeps the percent-encoding, but collapses a leading `//`, which `requestContext.path` keeps, as recorded on AWS
/// ([recording](https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/apigateway/test_apigateway_lambda.snapshot.json)).
/// The path parameter shows where the key begins, but loses a trailing `/`.
pub(super) fn key_path<'a>(event: &'a FrontEvent<'_>) -> Result<KeyPath<'a>, ServiceFailure> {
    let path = required(event.path.as_ref())?;
    let resource = Resource::of_event(event)?;
    let prefix = resource.prefix(path)?;
    // Without a parameter only slashes follow the prefix, and all but the first belong to the key.
    let key = if resource.value.is_empty() {
        ""
    } else {
        &path[prefix.len()..]
    };
    let whole = whole_path(event, path, key)?;
    let before_key = &whole[..whole.len() - key.len()];
    let prefix = before_key.trim_end_matches('/');
    let path = format!("{}{key}", &before_key[prefix.len()..]);
    Ok(KeyPath {
        path: is_below(&path, "").then(|| path.into()),
        encoding: PathEncoding::Percent,
        prefix: prefix.into(),
    })
}

impl<'a> Resource<'a> {
    /// Reads the resource. It must end with its only path parameter: otherwise the event does not show where the key
    /// begins.
    fn of_event(event: &'a FrontEvent<'_>) -> Result<Self, ServiceFailure> {
        let resource = event.resource.as_deref();
        let resource = resource.ok_or_else(|| unknown("the event has no resource"))?;
        let Some((fixed, parameter)) = resource.split_once("/{") else {
            return match resource {
                "/" => Ok(Self::root()),
                _ => Err(unknown(
                    "the resource of the REST API has no path parameter for the key, such as {proxy+}",
                )),
            };
        };
        let name = parameter.strip_suffix('}').filter(|name| !name.contains('/'));
        let name = name.ok_or_else(|| unknown("the resource of the REST API must end with its only path parameter"))?;
        let plain = name.strip_suffix('+');
        let value = event
            .path_parameter(plain.unwrap_or(name))
            .filter(|value| !value.is_empty());
        Ok(Self {
            fixed,
            value: value.ok_or_else(|| unknown("the event has no value for the path parameter of its resource"))?,
            is_greedy: plain.is_some(),
        })
    }

    const fn root() -> Self {
        Self {
            fixed: "",
            value: "",
            is_greedy: true,
        }
    }

    /// Returns the part of `path` before the value of the parameter.
    fn prefix<'p>(&self, path: &'p str) -> Result<&'p str, ServiceFailure> {
        let trimmed = path.trim_end_matches('/');
        let found = trimmed.strip_suffix(self.value.trim_end_matches('/'));
        let prefix = found.or_else(|| self.decoded_segment(trimmed));
        let prefix = prefix.ok_or_else(|| unknown("the path does not end with the path parameter"))?;
        if !prefix.trim_end_matches('/').ends_with(self.fixed) {
            return Err(unknown("the path does not begin with the resource"));
        }
        Ok(prefix)
    }

    /// Returns the part before the last segment, if the value is this segment after decoding.
    fn decoded_segment<'p>(&self, path: &'p str) -> Option<&'p str> {
        let start = path.rfind('/')? + 1;
        let decoded = percent_decode_str(&path[start..]).decode_utf8().ok()?;
        (!self.is_greedy && decoded == self.value).then(|| &path[..start])
    }
}

const fn unknown(problem: &'static str) -> ServiceFailure {
    ServiceFailure::UnknownFront { problem }
}

/// Returns the path of the request context, or `path` if an emulator has put the resource there.
fn whole_path<'a>(event: &'a FrontEvent<'_>, path: &'a str, key: &str) -> Result<&'a str, ServiceFailure> {
    let whole = event.request_context.path.as_deref().unwrap_or(path);
    if whole.ends_with(key) {
        return Ok(whole);
    }
    if whole.contains("//") {
        return Err(ServiceFailure::UnknownFront {
            problem: "the path of the request context spells the key in another way",
        });
    }
    Ok(path)
}

/// Returns the query, which a REST API has decoded.
pub(super) fn query(event: &FrontEvent<'_>) -> Pairs {
    event.decoded_query()
}

/// Returns the length of the upload. Events of a REST API have no `Content-Length`, so the delivered body counts.
pub(super) fn body_length(event: &FrontEvent<'_>, headers: &HeaderMap) -> Result<BodyLength, Rejection> {
    if content_length::is_chunked(headers) {
        return Ok(BodyLength::Chunked);
    }
    let delivered = event.body_bytes();
    let declared = content_length::declared(headers)?;
    Ok(BodyLength::Declared(if delivered > 0 {
        delivered
    } else {
        declared.unwrap_or(0)
    }))
}

/// Returns the identity that an authorizer or IAM has verified.
pub(super) fn identity(event: &FrontEvent<'_>) -> Option<GatewayIdentity> {
    let context = &event.request_context;
    authorizer::rest_identity(context.authorizer.as_ref(), context.identity.as_ref())
}

/// Returns the response in this format.
pub(super) fn render(response: &ApiResponse) -> FrontResponse<'_> {
    FrontResponse::new(response).with_multi_value_headers()
}
