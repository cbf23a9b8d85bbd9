//! Many instructions for one request: `POST /-/sign`.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{Caller, Refused, instruct};
use crate::key::ObjectKey;
use crate::operation::Operation;
use crate::plan::{Kept, PresignPlan};
use crate::rejection::Rejection;
use crate::request::{Form, ObjectRequest, Pairs, Target, bad_value, json_object};

/// The most requests in one body.
pub const MAX_REQUESTS: usize = 100;

/// More than that many requests take, and little enough for each of its names to be told back in an error.
const MAX_BODY: usize = 1024 * 1024;

/// One of many requests, decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The key, as far as it could be read.
    pub key: Option<ObjectKey>,
    /// What to sign, or why not.
    pub outcome: Result<PresignPlan<Kept>, Refused>,
}

/// The elements of the body, each to be read on its own.
struct Elements(Vec<Box<RawValue>>);

/// An element of the body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    method: String,
    key: String,
    #[serde(default)]
    query: Query,
}

/// A query as it is written, so that a name which stands twice is refused as it is in a URL.
#[derive(Default)]
struct Query(Pairs);

#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Number(u64),
}

/// Decides each request in the body on its own, for the caller of the one that carries them.
pub(super) fn decide_each(caller: &Caller<'_>) -> Result<Vec<Decided>, Rejection> {
    let request = caller.request;
    if let Some((name, _)) = request.query.first() {
        return Err(bad_value(name, "belongs into the `query` of the requests in the body"));
    }
    caller.check_credential()?;
    if request.body.len() > MAX_BODY {
        let problem = format!("has {} bytes, and the limit is {MAX_BODY}", request.body.len());
        return Err(bad_value("body", &problem));
    }
    let Elements(elements) = serde_json::from_slice(&request.body)
        .map_err(|error| bad_value("body", &format!("is not a JSON array of requests: {error}")))?;
    Ok(elements.iter().map(|element| decide_one(caller, element)).collect())
}

fn decide_one(caller: &Caller<'_>, element: &RawValue) -> Decided {
    let read = json_object::<Wanted>("request", element.get().as_bytes())
        .and_then(|wanted| Ok((ObjectKey::with_path(wanted.key.clone())?, wanted)));
    match read {
        Err(rejection) => Decided {
            key: None,
            outcome: Err(rejection.into()),
        },
        Ok((key, wanted)) => Decided {
            outcome: wanted
                .describe(key.clone())
                .map_err(Refused::from)
                .and_then(|wanted| instruct(caller, wanted)),
            key: Some(key),
        },
    }
}

impl Wanted {
    fn describe(self, key: ObjectKey) -> Result<ObjectRequest, Rejection> {
        let Query(query) = self.query;
        let operation = Operation::from_request(&self.method, &query).ok_or_else(|| Rejection::MethodNotAllowed {
            allow: Target::Object(key.clone()).allow(&query),
        })?;
        ObjectRequest::described(operation, key, Form::Json, &query)
    }
}

impl<'de> Deserialize<'de> for Elements {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Elements;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an array of up to {MAX_REQUESTS} requests")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Elements, A::Error> {
                let mut read = Vec::new();
                while let Some(element) = elements.next_element()? {
                    if read.len() == MAX_REQUESTS {
                        return Err(A::Error::custom(format!("the limit is {MAX_REQUESTS}")));
                    }
                    read.push(element);
                }
                Ok(Elements(read))
            }
        }
        deserializer.deserialize_seq(Read)
    }
}

impl<'de> Deserialize<'de> for Query {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Query;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of parameters")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut parameters: A) -> Result<Query, A::Error> {
                let mut read = Pairs::new();
                while let Some((name, value)) = parameters.next_entry::<String, Scalar>()? {
                    read.push((name, value.text()));
                }
                Ok(Query(read))
            }
        }
        deserializer.deserialize_map(Read)
    }
}

impl Scalar {
    fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
        }
    }
}
