//! Random rule sets, callers and requests. The alphabets are small, so that rules, callers and keys often collide.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use super::rules::{Limits, RuleData, RuleSet, TOKENS, Verifier};

/// The segments of keys. The text `USER` represents the `user_id` of the caller.
pub(crate) const SEGMENTS: [&str; 10] = ["a", "a", "b", "b", "c", "s", "t", "ids", "USER", "a b"];
/// The storage key of an object with the id [`model::ID`](super::model::ID).
const EXACT_ID: &str = "ids/00000000000000000000000001";
const PATTERN_SEGMENTS: [&str; 11] = ["a", "a", "a", "b", "b", "s", "t", "ids", "{user_id}", "{team}", "{sub}"];
const REWRITES: [&str; 9] = [
    "s/{rest}",
    "s/{rest}",
    "s/{rest}",
    "s/{key}",
    "t/{user_id}/{rest}",
    "t/{team}/{rest}",
    "t/{team}/{key}",
    "a/{rest}",
    "ids/{id}",
];
const WHO: [&str; 11] = [
    "anyone",
    "anyone",
    "authenticated",
    "token:ann",
    "token:bob",
    "group:eng",
    "group:ops",
    "issuer:idp",
    "user:idp/alice",
    "group:idp/eng",
    "group:idp/ops",
];
const OF_ISSUER: [&str; 3] = ["issuer:idp", "issuer:idp", "user:idp/alice"];
const ACTIONS: [&str; 4] = ["read", "write", "delete", "list"];

#[derive(Clone, Debug)]
pub(crate) enum Identity {
    Anonymous,
    Token(usize),
    Issuer(Map<String, Value>),
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) kind: Kind,
    pub(crate) key: String,
    pub(crate) length: Option<u64>,
    pub(crate) content_type: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Get,
    Head,
    Put,
    Delete,
    CreateUpload,
    UploadPart,
    CompleteUpload,
    ListParts,
    AbortUpload,
    List,
}

#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) scope: Scope,
    pub(crate) methods: Vec<&'static str>,
    pub(crate) expires: u64,
    pub(crate) age: u64,
}

#[derive(Clone, Debug)]
pub(crate) enum Scope {
    Key(String),
    Prefix(String),
}

/// The rules now, the rules when links are used, and the requests of each caller.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) now: RuleSet,
    pub(crate) later: RuleSet,
    pub(crate) callers: Vec<Identity>,
    pub(crate) requests: Vec<Request>,
    pub(crate) links: Vec<Link>,
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    let issuer = select(vec![
        None,
        Some(Verifier::Jwt),
        Some(Verifier::Lambda),
        Some(Verifier::Iam),
        Some(Verifier::Signpost),
    ]);
    (issuer.clone(), issuer, prop::bool::weighted(0.7)).prop_flat_map(|(issuer, other, is_same)| {
        let later = if is_same { issuer } else { other };
        let callers = prop::collection::vec(identity(issuer.is_some()), 8);
        let requests = prop::collection::vec(request(), 14);
        let links = prop::collection::vec(link(), 3);
        let unchanged = prop::bool::weighted(0.5);
        (rule_set(issuer), rule_set(later), unchanged, callers, requests, links).prop_map(
            |(now, later, unchanged, callers, requests, links)| {
                let later = if unchanged { now.clone() } else { later };
                Case {
                    now,
                    later,
                    callers,
                    requests,
                    links,
                }
            },
        )
    })
}

fn rule_set(issuer: Option<Verifier>) -> impl Strategy<Value = RuleSet> {
    let rules = prop::collection::vec(rule(issuer), 1..7);
    (rules, prop::bool::weighted(0.3), limits()).prop_map(move |(mut rules, has_names, limits)| {
        if has_names {
            rules.extend(rules_with_names(&limits));
        }
        for (index, rule) in rules.iter_mut().enumerate() {
            rule.id = format!("r{index}");
        }
        RuleSet { issuer, rules }
    })
}

/// A rule that rewrites keys, a rule that allows direct access to their storage keys, and a deny rule for a public key. And a
/// rule with ids, whose folder is denied to one caller, and one of whose ids is denied to another.
fn rules_with_names(limits: &Limits) -> [RuleData; 6] {
    let rule = |is_deny, who, on: &str, rewrite| RuleData {
        id: String::new(),
        is_deny,
        who: vec![who],
        can: vec!["read"],
        conditions: Vec::new(),
        on: vec![on.to_owned()],
        rewrite,
        limits: Limits {
            max_bytes: None,
            content_types: None,
            overwrite: false,
            share: vec!["read"],
            ..limits.clone()
        },
    };
    [
        rule(false, "authenticated", "c/**", Some("t/{rest}")),
        rule(false, "authenticated", "t/**", None),
        rule(true, "authenticated", "c/a/**", None),
        rule(false, "authenticated", "s/**", Some("ids/{id}")),
        rule(true, "token:bob", "ids/**", None),
        rule(true, "token:cat", EXACT_ID, None),
    ]
}

