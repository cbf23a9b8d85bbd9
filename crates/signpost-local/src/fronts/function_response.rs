//! Converts the function's JSON response to HTTP.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde::Deserialize;

use super::EmulatedFront;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FunctionResponse {
    status_code: u16,
    #[serde(default)]
    headers: Option<BTreeMap<String, String>>,
    #[serde(default)]
    multi_value_headers: Option<BTreeMap<String, Vec<String>>>,
    /// Only in payload format 2.0.
    #[serde(default)]
    cookies: Vec<String>,
    #[serde(default)]
    body: String,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// Converts the function's response as the front does. A response that is invalid or too large becomes a 502.
pub(crate) fn to_http_response(front: EmulatedFront, json: &str) -> Response<Full<Bytes>> {
    parse_response(front, json).unwrap_or_else(|| {
        let mut response = Response::new(Full::from("{\"message\":\"Internal server error\"}\n"));
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        response
    })
}

fn parse_response(front: EmulatedFront, json: &str) -> Option<Response<Full<Bytes>>> {
    if json.len() > front.max_response_bytes() {
        return None;
    }
    let function_response: FunctionResponse = serde_json::from_str(json).ok()?;
    let body = if function_response.is_base64_encoded {
        Bytes::from(STANDARD.decode(&function_response.body).ok()?)
    } else {
        Bytes::from(function_response.body)
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = StatusCode::from_u16(function_response.status_code).ok()?;
    let single = function_response.headers.into_iter().flatten();
    let multiple = function_response.multi_value_headers.into_iter().flatten();
    let multiple = multiple.flat_map(|(name, values)| values.into_iter().map(move |value| (name.clone(), value)));
    let cookies = function_response
        .cookies
        .into_iter()
        .map(|cookie| (header::SET_COOKIE.to_string(), cookie));
    for (name, value) in single.chain(multiple).chain(cookies) {
        let name = remap_header_name(front, HeaderName::try_from(name).ok()?);
        response.headers_mut().append(name, HeaderValue::try_from(value).ok()?);
    }
    Some(response)
}

/// API Gateway and function URLs rename the `WWW-Authenticate` header
/// ([important notes](https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html)). An ALB
/// does not.
fn remap_header_name(front: EmulatedFront, name: HeaderName) -> HeaderName {
    let is_renamed = match front {
        EmulatedFront::Rest | EmulatedFront::HttpApi | EmulatedFront::FunctionUrl => true,
        EmulatedFront::Alb | EmulatedFront::AlbMultiValue => false,
    };
    if is_renamed && name == header::WWW_AUTHENTICATE {
        HeaderName::from_static("x-amzn-remapped-www-authenticate")
    } else {
        name
    }
}
