//! An Application Load Balancer: path and query are told as they were sent.

use serde_json::{Value, json};

use super::delivery::{Delivery, all_values, last_values};

/// Whether the target group has multi-value headers switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Values {
    /// Off: of repeated headers and parameters the last one counts.
    Last,
    /// On.
    All,
}

pub(super) fn event(delivery: &Delivery<'_>, values: Values) -> Value {
    let (body, is_base64_encoded) = delivery.typed_body();
    let body = if body.is_null() { json!("") } else { body };
    let (headers, query) = match values {
        Values::Last => ("headers", "queryStringParameters"),
        Values::All => ("multiValueHeaders", "multiValueQueryStringParameters"),
    };
    let object = |pairs: Vec<(String, String)>| {
        let object = match values {
            Values::Last => last_values(pairs),
            Values::All => all_values(pairs),
        };
        if object.is_null() { json!({}) } else { object }
    };
    json!({
        "requestContext": {
            "elb": { "targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/local/0" },
        },
        "httpMethod": delivery.method(),
        "path": delivery.path(),
        query: object(delivery.raw_pairs().collect()),
        headers: object(delivery.headers()),
        "body": body,
        "isBase64Encoded": is_base64_encoded,
    })
}
