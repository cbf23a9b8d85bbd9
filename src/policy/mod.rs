//! The rules, and what they grant: any matching deny wins, then the first matching allow supplies the constraints,
//! and what no rule speaks of is refused.

pub mod pattern;
mod table;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::auth::{Authenticators, Issuer, Principal};
use crate::key::ObjectKey;
use crate::operation::Action;
use crate::rejection::Rejection;
pub use pattern::{Pattern, PatternError};
pub use table::RulesError;

/// The lifetime of a signed URL where the rules do not say otherwise.
pub const DEFAULT_EXPIRES: Duration = Duration::from_mins(5);

/// The longest lifetime that rules can give, which is also the bucket policy's `s3:signatureAge`
/// ([condition keys](https://docs.aws.amazon.com/AmazonS3/latest/API/bucket-policy-s3-sigv4-conditions.html)).
pub const MAX_EXPIRES: Duration = Duration::from_mins(15);

/// Everything that a rules file says. The default has no rules, and so refuses everything.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// How identities are proven.
    pub authenticators: Authenticators,
    rules: Vec<Rule>,
}

/// One `[[rule]]`.
#[derive(Clone, Debug)]
struct Rule {
    id: String,
    effect: Effect,
    who: Vec<Who>,
    can: Vec<Action>,
    on: Vec<Pattern>,
    constraints: Constraints,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Effect {
    #[default]
    Allow,
    Deny,
}

/// Whom a rule speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Who {
    Anyone,
    Authenticated,
    Token(String),
    Group(String),
}

/// What a rule allows.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a> {
    /// The id of the rule.
    pub rule: &'a str,
    /// What holds for the operation.
    pub constraints: &'a Constraints,
}

/// What an allowing rule demands of the operation and lends to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraints {
    /// The lifetime of a signed URL.
    pub expires: Duration,
    /// The greatest length of an upload, in bytes.
    pub max_bytes: u64,
    /// Whether a PUT may replace an object.
    pub overwrite: bool,
    /// How a GET tells browsers to treat the object.
    pub disposition: Disposition,
    /// The media types of uploads, such as `image/*`; empty for any.
    pub content_types: Vec<String>,
    /// `x-amz-meta-` headers of every upload, by the name after that prefix.
    pub metadata: BTreeMap<String, String>,
    /// The storage class of every upload.
    pub storage_class: Option<String>,
    /// The server-side encryption of every upload: `AES256`, `aws:kms` or `aws:kms:dsse`.
    pub sse: Option<String>,
    /// The KMS key of every upload.
    pub sse_kms_key_id: Option<String>,
    /// Names of [`crate::operation::ACCEPTABLE`] that the client may choose.
    pub accepts: Vec<String>,
}

/// How a GET tells browsers to treat the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Disposition {
    /// Always a download, so that HTML and SVG cannot run on the bucket's origin.
    Attachment,
    /// As the object's own metadata says.
    Inline,
}

impl Policy {
    /// Reads a rules file; anything unknown in it is an error.
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        table::parse(text)
    }

    /// How many rules there are.
    pub const fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is no rule, so that everything is refused.
    pub const fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Decides whether `principal` may do `action` on `key`.
    pub fn decide(&self, principal: &Principal, action: Action, key: &ObjectKey) -> Result<Grant<'_>, Rejection> {
        let mut granted = None;
        for rule in self.rules.iter().filter(|rule| rule.speaks_of(principal, action, key)) {
            match rule.effect {
                Effect::Deny => return Err(self.refuse(principal, action)),
                Effect::Allow => granted = granted.or(Some(rule)),
            }
        }
        let rule = granted.ok_or_else(|| self.refuse(principal, action))?;
        Ok(Grant {
            rule: &rule.id,
            constraints: &rule.constraints,
        })
    }

    fn refuse(&self, principal: &Principal, action: Action) -> Rejection {
        match principal {
            Principal::Anonymous if !self.authenticators.is_empty() => Rejection::CredentialRequired,
            Principal::Anonymous | Principal::Member(_) => Rejection::AccessDenied { action: action.name() },
        }
    }
}

impl Rule {
    fn speaks_of(&self, principal: &Principal, action: Action, key: &ObjectKey) -> bool {
        self.can.contains(&action)
            && self.who.iter().any(|who| who.includes(principal))
            && self.on.iter().any(|pattern| pattern.matches(key, principal))
    }
}

impl Who {
    fn includes(&self, principal: &Principal) -> bool {
        let member = principal.member();
        match self {
            Self::Anyone => true,
            Self::Authenticated => member.is_some(),
            Self::Token(id) => member.is_some_and(|member| member.issuer == Issuer::Token && member.subject == *id),
            Self::Group(name) => member.is_some_and(|member| member.groups.contains(name)),
        }
    }
}

impl Constraints {
    /// Whether the client may choose `name`.
    pub fn accepts(&self, name: &str) -> bool {
        self.accepts.iter().any(|accepted| accepted == name)
    }

    /// Whether uploads of this media type are taken; parameters such as `charset` do not count.
    pub fn takes_content_type(&self, content_type: &str) -> bool {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        self.content_types.is_empty() || self.content_types.iter().any(|range| in_media_range(range, essence))
    }
}

fn in_media_range(range: &str, media_type: &str) -> bool {
    match range.strip_suffix("/*") {
        Some(kind) => media_type
            .split_once('/')
            .is_some_and(|(found, _)| found.eq_ignore_ascii_case(kind)),
        None => range.eq_ignore_ascii_case(media_type),
    }
}
