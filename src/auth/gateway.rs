//! Identities that the gateway has verified. They are accepted only if the rules contain their issuer.

use std::collections::BTreeMap;
use std::slice;

use super::error::bad_credential;
use super::principal::{Issuer, User, qualified_group};
use crate::rejection::Rejection;
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
    let issuer = issuer.ok_or_else(|| bad_credential(unknown))?;
    let subject = subject(identity);
    let subject = subject.ok_or_else(|| bad_credential("the identity that the gateway verified has no subject"))?;
    let groups = issuer.groups.as_ref().and_then(|claim| identity.claims.get(claim));
    let groups = groups.and_then(|name| qualified_group(&issuer.name, name));
    let user = User::new(issuer.issuer(), subject.to_owned(), groups.into_iter().collect());
    Ok(user.with_claims(identity.claims.clone()))
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
            claims,
        }
    }

    fn issued(&self, identity: &GatewayIdentity) -> bool {
        let claim = |name: &str| identity.claims.get(name) == Some(&self.iss);
        self.authorizer == identity.authorizer
            && match identity.authorizer {
                GatewayAuthorizer::Jwt => claim("iss"),
                GatewayAuthorizer::Iam => claim("accountId"),
                // The function of the operator has already decided that the caller is accepted.
                GatewayAuthorizer::Lambda => true,
            }
    }
}

fn subject(identity: &GatewayIdentity) -> Option<&str> {
    let names: &[&str] = match identity.authorizer {
        GatewayAuthorizer::Jwt => &["sub"],
        GatewayAuthorizer::Iam => &["userArn"],
        GatewayAuthorizer::Lambda => &["principalId", "sub"],
    };
    let subject = names.iter().find_map(|name| identity.claims.get(*name))?;
    let subject = match identity.authorizer {
        GatewayAuthorizer::Iam => without_session(subject),
        GatewayAuthorizer::Jwt | GatewayAuthorizer::Lambda => subject,
    };
    Some(subject).filter(|subject| !subject.is_empty())
}

/// Removes the session name from the ARN of an assumed role. The caller chooses that name, so it identifies no user.
fn without_session(arn: &str) -> &str {
    match arn.split_once(":assumed-role/") {
        Some((_, role)) => role.rfind('/').map_or(arn, |at| &arn[..arn.len() - role.len() + at]),
        None => arn,
    }
}
