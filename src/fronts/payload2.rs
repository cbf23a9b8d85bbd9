//! Payload format 2.0, which HTTP APIs and function URLs use
//! ([payload format](https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html)).

use super::authorizer;
use super::event::FrontEvent;
use super::front_response::FrontResponse;
use super::query::decode_pairs;
use crate::rejection::Rejection;
use crate::request::{GatewayIdentity, Pairs};
use crate::response::ApiResponse;

/// Returns the query, which this format has as the client sent it. Emulators may have the decoded parameters only.
pub(super) fn query(event: &FrontEvent<'_>) -> Result<Pairs, Rejection> {
    let Some(raw) = event.raw_query_string.as_deref() else {
        return Ok(event.decoded_query());
    };
    let pairs = raw.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    decode_pairs(pairs)
}

/// Returns the identity that an authorizer of the front has verified.
pub(super) fn identity(event: &FrontEvent<'_>) -> Option<GatewayIdentity> {
    authorizer::payload2_identity(event.request_context.authorizer.as_ref()?)
}

/// Returns the response in this format. Cookies have a field of their own.
pub(super) fn render(response: &ApiResponse) -> FrontResponse<'_> {
    FrontResponse::new(response).with_single_headers().with_cookies()
}
