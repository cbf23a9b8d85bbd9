//! The rules as they are written in the file, and the names that occur in them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use signpost::auth::Token;
use signpost::operation::Action;
use signpost::policy::{Effect, Policy, is_segment};
use signpost::request::GatewayAuthorizer;

use super::key_term::{KeyTerm, Segment};
use super::selector::Selector;
use super::statement::Statement;

/// A rules file.
pub(super) struct RuleSource<'a> {
    pub(super) policy: &'a Policy,
    pub(super) rules: Vec<SourceRule>,
    /// Every text of the rules and the statements that could be a segment or a value.
    vocabulary: BTreeSet<String>,
    /// The literal segments, subjects and claim values outside `if`.
    segments: BTreeSet<String>,
    claims: BTreeSet<String>,
}

/// One `[[rule]]`.
pub(super) struct SourceRule {
    pub(super) id: String,
    pub(super) effect: Effect,
    pub(super) who: Vec<Selector>,
    pub(super) can: Vec<Action>,
    pub(super) conditions: BTreeMap<String, Vec<String>>,
    pub(super) on: Vec<KeyTerm>,
    pub(super) rewrite: Option<SourceRewrite>,
}

/// The `rewrite` of a rule.
pub(super) struct SourceRewrite {
    pub(super) folder: KeyTerm,
    pub(super) tail: RewriteTail,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RewriteTail {
    Key,
    Rest,
    Id,
}

#[derive(Deserialize)]
struct RulesTable {
    #[serde(default)]
    rule: Vec<RuleTable>,
}

#[derive(Deserialize)]
struct RuleTable {
    id: String,
    #[serde(default)]
    effect: Effect,
    who: Vec<String>,
    can: Vec<Action>,
    #[serde(default, rename = "if")]
    conditions: BTreeMap<String, Vec<String>>,
    on: Vec<String>,
    rewrite: Option<String>,
}

impl<'a> RuleSource<'a> {
    /// Reads the rules of `policy` from the text of its file.
    pub(super) fn new(policy: &'a Policy, text: &str) -> Self {
        let table: RulesTable = toml::from_str(text).expect("the policy has the same text");
        let rules: Vec<_> = table.rule.into_iter().map(SourceRule::from).collect();
        let segments = rules.iter().flat_map(SourceRule::texts_outside_conditions);
        let claims = rules.iter().flat_map(SourceRule::claims).chain(["sub", "user_id"]);
        Self {
            policy,
            vocabulary: rules.iter().flat_map(SourceRule::texts).map(str::to_owned).collect(),
            segments: segments.map(str::to_owned).collect(),
            claims: claims.map(str::to_owned).collect(),
            rules,
        }
    }

    pub(super) fn tokens(&self) -> &'a [Token] {
        &self.policy.authenticators.tokens
    }

    /// Returns the names of the issuers. If the gateway authenticates callers with IAM, also returns the account.
    pub(super) fn issuers(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        let known = &self.policy.authenticators;
        let gateway = known.gateway.iter().map(|issuer| {
            let account = (issuer.authorizer == GatewayAuthorizer::Iam).then_some(issuer.iss.as_str());
            (issuer.name.as_str(), account)
        });
        gateway.chain(known.oidc.iter().map(|issuer| (issuer.name.as_str(), None)))
    }

    pub(super) fn with_effect(&self, effect: Effect, action: Action) -> impl Iterator<Item = &SourceRule> {
        let rules = self.rules.iter();
        rules.filter(move |rule| rule.effect == effect && rule.can.contains(&action))
    }

    /// Adds the names that occur in a statement.
    pub(super) fn add_statement(&mut self, statement: &Statement) {
        let texts: Vec<_> = statement.texts().map(str::to_owned).collect();
        self.vocabulary.extend(texts.iter().cloned());
        self.segments.extend(texts);
        self.claims.extend(statement.claims().map(str::to_owned));
    }

    /// Returns the names of the claims in the rules, and `user_id` and `sub`.
    pub(super) fn claims(&self) -> impl Iterator<Item = &str> {
        self.claims.iter().map(String::as_str)
    }

    /// Returns the values without those that no decision distinguishes from another one: ordinary texts that occur in no
    /// other place of the rules and the statements.
    pub(super) fn distinct_values<'v>(&self, claim: &str, values: &[&'v String]) -> Vec<&'v String> {
        let is_interchangeable = |value: &str| {
            let in_conditions = self.rules.iter().filter_map(|rule| rule.conditions.get(claim));
            let conditions = in_conditions
                .filter(|values| values.iter().any(|own| own == value))
                .count();
            let is_ordinary = value
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_/:".contains(&byte));
            conditions < 2 && is_ordinary && value.parse::<f64>().is_err() && !self.segments.contains(value)
        };
        let mut seen = BTreeSet::new();
        let is_new = |value: &&&String| !is_interchangeable(value) || seen.insert(is_segment(value));
        values.iter().filter(is_new).copied().collect()
    }

    /// Returns a text that occurs neither in the rules nor in the statements.
    pub(super) fn fresh(&self, name: &str) -> String {
        let is_fresh = |text: &String| !self.vocabulary.contains(text);
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let mut candidates = std::iter::once(name.to_owned()).chain(numbered);
        candidates.find(is_fresh).expect("the vocabulary is finite")
    }
}

impl SourceRule {
    /// Returns every text of the rule that could be a segment or a value.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        let conditions = self.conditions.values().flatten().map(String::as_str);
        self.texts_outside_conditions().chain(conditions)
    }

    fn texts_outside_conditions(&self) -> impl Iterator<Item = &str> {
        let subjects = self.who.iter().filter_map(Selector::subject);
        self.patterns().flat_map(KeyTerm::texts).chain(subjects)
    }

    pub(super) fn claims(&self) -> impl Iterator<Item = &str> {
        let conditions = self.conditions.keys().map(String::as_str);
        self.patterns().flat_map(KeyTerm::unknown).chain(conditions)
    }

    /// Returns the patterns, and the folder of `rewrite`.
    fn patterns(&self) -> impl Iterator<Item = &KeyTerm> {
        self.on.iter().chain(self.rewrite.iter().map(|rewrite| &rewrite.folder))
    }
}

impl From<RuleTable> for SourceRule {
    fn from(table: RuleTable) -> Self {
        Self {
            id: table.id,
            effect: table.effect,
            who: table.who.iter().map(|who| Selector::of_rule(who)).collect(),
            can: table.can,
            conditions: table.conditions,
            on: table.on.iter().map(|on| KeyTerm::parse(on)).collect(),
            rewrite: table.rewrite.as_deref().map(SourceRewrite::parse),
        }
    }
}

impl SourceRewrite {
    fn parse(text: &str) -> Self {
        let mut folder = KeyTerm::parse(text);
        let tail = match folder.segments.pop() {
            Some(Segment::Unknown(tail)) if tail == "key" => RewriteTail::Key,
            Some(Segment::Unknown(tail)) if tail == "id" => RewriteTail::Id,
            _ => RewriteTail::Rest,
        };
        Self { folder, tail }
    }
}
