//! Open issuers: everyone can get tokens of them, so a rule must name the owners of the accepted tokens.

use serde::Deserialize;

use super::caller_selector::CallerSelector;
use super::rule::{ClaimCondition, Rule};

/// An issuer of the rules that everyone can get tokens of.
#[derive(Debug)]
pub(super) struct OpenIssuer {
    name: String,
    owners: OwnerClaims,
    /// True if the issuer's `groups` name the owner of a token.
    has_owner_groups: bool,
}

/// The field `sign_up` of an issuer: who can become its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SignUp {
    /// Everyone.
    Open,
    /// Only users whom the operator of the issuer adds.
    Closed,
}

/// The claims that name the owner of a token.
#[derive(Clone, Copy, Debug)]
enum OwnerClaims {
    /// These claims.
    Listed(&'static [&'static str]),
    /// Every claim except those that users choose themselves, and those that are equal for many users.
    AllExceptProfile,
}

/// An issuer with many tenants: every account of the provider gets tokens with the same `iss`.
struct SharedIssuer {
    iss: &'static str,
    /// The claims that name the owner. The first one is the example in errors.
    owners: &'static [&'static str],
}

/// The issuers with many tenants. Claims that another tenant can set are not in the lists: `ref`, `environment` and `actor`
/// of GitHub, or `job_workflow_ref`, because everyone can call a public workflow.
const SHARED_ISSUERS: &[SharedIssuer] = &[
    // https://docs.github.com/en/actions/reference/security/oidc
    SharedIssuer {
        iss: "https://token.actions.githubusercontent.com",
        owners: &[
            "repository_owner_id",
            "repository_id",
            "repository_owner",
            "repository",
            "enterprise_id",
            "enterprise",
            "sub",
        ],
    },
    // https://docs.gitlab.com/ci/secrets/id_token_authentication/
    SharedIssuer {
        iss: "https://gitlab.com",
        owners: &["namespace_id", "project_id", "namespace_path", "project_path", "sub"],
    },
    // https://developers.google.com/identity/openid-connect/openid-connect#an-id-tokens-payload
    SharedIssuer {
        iss: "https://accounts.google.com",
        owners: &["hd", "email", "sub"],
    },
    // https://buildkite.com/docs/agent/v3/cli-oidc
    SharedIssuer {
        iss: "https://agent.buildkite.com",
        owners: &["organization_id", "organization_slug", "pipeline_id", "sub"],
    },
    // https://developer.hashicorp.com/terraform/cloud-docs/workspaces/dynamic-provider-credentials/workload-identity-tokens
    SharedIssuer {
        iss: "https://app.terraform.io",
        owners: &[
            "terraform_organization_id",
            "terraform_organization_name",
            "terraform_project_id",
            "terraform_workspace_id",
            "sub",
        ],
    },
    // https://vercel.com/docs/oidc/reference
    SharedIssuer {
        iss: "https://oidc.vercel.com",
        owners: &["owner_id", "owner", "project_id", "sub"],
    },
    // https://codefresh.io/docs/docs/integrations/oidc-pipelines/
    SharedIssuer {
        iss: "https://oidc.codefresh.io",
        owners: &["account_id", "account_name", "pipeline_id", "sub"],
    },
    // https://developer.apple.com/documentation/signinwithapple/authenticating-users-with-sign-in-with-apple
    SharedIssuer {
        iss: "https://appleid.apple.com",
        owners: &["sub", "email"],
    },
    // Personal Microsoft accounts: https://learn.microsoft.com/en-us/entra/identity-platform/id-token-claims-reference
    SharedIssuer {
        iss: "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
        owners: &["oid", "sub"],
    },
    // https://docs.sigstore.dev/certificate_authority/oidc-in-fulcio/
    SharedIssuer {
        iss: "https://oauth2.sigstore.dev/auth",
        owners: &["email", "sub"],
    },
    // https://api.slack.com/authentication/sign-in-with-slack
    SharedIssuer {
        iss: "https://slack.com",
        owners: &["https://slack.com/team_id", "https://slack.com/user_id", "sub"],
    },
    // https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_using_openid.htm
    SharedIssuer {
        iss: "https://login.salesforce.com",
        owners: &["organization_id", "sub"],
    },
];

