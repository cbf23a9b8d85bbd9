//! The caller as a front's authorizer tells it, from the fields of the event that hold it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::request::{GatewayAuthorizer, GatewayIdentity};

/// `requestContext.authorizer` of every front.
pub(super) type Authorizer = Map<String, Value>;

/// `requestContext.identity` of a REST API, as far as IAM fills it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RestIdentity {
    user_arn: Option<String>,
    account_id: Option<String>,
    user: Option<String>,
}

/// The identity in payload 2.0: one of `jwt`, `lambda` and `iam` holds it.
pub(super) fn of_payload2(authorizer: &Authorizer) -> Option<GatewayIdentity> {
    let claims = |kind: &str| authorizer.get(kind).and_then(Value::as_object).map(texts);
    let jwt = authorizer
        .get("jwt")
        .and_then(|jwt| jwt.get("claims"))
        .and_then(Value::as_object)
        .map(texts);
    identity(GatewayAuthorizer::Jwt, jwt)
        .or_else(|| identity(GatewayAuthorizer::Lambda, claims("lambda")))
        .or_else(|| identity(GatewayAuthorizer::Iam, claims("iam")))
}

/// The identity of a REST API: `claims` of Cognito, else the context of a Lambda authorizer, else IAM.
pub(super) fn of_rest(authorizer: Option<&Authorizer>, iam: Option<&RestIdentity>) -> Option<GatewayIdentity> {
    let cognito = authorizer
        .and_then(|authorizer| authorizer.get("claims"))
        .and_then(Value::as_object)
        .map(texts);
    identity(GatewayAuthorizer::Jwt, cognito)
        .or_else(|| identity(GatewayAuthorizer::Lambda, authorizer.map(texts)))
        .or_else(|| identity(GatewayAuthorizer::Iam, iam.and_then(RestIdentity::claims)))
}

impl RestIdentity {
    /// The names that payload 2.0 uses. Without an ARN nobody has signed the request.
    fn claims(&self) -> Option<BTreeMap<String, String>> {
        let arn = self.user_arn.clone().filter(|arn| !arn.is_empty())?;
        let optional = [("accountId", &self.account_id), ("userId", &self.user)];
        let optional = optional
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
        Some(optional.chain([("userArn".to_owned(), arn)]).collect())
    }
}

fn identity(authorizer: GatewayAuthorizer, claims: Option<BTreeMap<String, String>>) -> Option<GatewayIdentity> {
    let claims = claims.filter(|claims| !claims.is_empty())?;
    Some(GatewayIdentity { authorizer, claims })
}

/// The claims that have one value, as texts; empty ones tell nothing.
fn texts(claims: &Map<String, Value>) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::String(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    claims
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), text(value)?)))
        .collect()
}
