//! The events of the fronts as [`ApiRequest`]s, read field by field: the path, the query, the headers and the length as
//! each front tells them.

mod body;
mod gateway_identity;
mod path;
pub(crate) mod response_shape;

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use crate::fronts::gateway_identity::{Authorizer, RestIdentity};
use crate::fronts::response_shape::Shape;
use crate::rejection::Rejection;
use crate::request::{ApiRequest, BodyLength, GatewayIdentity};
use crate::response::Failure;
use crate::service::handler::Place;
use path::KeyPath;

/// The union of the events' fields; what tells the key, the caller or the length, and nothing else.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event<'a> {
    #[serde(borrow, default)]
    version: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    http_method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    path: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    raw_path: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    raw_query_string: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    path_parameters: Option<PathParameters<'a>>,
    #[serde(borrow, default)]
    headers: Option<BTreeMap<Text<'a>, Text<'a>>>,
    #[serde(borrow, default)]
    multi_value_headers: Option<BTreeMap<Text<'a>, Vec<Text<'a>>>>,
    /// Payload 2.0 tells the cookies here, and not always among the headers.
    #[serde(borrow, default)]
    cookies: Option<Vec<Text<'a>>>,
    #[serde(borrow, default)]
    query_string_parameters: Option<BTreeMap<Text<'a>, Text<'a>>>,
    #[serde(borrow, default)]
    multi_value_query_string_parameters: Option<BTreeMap<Text<'a>, Vec<Text<'a>>>>,
    #[serde(borrow)]
    request_context: RequestContext<'a>,
    #[serde(borrow, default)]
    body: Option<Cow<'a, str>>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Deserialize)]
struct PathParameters<'a> {
    #[serde(borrow, default)]
    proxy: Option<Cow<'a, str>>,
}

/// A name or a value, borrowed from the event unless it has escapes there.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    #[serde(default)]
    elb: Option<serde::de::IgnoredAny>,
    #[serde(borrow, default)]
    http: Option<HttpContext<'a>>,
    #[serde(borrow, default)]
    resource_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    path: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    stage: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    domain_name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    request_id: Option<Cow<'a, str>>,
    #[serde(default)]
    authorizer: Option<Authorizer>,
    #[serde(default)]
    identity: Option<RestIdentity>,
}

#[derive(Deserialize)]
struct HttpContext<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
}

/// Which service stands in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Front {
    Rest,
    HttpApi,
    FunctionUrl,
    Alb,
}

