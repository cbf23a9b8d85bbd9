//! Answers in the shape that each front wants back.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{self, GetAll};
use http::{HeaderMap, HeaderValue};
use serde::{Serialize, Serializer};

use crate::response::ApiResponse;

/// The shape of the answer that a front wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    MultiValue,
    Payload2,
    AlbSingleValue,
    AlbMultiValue,
}

/// An answer, and the shape in which it is written.
pub(crate) struct Answer {
    pub(crate) shape: Shape,
    pub(crate) response: ApiResponse,
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { shape, response } = self;
        let headers = response.headers();
        let multiple = matches!(shape, Shape::MultiValue | Shape::AlbMultiValue);
        // What is not text, that is, what was compressed, goes as Base64.
        let (body, is_base64_encoded) = match std::str::from_utf8(response.body()) {
            Ok(text) => (Cow::Borrowed(text), false),
            Err(_) => (Cow::Owned(STANDARD.encode(response.body())), true),
        };
        let described = matches!(shape, Shape::AlbSingleValue | Shape::AlbMultiValue);
        let fields = AnswerFields {
            status_code: response.status().as_u16(),
            status_description: described.then(|| response.status().to_string()),
            headers: (!multiple).then_some(SingleValues {
                headers,
                cookies: *shape != Shape::Payload2,
            }),
            multi_value_headers: multiple.then_some(MultipleValues(headers)),
            body,
            is_base64_encoded,
            cookies: (*shape == Shape::Payload2).then(|| Values(headers.get_all(header::SET_COOKIE))),
        };
        fields.serialize(serializer)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AnswerFields<'a> {
    status_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<SingleValues<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    multi_value_headers: Option<MultipleValues<'a>>,
    body: Cow<'a, str>,
    is_base64_encoded: bool,
    /// Payload 2.0 takes cookies here, and readers of it may want the field even if it is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    cookies: Option<Values<'a>>,
}

/// The first value of each header. Of several cookies an ALB without multiple values thus sets the first.
struct SingleValues<'a> {
    headers: &'a HeaderMap,
    cookies: bool,
}

impl Serialize for SingleValues<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let first = |name| self.headers.get(name).map(text);
        let names = self
            .headers
            .keys()
            .filter(|name| self.cookies || **name != header::SET_COOKIE);
        serializer.collect_map(names.map(|name| (name.as_str(), first(name))))
    }
}

/// Every value of each header.
struct MultipleValues<'a>(&'a HeaderMap);

impl Serialize for MultipleValues<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.keys().map(|name| (name.as_str(), Values(self.0.get_all(name)))))
    }
}

struct Values<'a>(GetAll<'a, HeaderValue>);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(text))
    }
}

fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or_default()
}
