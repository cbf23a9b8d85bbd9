//! The statements about rules, and their grammar.

use std::collections::BTreeMap;
use std::str::FromStr as _;

use signpost::operation::Action;
use signpost::policy::{Pattern, Policy};

use super::key_term::KeyTerm;
use super::selector::Selector;

/// A statement about all requests.
#[derive(Debug)]
pub(super) enum Statement {
    /// None of the callers may perform any of the actions on any of the keys.
    Cannot(Requests),
    /// Each of the callers may perform each action on each key.
    Can(Requests),
    /// Only the callers may perform one of the actions on one of the keys.
    Only(Requests),
    /// No share link allows any of the actions on any of the keys.
    LinkCannot(Requests),
    /// Each rule decides about some request.
    NoRuleIsShadowed,
}

/// The requests of a statement.
#[derive(Debug)]
pub(super) struct Requests {
    pub(super) callers: Vec<Callers>,
    pub(super) actions: Vec<Action>,
    pub(super) on: KeyTerm,
}

/// A selector with the claims that its users must have.
#[derive(Debug)]
pub(super) struct Callers {
    pub(super) selector: Selector,
    pub(super) claims: BTreeMap<String, String>,
}

const FORMS: &str = "write one of: `CALLERS can ACTIONS PATTERN`, `CALLERS cannot ACTIONS PATTERN`, `only CALLERS can ACTIONS \
                     PATTERN`, `nobody can ACTIONS PATTERN`, `no rule is shadowed`";

impl Statement {
    /// Parses a statement about the rules of `policy`.
    pub(super) fn parse(text: &str, policy: &Policy) -> Result<Self, String> {
        let text = text.trim();
        if text == "no rule is shadowed" {
            return Ok(Self::NoRuleIsShadowed);
        }
        let (callers, is_negated, rest) = split_verb(text).ok_or(FORMS)?;
        let (actions, pattern) = rest
            .split_once(' ')
            .ok_or("a statement ends with a pattern, such as ** or archive/**")?;
        let actions = parse_actions(actions)?;
        let requests = |callers: &str| -> Result<Requests, String> {
            Ok(Requests {
                callers: parse_callers(callers, policy)?,
                on: parse_pattern(pattern, &actions)?,
                actions: actions.clone(),
            })
        };
        match (callers, callers.strip_prefix("only "), is_negated) {
            ("link", None, true) => requests("authenticated").map(Self::LinkCannot),
            ("link", None, false) => Err("a statement about links is `link cannot ACTIONS PATTERN`".into()),
            ("nobody", None, false) => requests("everyone").map(Self::Cannot),
            ("nobody", None, true) => Err("write `everyone can ACTIONS PATTERN` instead of `nobody cannot`".into()),
            (callers, None, true) => requests(callers).map(Self::Cannot),
            (callers, None, false) => requests(callers).map(Self::Can),
            (_, Some(callers), false) => requests(callers).map(Self::Only),
            (_, Some(_), true) => Err("write `only CALLERS can`; there is no `only CALLERS cannot`".into()),
        }
    }

    pub(super) const fn requests(&self) -> Option<&Requests> {
        match self {
            Self::Cannot(requests) | Self::Can(requests) | Self::Only(requests) | Self::LinkCannot(requests) => {
                Some(requests)
            }
            Self::NoRuleIsShadowed => None,
        }
    }

    /// Returns the claims in the pattern and in the callers.
    pub(super) fn claims(&self) -> impl Iterator<Item = &str> {
        self.requests().into_iter().flat_map(|requests| {
            let callers = requests.callers.iter();
            let claims = callers.flat_map(|callers| callers.claims.keys().map(String::as_str));
            requests.on.unknown().chain(claims)
        })
    }

    /// Returns every text that could be a segment or a value.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.requests().into_iter().flat_map(|requests| {
            let claims = requests
                .callers
                .iter()
                .flat_map(|callers| callers.claims.values().map(String::as_str));
            let subjects = requests.callers.iter().filter_map(|callers| callers.selector.subject());
            requests.on.texts().chain(claims).chain(subjects)
        })
    }
}

/// Splits a statement into the callers, whether the verb is `cannot`, and the rest.
fn split_verb(text: &str) -> Option<(&str, bool, &str)> {
    let verbs = [(" cannot ", true), (" can ", false)];
    let found = verbs
        .into_iter()
        .filter_map(|(verb, is_negated)| Some((text.find(verb)?, verb, is_negated)));
    let (at, verb, is_negated) = found.min()?;
    Some((text[..at].trim(), is_negated, text[at + verb.len()..].trim_start()))
}

fn parse_actions(text: &str) -> Result<Vec<Action>, String> {
    let action = |name: &str| match name {
        "read" => Ok(Action::Read),
        "write" => Ok(Action::Write),
        "delete" => Ok(Action::Delete),
        "list" => Ok(Action::List),
        _ => Err(format!(
            "unknown action {name:?}: use read, write, delete and list, separated by commas without spaces"
        )),
    };
    text.split(',').map(action).collect()
}

fn parse_pattern(text: &str, actions: &[Action]) -> Result<KeyTerm, String> {
    let pattern = text.trim();
    Pattern::from_str(pattern).map_err(|error| format!("pattern {pattern:?}: {error}"))?;
    let term = KeyTerm::parse(pattern);
    if actions.contains(&Action::List) && !term.below {
        return Err(format!(
            "pattern {pattern:?}: a listing has a prefix, so the pattern must end in `**`, such as {pattern}/**"
        ));
    }
    Ok(term)
}

fn parse_callers(text: &str, policy: &Policy) -> Result<Vec<Callers>, String> {
    text.split(" or ")
        .map(|callers| Callers::parse(callers.trim(), policy))
        .collect()
}

impl Callers {
    fn parse(text: &str, policy: &Policy) -> Result<Self, String> {
        let mut parts = text.split(" with ");
        let name = parts.next().unwrap_or_default().trim();
        let selector = Selector::parse(name).ok_or_else(|| unknown_caller(name, policy))?;
        selector.check(policy)?;
        let claims = parts.map(parse_claim).collect::<Result<BTreeMap<_, _>, _>>()?;
        if !claims.is_empty() && !selector.has_claims() {
            return Err(format!(
                "{name} with …: only users of an issuer have claims; use issuer:NAME, group:ISSUER/NAME or user:ISSUER/SUBJECT"
            ));
        }
        Ok(Self { selector, claims })
    }
}

fn parse_claim(text: &str) -> Result<(String, String), String> {
    match text.trim().split_once('=') {
        Some(("sub" | "user_id", _)) => Err("write user:ISSUER/SUBJECT for one user".into()),
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is not CLAIM=VALUE")),
    }
}

/// Returns the error for a caller that is no selector. A bare name is probably the id of a token or the name of an issuer.
fn unknown_caller(name: &str, policy: &Policy) -> String {
    let known = &policy.authenticators;
    let meant = if known.tokens.iter().any(|token| token.id == name) {
        format!("; write token:{name}")
    } else if known.names_issuer(name) {
        format!("; write issuer:{name}")
    } else if known
        .tokens
        .iter()
        .any(|token| token.groups.iter().any(|group| group == name))
    {
        format!("; write group:{name}")
    } else {
        String::new()
    };
    format!(
        "unknown caller {name:?}{meant}: use anyone, authenticated, everyone, token:ID, group:NAME, group:ISSUER/NAME, \
         issuer:NAME or user:ISSUER/SUBJECT"
    )
}
