//! Several instructions in one request: `POST /-/sign`.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::authorize::presign;
use super::caller::CallerContext;
use super::rejected_request::RejectedRequest;
use crate::key::ObjectKey;
use crate::operation::Operation;
use crate::plan::{ObjectLocation, PresignPlan};
use crate::rejection::Rejection;
use crate::request::{ObjectRequest, Pairs, ResponseFormat, bad_value, check_body_length, json_object, object_methods};

/// The maximum number of items in one body.
pub const MAX_REQUESTS: usize = 100;

/// The maximum size of the body: enough for `MAX_REQUESTS` items.
const MAX_BODY: usize = 1024 * 1024;

/// The decision about one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkDecision {
    /// The key, if the item contains a valid one.
    pub key: Option<ObjectKey>,
    /// The plan to sign, or the rejection.
    pub outcome: Result<PresignPlan<ObjectLocation>, RejectedRequest>,
}

/// The items of the body. Each one is parsed on its own, so that an invalid item does not affect the others.
struct BulkItems(Vec<Box<RawValue>>);

/// One item of the body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BulkItem {
    method: String,
    key: String,
    #[serde(default)]
    query: BulkQuery,
}

/// The query of an item. It preserves repeated names, so that they are rejected as in a URL.
#[derive(Default)]
struct BulkQuery(Pairs);

#[derive(Deserialize)]
#[serde(untagged)]
enum QueryValue {
    Text(String),
    Number(u64),
}

/// Decides about each item of the body separately, for the caller of the whole request.
pub(super) fn decide(caller: &CallerContext<'_>) -> Result<Vec<BulkDecision>, Rejection> {
    let request = caller.request;
    if let Some((name, _)) = request.query.first() {
        return Err(bad_value(name, "belongs in the `query` of the items in the body"));
    }
    caller.principal()?;
    check_body_length(&request.body, MAX_BODY)?;
    let BulkItems(items) = serde_json::from_slice(&request.body)
        .map_err(|error| bad_value("body", &format!("is not a JSON array of requests: {error}")))?;
    Ok(items.iter().map(|item| decide_item(caller, item)).collect())
}

fn decide_item(caller: &CallerContext<'_>, item: &RawValue) -> BulkDecision {
    let parsed = json_object::<BulkItem>("request", item.get().as_bytes())
        .and_then(|item| Ok((ObjectKey::with_path(item.key.clone())?, item)));
    match parsed {
        Err(rejection) => BulkDecision {
            key: None,
            outcome: Err(rejection.into()),
        },
        Ok((key, item)) => BulkDecision {
            outcome: item
                .into_object_request(key.clone())
                .map_err(RejectedRequest::from)
                .and_then(|object_request| presign(caller, object_request)),
            key: Some(key),
        },
    }
}

impl BulkItem {
    fn into_object_request(self, key: ObjectKey) -> Result<ObjectRequest, Rejection> {
        let BulkQuery(query) = self.query;
        let operation = Operation::from_request(&self.method, &query).ok_or_else(|| Rejection::MethodNotAllowed {
            allow: object_methods(&query),
        })?;
        ObjectRequest::from_query(operation, key, ResponseFormat::Json, &query)
    }
}

impl<'de> Deserialize<'de> for BulkItems {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ItemsVisitor;
        impl<'de> Visitor<'de> for ItemsVisitor {
            type Value = BulkItems;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an array of up to {MAX_REQUESTS} requests")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<BulkItems, A::Error> {
                let mut items = Vec::new();
                while let Some(element) = elements.next_element()? {
                    if items.len() == MAX_REQUESTS {
                        return Err(A::Error::custom(format!("the limit is {MAX_REQUESTS}")));
                    }
                    items.push(element);
                }
                Ok(BulkItems(items))
            }
        }
        deserializer.deserialize_seq(ItemsVisitor)
    }
}

impl<'de> Deserialize<'de> for BulkQuery {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct QueryVisitor;
        impl<'de> Visitor<'de> for QueryVisitor {
            type Value = BulkQuery;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of parameters")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut parameters: A) -> Result<BulkQuery, A::Error> {
                let mut pairs = Pairs::new();
                while let Some((name, value)) = parameters.next_entry::<String, QueryValue>()? {
                    pairs.push((name, value.into_text()));
                }
                Ok(BulkQuery(pairs))
            }
        }
        deserializer.deserialize_map(QueryVisitor)
    }
}

impl QueryValue {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
        }
    }
}
