//! Application Load Balancer: the event contains path and query as the client sent them.

use serde_json::{Value, json};

use super::client_request::{ClientRequest, all_values, last_values};

/// The handling of repeated headers and parameters, a setting of the target group (multi-value headers).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RepeatedValues {
    /// Multi-value headers are off: the event contains only the last value.
    LastOnly,
    /// Multi-value headers are on: the event contains all values.
    All,
}

pub(super) fn build_event(request: &ClientRequest<'_>, values: RepeatedValues) -> Value {
    let (body, is_base64_encoded) = request.text_or_base64_body();
    let body = if body.is_null() { json!("") } else { body };
    let (headers, query) = match values {
        RepeatedValues::LastOnly => ("headers", "queryStringParameters"),
        RepeatedValues::All => ("multiValueHeaders", "multiValueQueryStringParameters"),
    };
    let object = |pairs: Vec<(String, String)>| {
        let object = match values {
            RepeatedValues::LastOnly => last_values(pairs),
            RepeatedValues::All => all_values(pairs),
        };
        if object.is_null() { json!({}) } else { object }
    };
    json!({
        "requestContext": {
            "elb": { "targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/local/0" },
        },
        "httpMethod": request.method(),
        "path": request.path(),
        query: object(request.raw_pairs().collect()),
        headers: object(request.headers()),
        "body": body,
        "isBase64Encoded": is_base64_encoded,
    })
}