/// Providers whose accounts everyone can create, and whose tokens name only a person.
const PERSONAL_ISSUERS: &[&str] = &[
    "https://www.facebook.com",
    "https://www.linkedin.com/oauth",
    "https://id.twitch.tv/oauth2",
    "https://access.line.me",
    "https://api.login.yahoo.com",
    "https://discord.com",
    "https://www.paypal.com",
];

/// The ends of the host names of providers whose tenants let users register themselves, or can do so.
const SIGN_UP_HOSTS: &[&str] = &[
    ".auth0.com",
    ".okta.com",
    ".oktapreview.com",
    ".okta-emea.com",
    ".ciamlogin.com",
    ".b2clogin.com",
    ".supabase.co",
    ".clerk.accounts.dev",
    ".kinde.com",
    ".logto.app",
    ".zitadel.cloud",
    ".fusionauth.io",
    "securetoken.google.com",
];

/// Claims that do not name the owner of a token: users choose them, or the issuer sets them for every user.
/// `email` names the owner only together with `email_verified`.
const PROFILE_CLAIMS: &[&str] = &[
    "acr",
    "address",
    "amr",
    "at_hash",
    "aud",
    "auth_time",
    "azp",
    "birthdate",
    "client_id",
    "cognito:username",
    "email",
    "email_verified",
    "event_id",
    "exp",
    "family_name",
    "firebase",
    "gender",
    "given_name",
    "iat",
    "iss",
    "jti",
    "locale",
    "middle_name",
    "name",
    "nbf",
    "nickname",
    "nonce",
    "origin_jti",
    "phone_number",
    "phone_number_verified",
    "picture",
    "preferred_username",
    "profile",
    "provider_id",
    "scope",
    "sid",
    "token_use",
    "unique_name",
    "updated_at",
    "upn",
    "user_metadata",
    "username",
    "ver",
    "website",
    "zoneinfo",
];

/// The aliases of Entra for several tenants. Their tokens contain the `iss` of a single tenant.
const ENTRA_ALIASES: &[&str] = &["common", "organizations", "consumers"];

impl OpenIssuer {
    /// Returns the issuer if everyone can get tokens of it. `groups` is the claim with the groups of its users.
    pub(super) fn new(
        name: &str,
        iss: &str,
        groups: Option<&str>,
        sign_up: Option<SignUp>,
    ) -> Result<Option<Self>, String> {
        check_entra_alias(iss)?;
        let shared = shared_owners(iss);
        let owners = match (shared, sign_up) {
            (Some(_), Some(SignUp::Closed)) => {
                return Err("sign_up: everyone can get tokens of this issuer, so it cannot be \"closed\"".into());
            }
            (Some(owners), _) => OwnerClaims::Listed(owners),
            (None, Some(SignUp::Open)) => OwnerClaims::AllExceptProfile,
            (None, None) if can_have_sign_up(iss) => OwnerClaims::AllExceptProfile,
            (None, _) => return Ok(None),
        };
        Ok(Some(Self {
            name: name.to_owned(),
            has_owner_groups: groups.is_some_and(|claim| claim != "email" && owners.contain(claim)),
            owners,
        }))
    }

    /// Rejects an allow rule if everyone who gets a token of this issuer matches it.
    pub(super) fn check(&self, rule: &Rule) -> Result<(), String> {
        let is_limited = names_owner(self.owners, &rule.conditions);
        let is_open = |who: &CallerSelector| match who {
            CallerSelector::Authenticated => true,
            CallerSelector::Issuer(issuer) => *issuer == self.name && !is_limited,
            CallerSelector::Group(group) => self.owns_group(group) && !self.has_owner_groups && !is_limited,
            CallerSelector::Anyone | CallerSelector::Token(_) | CallerSelector::User { .. } => false,
        };
        match rule.who.iter().find(|who| is_open(who)) {
            Some(who) => Err(self.problem(who)),
            None => Ok(()),
        }
    }

