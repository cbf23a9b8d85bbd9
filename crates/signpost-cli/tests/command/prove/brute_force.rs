//! A brute force over a small universe: it evaluates every request of every caller.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr as _;

use clap::Parser as _;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use proptest::{prop_assert, prop_oneof};
use serde_json::Value;
use signpost::auth::{Issuer, Principal};
use signpost::key::ObjectKey;
use signpost::operation::Action;
use signpost::policy::{Effect, Finding, Pattern, Policy};
use signpost_cli::{CommandOptions, ExitStatus, SystemAccess};

use super::random_rules::{UNKNOWN_USER, rules, rules_with_names, statement};

const SEGMENTS: [&str; 9] = ["a", "b", "s", "t", "c", "x", "x y", "USER", UNKNOWN_USER];

/// Runs the command in this process, which is faster. Returns its output, and whether it succeeded.
fn run(rules: &str, arguments: &[&str]) -> (String, bool) {
    let options = CommandOptions::try_parse_from(["signpost"].iter().chain(arguments)).unwrap();
    let system = SystemAccess {
        arguments: Vec::new(),
        stdin: &mut rules.as_bytes(),
        random: |_| unreachable!("a proof is deterministic"),
        variable: |_| None,
    };
    let report = signpost_cli::run(&options, system);
    (report.stdout, report.exit_status == ExitStatus::Success)
}

/// Every caller of the universe, except those who differ only in names that do not occur in `text`.
fn callers(policy: &Policy, text: &str) -> Vec<Principal> {
    let known = &policy.authenticators;
    let tokens = known.tokens.iter();
    let mut callers: Vec<_> = tokens.map(|token| Principal::User(token.user())).collect();
    callers.extend(known.anonymous());
    let subjects = ["alice", "zed", "z z", "a", "b", "s", "t", "c"];
    let subjects = &subjects[..if text.contains("sub") { 8 } else { 3 }];
    let teams = [
        None,
        Some("a"),
        Some("b"),
        Some("c"),
        Some("a b"),
        Some("z"),
        Some("s"),
        Some("t"),
    ];
    let teams = &teams[..if text.contains("team") { 8 } else { 1 }];
    let groups: [&[&str]; 4] = [&[], &["eng"], &["ops"], &["eng", "ops"]];
    let groups = &groups[..if text.contains("group:idp/") { 4 } else { 1 }];
    for subject in subjects {
        for groups in groups {
            for team in teams {
                let claims = team.map(|team| ("team".to_owned(), team.to_owned()));
                let user = known.issuer_user("idp", subject, claims.into_iter().collect());
                let mut user = user.unwrap().unwrap();
                user.groups = groups.iter().map(|group| format!("idp/{group}")).collect();
                if *subject == "zed" {
                    callers.push(Principal::User(user.clone().with_user_id(UNKNOWN_USER.into())));
                }
                callers.push(Principal::User(user));
            }
        }
    }
    callers
}

fn keys() -> Vec<String> {
    let mut keys: Vec<String> = SEGMENTS.map(str::to_owned).to_vec();
    let mut longest = keys.clone();
    for _ in 0..2 {
        longest = longest
            .iter()
            .flat_map(|key| SEGMENTS.map(|segment| format!("{key}/{segment}")))
            .collect();
        keys.extend(longest.iter().cloned());
    }
    keys
}

fn is_one(callers: &str, principal: &Principal) -> bool {
    callers.split(" or ").any(|caller| {
        let (selector, claim) = caller
            .split_once(" with team=")
            .map_or((caller, None), |(who, team)| (who, Some(team)));
        let user = principal.user();
        let is_selected = match selector.split_once(':') {
            None => match selector {
                "anyone" => user.is_none(),
                "authenticated" | "link" => user.is_some(),
                "everyone" => true,
                other => panic!("{other}"),
            },
            Some(("token", id)) => user.is_some_and(|user| user.issuer == Issuer::Token && user.subject == id),
            Some(("group", group)) => user.is_some_and(|user| user.groups.iter().any(|own| own == group)),
            Some(("issuer", name)) => user.is_some_and(|user| user.issuer.is_named(name)),
            Some((_, subject)) => {
                let (name, subject) = subject.split_once('/').unwrap();
                user.is_some_and(|user| user.issuer.is_named(name) && user.subject == subject)
            }
        };
        is_selected && claim.is_none_or(|team| user.is_some_and(|user| user.claim("team") == Some(team)))
    })
}

