//! A Lambda function URL: the path is told as it was sent.

use serde_json::Value;

use super::delivery::Delivery;
use super::payload2;

/// The name by which a function URL is known; the `Host` header tells where the client really asked.
const DOMAIN_NAME: &str = "local.lambda-url.us-east-1.on.aws";

pub(super) fn event(delivery: &Delivery<'_>) -> Value {
    let front = payload2::Front {
        raw_path: delivery.path(),
        domain_name: DOMAIN_NAME,
        keeps_cookie_header: true,
    };
    payload2::event(delivery, &front)
}
