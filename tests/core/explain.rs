//! Explanations: the decision, the deciding rule, and the mismatches of every other rule.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::{ask, now};
use proptest::prelude::*;
use signpost::auth::{Issuer, Principal, TokenDigest, User};
use signpost::key::ObjectKey;
use signpost::operation::Action;
use signpost::policy::{Effect, LifetimeSource, Pattern, Policy, PolicyOutcome, RulePart, ValueSource};
use signpost::request::{GatewayAuthorizer, GatewayIdentity};

const RULES: &str = r#"
version = 1

[[issuer]]
name = "github"
iss = "https://token.actions.githubusercontent.com/acme"
via = "gateway"
groups = "team"

[[token]]
id = "ci"
sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
groups = ["deployers"]

[[rule]]
id = "public"
who = ["anyone"]
can = ["read"]
on = ["public/**", "robots.txt"]

[[rule]]
id = "deploy"
who = ["group:deployers", "token:ci"]
can = ["read", "write"]
on = ["releases/**"]
expires = "1m"

[[rule]]
id = "main"
who = ["issuer:github"]
if = { ref = ["refs/heads/main"] }
can = ["write"]
on = ["artifacts/{repository_id}/**"]

[[rule]]
id = "worm"
effect = "deny"
who = ["anyone"]
can = ["write", "delete"]
on = ["releases/old/**"]
"#;

fn policy() -> Policy {
    Policy::parse(RULES).unwrap()
}

fn ci() -> Principal {
    Principal::User(policy().authenticators.tokens[0].user())
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::new(text).unwrap()
}

#[test]
fn the_explanation_names_the_deciding_rule() {
    let cases = [
        (Action::Write, "releases/1", "allow", Some("deploy")),
        (Action::Read, "public/1", "allow", Some("public")),
        (Action::Write, "releases/old/1", "deny", Some("worm")),
        (Action::Delete, "releases/1", "none", None),
    ];
    let policy = policy();
    for (action, text, decided, rule) in cases {
        let outcome = policy.explain(&ci(), action, &key(text)).outcome;
        let kind = match outcome {
            PolicyOutcome::Allowed(_) => "allow",
            PolicyOutcome::Denied { .. } => "deny",
            PolicyOutcome::NoMatchingRule { .. } => "none",
        };
        assert_eq!((kind, outcome.rule()), (decided, rule), "{action:?} {text}");
    }
}

#[test]
fn each_mismatch_contains_the_expected_values() {
    let policy = policy();
    let explanation = policy.explain(&ci(), Action::Delete, &key("releases/1"));
    let near: Vec<_> = explanation
        .comparisons
        .iter()
        .filter_map(|comparison| Some((comparison.rule, comparison.single_mismatch()?)))
        .map(|(rule, mismatch)| (rule, mismatch.part, mismatch.expected.join(", ")))
        .collect();
    let expected = [
        ("deploy", RulePart::Action, "read, write".to_owned()),
        ("worm", RulePart::Key, "releases/old/**".to_owned()),
    ];
    assert_eq!(near, expected);

    let anonymous = policy.explain(&Principal::Anonymous, Action::Write, &key("artifacts/7/a"));
    let main = &anonymous.comparisons[2];
    let words: Vec<_> = main
        .mismatches
        .iter()
        .map(|mismatch| (mismatch.part, mismatch.expected.join(", ")))
        .collect();
    let expected = [
        (RulePart::Caller, "issuer:github".to_owned()),
        (RulePart::Claims, "ref = [\"refs/heads/main\"]".to_owned()),
        (RulePart::Key, "artifacts/{repository_id}/**".to_owned()),
    ];
    assert_eq!(
        (main.rule, main.effect, words.as_slice()),
        ("main", Effect::Allow, &expected[..])
    );
}

