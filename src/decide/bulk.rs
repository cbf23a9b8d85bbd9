//! Many instructions for one request: `POST /-/sign`.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::Deserialize;
use serde_json::Value;

use super::{Caller, instruct};
use crate::key::ObjectKey;
use crate::operation::Operation;
use crate::plan::PresignPlan;
use crate::policy::Policy;
use crate::rejection::Rejection;
use crate::request::{ApiRequest, Form, ObjectRequest, Pairs, Target, bad_value};

/// The most requests in one body.
pub const MAX_REQUESTS: usize = 100;

/// One of many requests, decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The key, as far as it could be read.
    pub key: Option<ObjectKey>,
    /// What to sign, or why not.
    pub outcome: Result<PresignPlan, Rejection>,
}

/// An element of the body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    method: String,
    key: String,
    #[serde(default)]
    query: BTreeMap<String, Scalar>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Number(u64),
}

/// Decides each request in the body on its own, for the caller of the one that carries them.
pub(super) fn decide_each(policy: &Policy, request: &ApiRequest, now: SystemTime) -> Result<Vec<Decided>, Rejection> {
    if let Some((name, _)) = request.query.first() {
        return Err(bad_value(name, "belongs into the `query` of the requests in the body"));
    }
    let caller = Caller::new(policy, request, now);
    caller.check_credential()?;
    let elements: Vec<Value> = serde_json::from_slice(&request.body)
        .map_err(|error| bad_value("body", &format!("is not a JSON array of requests: {error}")))?;
    if elements.len() > MAX_REQUESTS {
        let problem = format!("has {} requests, and the limit is {MAX_REQUESTS}", elements.len());
        return Err(bad_value("body", &problem));
    }
    Ok(elements
        .into_iter()
        .map(|element| decide_one(&caller, element))
        .collect())
}

fn decide_one(caller: &Caller<'_>, element: Value) -> Decided {
    let read = Wanted::deserialize(element)
        .map_err(|error| bad_value("request", &format!("is not what it should be: {error}")))
        .and_then(|wanted| Ok((ObjectKey::new(wanted.key.clone())?, wanted)));
    match read {
        Err(rejection) => Decided {
            key: None,
            outcome: Err(rejection),
        },
        Ok((key, wanted)) => Decided {
            outcome: wanted.describe(key.clone()).and_then(|wanted| instruct(caller, wanted)),
            key: Some(key),
        },
    }
}

impl Wanted {
    fn describe(self, key: ObjectKey) -> Result<ObjectRequest, Rejection> {
        let query: Pairs = self
            .query
            .into_iter()
            .map(|(name, value)| (name, value.text()))
            .collect();
        let operation = Operation::from_request(&self.method, &query).ok_or_else(|| Rejection::MethodNotAllowed {
            allow: Target::Object(key.clone()).allow(&query),
        })?;
        ObjectRequest::described(operation, key, Form::Json, &query)
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
