//! API Gateway REST API behind a custom domain: no stage in the path, the path stays encoded, no Content-Length header.

use serde_json::{Value, json};

use super::client_request::{ClientRequest, all_values, last_values};

const STAGE: &str = "local";

pub(super) fn build_event(request: &ClientRequest<'_>) -> Value {
    let sent = request.path();
    let path = format!("/{}", sent.trim_start_matches('/'));
    let proxy = path.trim_matches('/');
    let resource = if proxy.is_empty() { "/" } else { "/{proxy+}" };
    let headers = request
        .headers()
        .into_iter()
        .filter(|(name, _)| name != "content-length");
    let headers: Vec<_> = headers.collect();
    let (body, is_base64_encoded) = request.base64_body();
    json!({
        "resource": resource,
        "path": path,
        "httpMethod": request.method(),
        "headers": last_values(headers.clone()),
        "multiValueHeaders": all_values(headers),
        "queryStringParameters": last_values(request.decoded_pairs()),
        "multiValueQueryStringParameters": all_values(request.decoded_pairs()),
        "pathParameters": if proxy.is_empty() { Value::Null } else { json!({ "proxy": proxy }) },
        "stageVariables": null,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": request.host(),
            "domainPrefix": "local",
            "httpMethod": request.method(),
            "identity": { "sourceIp": request.peer.ip().to_string() },
            "path": sent,
            "protocol": "HTTP/1.1",
            "requestId": request.request_id,
            "resourceId": "local",
            "resourcePath": resource,
            "stage": STAGE,
        },
        "body": body,
        "isBase64Encoded": is_base64_encoded,
    })
}