fn action(name: &str) -> Action {
    match name {
        "read" => Action::Read,
        "write" => Action::Write,
        _ => Action::List,
    }
}

/// Returns a request that contradicts the statement.
fn find(
    policy: &Policy,
    text: &str,
    (callers_of, verb, action_name, on): &(String, &str, &str, String),
) -> Option<String> {
    let (pattern, action) = (Pattern::from_str(on).unwrap(), action(action_name));
    let is_relevant = |principal: &&Principal| is_one(callers_of, principal) != (*verb == "only");
    let all = callers(policy, text);
    // Without claims in the pattern, it matches the same keys for every caller.
    let is_possible =
        |key: &String| on.contains('{') || pattern.matches(&key.replace("USER", "x"), &all[0], Effect::Allow);
    let is_listing = action == Action::List;
    let keys: Vec<_> = keys()
        .into_iter()
        .filter(|key| is_listing || is_possible(key))
        .collect();
    all.iter().filter(is_relevant).find_map(|principal| {
        keys.iter().find_map(|key| {
            let key = key.replace("USER", principal.user_id());
            let allowed = if action == Action::List {
                // The prefix, and one below it.
                if !pattern.matches(&format!("{key}/"), principal, Effect::Allow) {
                    return None;
                }
                policy.list_access(principal, action, &format!("{key}/")).is_ok()
            } else {
                if !pattern.matches(&key, principal, Effect::Allow) {
                    return None;
                }
                let grant = policy.decide(principal, action, &ObjectKey::new(key.as_str()).unwrap());
                grant.is_ok_and(|grant| callers_of != "link" || grant.constraints.share.contains(&action))
            };
            (allowed != (*verb == "can")).then(|| format!("{key} {principal:?}"))
        })
    })
}

/// Splits a command line as a shell does.
pub(crate) fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted) = (Vec::new(), String::new(), false);
    for char in command.chars() {
        match char {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(std::mem::take(&mut word)),
            char => word.push(char),
        }
    }
    words.push(word);
    words
}

/// Checks that a counterexample contradicts the statement.
fn check_counterexample(
    rules: &str,
    policy: &Policy,
    (callers, verb, _, on): &(String, &str, &str, String),
    example: &Value,
) -> Result<(), TestCaseError> {
    let words = words(example["command"].as_str().unwrap());
    let arguments: Vec<_> = words.iter().map(String::as_str).collect();
    let (explained, is_success) = run(rules, &arguments[1..]);
    let is_allowed = explained.lines().nth(1).is_some_and(|line| line.starts_with("allowed"));
    let option = |name: &str| {
        let pairs = words.windows(2).filter(move |pair| pair[0] == name);
        pairs.map(|pair| pair[1].clone()).collect::<Vec<_>>()
    };
    let who = &option("--as")[0];
    let known = &policy.authenticators;
    let principal = match who.split_once(':') {
        None => Principal::Anonymous,
        Some(("token", id)) => Principal::User(known.tokens.iter().find(|token| token.id == id).unwrap().user()),
        Some((_, user)) => {
            let (name, subject) = user.split_once('/').unwrap();
            let claims = option("--claim");
            let claims = claims.iter().map(|claim| claim.split_once('=').unwrap());
            let claims: BTreeMap<_, _> = claims
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            let user_id = claims.get("user_id").cloned();
            let mut user = known.issuer_user(name, subject, claims).unwrap().unwrap();
            user.groups
                .extend(option("--group").iter().map(|group| format!("idp/{group}")));
            Principal::User(match user_id {
                Some(user_id) => user.with_user_id(user_id),
                None => user,
            })
        }
    };
    let (key, method) = (words.last().unwrap(), &words[words.len() - 3]);
    let key = if method == "LIST" {
        format!("{key}x")
    } else {
        key.clone()
    };
    let pattern = Pattern::from_str(on).unwrap();
    let is_right = is_success
        && is_allowed != (*verb == "can")
        && is_one(callers, &principal) != (*verb == "only")
        && pattern.matches(&key, &principal, Effect::Allow);
    if is_right {
        return Ok(());
    }
    Err(TestCaseError::fail(format!(
        "wrong counterexample {example}: {explained:?}"
    )))
}

