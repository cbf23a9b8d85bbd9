//! The callers that a rule or a statement names.

use signpost::auth::Token;
use signpost::policy::Policy;

use super::rule_source::RuleSource;

/// An entry of `who`, or the callers of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Selector {
    /// Every caller; `anyone` in a rule.
    Everyone,
    /// A caller without a credential; `anyone` in a statement.
    Anonymous,
    Authenticated,
    Token(String),
    /// A group of tokens.
    TokenGroup(String),
    Group {
        issuer: String,
        name: String,
    },
    Issuer(String),
    User {
        issuer: String,
        subject: String,
    },
}

/// The callers that have the same kind of credential, with everything that the selectors require.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CallerClass {
    Anonymous,
    Token(String),
    Issuer {
        name: String,
        subject: Option<String>,
        groups: Vec<String>,
    },
}

impl Selector {
    /// Parses an entry of `who` in a valid rules file.
    pub(super) fn of_rule(text: &str) -> Self {
        match text {
            "anyone" => Self::Everyone,
            text => Self::parse(text).unwrap_or(Self::Everyone),
        }
    }

    /// Parses the callers of a statement.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let pair = |text: &str| {
            let (issuer, name) = text.split_once('/')?;
            (!issuer.is_empty() && !name.is_empty()).then(|| (issuer.to_owned(), name.to_owned()))
        };
        match text.split_once(':') {
            None if text == "everyone" => Some(Self::Everyone),
            None if text == "anyone" => Some(Self::Anonymous),
            None if text == "authenticated" => Some(Self::Authenticated),
            Some(("token", id)) => Some(Self::Token(id.to_owned())),
            Some(("group", group)) if group.contains('/') => {
                pair(group).map(|(issuer, name)| Self::Group { issuer, name })
            }
            Some(("group", group)) => Some(Self::TokenGroup(group.to_owned())),
            Some(("issuer", name)) => Some(Self::Issuer(name.to_owned())),
            Some(("user", user)) => pair(user).map(|(issuer, subject)| Self::User { issuer, subject }),
            _ => None,
        }
    }

    /// Checks that the rules contain the callers. A statement without callers would always be true.
    pub(super) fn check(&self, policy: &Policy) -> Result<(), String> {
        let known = &policy.authenticators;
        let is_known = |name: &str| {
            if known.names_issuer(name) {
                Ok(())
            } else {
                Err(format!("the rules have no [[issuer]] with name {name:?}"))
            }
        };
        match self {
            Self::Everyone | Self::Anonymous | Self::Authenticated => Ok(()),
            Self::Token(id) if known.tokens.iter().any(|token| token.id == *id) => Ok(()),
            Self::Token(id) => Err(format!("the rules have no [[token]] with id {id:?}")),
            Self::TokenGroup(group) if known.tokens.iter().any(|token| token.groups.contains(group)) => Ok(()),
            Self::TokenGroup(group) => Err(format!(
                "no [[token]] has the group {group:?}; write group:ISSUER/NAME for a group of an issuer"
            )),
            Self::Group { issuer, .. } if known.has_groups(issuer) => Ok(()),
            Self::Group { issuer, .. } => {
                is_known(issuer)?;
                Err(format!("the [[issuer]] {issuer:?} has no `groups`"))
            }
            Self::Issuer(name) => is_known(name),
            Self::User { issuer, subject } => {
                is_known(issuer)?;
                if known.is_subject(issuer, subject) {
                    return Ok(());
                }
                Err(format!(
                    "no user has the subject {subject:?}, because the subject of an assumed role has no session name"
                ))
            }
        }
    }

    pub(super) fn subject(&self) -> Option<&str> {
        match self {
            Self::User { subject, .. } => Some(subject),
            _ => None,
        }
    }

    /// Returns true if this includes the users of an issuer, who have claims.
    pub(super) fn has_claims(&self) -> bool {
        matches!(self, Self::Group { .. } | Self::Issuer(_) | Self::User { .. })
    }

    /// Returns the smallest class of callers within `class` that this includes, if there is one.
    fn restrict(&self, class: &CallerClass, tokens: &[Token]) -> Option<CallerClass> {
        let is_included = match (self, class) {
            (Self::Everyone, _)
            | (Self::Anonymous, CallerClass::Anonymous)
            | (Self::Authenticated, CallerClass::Token(_) | CallerClass::Issuer { .. }) => true,
            (Self::Token(id), CallerClass::Token(own)) => id == own,
            (Self::TokenGroup(group), CallerClass::Token(own)) => {
                let mut tokens = tokens.iter();
                tokens.any(|token| token.id == *own && token.groups.contains(group))
            }
            (Self::Issuer(issuer) | Self::Group { issuer, .. }, CallerClass::Issuer { name, .. }) => issuer == name,
            (Self::User { issuer, subject }, CallerClass::Issuer { name, subject: own, .. }) => {
                issuer == name && own.as_ref().is_none_or(|own| own == subject)
            }
            _ => false,
        };
        let mut class = is_included.then(|| class.clone())?;
        if let CallerClass::Issuer { subject, groups, .. } = &mut class {
            match self {
                Self::User { subject: own, .. } => *subject = Some(own.clone()),
                Self::Group { name, .. } if !groups.contains(name) => groups.push(name.clone()),
                _ => {}
            }
        }
        Some(class)
    }
}

impl CallerClass {
    /// Returns the smallest classes of callers that all selectors include.
    pub(super) fn of(selectors: &[&Selector], source: &RuleSource<'_>) -> Vec<Self> {
        let tokens = source.tokens().iter().map(|token| Self::Token(token.id.clone()));
        let issuers = source.issuers().map(|(name, _)| Self::Issuer {
            name: name.to_owned(),
            subject: None,
            groups: Vec::new(),
        });
        let restricted = |class: Self| {
            let mut selectors = selectors.iter();
            selectors.try_fold(class, |class, selector| selector.restrict(&class, source.tokens()))
        };
        let all = std::iter::once(Self::Anonymous).chain(tokens).chain(issuers);
        all.filter_map(restricted).collect()
    }
}
