//! API Gateway REST API behind a custom domain: no stage in the path, the path stays encoded, no Content-Length header.
//! A client can replace the method by a header.

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

/// The headers that do not reach the function
/// ([important notes](https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html)).
const DROPPED_HEADERS: [&str; 2] = ["content-length", "content-md5"];

/// The header that replaces the method.
const METHOD_OVERRIDE: &str = "x-http-method-override";

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
        .filter(|(name, _)| !DROPPED_HEADERS.contains(&name.as_str()));
    let headers: Vec<_> = headers.collect();
    let method = method(request);
    let (body, is_base64_encoded) = request.base64_body();
    Ok(json!({
        "resource": resource,
        "path": path,
        "httpMethod": method,
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
            "httpMethod": method,
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

/// Returns the method that the gateway uses.
fn method<'a>(request: &'a ClientRequest<'_>) -> &'a str {
    let replaced = request.parts.headers.get(METHOD_OVERRIDE);
    let replaced = replaced.and_then(|method| method.to_str().ok());
    replaced
        .filter(|method| !method.is_empty())
        .unwrap_or_else(|| request.method())
}
