//! Payload format 2.0, which HTTP APIs and function URLs use.

use serde_json::{Value, json};

use super::client_request::{ClientRequest, joined_values};

/// The differences between the two fronts.
pub(super) struct PayloadOptions<'a> {
    pub(super) raw_path: &'a str,
    pub(super) domain_name: &'a str,
    /// True if the event contains the cookies in `headers` as well as in `cookies`.
    pub(super) keep_cookie_header: bool,
}

pub(super) fn build_event(request: &ClientRequest<'_>, options: &PayloadOptions<'_>) -> Value {
    let headers = request.headers();
    let (cookies, others): (Vec<_>, Vec<_>) = headers.into_iter().partition(|(name, _)| name == "cookie");
    let cookie_values: Vec<String> = cookies
        .iter()
        .flat_map(|(_, value)| value.split(';').map(|cookie| cookie.trim().to_owned()))
        .collect();
    let kept_cookies = cookies.into_iter().filter(|_| options.keep_cookie_header);
    let (body, is_base64_encoded) = request.text_or_base64_body();
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": options.raw_path,
        "rawQueryString": request.raw_query(),
        "headers": joined_values(others.into_iter().chain(kept_cookies)),
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "local",
            "domainName": options.domain_name,
            "domainPrefix": "local",
            "http": {
                "method": request.method(),
                "path": options.raw_path,
                "protocol": "HTTP/1.1",
                "sourceIp": request.peer.ip().to_string(),
            },
            "requestId": request.request_id,
            "routeKey": "$default",
            "stage": "$default",
        },
        "isBase64Encoded": is_base64_encoded,
    });
    let optional = [
        ("body", body),
        ("queryStringParameters", joined_values(request.decoded_pairs())),
        (
            "cookies",
            if cookie_values.is_empty() {
                Value::Null
            } else {
                json!(cookie_values)
            },
        ),
    ];
    for (name, value) in optional {
        if !value.is_null() {
            event[name] = value;
        }
    }
    event
}
