//! API Gateway REST API behind a custom domain: no stage in the path, the path stays encoded, no Content-Length header.

use serde_json::{Value, json};
use signpost::rejection::Rejection;

use super::client_request::{ClientRequest, all_values, last_values};

const STAGE: &str = "local";

/// The limit on the ARN of a method, which contains the path. A longer path gets 414
/// ([quotas of REST APIs](https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html)).
const MAX_METHOD_ARN: usize = 1600;

/// The part of the ARN before the path, with the names of an API on AWS.
const ARN_PREFIX: &str = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/live/DELETE";

/// The longest path. AWS does not document whether the ARN contains the encoded path, so this front assumes it.
const MAX_PATH: usize = MAX_METHOD_ARN - ARN_PREFIX.len();

pub(super) fn build_event(request: &ClientRequest<'_>) -> Result<Value, Rejection> {
    let sent = request.path();
    if sent.len() > MAX_PATH {
        return Err(Rejection::PathTooLong { max_bytes: MAX_PATH });
    }
    let path = format!("/{}", sent.trim_start_matches('/'));
    let proxy = path.trim_matches('/');
    let resource = if proxy.is_empty() { "/" } else { "/{proxy+}" };
    let headers = request
        .headers()
        .into_iter()
        .filter(|(name, _)| name != "content-length");
    let headers: Vec<_> = headers.collect();
    let (body, is_base64_encoded) = request.base64_body();
    Ok(json!({
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
    }))
}
