//! Random rules and statements with small alphabets, so that rules, callers and keys often collide.

use proptest::prelude::*;
use proptest::sample::select;

/// A `user_id` in the rules whose subject is unknown.
pub(crate) const UNKNOWN_USER: &str = "00000000000000000000000000000001";

pub(crate) const HEADER: &str = "version = 1\n\
    [[token]]\nid = \"ann\"\nsha256 = \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"\n\
    groups = [\"eng\"]\n\
    [[token]]\nid = \"bob\"\nsha256 = \"3bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"\n\
    groups = [\"eng\", \"ops\"]\n";

const WHO: [&str; 10] = [
    "anyone",
    "anyone",
    "authenticated",
    "token:ann",
    "group:eng",
    "group:ops",
    "issuer:idp",
    "user:idp/alice",
    "group:idp/eng",
    "group:idp/ops",
];

fn pattern(segments: &'static [&'static str]) -> impl Strategy<Value = String> {
    (prop::collection::vec(select(segments), 0..4), prop::bool::weighted(0.7)).prop_map(|(mut segments, is_below)| {
        if is_below || segments.is_empty() {
            segments.push("**");
        }
        segments.join("/")
    })
}

fn issuer() -> impl Strategy<Value = &'static str> {
    select(vec![
        "aud = [\"files\"]\nalg = [\"EdDSA\"]",
        "aud = [\"files\"]\nalg = [\"EdDSA\"]",
        "via = \"gateway\"",
    ])
}

fn rule() -> impl Strategy<Value = String> {
    let on = prop::collection::vec(
        pattern(&[
            "a",
            "a",
            "b",
            "s",
            "s",
            "t",
            "{user_id}",
            "{team}",
            "{sub}",
            UNKNOWN_USER,
            "alice",
        ]),
        1..3,
    );
    let rewrites = vec![
        "s/{rest}",
        "s/{key}",
        "{team}/{rest}",
        "s/{team}/{rest}",
        "t/{user_id}/{rest}",
        "s/{id}",
        "a/{rest}",
    ];
    let condition = select(vec![
        "team = [\"a\"]",
        "team = [\"a\", \"b\"]",
        "team = [\"c\", \"d\", \"a b\"]",
        "sub = [\"alice\"]",
    ]);
    (
        prop::bool::weighted(0.35),
        prop::collection::vec(select(&WHO[..]), 1..3),
        prop::sample::subsequence(vec!["read", "write", "list"], 1..=3),
        on,
        prop::option::weighted(0.2, condition),
        prop::option::weighted(0.4, select(rewrites)),
        prop::sample::subsequence(vec!["read", "write"], 0..=2),
    )
        .prop_map(|(is_deny, mut who, mut can, on, condition, rewrite, mut share)| {
            let mut rewrite = rewrite.filter(|_| !is_deny);
            if on.iter().any(|on| !on.ends_with("**")) {
                rewrite = rewrite.filter(|rewrite| !rewrite.ends_with("{rest}"));
                can.retain(|action| *action != "list");
            }
            if rewrite.is_some() {
                can.retain(|action| *action != "list");
            }
            if can.is_empty() {
                can.push("read");
            }
            let texts = on.iter().map(String::as_str).chain(rewrite);
            let has_claim = texts
                .clone()
                .any(|text| text.contains("{team}") || text.contains("{sub}"));
            if has_claim || condition.is_some() {
                who = vec!["issuer:idp"];
            } else if !is_deny && texts.clone().any(|text| text.contains("{user_id}")) {
                who = vec!["authenticated"];
            }
            who.dedup();
            share.retain(|action| can.contains(action));
            let mut text = format!("who = {who:?}\ncan = {can:?}\non = {on:?}\n");
            if let Some(condition) = condition {
                text += &format!("if = {{ {condition} }}\n");
            }
            if is_deny {
                return text + "effect = \"deny\"\n";
            }
            if let Some(rewrite) = rewrite {
                text += &format!("rewrite = {rewrite:?}\n");
            }
            if can.contains(&"write") && who.contains(&"anyone") {
                text += "allow_anonymous_write = true\n";
            }
            text + &format!("share = {share:?}\n")
        })
}

