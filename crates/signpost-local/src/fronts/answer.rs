//! The function's answer, from its JSON to HTTP.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde::Deserialize;

use super::Front;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    #[serde(default)]
    headers: Option<BTreeMap<String, String>>,
    #[serde(default)]
    multi_value_headers: Option<BTreeMap<String, Vec<String>>>,
    /// Of payload 2.0.
    #[serde(default)]
    cookies: Vec<String>,
    #[serde(default)]
    body: String,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// The answer as the front sends it on; one that a front would not understand is its 502.
pub(crate) fn to_http(front: Front, answer: &str) -> Response<Full<Bytes>> {
    read(front, answer).unwrap_or_else(|| {
        let mut response = Response::new(Full::from("{\"message\":\"Internal server error\"}\n"));
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        response
    })
}

fn read(front: Front, answer: &str) -> Option<Response<Full<Bytes>>> {
    let answer: Answer = serde_json::from_str(answer).ok()?;
    let body = if answer.is_base64_encoded {
        Bytes::from(STANDARD.decode(&answer.body).ok()?)
    } else {
        Bytes::from(answer.body)
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = StatusCode::from_u16(answer.status_code).ok()?;
    let single = answer.headers.into_iter().flatten();
    let multiple = answer.multi_value_headers.into_iter().flatten();
    let multiple = multiple.flat_map(|(name, values)| values.into_iter().map(move |value| (name.clone(), value)));
    let cookies = answer
        .cookies
        .into_iter()
        .map(|cookie| (header::SET_COOKIE.to_string(), cookie));
    for (name, value) in single.chain(multiple).chain(cookies) {
        let name = renamed(front, HeaderName::try_from(name).ok()?);
        response.headers_mut().append(name, HeaderValue::try_from(value).ok()?);
    }
    Some(response)
}

/// A REST API renames one header
/// ([important notes](https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html)).
fn renamed(front: Front, name: HeaderName) -> HeaderName {
    if front == Front::Rest && name == header::WWW_AUTHENTICATE {
        HeaderName::from_static("x-amzn-remapped-www-authenticate")
    } else {
        name
    }
}