    fn owns_group(&self, group: &str) -> bool {
        group.split_once('/').is_some_and(|(issuer, _)| issuer == self.name)
    }

    fn problem(&self, who: &CallerSelector) -> String {
        let name = &self.name;
        match self.owners {
            OwnerClaims::Listed([example, ..]) => format!(
                "who: everyone can get tokens of the issuer {name:?}, so \"{who}\" matches everyone. Name the issuer \
                 in `who` and the accepted owners in `if`, for example `if = {{ {} = [\"…\"] }}`. If the rule is for everyone, \
                 add `allow_open_issuer = true`",
                toml_key(example)
            ),
            OwnerClaims::Listed([]) | OwnerClaims::AllExceptProfile => format!(
                "who: users can register themselves at many issuers like {name:?}, and \"{who}\" then matches everyone. \
                 If they cannot, add `sign_up = \"closed\"` to the [[issuer]]. Otherwise name users, a group, or a claim \
                 that users cannot set. If the rule is for everyone, add `allow_open_issuer = true`"
            ),
        }
    }
}

impl OwnerClaims {
    fn contain(self, claim: &str) -> bool {
        match self {
            Self::Listed(claims) => claims.contains(&claim),
            // Users cannot put themselves into groups.
            Self::AllExceptProfile => !is_profile_claim(claim),
        }
    }
}

/// Returns true if one of the conditions accepts only certain owners.
fn names_owner(owners: OwnerClaims, conditions: &[ClaimCondition]) -> bool {
    let is_verified = |condition: &ClaimCondition| condition.claim == "email_verified" && condition.values == ["true"];
    let has_verified_email = conditions.iter().any(is_verified);
    conditions.iter().any(|condition| match condition.claim.as_str() {
        "email" => {
            let can_name_owner = match owners {
                OwnerClaims::Listed(claims) => claims.contains(&"email"),
                OwnerClaims::AllExceptProfile => true,
            };
            can_name_owner && has_verified_email
        }
        claim => owners.contain(claim),
    })
}

fn shared_owners(iss: &str) -> Option<&'static [&'static str]> {
    let iss = iss.trim_end_matches('/');
    if PERSONAL_ISSUERS.contains(&iss) {
        return Some(&["sub"]);
    }
    let iss = if iss == "accounts.google.com" {
        "https://accounts.google.com"
    } else {
        iss
    };
    let shared = SHARED_ISSUERS.iter().find(|shared| shared.iss == iss);
    shared.map(|shared| shared.owners)
}

fn can_have_sign_up(iss: &str) -> bool {
    let host = host(iss);
    let is_cognito = host.starts_with("cognito-idp.") && host.contains(".amazonaws.com");
    is_cognito || SIGN_UP_HOSTS.iter().any(|end| host.ends_with(end))
}

/// Users of Cognito can change their `custom:` attributes, unless the app client prevents this.
fn is_profile_claim(claim: &str) -> bool {
    PROFILE_CLAIMS.contains(&claim) || claim.starts_with("custom:")
}

fn check_entra_alias(iss: &str) -> Result<(), String> {
    let path = iss
        .strip_prefix("https://login.microsoftonline.com/")
        .unwrap_or_default();
    let alias = path.split('/').next().unwrap_or_default();
    if ENTRA_ALIASES.contains(&alias) {
        return Err(format!(
            "iss: no token has the issuer {alias:?}: the `iss` of a token contains the id of a tenant; add one [[issuer]] \
             for each tenant"
        ));
    }
    Ok(())
}

fn host(iss: &str) -> &str {
    let rest = iss.strip_prefix("https://").unwrap_or(iss);
    rest.split(['/', ':']).next().unwrap_or_default()
}

/// Returns a claim as a key of TOML.
fn toml_key(claim: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if claim.bytes().all(is_bare) {
        claim.to_owned()
    } else {
        format!("{claim:?}")
    }
}
