//! The callers that represent all callers of a class.

use std::collections::{BTreeMap, BTreeSet};

use signpost::auth::{Issuer, Principal};
use signpost::operation::{Action, Operation};
use signpost::policy::is_segment;

use super::key_term::KeyTerm;
use super::rule_source::{RuleSource, SourceRule};
use super::scene::RelevantRules;
use super::selector::{CallerClass, Selector};
use super::statement::Callers;
use crate::access_query::{AccessQuery, QueryCaller, RequestMethod};

/// The values of claims.
pub(super) type ClaimValues = BTreeMap<String, String>;

/// A caller. Claims without a value here can have any value, or none.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    who: QueryCaller,
    groups: Vec<String>,
    /// The claims that were chosen.
    pub(super) chosen: ClaimValues,
    /// All claims with a value.
    pub(super) values: ClaimValues,
}

impl Caller {
    /// Returns callers that represent every caller in all `selectors` with `claims`, for decisions that depend on
    /// `involved` rules and on the keys `on`.
    pub(super) fn all(
        source: &RuleSource<'_>,
        selectors: &[&Selector],
        claims: &ClaimValues,
        involved: &RelevantRules<'_>,
        on: &KeyTerm,
    ) -> Vec<Self> {
        let classes = CallerClass::of(selectors, source).into_iter();
        let callers = classes.flat_map(|class| match class {
            CallerClass::Anonymous => vec![(QueryCaller::Anyone, Vec::new(), ClaimValues::new())],
            CallerClass::Token(id) => vec![(QueryCaller::Token(id), Vec::new(), ClaimValues::new())],
            CallerClass::Issuer { name, subject, groups } => {
                let users = users(source, &name, subject, involved, on).into_iter();
                let user = |(subject, user_id): (String, Option<String>)| {
                    let name = name.clone();
                    let user_id = user_id.map(|user_id| ("user_id".to_owned(), user_id));
                    let chosen = claims.clone().into_iter().chain(user_id).collect();
                    (QueryCaller::Issuer { name, subject }, groups.clone(), chosen)
                };
                users.map(user).collect()
            }
        });
        callers
            .filter_map(|(who, groups, chosen)| Self::new(source, who, groups, chosen))
            .collect()
    }

    fn new(source: &RuleSource<'_>, who: QueryCaller, groups: Vec<String>, chosen: ClaimValues) -> Option<Self> {
        let mut caller = Self {
            who,
            groups,
            chosen,
            values: ClaimValues::new(),
        };
        let principal = caller
            .query(ClaimValues::new(), Action::Read, String::new())
            .principal(source.policy)
            .ok()?;
        let value = |claim: &str| Some((claim.to_owned(), principal.user()?.claim(claim)?.to_owned()));
        caller.values = source.claims().filter_map(value).collect();
        Some(caller)
    }

    /// Returns true if the caller can have other claims.
    pub(super) const fn has_claims(&self) -> bool {
        matches!(self.who, QueryCaller::Issuer { .. })
    }

    /// Returns a request of this caller with more claims.
    pub(super) fn query(&self, claims: ClaimValues, action: Action, key: String) -> AccessQuery {
        AccessQuery {
            who: self.who.clone(),
            groups: self.groups.clone(),
            claims: self.chosen.clone().into_iter().chain(claims).collect(),
            method: match action {
                Action::Read => RequestMethod::Operation(Operation::GetObject),
                Action::Write => RequestMethod::Operation(Operation::PutObject),
                Action::Delete => RequestMethod::Operation(Operation::DeleteObject),
                Action::List => RequestMethod::List,
            },
            key,
            length: None,
            content_type: None,
        }
    }
}

/// Returns the subjects, and for hypothetical users the `user_id`, of users that represent all users of an issuer.
fn users(
    source: &RuleSource<'_>,
    issuer: &str,
    subject: Option<String>,
    involved: &RelevantRules<'_>,
    on: &KeyTerm,
) -> Vec<(String, Option<String>)> {
    if let Some(subject) = subject {
        return vec![(subject, None)];
    }
    let account = source
        .issuers()
        .find(|(name, _)| *name == issuer)
        .and_then(|(_, account)| account);
    let (plain, other) = match account {
        Some(account) => (
            format!("arn:aws:iam::{account}:root"),
            format!("arn:aws:iam::{account}:user/someone"),
        ),
        None => ("someone".to_owned(), "some one".to_owned()),
    };
    let fresh = source.fresh(&plain);
    let mut users = vec![(source.fresh(&other), None)];
    // An account has only one root user.
    if account.is_none() || fresh == plain {
        users.insert(0, (fresh.clone(), None));
    }
    let claims: BTreeSet<_> = involved
        .all()
        .flat_map(SourceRule::claims)
        .chain(on.unknown())
        .collect();
    let texts: BTreeSet<_> = involved.all().flat_map(SourceRule::texts).chain(on.texts()).collect();
    if claims.contains("sub") {
        users.extend(texts.iter().map(|text| ((*text).to_owned(), None)));
    }
    if claims.contains("user_id") {
        let ids = texts.iter().filter(|text| is_user_id(text));
        users.extend(ids.map(|id| (fresh.clone(), Some((*id).to_owned()))));
    }
    users
}

/// Returns true if the text can be a `user_id`, which is a hash.
fn is_user_id(text: &str) -> bool {
    text.len() == 32 && is_segment(text) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl Callers {
    /// Returns true if these callers include the principal.
    pub(super) fn include(&self, principal: &Principal) -> bool {
        let user = principal.user();
        let is_user = |test: &dyn Fn(&signpost::auth::User) -> bool| user.is_some_and(test);
        let is_selected = match &self.selector {
            Selector::Everyone => true,
            Selector::Anonymous => user.is_none(),
            Selector::Authenticated => user.is_some(),
            Selector::Token(id) => is_user(&|user| user.issuer == Issuer::Token && user.subject == *id),
            Selector::TokenGroup(group) => is_user(&|user| user.groups.contains(group)),
            Selector::Group { issuer, name } => is_user(&|user| user.groups.contains(&format!("{issuer}/{name}"))),
            Selector::Issuer(name) => is_user(&|user| user.issuer.is_named(name)),
            Selector::User { issuer, subject } => {
                is_user(&|user| user.issuer.is_named(issuer) && user.subject == *subject)
            }
        };
        let mut claims = self.claims.iter();
        is_selected && claims.all(|(claim, value)| user.and_then(|user| user.claim(claim)) == Some(value))
    }
}
