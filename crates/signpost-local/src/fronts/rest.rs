//! A REST API behind a custom domain: no stage in the path; the escapes are kept, the length of the body is not told.

use serde_json::{Value, json};

use super::delivery::{Delivery, all_values, last_values};

const STAGE: &str = "local";

pub(super) fn event(delivery: &Delivery<'_>) -> Value {
    let sent = delivery.path();
    let path = format!("/{}", sent.trim_start_matches('/'));
    let proxy = path.trim_matches('/');
    let resource = if proxy.is_empty() { "/" } else { "/{proxy+}" };
    let headers = delivery
        .headers()
        .into_iter()
        .filter(|(name, _)| name != "content-length");
    let headers: Vec<_> = headers.collect();
    let (body, is_base64_encoded) = delivery.base64_body();
    json!({
        "resource": resource,
        "path": path,
        "httpMethod": delivery.method(),
        "headers": last_values(headers.clone()),
        "multiValueHeaders": all_values(headers),
        "queryStringParameters": last_values(delivery.decoded_pairs()),
        "multiValueQueryStringParameters": all_values(delivery.decoded_pairs()),
        "pathParameters": if proxy.is_empty() { Value::Null } else { json!({ "proxy": proxy }) },
        "stageVariables": null,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": delivery.host(),
            "domainPrefix": "local",
            "httpMethod": delivery.method(),
            "identity": { "sourceIp": delivery.peer.ip().to_string() },
            "path": sent,
            "protocol": "HTTP/1.1",
            "requestId": delivery.request_id,
            "resourceId": "local",
            "resourcePath": resource,
            "stage": STAGE,
        },
        "body": body,
        "isBase64Encoded": is_base64_encoded,
    })
}
