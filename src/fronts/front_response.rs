//! The JSON response that a front expects.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{self, GetAll};
use http::{HeaderMap, HeaderValue};
use serde::{Serialize, Serializer};

use crate::response::ApiResponse;

/// A response in the format of a front.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FrontResponse<'a> {
    #[serde(skip)]
    response: &'a ApiResponse,
    status_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<SingleHeaders<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    multi_value_headers: Option<MultiValueHeaders<'a>>,
    body: Cow<'a, str>,
    is_base64_encoded: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cookies: Option<HeaderValues<'a>>,
}

impl<'a> FrontResponse<'a> {
    /// Returns the status and the body. A body that is not text, because it is compressed, is Base64.
    pub(super) fn new(response: &'a ApiResponse) -> Self {
        let (body, is_base64_encoded) = match std::str::from_utf8(response.body()) {
            Ok(text) => (Cow::Borrowed(text), false),
            Err(_) => (Cow::Owned(BASE64_STANDARD.encode(response.body())), true),
        };
        Self {
            response,
            status_code: response.status().as_u16(),
            status_description: None,
            headers: None,
            multi_value_headers: None,
            body,
            is_base64_encoded,
            cookies: None,
        }
    }

    /// Adds the status with its reason phrase, which an ALB requires.
    pub(super) fn with_description(mut self) -> Self {
        self.status_description = Some(self.response.status().to_string());
        self
    }

    /// Adds the first value of each header.
    pub(super) fn with_single_headers(mut self) -> Self {
        self.headers = Some(SingleHeaders {
            headers: self.response.headers(),
            has_set_cookie: true,
        });
        self
    }

    /// Adds every value of each header.
    pub(super) fn with_multi_value_headers(mut self) -> Self {
        self.multi_value_headers = Some(MultiValueHeaders(self.response.headers()));
        self
    }

    /// Moves the cookies to the field of payload format 2.0. Some readers require the field even if it is empty.
    pub(super) fn with_cookies(mut self) -> Self {
        if let Some(headers) = &mut self.headers {
            headers.has_set_cookie = false;
        }
        self.cookies = Some(HeaderValues(self.response.headers().get_all(header::SET_COOKIE)));
        self
    }
}

/// The first value of each header.
struct SingleHeaders<'a> {
    headers: &'a HeaderMap,
    has_set_cookie: bool,
}

impl Serialize for SingleHeaders<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let first = |name| self.headers.get(name).map(text);
        let names = self.headers.keys();
        let names = names.filter(|name| self.has_set_cookie || **name != header::SET_COOKIE);
        serializer.collect_map(names.map(|name| (name.as_str(), first(name))))
    }
}

/// Every value of each header.
struct MultiValueHeaders<'a>(&'a HeaderMap);

impl Serialize for MultiValueHeaders<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let names = self.0.keys();
        serializer.collect_map(names.map(|name| (name.as_str(), HeaderValues(self.0.get_all(name)))))
    }
}

struct HeaderValues<'a>(GetAll<'a, HeaderValue>);

impl Serialize for HeaderValues<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(text))
    }
}

fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or_default()
}
