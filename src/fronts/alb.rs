//! Events of an Application Load Balancer, with single-value or multi-value headers
//! ([Lambda functions as targets](https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html)).

use super::event::FrontEvent;
use super::front_response::FrontResponse;
use super::key_path::{KeyPath, required};
use super::query::decode_pairs;
use crate::key::PathEncoding;
use crate::rejection::Rejection;
use crate::request::Pairs;
use crate::response::{ApiResponse, ServiceFailure};

/// Returns the path of the key. An ALB passes on the path as the client sent it.
pub(super) fn key_path<'a>(event: &'a FrontEvent<'_>, base_path: &str) -> Result<KeyPath<'a>, ServiceFailure> {
    let path = required(event.path.as_ref())?;
    Ok(KeyPath::below_base(
        path,
        PathEncoding::Percent,
        String::new(),
        base_path,
    ))
}

/// Returns the query. An ALB splits it, but does not decode names and values.
pub(super) fn query(event: &FrontEvent<'_>) -> Result<Pairs, Rejection> {
    decode_pairs(event.query_parameters())
}

/// Returns the response for an ALB that uses single-value headers. If there are several cookies, it sets the first.
pub(super) fn render(response: &ApiResponse) -> FrontResponse<'_> {
    FrontResponse::new(response).with_description().with_single_headers()
}

/// Returns the response for an ALB that uses multi-value headers.
pub(super) fn render_multi_value(response: &ApiResponse) -> FrontResponse<'_> {
    FrontResponse::new(response)
        .with_description()
        .with_multi_value_headers()
}
