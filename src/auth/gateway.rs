//! Identities that the gateway has verified: believed only where the rules name their issuer.

use std::collections::BTreeMap;
use std::slice;

use super::{Issuer, Member, group, refused};
use crate::rejection::Rejection;
use crate::request::{GatewayAuthorizer, GatewayIdentity};

/// An `[[issuer]]` whose identities the gateway verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayIssuer {
    /// Its name in the rules.
    pub name: String,
    /// The kind of authorizer that speaks for it.
    pub authorizer: GatewayAuthorizer,
    /// The `iss` of its tokens, the AWS account of its IAM identities, or what stands for them with a Lambda authorizer.
    pub iss: String,
    /// The claim that tells a group.
    pub groups: Option<String>,
}

/// The member that the gateway's identity stands for.
pub(super) fn authenticate(issuers: &[GatewayIssuer], identity: &GatewayIdentity) -> Result<Member, Rejection> {
    let issuer = issuers.iter().find(|issuer| issuer.vouches_for(identity));
    let issuer =
        issuer.ok_or_else(|| refused("the gateway verified an identity of an issuer that the rules do not name"))?;
    let subject = subject(identity).ok_or_else(|| refused("the identity that the gateway verified has no subject"))?;
    let groups = issuer.groups.as_ref().and_then(|claim| identity.claims.get(claim));
    let groups = groups
        .into_iter()
        .filter_map(|value| group(&issuer.name, value))
        .collect();
    Ok(Member::new(issuer.issuer(), subject.to_owned(), groups).with_claims(identity.claims.clone()))
}

impl GatewayIssuer {
    /// The member that stands behind a request once the gateway has verified this subject with these claims.
    pub(super) fn vouch(&self, subject: &str, claims: BTreeMap<String, String>) -> Result<Member, Rejection> {
        authenticate(slice::from_ref(self), &self.identity(subject, claims))
    }

    pub(super) fn issuer(&self) -> Issuer {
        Issuer::Named {
            name: self.name.clone(),
            iss: self.iss.clone(),
        }
    }

    /// What the gateway would tell.
    fn identity(&self, subject: &str, mut claims: BTreeMap<String, String>) -> GatewayIdentity {
        let told: &[(&str, &str)] = match self.authorizer {
            GatewayAuthorizer::Jwt => &[("iss", &self.iss), ("sub", subject)],
            GatewayAuthorizer::Iam => &[("accountId", &self.iss), ("userArn", subject)],
            GatewayAuthorizer::Lambda => &[("principalId", subject)],
        };
        claims.extend(
            told.iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        GatewayIdentity {
            authorizer: self.authorizer,
            claims,
        }
    }

    fn vouches_for(&self, identity: &GatewayIdentity) -> bool {
        let claim = |name: &str| identity.claims.get(name) == Some(&self.iss);
        self.authorizer == identity.authorizer
            && match identity.authorizer {
                GatewayAuthorizer::Jwt => claim("iss"),
                GatewayAuthorizer::Iam => claim("accountId"),
                // The operator's own function; it has decided already whom to let in.
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

/// An assumed role's ARN ends in a session name that the caller chooses, so it is nobody's name.
fn without_session(arn: &str) -> &str {
    match arn.split_once(":assumed-role/") {
        Some((_, role)) => role.rfind('/').map_or(arn, |at| &arn[..arn.len() - role.len() + at]),
        None => arn,
    }
}
