//! The identity that an authorizer of the front has verified, from the fields of the event.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::request::{GatewayAuthorizer, GatewayIdentity};

/// The field `requestContext.authorizer` of every front.
pub(super) type AuthorizerContext = Map<String, Value>;

/// The fields of `requestContext.identity` that a REST API fills for IAM authorization.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IamIdentity {
    user_arn: Option<String>,
    account_id: Option<String>,
    user: Option<String>,
}

/// Returns the identity of payload format 2.0, which is in `jwt`, `lambda` or `iam`.
pub(super) fn payload2_identity(authorizer: &AuthorizerContext) -> Option<GatewayIdentity> {
    let claims = |kind: &str| authorizer.get(kind).and_then(Value::as_object).map(claims_of);
    let jwt = authorizer
        .get("jwt")
        .and_then(|jwt| jwt.get("claims"))
        .and_then(Value::as_object)
        .map(claims_of);
    identity(GatewayAuthorizer::Jwt, jwt)
        .or_else(|| identity(GatewayAuthorizer::Lambda, claims("lambda")))
        .or_else(|| identity(GatewayAuthorizer::Iam, claims("iam")))
}

/// Returns the identity of a REST API: the `claims` of Cognito, the context of a Lambda authorizer, or that of IAM.
pub(super) fn rest_identity(
    authorizer: Option<&AuthorizerContext>,
    iam: Option<&IamIdentity>,
) -> Option<GatewayIdentity> {
    let cognito = authorizer
        .and_then(|authorizer| authorizer.get("claims"))
        .and_then(Value::as_object)
        .map(claims_of);
    identity(GatewayAuthorizer::Jwt, cognito)
        .or_else(|| identity(GatewayAuthorizer::Lambda, authorizer.map(claims_of)))
        .or_else(|| identity(GatewayAuthorizer::Iam, iam.and_then(IamIdentity::claims)))
}

impl IamIdentity {
    /// Returns the claims with the names of payload format 2.0. Without an ARN the request is not signed.
    fn claims(&self) -> Option<BTreeMap<String, Value>> {
        let arn = self.user_arn.clone().filter(|arn| !arn.is_empty())?;
        let optional = [("accountId", &self.account_id), ("userId", &self.user)];
        let optional = optional
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), Value::String(value.clone()?))));
        Some(optional.chain([("userArn".to_owned(), Value::String(arn))]).collect())
    }
}

/// Returns the identity, unless no claim has a single value.
fn identity(authorizer: GatewayAuthorizer, claims: Option<BTreeMap<String, Value>>) -> Option<GatewayIdentity> {
    let is_single = |value: &Value| !value.is_array() && !value.is_object();
    let claims = claims.filter(|claims| claims.values().any(is_single))?;
    Some(GatewayIdentity { authorizer, claims })
}

/// Returns the claims that are present: neither `null` nor empty.
fn claims_of(claims: &Map<String, Value>) -> BTreeMap<String, Value> {
    let is_present = |value: &Value| !value.is_null() && value != "";
    let claims = claims.iter().filter(|(_, value)| is_present(value));
    claims.map(|(name, value)| (name.clone(), value.clone())).collect()
}
