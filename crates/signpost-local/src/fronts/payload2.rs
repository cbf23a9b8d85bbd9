//! The payload format 2.0, which HTTP APIs and function URLs share.

use serde_json::{Value, json};

use super::delivery::{Delivery, joined_values};

/// What the two fronts tell differently.
pub(super) struct Front<'a> {
    pub(super) raw_path: &'a str,
    pub(super) domain_name: &'a str,
    /// Whether the cookies stay among the headers as well.
    pub(super) keeps_cookie_header: bool,
}

pub(super) fn event(delivery: &Delivery<'_>, front: &Front<'_>) -> Value {
    let headers = delivery.headers();
    let (cookies, others): (Vec<_>, Vec<_>) = headers.into_iter().partition(|(name, _)| name == "cookie");
    let told: Vec<String> = cookies
        .iter()
        .flat_map(|(_, value)| value.split(';').map(|cookie| cookie.trim().to_owned()))
        .collect();
    let kept = cookies.into_iter().filter(|_| front.keeps_cookie_header);
    let (body, is_base64_encoded) = delivery.typed_body();
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": front.raw_path,
        "rawQueryString": delivery.raw_query(),
        "headers": joined_values(others.into_iter().chain(kept)),
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "local",
            "domainName": front.domain_name,
            "domainPrefix": "local",
            "http": {
                "method": delivery.method(),
                "path": front.raw_path,
                "protocol": "HTTP/1.1",
                "sourceIp": delivery.peer.ip().to_string(),
            },
            "requestId": delivery.request_id,
            "routeKey": "$default",
            "stage": "$default",
        },
        "isBase64Encoded": is_base64_encoded,
    });
    let optional = [
        ("body", body),
        ("queryStringParameters", joined_values(delivery.decoded_pairs())),
        ("cookies", if told.is_empty() { Value::Null } else { json!(told) }),
    ];
    for (name, value) in optional {
        if !value.is_null() {
            event[name] = value;
        }
    }
    event
}
