//! The JSON event of every front: the union of the fields that Signpost reads.
//!
//! One structure serves all fronts, so that an event is parsed in one pass. The file of a front reads the fields that
//! this front sends.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Deserialize;

use super::authorizer::{AuthorizerContext, IamIdentity};
use crate::rejection::Rejection;
use crate::request::{Pairs, is_tracking_parameter};

/// The fields of an event that Signpost reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FrontEvent<'a> {
    #[serde(borrow, default)]
    pub(super) version: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) http_method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) path: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) raw_path: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) raw_query_string: Option<Cow<'a, str>>,
    /// The resource of a REST API, such as `/{proxy+}`.
    #[serde(borrow, default)]
    pub(super) resource: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    path_parameters: Option<BTreeMap<EventText<'a>, EventText<'a>>>,
    #[serde(borrow, default)]
    headers: Option<BTreeMap<EventText<'a>, EventText<'a>>>,
    #[serde(borrow, default)]
    multi_value_headers: Option<BTreeMap<EventText<'a>, Vec<EventText<'a>>>>,
    /// Payload format 2.0 has the cookies here, and not always in the headers.
    #[serde(borrow, default)]
    cookies: Option<Vec<EventText<'a>>>,
    #[serde(borrow, default)]
    query_string_parameters: Option<BTreeMap<EventText<'a>, EventText<'a>>>,
    #[serde(borrow, default)]
    multi_value_query_string_parameters: Option<BTreeMap<EventText<'a>, Vec<EventText<'a>>>>,
    #[serde(borrow)]
    pub(super) request_context: RequestContext<'a>,
    #[serde(borrow, default)]
    body: Option<Cow<'a, str>>,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// A name or a value, borrowed from the event unless the event escapes it.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(transparent)]
struct EventText<'a>(#[serde(borrow)] Cow<'a, str>);

/// The field `requestContext`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RequestContext<'a> {
    #[serde(default)]
    pub(super) elb: Option<serde::de::IgnoredAny>,
    #[serde(borrow, default)]
    pub(super) http: Option<HttpContext<'a>>,
    #[serde(borrow, default)]
    pub(super) resource_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) path: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) stage: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) domain_name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) request_id: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) authorizer: Option<AuthorizerContext>,
    #[serde(default)]
    pub(super) identity: Option<IamIdentity>,
}

/// The field `requestContext.http` of payload format 2.0.
#[derive(Deserialize)]
pub(super) struct HttpContext<'a> {
    #[serde(borrow)]
    pub(super) method: Cow<'a, str>,
}

impl FrontEvent<'_> {
    /// Returns the request method as the client sent it.
    pub(super) fn method(&self) -> &str {
        let payload2 = self.request_context.http.as_ref().map(|http| &*http.method);
        payload2.or(self.http_method.as_deref()).unwrap_or_default()
    }

    /// Returns true if the event has the multi-value header fields of an ALB or a REST API.
    pub(super) const fn has_multi_value_headers(&self) -> bool {
        self.multi_value_headers.is_some()
    }

    /// Returns the value of a path parameter of a REST API.
    pub(super) fn path_parameter(&self, name: &str) -> Option<&str> {
        let mut parameters = self.path_parameters.iter().flatten();
        let found = parameters.find(|(EventText(found), _)| found == name);
        found.map(|(_, EventText(value))| &**value)
    }

    /// Returns the request headers, including the cookies.
    pub(super) fn header_map(&self) -> Result<HeaderMap, Rejection> {
        let mut headers = HeaderMap::new();
        for (name, value) in values(self.multi_value_headers.as_ref(), self.headers.as_ref()) {
            let bad = || not_a_header(name.escape_debug().to_string());
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
            let value = HeaderValue::from_str(value).map_err(|_| bad())?;
            headers.try_append(header, value).map_err(|_| bad())?;
        }
        if let Some(cookies) = self.cookies.as_ref().filter(|cookies| !cookies.is_empty()) {
            let cookies: Vec<&str> = cookies.iter().map(|EventText(cookie)| &**cookie).collect();
            let cookies = HeaderValue::try_from(cookies.join("; "));
            let cookies = cookies.map_err(|_| not_a_header(header::COOKIE.as_str().to_owned()))?;
            headers.insert(header::COOKIE, cookies);
        }
        Ok(headers)
    }

    /// Returns the names and values of the query parameters as the event spells them.
    pub(super) fn query_parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        values(
            self.multi_value_query_string_parameters.as_ref(),
            self.query_string_parameters.as_ref(),
        )
    }

    /// Returns the query parameters of a front that has decoded them, without tracking parameters.
    pub(super) fn decoded_query(&self) -> Pairs {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let parameters = self.query_parameters();
        let parameters = parameters.filter(|(name, _)| !is_tracking_parameter(name));
        parameters.map(owned).collect()
    }

    /// Returns the decoded body of a POST, which is addressed to Signpost.
    pub(super) fn post_body(&self) -> Result<Bytes, Rejection> {
        let body = self.body.as_deref().filter(|_| self.method() == "POST");
        let body = body.unwrap_or_default();
        if !self.is_base64_encoded {
            return Ok(Bytes::copy_from_slice(body.as_bytes()));
        }
        let incomplete = |_| Rejection::BadValue {
            name: "body".into(),
            problem: "did not arrive whole".into(),
        };
        BASE64_STANDARD.decode(body).map(Bytes::from).map_err(incomplete)
    }

    /// Returns the number of bytes in the body that the front delivered.
    pub(super) fn body_bytes(&self) -> u64 {
        let body = self.body.as_deref().unwrap_or_default();
        let bytes = if self.is_base64_encoded {
            body.trim_end_matches('=').len() * 3 / 4
        } else {
            body.len()
        };
        bytes as u64
    }
}

fn not_a_header(name: String) -> Rejection {
    Rejection::BadValue {
        name,
        problem: "is not a header".into(),
    }
}

/// Returns the pairs of the multi-value field, or those of the single-value field if the event has no other.
fn values<'a>(
    multiple: Option<&'a BTreeMap<EventText<'_>, Vec<EventText<'_>>>>,
    single: Option<&'a BTreeMap<EventText<'_>, EventText<'_>>>,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let single = single.filter(|_| multiple.is_none()).into_iter().flatten();
    let multiple = multiple.into_iter().flatten();
    let multiple = multiple.flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    multiple
        .chain(single)
        .map(|(EventText(name), EventText(value))| (&**name, &**value))
}
