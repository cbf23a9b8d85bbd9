//! A request as one asks about it, and the answer of the rules.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use signpost::auth::Principal;
use signpost::key::ObjectKey;
use signpost::operation::{Action, Operation};
use signpost::policy::{
    Constraints, Explanation, Grant, LifetimeSource, ListAccess, Policy, PolicyOutcome, RuleComparison,
};
use signpost::rejection::Rejection;

/// A request as one asks about it.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) who: Who,
    pub(crate) groups: Vec<String>,
    pub(crate) claims: BTreeMap<String, String>,
    pub(crate) method: Method,
    pub(crate) key: String,
    pub(crate) length: Option<u64>,
    pub(crate) content_type: Option<String>,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Who {
    Anyone,
    Token(String),
    Issuer { name: String, subject: String },
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Method {
    Operation(Operation),
    /// The keys below a prefix.
    List,
}

/// One claim of an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// What the rules say.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) principal: Principal,
    pub(crate) decision: Decision,
    /// The rule that decides: it denies, or it allows with constraints, which may refuse the upload.
    pub(crate) rule: Option<&'a str>,
    /// What a rule allows to be done to an object.
    pub(crate) granted: Option<(Grant<'a>, LifetimeSource)>,
    /// Of a listing of which no rule allows all: the folders in it that lead to where one does.
    pub(crate) ways: BTreeSet<String>,
    pub(crate) refusal: Option<Rejection>,
    /// How the rules stand to it; none do where the key is none, or the caller nobody.
    pub(crate) comparisons: Vec<RuleComparison<'a>>,
}

/// What it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Decision {
    Allow,
    Deny,
    Refuse,
}

impl Question {
    /// Refuses what would count for nothing.
    pub(crate) fn check(&self) -> Result<(), String> {
        let told = !self.claims.is_empty() || !self.groups.is_empty();
        if told && !matches!(self.who, Who::Issuer { .. }) {
            return Err("claims and groups go with issuer:NAME/SUBJECT; those of a token stand in the rules".into());
        }
        let upload = self.length.is_some() || self.content_type.is_some();
        if upload && self.method != Method::Operation(Operation::PutObject) {
            return Err("only an upload (PUT) has a length and a content type".into());
        }
        if self.method == Method::List && !self.key.is_empty() && !self.key.ends_with('/') {
            return Err(format!("{:?} is no prefix: one is empty, or ends in a slash", self.key));
        }
        Ok(())
    }

    /// Asks the rules. The error says why they can't be asked.
    pub(crate) fn ask<'a>(&self, policy: &'a Policy) -> Result<Answer<'a>, String> {
        self.check()?;
        let principal = self.principal(policy)?;
        if let (Who::Anyone, Err(refusal)) = (&self.who, policy.authenticators.anonymous()) {
            return Ok(Answer::refused(principal, refusal));
        }
        Ok(match self.method {
            Method::Operation(operation) => self.ask_of_object(policy, principal, operation.action()),
            Method::List => self.ask_of_listing(policy, principal),
        })
    }

    fn ask_of_object<'a>(&self, policy: &'a Policy, principal: Principal, action: Action) -> Answer<'a> {
        let key = match ObjectKey::new(self.key.as_str()) {
            Ok(key) => key,
            Err(error) => return Answer::refused(principal, error.into()),
        };
        let Explanation {
            outcome,
            lifetime,
            comparisons,
        } = policy.explain(&principal, action, &key);
        let (rule, is_denied) = (outcome.rule(), matches!(outcome, PolicyOutcome::Denied { .. }));
        let granted = outcome.into_grant();
        let refusal = match &granted {
            Ok(grant) => self.check_upload(grant.constraints).err(),
            Err(refusal) => Some(refusal.clone()),
        };
        Answer {
            decision: Decision::of(is_denied, refusal.is_some()),
            rule,
            granted: granted.ok().zip(lifetime),
            comparisons,
            refusal,
            ..Answer::of(principal)
        }
    }

    fn ask_of_listing<'a>(&self, policy: &'a Policy, principal: Principal) -> Answer<'a> {
        if !self.key.is_empty()
            && let Err(error) = ObjectKey::new(self.key.as_str())
        {
            return Answer::refused(principal, error.into());
        }
        let explained = policy.explain_list_access(&principal, Action::List, &self.key);
        let (rule, ways, refusal) = match explained.access {
            Ok(ListAccess::Full(grant)) => (Some(grant.rule), BTreeSet::new(), None),
            Ok(ListAccess::Traverse(ways)) => (None, ways, None),
            Err(refusal) => (explained.denied_by, BTreeSet::new(), Some(refusal)),
        };
        Answer {
            decision: Decision::of(explained.denied_by.is_some(), refusal.is_some()),
            rule,
            ways,
            refusal,
            comparisons: explained.comparisons,
            ..Answer::of(principal)
        }
    }

    fn principal(&self, policy: &Policy) -> Result<Principal, String> {
        let known = &policy.authenticators;
        match &self.who {
            Who::Anyone => Ok(Principal::Anonymous),
            Who::Token(id) => match known.tokens.iter().find(|token| token.id == *id) {
                Some(token) => Ok(Principal::User(token.user())),
                None => Err(format!("the rules have no [[token]] with id {id:?}")),
            },
            Who::Issuer { name, subject } => {
                let member = known.issuer_user(name, subject, self.claims.clone());
                let member = member.ok_or_else(|| format!("the rules have no [[issuer]] with name {name:?}"))?;
                let mut member = member.map_err(|refusal| refusal.to_string())?;
                member
                    .groups
                    .extend(self.groups.iter().map(|group| format!("{name}/{group}")));
                Ok(Principal::User(member))
            }
        }
    }

    fn check_upload(&self, constraints: &Constraints) -> Result<(), Rejection> {
        if let Some(length) = self.length {
            constraints.check_put(length)?;
        }
        match &self.content_type {
            Some(content_type) => constraints.check_content_type(Some(content_type)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} as {}", self.method, self.key, self.who)
    }
}

