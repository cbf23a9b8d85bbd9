//! The entries of `who`.

use std::fmt;

use super::effect::Effect;
use crate::auth::{Authenticators, Issuer, Principal, User};

/// An entry of `who`: the callers that a rule matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CallerSelector {
    Anyone,
    Authenticated,
    Token(String),
    Group(String),
    Issuer(String),
    User { issuer: String, subject: String },
}

impl CallerSelector {
    /// Parses an entry of `who`, whose tokens and issuers must be known.
    pub(super) fn parse(text: &str, known: &Authenticators) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "anyone" => Ok(Self::Anyone),
            None if text == "authenticated" => Ok(Self::Authenticated),
            Some(("token", id)) if known.tokens.iter().any(|token| token.id == id) => Ok(Self::Token(id.to_owned())),
            Some(("token", id)) => Err(format!("who: no [[token]] has the id {id:?}")),
            Some(("group", group)) if !group.is_empty() => parse_group(group, known),
            Some(("issuer", name)) => issuer(name, known).map(Self::Issuer),
            Some(("user", user)) => parse_user(user, known),
            _ => Err(format!(
                "who: unknown caller {text:?}; use anyone, authenticated, token:ID, group:NAME, group:ISSUER/NAME, \
                 issuer:NAME or user:ISSUER/SUBJECT"
            )),
        }
    }

    /// Returns true if the selector includes `principal`. A deny rule also includes a user who may be in its group.
    pub(super) fn includes(&self, principal: &Principal, effect: Effect) -> bool {
        let user_is = |test: &dyn Fn(&User) -> bool| principal.user().is_some_and(test);
        match self {
            Self::Anyone => true,
            Self::Authenticated => user_is(&|_| true),
            Self::Token(id) => user_is(&|user| user.issuer == Issuer::Token && user.subject == *id),
            Self::Group(name) => user_is(&|user| match effect {
                Effect::Allow => user.groups.contains(name),
                Effect::Deny => user.may_be_in(name),
            }),
            Self::Issuer(name) => user_is(&|user| user.issuer.is_named(name)),
            Self::User { issuer, subject } => user_is(&|user| user.issuer.is_named(issuer) && user.subject == *subject),
        }
    }

    /// Returns the subject or the name of the group that the selector compares.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Anyone | Self::Authenticated | Self::Token(_) | Self::Issuer(_) => None,
            Self::Group(name) | Self::User { subject: name, .. } => Some(name),
        }
    }

    /// Returns the issuer of the matching users, if there is exactly one. Tokens have an empty issuer name.
    pub(super) fn issuer(&self) -> Option<&str> {
        match self {
            Self::Anyone | Self::Authenticated | Self::Group(_) => None,
            Self::Token(_) => Some(""),
            Self::Issuer(issuer) | Self::User { issuer, .. } => Some(issuer),
        }
    }
}

fn issuer(name: &str, known: &Authenticators) -> Result<String, String> {
    let known_name = known.names_issuer(name).then(|| name.to_owned());
    known_name.ok_or_else(|| format!("who: no [[issuer]] has the name {name:?}"))
}

fn parse_group(group: &str, known: &Authenticators) -> Result<CallerSelector, String> {
    if let Some((name, _)) = group.split_once('/')
        && !known.has_groups(&issuer(name, known)?)
    {
        return Err(format!(
            "who: the [[issuer]] {name:?} has no `groups`, so \"group:{group}\" matches nobody; set `groups` to the name of \
             the claim with the groups"
        ));
    }
    Ok(CallerSelector::Group(group.to_owned()))
}

fn parse_user(user: &str, known: &Authenticators) -> Result<CallerSelector, String> {
    let parts = user.split_once('/').filter(|(_, subject)| !subject.is_empty());
    let (name, subject) = parts.ok_or_else(|| {
        format!("who: \"user:{user}\" must be user:ISSUER/SUBJECT, because a subject is unique only within its issuer")
    })?;
    if !known.is_subject(name, subject) {
        return Err(format!(
            "who: \"user:{user}\" matches nobody, because the subject of an assumed role has no session name; remove the \
             last segment"
        ));
    }
    Ok(CallerSelector::User {
        issuer: issuer(name, known)?,
        subject: subject.to_owned(),
    })
}

impl fmt::Display for CallerSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => f.write_str("anyone"),
            Self::Authenticated => f.write_str("authenticated"),
            Self::Token(id) => write!(f, "token:{id}"),
            Self::Group(name) => write!(f, "group:{name}"),
            Self::Issuer(name) => write!(f, "issuer:{name}"),
            Self::User { issuer, subject } => write!(f, "user:{issuer}/{subject}"),
        }
    }
}
