//! Identities that the gateway has verified. They are accepted only if the rules contain their issuer.

use std::collections::BTreeMap;
use std::slice;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::claim_values::{self, exact_text, gateway_text};
use super::error::bad_credential;
use super::principal::{Issuer, User};
use crate::rejection::{CredentialRemedy, Rejection};
use crate::request::{GatewayAuthorizer, GatewayIdentity};

/// An `[[issuer]]` whose identities the gateway verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayIssuer {
    /// The name of the issuer in the rules.
    pub name: String,
    /// The kind of authorizer that verifies its identities.
    pub authorizer: GatewayAuthorizer,
    /// The `iss` of its tokens, the AWS account of its IAM identities, or a chosen name for a Lambda authorizer.
    pub iss: String,
    /// The claim that contains a group.
    pub groups: Option<String>,
}

/// Returns the user with this identity.
pub(super) fn authenticate(issuers: &[GatewayIssuer], identity: &GatewayIdentity) -> Result<User, Rejection> {
    let issuer = issuers.iter().find(|issuer| issuer.issued(identity));
    let unknown = "the rules do not contain the issuer of the identity that the gateway verified";
    let issuer = issuer.ok_or_else(|| bad_credential(CredentialRemedy::CheckGateway, unknown))?;
    let subject = subject(identity);
    let subject = subject.ok_or_else(|| {
        bad_credential(
            CredentialRemedy::CheckGateway,
            "the identity that the gateway verified has no subject",
        )
    })?;
    let claim = |name: &str| identity.claims.get(name);
    let groups = claim_values::groups(&issuer.name, issuer.groups.as_deref(), claim);
    let user = User::new(issuer.issuer(), subject, groups.names).with_ambiguous_groups(groups.are_ambiguous);
    Ok(user.with_claims(claim_texts(identity)))
}

/// Returns the expiry time of the token that the gateway verified, if the gateway reports it as a number. A Cognito
/// authorizer reports it as a date in another format.
pub(super) fn expiry(identity: &GatewayIdentity) -> Option<SystemTime> {
    if identity.authorizer != GatewayAuthorizer::Jwt {
        return None;
    }
    let seconds = exact_text(identity.claims.get("exp")?)?.parse().ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// Returns the claims with a single exact value. AWS itself sets those of IAM, and none of them is an array.
fn claim_texts(identity: &GatewayIdentity) -> BTreeMap<String, String> {
    let text = match identity.authorizer {
        GatewayAuthorizer::Jwt | GatewayAuthorizer::Lambda => gateway_text,
        GatewayAuthorizer::Iam => exact_text,
    };
    let claims = identity.claims.iter();
    claims
        .filter_map(|(name, value)| Some((name.clone(), text(value)?)))
        .collect()
}

impl GatewayIssuer {
    /// Returns the user that a request has after the gateway has verified this subject with these claims.
    pub(super) fn user(&self, subject: &str, claims: BTreeMap<String, String>) -> Result<User, Rejection> {
        authenticate(slice::from_ref(self), &self.identity(subject, claims))
    }

    pub(super) fn issuer(&self) -> Issuer {
        Issuer::Named {
            name: self.name.clone(),
            iss: self.iss.clone(),
        }
    }

    /// Returns true if a user of this issuer can have this subject.
    pub(super) fn is_subject(&self, subject: &str) -> bool {
        self.authorizer != GatewayAuthorizer::Iam || without_session(subject) == subject
    }

    /// Returns the identity as the gateway would report it.
    fn identity(&self, subject: &str, mut claims: BTreeMap<String, String>) -> GatewayIdentity {
        let reported: &[(&str, &str)] = match self.authorizer {
            GatewayAuthorizer::Jwt => &[("iss", &self.iss), ("sub", subject)],
            GatewayAuthorizer::Iam => &[("accountId", &self.iss), ("userArn", subject)],
            GatewayAuthorizer::Lambda => &[("principalId", subject)],
        };
        let reported = reported.iter();
        claims.extend(reported.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        GatewayIdentity {
            authorizer: self.authorizer,
            claims: claims
                .into_iter()
                .map(|(name, text)| (name, Value::String(text)))
                .collect(),
        }
    }

    fn issued(&self, identity: &GatewayIdentity) -> bool {
        let claim = |name: &str| identity.claims.get(name).and_then(exact_text).as_ref() == Some(&self.iss);
        self.authorizer == identity.authorizer
            && match identity.authorizer {
                GatewayAuthorizer::Jwt => claim("iss"),
                GatewayAuthorizer::Iam => claim("accountId"),
                // The function of the operator has already decided that the caller is accepted.
                GatewayAuthorizer::Lambda => true,
            }
    }
}

/// Returns the subject, unless it is a flattened array.
fn subject(identity: &GatewayIdentity) -> Option<String> {
    let names: &[&str] = match identity.authorizer {
        GatewayAuthorizer::Jwt => &["sub"],
        GatewayAuthorizer::Iam => &["userArn"],
        GatewayAuthorizer::Lambda => &["principalId", "sub"],
    };
    let subject = names.iter().find_map(|name| exact_text(identity.claims.get(*name)?))?;
    let subject = match identity.authorizer {
        GatewayAuthorizer::Iam => without_session(&subject).to_owned(),
        GatewayAuthorizer::Jwt | GatewayAuthorizer::Lambda => subject,
    };
    Some(subject).filter(|subject| !subject.is_empty() && !subject.starts_with('['))
}

/// Removes the session name from the ARN of an assumed role. The caller chooses that name, so it identifies no user.
fn without_session(arn: &str) -> &str {
    match arn.split_once(":assumed-role/") {
        Some((_, role)) => role.rfind('/').map_or(arn, |at| &arn[..arn.len() - role.len() + at]),
        None => arn,
    }
}
