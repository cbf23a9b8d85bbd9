//! A request to evaluate against the rules, and the decision of the rules.

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

/// A request to evaluate against the rules.
#[derive(Clone, Debug)]
pub(crate) struct AccessQuery {
    pub(crate) who: QueryCaller,
    pub(crate) groups: Vec<String>,
    pub(crate) claims: BTreeMap<String, String>,
    pub(crate) method: RequestMethod,
    pub(crate) key: String,
    pub(crate) length: Option<u64>,
    pub(crate) content_type: Option<String>,
}

/// The caller of the request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum QueryCaller {
    Anyone,
    Token(String),
    Issuer { name: String, subject: String },
}

/// The method of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum RequestMethod {
    Operation(Operation),
    /// A listing of the keys below a prefix.
    List,
}

/// One claim of an issuer's token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClaimArgument {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// The decision of the rules.
#[derive(Debug)]
pub(crate) struct AccessDecision<'a> {
    pub(crate) principal: Principal,
    pub(crate) kind: DecisionKind,
    /// The rule that decides: it denies the request, or it allows it with constraints, which may reject the upload.
    pub(crate) rule: Option<&'a str>,
    /// The permissions that the deciding rule grants on the object.
    pub(crate) granted: Option<(Grant<'a>, LifetimeSource)>,
    /// The listed folders that lead to a prefix that the caller may list. It is empty if a rule allows the whole
    /// listing.
    pub(crate) folders: BTreeSet<String>,
    pub(crate) rejection: Option<Rejection>,
    /// How each rule relates to the request. It is empty if the key is invalid or the caller has no valid identity.
    pub(crate) comparisons: Vec<RuleComparison<'a>>,
}

/// The kind of decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DecisionKind {
    Allow,
    Deny,
    Reject,
}

impl AccessQuery {
    /// Rejects options that would have no effect.
    pub(crate) fn validate(&self) -> Result<(), String> {
        let has_claims = !self.claims.is_empty() || !self.groups.is_empty();
        if has_claims && !matches!(self.who, QueryCaller::Issuer { .. }) {
            return Err(
                "claims and groups require issuer:NAME/SUBJECT; the groups of a token are in the rules file".into(),
            );
        }
        let upload = self.length.is_some() || self.content_type.is_some();
        if upload && self.method != RequestMethod::Operation(Operation::PutObject) {
            return Err("only an upload (PUT) has a length and a content type".into());
        }
        if self.method == RequestMethod::List && !self.key.is_empty() && !self.key.ends_with('/') {
            return Err(format!(
                "{:?} is not a prefix: a prefix is empty or ends in a slash",
                self.key
            ));
        }
        Ok(())
    }

    /// Evaluates the request. The error says why the request cannot be evaluated.
    pub(crate) fn evaluate<'a>(&self, policy: &'a Policy) -> Result<AccessDecision<'a>, String> {
        self.validate()?;
        let principal = self.principal(policy)?;
        if let (QueryCaller::Anyone, Err(rejection)) = (&self.who, policy.authenticators.anonymous()) {
            return Ok(AccessDecision::rejected(principal, rejection));
        }
        Ok(match self.method {
            RequestMethod::Operation(operation) => self.evaluate_object(policy, principal, operation.action()),
            RequestMethod::List => self.evaluate_listing(policy, principal),
        })
    }

    fn evaluate_object<'a>(&self, policy: &'a Policy, principal: Principal, action: Action) -> AccessDecision<'a> {
        let key = match ObjectKey::new(self.key.as_str()) {
            Ok(key) => key,
            Err(error) => return AccessDecision::rejected(principal, error.into()),
        };
        let Explanation {
            outcome,
            lifetime,
            comparisons,
        } = policy.explain(&principal, action, &key);
        let (rule, is_denied) = (outcome.rule(), matches!(outcome, PolicyOutcome::Denied { .. }));
        let granted = outcome.into_grant();
        let rejection = match &granted {
            Ok(grant) => self.check_upload(grant.constraints).err(),
            Err(rejection) => Some(rejection.clone()),
        };
        AccessDecision {
            kind: DecisionKind::from_flags(is_denied, rejection.is_some()),
            rule,
            granted: granted.ok().zip(lifetime),
            comparisons,
            rejection,
            ..AccessDecision::new(principal)
        }
    }

    fn evaluate_listing<'a>(&self, policy: &'a Policy, principal: Principal) -> AccessDecision<'a> {
        if !self.key.is_empty()
            && let Err(error) = ObjectKey::new(self.key.as_str())
        {
            return AccessDecision::rejected(principal, error.into());
        }
        let explained = policy.explain_list_access(&principal, Action::List, &self.key);
        let (rule, folders, rejection) = match explained.access {
            Ok(ListAccess::Full(grant)) => (Some(grant.rule), BTreeSet::new(), None),
            Ok(ListAccess::Traverse(folders)) => (None, folders, None),
            Err(rejection) => (explained.denied_by, BTreeSet::new(), Some(rejection)),
        };
        AccessDecision {
            kind: DecisionKind::from_flags(explained.denied_by.is_some(), rejection.is_some()),
            rule,
            folders,
            rejection,
            comparisons: explained.comparisons,
            ..AccessDecision::new(principal)
        }
    }

    /// Returns the caller. A claim `user_id` replaces the hash, for a user whose subject is unknown.
    pub(crate) fn principal(&self, policy: &Policy) -> Result<Principal, String> {
        let known = &policy.authenticators;
        match &self.who {
            QueryCaller::Anyone => Ok(Principal::Anonymous),
            QueryCaller::Token(id) => match known.tokens.iter().find(|token| token.id == *id) {
                Some(token) => Ok(Principal::User(token.user())),
                None => Err(format!("the rules have no [[token]] with id {id:?}")),
            },
            QueryCaller::Issuer { name, subject } => {
                let user = known.issuer_user(name, subject, self.claims.clone());
                let user = user.ok_or_else(|| format!("the rules have no [[issuer]] with name {name:?}"))?;
                let mut user = user.map_err(|rejection| rejection.to_string())?;
                user.groups
                    .extend(self.groups.iter().map(|group| format!("{name}/{group}")));
                Ok(Principal::User(match self.claims.get("user_id") {
                    Some(user_id) => user.with_user_id(user_id.clone()),
                    None => user,
                }))
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

impl fmt::Display for AccessQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} as {}", self.method, self.key, self.who)
    }
}