/// `SIGNPOST_PROOF_CASES` sets the number of statements.
#[test]
fn the_prover_and_a_brute_force_agree() {
    let cases = std::env::var("SIGNPOST_PROOF_CASES").map_or(60, |text| text.parse().expect("a number"));
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 100,
        ..Config::default()
    };
    let (mut proved, mut refuted) = (0, 0);
    let counts = std::cell::RefCell::new((&mut proved, &mut refuted));
    let run = TestRunner::new(config).run(
        &prop_oneof![1 => (rules(), statement()), 1 => rules_with_names()],
        |(rules, statement)| {
            let policy = Policy::parse(&rules).unwrap_or_else(|error| panic!("{error}\n{rules}"));
            let (callers, verb, action, on) = &statement;
            let text = match *verb {
                "only" => format!("only {callers} can {action} {on}"),
                verb => format!("{callers} {verb} {action} {on}"),
            };
            let (proof, _) = run(&rules, &["rules", "prove", "--json", "-", &text]);
            let proof: Value = serde_json::from_str(&proof).unwrap();
            let result = &proof["results"][0];
            if result["result"] == "false" {
                *counts.borrow_mut().1 += 1;
                return check_counterexample(&rules, &policy, &statement, &result["counterexample"])
                    .map_err(|error| TestCaseError::fail(format!("{text}\n{error}\n{rules}")));
            }
            *counts.borrow_mut().0 += 1;
            match find(&policy, &format!("{rules}{text}"), &statement) {
                None => Ok(()),
                Some(found) => Err(TestCaseError::fail(format!("{text} is false: {found}\n{rules}"))),
            }
        },
    );
    run.unwrap();
    println!("{proved} proved, {refuted} refuted");
    assert!(
        proved * 10 > cases && refuted * 10 > cases,
        "{proved} proved, {refuted} refuted"
    );
}

/// Returns which of these rules decide about a request of the universe.
fn deciding_rules(policy: &Policy, text: &str, ids: &[String]) -> BTreeSet<String> {
    let (callers, keys, mut found) = (callers(policy, text), keys(), BTreeSet::new());
    let keys = keys.iter().filter(|key| key.matches('/').count() < 2);
    for principal in &callers {
        for key in keys.clone() {
            let key = ObjectKey::new(key.replace("USER", principal.user_id())).unwrap();
            for action in [Action::Read, Action::Write, Action::List] {
                let outcome = policy.explain(principal, action, &key).outcome;
                found.extend(
                    outcome
                        .rule()
                        .filter(|rule| ids.iter().any(|id| id == rule))
                        .map(str::to_owned),
                );
            }
        }
    }
    found
}

#[test]
fn a_shadowed_rule_decides_about_no_request_of_the_universe() {
    let config = Config {
        cases: 40,
        failure_persistence: None,
        ..Config::default()
    };
    let shadowed = Cell::new(0);
    let run = TestRunner::new(config).run(&rules(), |rules| {
        let policy = Policy::parse(&rules).unwrap();
        let (proof, _) = run(&rules, &["rules", "prove", "--json", "-", "no rule is shadowed"]);
        let proof: Value = serde_json::from_str(&proof).unwrap();
        let listed = proof["results"][0]["shadowed"].as_array().cloned().unwrap_or_default();
        let listed: Vec<_> = listed
            .iter()
            .map(|rule| rule["rule"].as_str().unwrap().to_owned())
            .collect();
        for finding in policy.findings() {
            if let Finding::Shadowed { rule, .. } = finding {
                prop_assert!(listed.iter().any(|id| id == rule), "{finding}\n{rules}");
            }
        }
        shadowed.set(shadowed.get() + listed.len());
        // The first ones suffice, because the brute force is slow.
        if !listed.is_empty() && shadowed.get() < 4 {
            let deciding = deciding_rules(&policy, &rules, &listed);
            prop_assert!(deciding.is_empty(), "{deciding:?}\n{rules}");
        }
        Ok(())
    });
    run.unwrap();
    assert!(shadowed.get() > 1, "only {} shadowed rules", shadowed.get());
}
