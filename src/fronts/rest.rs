//! Events of a REST API of API Gateway, payload format 1.0.

use http::HeaderMap;

use super::authorizer;
use super::content_length;
use super::event::FrontEvent;
use super::front_response::FrontResponse;
use super::key_path::{KeyPath, is_below, required};
use crate::key::PathEncoding;
use crate::rejection::Rejection;
use crate::request::{BodyLength, GatewayIdentity, Pairs};
use crate::response::{ApiResponse, ServiceFailure};

/// Returns the path of the key, which no single field of the event contains.
///
/// `path` keeps the percent-encoding, but collapses a leading `//`, which `requestContext.path` keeps, as recorded on AWS
/// ([recording](https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/apigateway/test_apigateway_lambda.snapshot.json)).
/// `pathParameters.proxy` shows where the key begins, but loses a trailing `/`.
pub(super) fn key_path<'a>(event: &'a FrontEvent<'_>) -> Result<KeyPath<'a>, ServiceFailure> {
    let path = required(event.path.as_ref())?;
    let proxy = event.path_parameters.as_ref();
    let proxy = proxy
        .and_then(|parameters| parameters.proxy.as_deref())
        .unwrap_or_default();
    let found = path.trim_end_matches('/').strip_suffix(proxy.trim_end_matches('/'));
    let Some(prefix) = found else {
        return Err(ServiceFailure::UnknownFront {
            problem: "the path does not end with the proxy parameter",
        });
    };
    // Without a proxy parameter only slashes follow the prefix, and all but the first belong to the key.
    let key = if proxy.is_empty() { "" } else { &path[prefix.len()..] };
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
    if delivered > 0 {
        return Ok(BodyLength::Declared(delivered));
    }
    let declared = content_length::declared(headers)?;
    Ok(declared.map_or(BodyLength::Unknown, BodyLength::Declared))
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