fn rule(issuer: Option<Verifier>) -> impl Strategy<Value = RuleData> {
    let who = prop::collection::vec(select(&WHO[..]), 1..3);
    let can = proptest::sample::subsequence(ACTIONS.to_vec(), 1..=4);
    let stored = select(vec![
        "s/**",
        "s/a",
        "s/a/**",
        "t/a/**",
        "t/{user_id}/**",
        "ids/**",
        EXACT_ID,
        EXACT_ID,
    ])
    .prop_map(str::to_owned);
    let on = prop::collection::vec(prop_oneof![6 => pattern(), 1 => stored], 1..3);
    let values = select(vec![
        vec!["a"],
        vec!["a", "b"],
        vec!["7"],
        vec!["true"],
        vec!["a b"],
        vec!["alice"],
    ]);
    let conditions = prop::option::weighted(0.2, (select(vec!["team", "n", "sub"]), values));
    let rewrite = prop::option::weighted(0.4, select(&REWRITES[..]));
    (
        prop::bool::weighted(0.3),
        who,
        select(&OF_ISSUER[..]),
        can,
        on,
        conditions,
        rewrite,
        limits(),
    )
        .prop_map(move |(is_deny, who, of_issuer, can, on, conditions, rewrite, limits)| {
            let rule = RuleData {
                id: String::new(),
                is_deny,
                who,
                can,
                conditions: conditions.into_iter().collect(),
                on,
                rewrite: rewrite.filter(|_| !is_deny),
                limits,
            };
            valid(rule, issuer.is_some(), of_issuer)
        })
}

/// Changes a rule so that the service accepts it.
fn valid(mut rule: RuleData, has_issuer: bool, of_issuer: &'static str) -> RuleData {
    if !has_issuer {
        rule.conditions.clear();
        rule.on = rule
            .on
            .iter()
            .map(|on| on.replace("{team}", "a").replace("{sub}", "b"))
            .collect();
        rule.who.retain(|who| !who.contains("idp"));
        rule.rewrite = rule.rewrite.filter(|rewrite| !rewrite.contains("{team}"));
    }
    let texts: Vec<&str> = rule.on.iter().map(String::as_str).chain(rule.rewrite).collect();
    let has_claim = texts
        .iter()
        .any(|text| text.contains("{team}") || text.contains("{sub}"));
    if has_issuer && (has_claim || !rule.conditions.is_empty()) {
        rule.who = vec![of_issuer];
    }
    let has_user_id = texts.iter().any(|text| text.contains("{user_id}"));
    if rule.who.is_empty() || has_user_id && !rule.is_deny && rule.who.contains(&"anyone") {
        rule.who = vec!["authenticated"];
    }
    rule.who.dedup();
    let all_below = rule.on.iter().all(|on| on.ends_with("**"));
    rule.rewrite = rule.rewrite.filter(|rewrite| all_below || !rewrite.contains("{rest}"));
    if rule.rewrite.is_some() || !all_below {
        rule.can.retain(|action| *action != "list");
    }
    if rule.can.is_empty() {
        rule.can.push("read");
    }
    let can = rule.can.clone();
    rule.limits.share.retain(|action| can.contains(action));
    if !can.contains(&"write") {
        rule.limits.max_bytes = None;
        rule.limits.content_types = None;
        rule.limits.overwrite = false;
    }
    rule
}

fn pattern() -> impl Strategy<Value = String> {
    (
        prop::collection::vec(select(&PATTERN_SEGMENTS[..]), 0..3),
        prop::bool::weighted(0.7),
    )
        .prop_map(|(mut segments, is_prefix)| {
            if is_prefix || segments.is_empty() {
                segments.push("**");
            }
            segments.join("/")
        })
}

fn limits() -> impl Strategy<Value = Limits> {
    (
        prop::option::weighted(0.3, Just(10)),
        prop::option::weighted(0.2, select(vec!["image/png", "image/*"])),
        any::<bool>(),
        select(vec![60, 120]),
        proptest::sample::subsequence(vec!["read", "write", "delete"], 0..=3),
        select(vec![100, 300]),
        select(vec![40, 100]),
    )
        .prop_map(
            |(max_bytes, content_types, overwrite, expires, share, share_expires, temporary_share_expires)| Limits {
                max_bytes,
                content_types,
                overwrite,
                expires,
                share,
                share_expires,
                temporary_share_expires,
            },
        )
}