/// A rules file.
pub(crate) fn rules() -> impl Strategy<Value = String> {
    prop::collection::vec(rule(), 1..6).prop_flat_map(with_rules)
}

/// Rules that deny an object under its storage key or another name, and a statement about them.
pub(crate) fn rules_with_names() -> impl Strategy<Value = (String, Statement)> {
    let rewrite = select(vec!["t/{rest}", "t/{rest}", "t/{key}", "t/{user_id}/{rest}"]);
    let denied = select(vec!["b/a/**", "b/a", "t/a/**", "t/b/a", "b/{user_id}/**"]);
    let direct = select(vec!["t/**", "t/**", "**", "t/a/**"]);
    let who = select(vec![
        "authenticated",
        "token:ann",
        "group:idp/eng",
        "issuer:idp",
        "user:idp/alice",
    ]);
    let on = select(vec!["t/**", "t/a/**", "b/**", "b/b/**", "t/{user_id}/**"]);
    let verb = select(vec!["can", "can", "can", "cannot"]);
    let rules = (rewrite, denied, direct, who.clone()).prop_map(|(rewrite, denied, direct, who)| {
        let rule = |effect: &str, who: &str, on: &str| {
            format!("effect = {effect:?}\nwho = [{who:?}]\ncan = [\"read\"]\non = [{on:?}]\n")
        };
        let rewriting = format!("{}rewrite = {rewrite:?}\n", rule("allow", "authenticated", "b/**"));
        vec![
            rewriting,
            rule("allow", "authenticated", direct),
            rule("deny", who, denied),
        ]
    });
    let more = prop::collection::vec(rule(), 0..2);
    let rules = (rules, more).prop_flat_map(|(rules, more)| with_rules([more, rules].concat()));
    let statement = (who, verb, on).prop_map(|(who, verb, on)| (who.to_owned(), verb, "read", on.to_owned()));
    (rules, statement)
}

fn with_rules(rules: Vec<String>) -> impl Strategy<Value = String> {
    issuer().prop_map(move |issuer| {
        let issuer =
            format!("[[issuer]]\nname = \"idp\"\niss = \"https://id.example.com\"\ngroups = \"groups\"\n{issuer}\n");
        let rules = rules.iter().enumerate();
        let rules: String = rules
            .map(|(index, rule)| format!("[[rule]]\nid = \"r{index}\"\n{rule}"))
            .collect();
        format!("{HEADER}{issuer}{rules}")
    })
}

/// The callers, the verb, the action and the pattern of a statement.
pub(crate) type Statement = (String, &'static str, &'static str, String);

pub(crate) fn statement() -> impl Strategy<Value = Statement> {
    let callers = select(vec![
        "anyone",
        "everyone",
        "authenticated",
        "token:ann",
        "group:eng",
        "group:ops",
        "issuer:idp",
        "issuer:idp",
        "user:idp/alice",
        "user:idp/alice with team=a",
        "group:idp/eng",
        "issuer:idp with team=a",
        "issuer:idp with team=c",
        "issuer:idp with team=a b",
        "group:idp/ops with team=b",
        "token:bob or issuer:idp with team=b",
    ]);
    let verb = select(vec!["can", "can", "can", "cannot", "cannot", "only"]);
    let action = select(vec!["read", "read", "write", "list"]);
    let on = pattern(&[
        "a",
        "a",
        "b",
        "s",
        "t",
        "c",
        "{user_id}",
        "{team}",
        "{sub}",
        UNKNOWN_USER,
    ]);
    (callers, verb, action, on, prop::bool::weighted(0.1)).prop_map(|(callers, verb, action, mut on, is_link)| {
        if action == "list" && !on.ends_with("**") {
            on += "/**";
        }
        if is_link && action != "list" {
            return ("link".to_owned(), "cannot", action, on);
        }
        (callers.to_owned(), verb, action, on)
    })
}