impl AccessDecision<'_> {
    /// A decision that allows the request and has no details yet.
    const fn new(principal: Principal) -> Self {
        Self {
            principal,
            kind: DecisionKind::Allow,
            rule: None,
            granted: None,
            folders: BTreeSet::new(),
            rejection: None,
            comparisons: Vec::new(),
        }
    }

    /// A rejection before any rule is evaluated.
    fn rejected(principal: Principal, rejection: Rejection) -> Self {
        Self {
            kind: DecisionKind::Reject,
            rejection: Some(rejection),
            ..Self::new(principal)
        }
    }
}

impl DecisionKind {
    const fn from_flags(is_denied: bool, is_refused: bool) -> Self {
        match (is_denied, is_refused) {
            (true, _) => Self::Deny,
            (false, true) => Self::Reject,
            (false, false) => Self::Allow,
        }
    }
}

impl fmt::Display for AccessDecision<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, self.rule, &self.rejection) {
            (DecisionKind::Allow, Some(rule), _) => write!(f, "allowed by rule {rule:?}"),
            (DecisionKind::Allow, None, _) => {
                let folders: Vec<_> = self.folders.iter().map(String::as_str).collect();
                write!(
                    f,
                    "allowed, but the response contains only the folders that lead to prefixes the caller may list: {}",
                    folders.join(", ")
                )
            }
            (DecisionKind::Deny, Some(rule), _) => write!(f, "denied by rule {rule:?}"),
            (_, Some(rule), Some(rejection)) => write!(f, "rejected by the constraints of rule {rule:?}: {rejection}"),
            (_, None, Some(rejection)) => write!(f, "rejected: {rejection}"),
            (_, _, None) => f.write_str("refused"),
        }
    }
}

impl FromStr for RequestMethod {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match Operation::from_request(text, &[]) {
            Some(operation) => Ok(Self::Operation(operation)),
            None if text == "LIST" => Ok(Self::List),
            None => Err(format!("unknown method {text:?}: use GET, HEAD, PUT, DELETE or LIST")),
        }
    }
}

impl fmt::Display for RequestMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operation(operation) => write!(f, "{}", operation.method()),
            Self::List => f.write_str("LIST"),
        }
    }
}

impl FromStr for QueryCaller {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let issuer = |(name, subject): (&str, &str)| Self::Issuer {
            name: name.to_owned(),
            subject: subject.to_owned(),
        };
        let parsed = match text.split_once(':') {
            None if text == "anyone" => Some(Self::Anyone),
            Some(("token", id)) if !id.is_empty() => Some(Self::Token(id.to_owned())),
            Some(("issuer", user)) => user
                .split_once('/')
                .filter(|(_, subject)| !subject.is_empty())
                .map(issuer),
            _ => None,
        };
        parsed.ok_or_else(|| format!("unknown caller {text:?}: use anyone, token:ID or issuer:NAME/SUBJECT"))
    }
}

impl fmt::Display for QueryCaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => f.write_str("anyone"),
            Self::Token(id) => write!(f, "token:{id}"),
            Self::Issuer { name, subject } => write!(f, "issuer:{name}/{subject}"),
        }
    }
}

impl FromStr for ClaimArgument {
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

impl TryFrom<String> for QueryCaller {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl TryFrom<String> for RequestMethod {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}