fn identity(has_issuer: bool) -> BoxedStrategy<Identity> {
    let token = (0..TOKENS.len()).prop_map(Identity::Token).boxed();
    let issuer = if has_issuer {
        claims().prop_map(Identity::Issuer).boxed()
    } else {
        token.clone()
    };
    prop_oneof![1 => Just(Identity::Anonymous), 2 => token, 3 => issuer].boxed()
}

fn claims() -> impl Strategy<Value = Map<String, Value>> {
    let values = vec![
        None,
        Some(json!("a")),
        Some(json!("a")),
        Some(json!("b")),
        Some(json!("a b")),
        Some(json!("a/b")),
        Some(json!("..")),
        Some(json!("[a]")),
        Some(json!("a,b")),
        Some(json!("7")),
        Some(json!(7)),
        Some(json!(1.5)),
        Some(json!("1.5")),
        Some(json!(true)),
        Some(json!(["a"])),
        Some(json!({"a": "b"})),
        Some(json!("")),
        Some(Value::Null),
    ];
    let groups = vec![
        None,
        Some(json!("eng")),
        Some(json!("ops")),
        Some(json!("[eng]")),
        Some(json!("[]")),
        Some(json!("eng ops")),
        Some(json!("eng,ops")),
        Some(json!("")),
        Some(json!(["eng"])),
        Some(json!(["eng", "ops"])),
        Some(json!(["[eng]"])),
        Some(json!(["eng", 7])),
        Some(json!([])),
        Some(json!(7)),
        Some(Value::Null),
    ];
    let elsewhere = prop::bool::weighted(0.05);
    (
        select(vec!["alice", "b"]),
        select(values.clone()),
        select(values),
        select(groups),
        elsewhere,
    )
        .prop_map(|(sub, team, n, groups, elsewhere)| {
            let hasgroups = elsewhere.then_some(json!(true));
            let all = [
                ("sub", Some(json!(sub))),
                ("team", team),
                ("n", n),
                ("groups", groups),
                ("hasgroups", hasgroups),
            ];
            all.into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?)))
                .collect()
        })
}

fn key() -> impl Strategy<Value = String> {
    let middle = prop_oneof![20 => select(&SEGMENTS[..]), 1 => Just("")];
    (prop::collection::vec(middle, 0..4), select(&SEGMENTS[..])).prop_map(|(mut segments, last)| {
        segments.push(last);
        segments.join("/")
    })
}

/// A prefix with at least this number of segments.
fn prefix(least: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(select(&SEGMENTS[..]), least..3)
        .prop_map(|segments| segments.iter().flat_map(|segment| [*segment, "/"]).collect())
}

fn request() -> impl Strategy<Value = Request> {
    use Kind::{AbortUpload, CompleteUpload, CreateUpload, Delete, Get, Head, List, ListParts, Put, UploadPart};
    let kind = select(vec![
        Get,
        Get,
        Get,
        Head,
        Put,
        Put,
        Put,
        Delete,
        CreateUpload,
        UploadPart,
        CompleteUpload,
        ListParts,
        AbortUpload,
        List,
        List,
    ]);
    let length = select(vec![None, Some(5), Some(5), Some(50)]);
    let content_type = select(vec![None, Some("image/png"), Some("image/gif"), Some("text/plain")]);
    (kind, key(), prefix(0), length, content_type).prop_map(|(kind, key, prefix, length, content_type)| Request {
        kind,
        key: if kind == List { prefix } else { key },
        length,
        content_type,
    })
}

fn link() -> impl Strategy<Value = Link> {
    // A filter would reach the limit of rejected values in a run of many cases.
    let scope = prop_oneof![key().prop_map(Scope::Key), prefix(1).prop_map(Scope::Prefix)];
    let methods = prop_oneof![
        3 => Just(vec!["GET"]),
        1 => proptest::sample::subsequence(vec!["GET", "HEAD", "PUT", "DELETE"], 1..=4)
    ];
    (
        scope,
        methods,
        select(vec![35, 35, 90, 200]),
        select(vec![0, 0, 20, 60, 150]),
    )
        .prop_map(|(scope, methods, expires, age)| Link {
            scope,
            methods,
            expires,
            age,
        })
}