#[test]
fn a_lifetime_contains_its_source_and_its_ceiling() {
    let (rule, defaults) = ("expires = \"1m\"", "[defaults]\nexpires = \"10m\"");
    let cases = [
        ("", "", ValueSource::BuiltIn, 15, ValueSource::BuiltIn),
        ("", rule, ValueSource::Rule, 15, ValueSource::BuiltIn),
        (defaults, "", ValueSource::Defaults, 10, ValueSource::Defaults),
        (defaults, rule, ValueSource::Rule, 10, ValueSource::Defaults),
        (
            "[defaults]\noverwrite = true",
            "",
            ValueSource::BuiltIn,
            15,
            ValueSource::BuiltIn,
        ),
    ];
    for (defaults, more, set_by, ceiling, ceiling_by) in cases {
        let text = format!(
            "version = 1\n{defaults}\n[[rule]]\nid = \"r\"\nwho = [\"anyone\"]\ncan = [\"read\"]\non = [\"**\"]\n{more}"
        );
        let policy = Policy::parse(&text).unwrap();
        let lifetime = policy.explain(&Principal::Anonymous, Action::Read, &key("a")).lifetime;
        let expected = LifetimeSource {
            set_by,
            ceiling: Duration::from_mins(ceiling),
            ceiling_by,
        };
        assert_eq!(lifetime, Some(expected), "{text}");
    }
}

#[test]
fn the_user_of_an_issuer_equals_the_user_of_the_gateway() {
    let policy = policy();
    let claims = BTreeMap::from([
        ("iss", "https://token.actions.githubusercontent.com/acme"),
        ("sub", "repo:a/b"),
        ("ref", "refs/heads/main"),
        ("team", "blue"),
    ]);
    let claims: BTreeMap<_, _> = claims
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut request = ask("GET", "/a");
    request.gateway = Some(GatewayIdentity {
        authorizer: GatewayAuthorizer::Jwt,
        claims: claims
            .clone()
            .into_iter()
            .map(|(name, text)| (name, text.into()))
            .collect(),
    });
    let verified = policy.authenticators.authenticate(&request, None, now()).unwrap();
    let attributes = ["ref", "team"].map(|name| (name.to_owned(), claims[name].clone()));
    let user = policy
        .authenticators
        .issuer_user("github", "repo:a/b", attributes.into());
    let user = user.unwrap().unwrap();
    assert_eq!(user.groups, ["github/blue"]);
    assert_eq!(verified, Principal::User(user));
    assert!(
        policy
            .authenticators
            .issuer_user("github", "", BTreeMap::new())
            .unwrap()
            .is_err()
    );
}

proptest! {
    #[test]
    fn an_explanation_never_contradicts_the_decision(
        text in "(public|releases|releases/old|artifacts|robots\\.txt)(/[a-z0-9]{1,3}){0,2}",
        action in prop::sample::select(vec![Action::Read, Action::Write, Action::Delete, Action::List]),
        caller in 0..3,
    ) {
        let policy = policy();
        let caller = match caller {
            0 => Principal::Anonymous,
            1 => ci(),
            _ => Principal::User(User::new(Issuer::Token, "other".into(), vec!["deployers".into()])),
        };
        let key = key(&text);
        let explanation = policy.explain(&caller, action, &key);
        let matching = |effect| {
            let mut comparisons = explanation.comparisons.iter();
            comparisons.find(|comparison| comparison.effect == effect && comparison.matches()).map(|comparison| comparison.rule)
        };
        let expected = matching(Effect::Deny).or_else(|| matching(Effect::Allow));
        prop_assert_eq!(explanation.outcome.rule(), expected);
        prop_assert_eq!(explanation.lifetime.is_some(), matches!(explanation.outcome, PolicyOutcome::Allowed(_)));
        let decided = policy.decide(&caller, action, &key).map(|grant| grant.rule);
        prop_assert_eq!(decided, explanation.outcome.clone().into_grant().map(|grant| grant.rule));
    }

    #[test]
    fn a_pattern_is_displayed_as_it_was_parsed(text in "(\\{[a-z_]{1,4}\\}|[^*{}/]{0,4})(/(\\{[a-z_]{1,4}\\}|[^*{}/]{0,4})){0,3}(/\\*\\*)?|\\*\\*") {
        if let Ok(pattern) = text.parse::<Pattern>() {
            prop_assert_eq!(pattern.to_string(), text);
        }
    }

    #[test]
    fn a_digest_is_formatted_as_it_was_parsed(secret in any::<[u8; 4]>()) {
        let hex = TokenDigest::of(&secret).to_hex();
        prop_assert_eq!(hex.parse::<TokenDigest>().unwrap().to_hex(), hex);
    }
}