impl Answer<'_> {
    /// Of nothing yet.
    const fn of(principal: Principal) -> Self {
        Self {
            principal,
            decision: Decision::Allow,
            rule: None,
            granted: None,
            ways: BTreeSet::new(),
            refusal: None,
            comparisons: Vec::new(),
        }
    }

    /// No rule is asked.
    fn refused(principal: Principal, refusal: Rejection) -> Self {
        Self {
            decision: Decision::Refuse,
            refusal: Some(refusal),
            ..Self::of(principal)
        }
    }
}

impl Decision {
    const fn of(is_denied: bool, is_refused: bool) -> Self {
        match (is_denied, is_refused) {
            (true, _) => Self::Deny,
            (false, true) => Self::Refuse,
            (false, false) => Self::Allow,
        }
    }
}

impl fmt::Display for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.decision, self.rule, &self.refusal) {
            (Decision::Allow, Some(rule), _) => write!(f, "allowed by rule {rule:?}"),
            (Decision::Allow, None, _) => {
                let ways: Vec<_> = self.ways.iter().map(String::as_str).collect();
                write!(
                    f,
                    "allowed, but it tells nothing but ways to what may be listed: {}",
                    ways.join(", ")
                )
            }
            (Decision::Deny, Some(rule), _) => write!(f, "denied by rule {rule:?}"),
            (_, Some(rule), Some(refusal)) => write!(f, "refused by the constraints of rule {rule:?}: {refusal}"),
            (_, None, Some(refusal)) => write!(f, "refused: {refusal}"),
            (_, _, None) => f.write_str("refused"),
        }
    }
}

impl FromStr for Method {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match Operation::from_request(text, &[]) {
            Some(operation) => Ok(Self::Operation(operation)),
            None if text == "LIST" => Ok(Self::List),
            None => Err(format!("{text:?} is none of GET, HEAD, PUT, DELETE, LIST")),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operation(operation) => write!(f, "{}", operation.method()),
            Self::List => f.write_str("LIST"),
        }
    }
}

impl FromStr for Who {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let issuer = |(name, subject): (&str, &str)| Self::Issuer {
            name: name.to_owned(),
            subject: subject.to_owned(),
        };
        let parsed = match text.split_once(':') {
            None if text == "anyone" => Some(Self::Anyone),
            Some(("token", id)) if !id.is_empty() => Some(Self::Token(id.to_owned())),
            Some(("issuer", member)) => member
                .split_once('/')
                .filter(|(_, subject)| !subject.is_empty())
                .map(issuer),
            _ => None,
        };
        parsed.ok_or_else(|| format!("{text:?} is none of anyone, token:ID, issuer:NAME/SUBJECT"))
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => f.write_str("anyone"),
            Self::Token(id) => write!(f, "token:{id}"),
            Self::Issuer { name, subject } => write!(f, "issuer:{name}/{subject}"),
        }
    }
}

impl FromStr for Claim {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok(Self {
                name: name.to_owned(),
                value: value.to_owned(),
            }),
            _ => Err(format!("{text:?} is not NAME=VALUE")),
        }
    }
}

impl TryFrom<String> for Who {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl TryFrom<String> for Method {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}
