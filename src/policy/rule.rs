//! One rule: whom, what and which keys it speaks of.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;

use super::constraints::Constraints;
use super::explain::{Aspect, LifetimeSource};
use super::pattern::Pattern;
use super::rewrite::{Rewrite, Rewritten};
use crate::auth::{Issuer, Member, Principal};
use crate::operation::Action;

/// One `[[rule]]`.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) effect: Effect,
    pub(super) who: Vec<Who>,
    pub(super) conditions: Vec<Condition>,
    pub(super) can: Vec<Action>,
    pub(super) on: Vec<Pattern>,
    pub(super) rewrite: Option<Rewrite>,
    pub(super) constraints: Constraints,
    pub(super) lifetime: LifetimeSource,
}

/// What a rule does where it matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// It allows.
    #[default]
    Allow,
    /// It denies, whatever else allows.
    Deny,
}

/// Whom a rule speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Anyone,
    Authenticated,
    Token(String),
    Group(String),
    Issuer(String),
    User { issuer: String, subject: String },
}

/// A claim and the values that it may have, one entry of `if`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) claim: String,
    pub(super) values: Vec<String>,
}

impl Rule {
    pub(super) fn speaks_of(&self, principal: &Principal, action: Action, key: &str) -> bool {
        let agrees = |aspect| self.agrees_on(aspect, principal, action, key);
        // Spelled out and not a loop over `Aspect::ALL`, since every request comes by here: so it compiles to plain tests.
        agrees(Aspect::Action) && agrees(Aspect::Caller) && agrees(Aspect::Claims) && agrees(Aspect::Key)
    }

    #[inline]
    pub(super) fn agrees_on(&self, aspect: Aspect, principal: &Principal, action: Action, key: &str) -> bool {
        match aspect {
            Aspect::Action => self.can.contains(&action),
            Aspect::Caller => self.who.iter().any(|who| who.includes(principal)),
            Aspect::Claims => self
                .conditions
                .iter()
                .all(|condition| condition.holds(principal, self.effect)),
            Aspect::Key => self.pattern(principal, key).is_some(),
        }
    }

    /// The pattern by which it speaks of `key`. Where it rewrites keys by a claim, it speaks to nobody without that.
    fn pattern(&self, principal: &Principal, key: &str) -> Option<&Pattern> {
        let found = self.on.iter().find(|pattern| pattern.matches(key, principal));
        found.filter(|_| {
            let rewrite = self.rewrite.as_ref();
            rewrite.is_none_or(|rewrite| rewrite.folder(claims_of(principal)).is_some())
        })
    }

    /// What becomes of `key` in the bucket, where it rewrites keys.
    pub(super) fn rewritten(&self, principal: &Principal, key: &str) -> Option<Rewritten> {
        let rewrite = self.rewrite.as_ref()?;
        rewrite.apply(key, self.pattern(principal, key)?, claims_of(principal))
    }

    /// What it says of `aspect`, in the words of the rules file.
    pub(super) fn words(&self, aspect: Aspect) -> Vec<String> {
        match aspect {
            Aspect::Action => self.can.iter().map(|action| action.name().to_owned()).collect(),
            Aspect::Caller => self.who.iter().map(Who::to_string).collect(),
            Aspect::Claims => self.conditions.iter().map(Condition::to_string).collect(),
            Aspect::Key => self.on.iter().map(Pattern::to_string).collect(),
        }
    }

    /// The claims that it asks for.
    pub(super) fn claims(&self) -> impl Iterator<Item = &str> {
        let conditions = self.conditions.iter().map(|condition| condition.claim.as_str());
        let folder = self.rewrite.iter().map(|rewrite| &rewrite.folder);
        conditions.chain(self.on.iter().chain(folder).flat_map(Pattern::claims))
    }

    /// The groups that it names.
    pub(super) fn groups(&self) -> impl Iterator<Item = &str> {
        self.who.iter().filter_map(|who| match who {
            Who::Group(name) => Some(name.as_str()),
            Who::Anyone | Who::Authenticated | Who::Token(_) | Who::Issuer(_) | Who::User { .. } => None,
        })
    }

    /// Refuses what would read a claim without knowing whose claim it is: two issuers may use one name, or one subject,
    /// for different things.
    pub(super) fn check(&self) -> Result<(), String> {
        let folder = self.rewrite.iter().map(|rewrite| &rewrite.folder);
        let mut patterns = self.on.iter().chain(folder);
        let wants_issuer = !self.conditions.is_empty() || patterns.any(Pattern::names_issued_claim);
        let issuers: BTreeSet<_> = self.who.iter().map(Who::issuer).collect();
        if wants_issuer && (issuers.len() != 1 || issuers.contains(&None)) {
            return Err(
                "`if` and every `{claim}` but `{user_id}` mean something with one issuer only, so `who` must \
                name one: issuer:NAME, user:NAME/SUBJECT or token:ID"
                    .into(),
            );
        }
        Ok(())
    }
}

/// The claims of a caller, by name.
fn claims_of<'a>(principal: &'a Principal) -> impl Fn(&str) -> Option<&'a str> {
    |claim| principal.member()?.claim(claim)
}

impl Who {
    fn includes(&self, principal: &Principal) -> bool {
        let holds = |test: &dyn Fn(&Member) -> bool| principal.member().is_some_and(test);
        match self {
            Self::Anyone => true,
            Self::Authenticated => holds(&|_| true),
            Self::Token(id) => holds(&|member| member.issuer == Issuer::Token && member.subject == *id),
            Self::Group(name) => holds(&|member| member.groups.contains(name)),
            Self::Issuer(name) => holds(&|member| member.issuer.is_named(name)),
            Self::User { issuer, subject } => {
                holds(&|member| member.issuer.is_named(issuer) && member.subject == *subject)
            }
        }
    }

    /// The one issuer whose members this speaks of, if it is one; tokens have the empty name.
    fn issuer(&self) -> Option<&str> {
        match self {
            Self::Anyone | Self::Authenticated | Self::Group(_) => None,
            Self::Token(_) => Some(""),
            Self::Issuer(issuer) | Self::User { issuer, .. } => Some(issuer),
        }
    }
}

impl fmt::Display for Who {
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

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {:?}", self.claim, self.values)
    }
}

impl Condition {
    /// A claim that is missing lets no allow hold, and no deny fail.
    fn holds(&self, principal: &Principal, effect: Effect) -> bool {
        let value = principal.member().and_then(|member| member.claim(&self.claim));
        value.map_or(effect == Effect::Deny, |value| {
            self.values.iter().any(|allowed| allowed == value)
        })
    }
}