impl Event<'_> {
    /// The request that the event tells, and the shape of the answer that its front wants.
    pub(crate) fn deliver(self, place: Place<'_>, invocation: &str) -> Result<(Shape, ApiRequest), Failure> {
        let front = self.front()?;
        let shape = self.shape(front);
        let KeyPath { path, encoding, before } = self.key_path(front, place.base_path)?;
        let mut defect = path.is_none().then_some(Rejection::OutsideBasePath);
        let headers = self.header_map().unwrap_or_else(|rejection| {
            defect = Some(rejection);
            HeaderMap::new()
        });
        let query = self.query(front).unwrap_or_else(|rejection| {
            defect = Some(rejection);
            Vec::new()
        });
        let length = self.body_length(front, &headers).unwrap_or_else(|rejection| {
            defect = Some(rejection);
            BodyLength::Untold
        });
        let body = self.post_body().unwrap_or_else(|rejection| {
            defect = Some(rejection);
            Bytes::new()
        });
        let told = || self.origin(&headers).map(|origin| origin + &before);
        let base_url = place.public_url.map(str::to_owned).or_else(told);
        let request = ApiRequest {
            body,
            method: self.method().to_owned(),
            path: path.map(Cow::into_owned).unwrap_or_default(),
            encoding,
            query,
            length,
            base_url: base_url.unwrap_or_default(),
            request_id: self
                .request_context
                .request_id
                .as_deref()
                .unwrap_or(invocation)
                .to_owned(),
            gateway: self.gateway(front),
            invocation: invocation.to_owned(),
            headers,
            defect,
        };
        Ok((shape, request))
    }

    fn front(&self) -> Result<Front, Failure> {
        let context = &self.request_context;
        if context.elb.is_some() {
            return Ok(Front::Alb);
        }
        match (self.version.as_deref(), &context.http, &context.resource_id) {
            (Some("2.0"), Some(_), _) if is_function_url(context.domain_name.as_deref()) => Ok(Front::FunctionUrl),
            (Some("2.0"), Some(_), _) => Ok(Front::HttpApi),
            (None, None, Some(_)) if self.http_method.is_some() => Ok(Front::Rest),
            (Some("1.0"), ..) | (None, None, None) if self.http_method.is_some() => Err(Failure::UnknownFront {
                problem: "an HTTP API must send payload format 2.0, not 1.0, which does not tell the key exactly",
            }),
            _ => Err(Failure::UnknownFront {
                problem: "the event is not an HTTP request of a front",
            }),
        }
    }

    fn shape(&self, front: Front) -> Shape {
        match front {
            Front::Rest => Shape::MultiValue,
            Front::HttpApi | Front::FunctionUrl => Shape::Payload2,
            Front::Alb if self.multi_value_headers.is_some() => Shape::AlbMultiValue,
            Front::Alb => Shape::AlbSingleValue,
        }
    }

    fn method(&self) -> &str {
        let payload2 = self.request_context.http.as_ref().map(|http| &*http.method);
        payload2.or(self.http_method.as_deref()).unwrap_or_default()
    }

    fn gateway(&self, front: Front) -> Option<GatewayIdentity> {
        let RequestContext {
            authorizer, identity, ..
        } = &self.request_context;
        match front {
            Front::Rest => gateway_identity::of_rest(authorizer.as_ref(), identity.as_ref()),
            Front::HttpApi | Front::FunctionUrl => gateway_identity::of_payload2(authorizer.as_ref()?),
            Front::Alb => None,
        }
    }

    fn header_map(&self) -> Result<HeaderMap, Rejection> {
        let mut headers = HeaderMap::new();
        let multiple = self.multi_value_headers.iter().flatten();
        let multiple = multiple.flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
        let single = self
            .headers
            .iter()
            .flatten()
            .filter(|_| self.multi_value_headers.is_none());
        for (Text(name), Text(value)) in multiple.chain(single) {
            let bad = || Rejection::BadValue {
                name: name.escape_debug().to_string(),
                problem: "is not a header".into(),
            };
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
            let value = HeaderValue::from_str(value).map_err(|_| bad())?;
            headers.try_append(header, value).map_err(|_| bad())?;
        }
        if let Some(cookies) = self.cookies.as_ref().filter(|cookies| !cookies.is_empty()) {
            let cookies: Vec<&str> = cookies.iter().map(|Text(cookie)| &**cookie).collect();
            let bad = |_| Rejection::BadValue {
                name: header::COOKIE.as_str().into(),
                problem: "is not a header".into(),
            };
            headers.insert(header::COOKIE, HeaderValue::try_from(cookies.join("; ")).map_err(bad)?);
        }
        Ok(headers)
    }

    /// A REST API decodes the query; payload 2.0 tells it raw, and an ALB leaves names and values as they were sent.
    fn query(&self, front: Front) -> Result<Vec<(String, String)>, Rejection> {
        if let Some(raw) = self
            .raw_query_string
            .as_deref()
            .filter(|_| matches!(front, Front::HttpApi | Front::FunctionUrl))
        {
            let pairs = raw.split('&').filter(|pair| !pair.is_empty());
            let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
            return pairs
                .map(|(name, value)| Ok((form_decode(name)?, form_decode(value)?)))
                .collect();
        }
        let decode = |text: &str| {
            if front == Front::Alb {
                form_decode(text)
            } else {
                Ok(text.to_owned())
            }
        };
        let multiple = self.multi_value_query_string_parameters.iter().flatten();
        let multiple = multiple.flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
        let only_single = self.multi_value_query_string_parameters.is_none();
        let single = self.query_string_parameters.iter().flatten().filter(|_| only_single);
        multiple
            .chain(single)
            .map(|(Text(name), Text(value))| Ok((decode(name)?, decode(value)?)))
            .collect()
    }

    /// Scheme and host, for the commands in our texts: the host that the client addressed, or else the front's name.
    fn origin(&self, headers: &HeaderMap) -> Option<String> {
        let told = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let named = self.request_context.domain_name.as_deref();
        let host = told.into_iter().chain(named).find(|host| is_plain_host(host))?;
        let insecure = headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "http");
        let scheme = if insecure { "http" } else { "https" };
        Some(format!("{scheme}://{host}"))
    }
}

/// Whether a host can stand in a command that is pasted into a shell.
pub fn is_plain_host(host: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':' | b'[' | b']');
    !host.is_empty() && host.bytes().all(plain)
}

fn is_function_url(domain: Option<&str>) -> bool {
    domain.is_some_and(|domain| domain.contains(".lambda-url.") && domain.ends_with(".on.aws"))
}

fn form_decode(text: &str) -> Result<String, Rejection> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced)
        .decode_utf8()
        .map_err(|_| Rejection::BadQuery)?;
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The base URL of a function URL's request whose `Host` and whose own name are these.
    fn base_url(host: &str) -> String {
        let event = serde_json::json!({
            "version": "2.0",
            "rawPath": "/a",
            "headers": { "host": host, "x-forwarded-proto": "http" },
            "requestContext": {
                "domainName": "x.lambda-url.us-east-1.on.aws",
                "http": { "method": "GET" },
            },
        });
        let event = event.to_string();
        let event: Event<'_> = serde_json::from_str(&event).unwrap();
        event
            .deliver(Place::default(), "id")
            .unwrap_or_else(|failure| panic!("{failure}"))
            .1
            .base_url
    }

    #[test]
    fn texts_name_the_host_that_the_client_addressed_if_it_is_one() {
        assert_eq!(base_url("127.0.0.1:8080"), "http://127.0.0.1:8080");
        for forged in ["", "$(id)", "a' b", "a/b", "a@b"] {
            assert_eq!(base_url(forged), "http://x.lambda-url.us-east-1.on.aws", "{forged:?}");
        }
    }
}
