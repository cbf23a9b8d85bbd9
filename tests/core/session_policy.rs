//! The session policy allows exactly what the rule allows, for all patterns and claims.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;
use signpost::auth::{Issuer, Principal, User};
use signpost::key::ObjectKey;
use signpost::operation::Action;
use signpost::policy::session_policy::{BucketArn, MAX_CHARACTERS, characters, render};
use signpost::policy::{GrantScope, KeyRange, Policy};

/// A pattern as IAM parses it: `${*}`, `${?}` and `${$}` are literal characters, and every other `${` starts a variable.
#[derive(Debug, PartialEq)]
enum Token {
    One(char),
    Any,
    AnyOne,
    Variable,
}

fn tokens(pattern: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = pattern;
    while let Some(char) = rest.chars().next() {
        let predefined = ["${*}", "${?}", "${$}"]
            .into_iter()
            .find(|escape| rest.starts_with(escape));
        let (token, length) = match (predefined, char) {
            (Some(escape), _) => (Token::One(char::from(escape.as_bytes()[2])), 4),
            (None, '$') if rest.starts_with("${") => (Token::Variable, 2),
            (None, '*') => (Token::Any, 1),
            (None, '?') => (Token::AnyOne, 1),
            (None, char) => (Token::One(char), char.len_utf8()),
        };
        tokens.push(token);
        rest = &rest[length..];
    }
    tokens
}

fn like(pattern: &[Token], text: &[char]) -> bool {
    match (pattern.first(), text.first()) {
        (None, None) => true,
        (Some(Token::Any), _) => (0..=text.len()).any(|skipped| like(&pattern[1..], &text[skipped..])),
        (Some(Token::AnyOne), Some(_)) => like(&pattern[1..], &text[1..]),
        (Some(Token::One(expected)), Some(found)) => expected == found && like(&pattern[1..], &text[1..]),
        _ => false,
    }
}

fn texts(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap())
        .collect()
}

fn any_is_like(patterns: &Value, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    texts(patterns).into_iter().any(|pattern| like(&tokens(pattern), &text))
}

/// Returns true if the policy allows the action on the resource; `prefix` is the context key `s3:prefix`.
fn allows(policy: &str, action: &str, resource: &str, prefix: &str) -> bool {
    let policy: Value = serde_json::from_str(policy).expect("the policy is JSON");
    assert_eq!(policy["Version"], "2012-10-17", "no other version knows variables");
    policy["Statement"].as_array().unwrap().iter().any(|statement| {
        assert_eq!(statement["Effect"], "Allow");
        let condition = &statement["Condition"]["StringLike"]["s3:prefix"];
        texts(&statement["Action"]).contains(&action)
            && any_is_like(&statement["Resource"], resource)
            && (condition.is_null() || any_is_like(condition, prefix))
    })
}

fn bucket() -> BucketArn {
    BucketArn::new("example-bucket", "aws").unwrap()
}

fn object(key: &str) -> String {
    format!("arn:aws:s3:::example-bucket/{key}")
}

fn rules(on: &[String], can: &str) -> Option<Policy> {
    let on = on
        .iter()
        .map(|pattern| toml_text(pattern))
        .collect::<Vec<_>>()
        .join(", ");
    let table = format!(
        "version = 1\n[[issuer]]\nname = \"corp\"\niss = \"https://corp.example\"\nvia = \"gateway\"\n\
         [[rule]]\nid = \"r\"\nwho = [\"issuer:corp\"]\ncan = [{can}]\non = [{on}]\n"
    );
    Policy::parse(&table).ok()
}

fn toml_text(text: &str) -> String {
    let escaped = text.chars().map(|char| match char {
        ' '..='~' if char != '"' && char != '\\' => char.to_string(),
        char => format!("\\U{:08X}", u32::from(char)),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

fn user(team: &str) -> Principal {
    let issuer = Issuer::Named {
        name: "corp".into(),
        iss: "https://corp.example".into(),
    };
    let claims = BTreeMap::from([("team".to_owned(), team.to_owned())]);
    Principal::User(User::new(issuer, "somebody".into(), Vec::new()).with_claims(claims))
}

fn scope(policy: &Policy, principal: &Principal) -> GrantScope {
    let mount = policy.mounts.iter().next().unwrap();
    policy.grants().next().unwrap().scope(principal, &policy.mounts, mount)
}

/// Characters with a special meaning in IAM, in JSON, or in paths.
const NASTY: &[&str] = &[
    "a",
    "b",
    "team",
    "*",
    "?",
    "$",
    "${",
    "${*}",
    "${?}",
    "${$}",
    "${aws:username}",
    "}",
    "a*",
    "a?",
    "?b",
    "$$",
    "$*",
    "",
    "\"",
    "\\",
    "\\u002a",
    "\",\"",
    "é",
    "日本",
    "🦀",
    "%2A",
    "+",
    "~",
    "\u{ff0a}",
    "arn:aws:s3:::other",
];

fn special_characters() -> impl Strategy<Value = String> {
    prop_oneof![prop::sample::select(NASTY).prop_map(str::to_owned), "[ab*?${}]{0,4}"]
}

fn pattern() -> impl Strategy<Value = String> {
    let segment =
        prop_oneof![3 => special_characters(), 1 => Just("{team}".to_owned()), 1 => Just("{user_id}".to_owned())];
    (prop::collection::vec(segment, 1..4), any::<bool>())
        .prop_map(|(segments, below)| segments.join("/") + if below { "/**" } else { "" })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// The session policy and the rule agree for each valid pattern, each claim and each key.
    #[test]
    fn the_session_policy_allows_exactly_what_the_rule_allows(
        on in prop::collection::vec(pattern(), 1..3),
        team in special_characters(),
        stray in prop::collection::vec(special_characters(), 1..5),
        tail in special_characters(),
    ) {
        let Some(policy) = rules(&on, "\"read\", \"list\"") else { return Ok(()) };
        let principal = user(&team);
        let scope = scope(&policy, &principal);
        let rendered = render(&scope, &bucket());
        // Keys that are similar to the patterns, and unrelated keys.
        let near = on.iter().flat_map(|on| {
            let filled = on.replace("{team}", &team).replace("{user_id}", principal.user_id());
            let base = filled.strip_suffix("**").unwrap_or(&filled).to_owned();
            [base.clone() + &tail, base.trim_end_matches('/').to_owned() + &tail, base]
        });
        for key in near.chain([stray.join("/")]) {
            let Ok(key) = ObjectKey::new(key) else { continue };
            let allowed = policy.decide(&principal, Action::Read, &key).is_ok();
            let found = rendered.as_ref().is_ok_and(|policy| allows(policy, "s3:GetObject", &object(key.as_str()), ""));
            prop_assert_eq!(found, allowed, "{:?} for {:?}: {:?}", key, on, rendered);
            let reports_missing = rendered
                .as_ref()
                .is_ok_and(|policy| allows(policy, "s3:ListBucket", "arn:aws:s3:::example-bucket", key.as_str()));
            prop_assert_eq!(reports_missing, allowed, "{:?} for {:?}: {:?}", key, on, rendered);
        }
    }

    /// Even a scope that no rule can produce contains no wildcard or variable except its own last one.
    #[test]
    fn no_key_becomes_a_wildcard(segments in prop::collection::vec(special_characters(), 0..5), below in any::<bool>()) {
        let text = segments.join("/");
        let keys = if below { KeyRange::Below(text.clone()) } else { KeyRange::Exactly(text.clone()) };
        let scope = GrantScope { keys: vec![keys], actions: vec![Action::Read], ..GrantScope::default() };
        let policy = render(&scope, &bucket()).unwrap();
        prop_assert!(policy.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "STS takes no others");
        let policy: Value = serde_json::from_str(&policy).unwrap();
        let mut found = tokens(policy["Statement"][0]["Resource"][0].as_str().unwrap());
        if below {
            prop_assert_eq!(found.pop(), Some(Token::Any));
        }
        let literal: Vec<Token> = object(&text).chars().map(Token::One).collect();
        prop_assert_eq!(found, literal);
        prop_assert_eq!(policy["Statement"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn claims_that_iam_could_misinterpret_match_nothing() {
    let policy = rules(&["teams/{team}/**".into()], "\"read\"").unwrap();
    for team in ["*", "?", "${aws:username}", "a*", "a/b", "..", "a\"b", "a,b", "", "é"] {
        let scope = scope(&policy, &user(team));
        assert_eq!(scope.keys, [], "{team}");
        assert!(render(&scope, &bucket()).is_err(), "{team}");
    }
    let scope = scope(&policy, &user("blue"));
    assert_eq!(scope.keys, [KeyRange::Below("teams/blue/".into())]);
}

/// S3 requires `s3:GetObject` for `If-Match`, also for a write.
#[test]
fn a_rule_that_allows_reading_and_writing_grants_conditional_writes() {
    for (can, allowed) in [
        ("\"read\", \"write\", \"delete\"", true),
        ("\"write\", \"delete\"", false),
    ] {
        let policy = rules(&["a/**".into()], can).unwrap();
        let rendered = render(&scope(&policy, &user("blue")), &bucket()).unwrap();
        assert_eq!(allows(&rendered, "s3:GetObject", &object("a/k"), ""), allowed, "{can}");
        assert!(allows(&rendered, "s3:PutObject", &object("a/k"), ""), "{can}");
    }
}

#[test]
fn each_action_grants_only_the_iam_actions_that_s3_requires() {
    let versions = |actions: &[Action], versions, tags| {
        let scope = GrantScope {
            actions: actions.to_vec(),
            keys: vec![KeyRange::Exactly("k".into())],
            versions,
            tags,
            ..GrantScope::default()
        };
        let policy: Value = serde_json::from_str(&render(&scope, &bucket()).unwrap()).unwrap();
        let statements = policy["Statement"].as_array().unwrap().iter();
        statements
            .flat_map(|statement| {
                texts(&statement["Action"])
                    .join(" ")
                    .split(' ')
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            })
            .collect::<Vec<_>>()
            .join(" ")
    };
    let upload = "s3:AbortMultipartUpload s3:ListMultipartUploadParts s3:PutObject";
    assert_eq!(versions(&[Action::Read, Action::Read], false, true), "s3:GetObject");
    assert_eq!(
        versions(&[Action::Read], true, false),
        "s3:GetObject s3:GetObjectVersion"
    );
    assert_eq!(versions(&[Action::Write], true, false), upload);
    assert_eq!(
        versions(&[Action::Write], false, true),
        format!("{upload} s3:PutObjectTagging")
    );
    assert_eq!(versions(&[Action::Delete], false, false), "s3:DeleteObject");
    assert_eq!(
        versions(&[Action::Delete], true, false),
        "s3:DeleteObject s3:DeleteObjectVersion"
    );
    assert_eq!(versions(&[Action::List], true, true), "s3:ListBucket");
}

#[test]
fn only_a_session_for_pending_uploads_can_list_them_and_it_can_do_nothing_else() {
    let everything = GrantScope {
        actions: vec![Action::Read, Action::Write, Action::Delete, Action::List],
        keys: vec![KeyRange::Below(String::new())],
        versions: true,
        tags: true,
        ..GrantScope::default()
    };
    let policy = render(&everything, &bucket()).unwrap();
    assert!(!policy.contains("ListBucketMultipartUploads"), "{policy}");
    let policy = render(&everything.for_pending_uploads(), &bucket()).unwrap();
    let statement =
        r#"{"Effect":"Allow","Action":["s3:ListBucketMultipartUploads"],"Resource":["arn:aws:s3:::example-bucket"]}"#;
    assert_eq!(
        policy,
        format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#)
    );
}

#[test]
fn a_policy_is_limited_to_the_characters_that_sts_accepts() {
    let keys = |count: usize, last: usize| {
        let mut keys: Vec<_> = (0..count)
            .map(|number| KeyRange::Below(format!("{number:09}/")))
            .collect();
        keys.push(KeyRange::Exactly("k".repeat(last)));
        GrantScope {
            keys,
            actions: vec![Action::Read],
            ..GrantScope::default()
        }
    };
    let length = render(&keys(40, 1), &bucket()).unwrap().len();
    let longest = MAX_CHARACTERS - length + 1;
    assert_eq!(render(&keys(40, longest), &bucket()).unwrap().len(), MAX_CHARACTERS);
    assert_eq!(characters(&keys(40, longest), &bucket()), Some(MAX_CHARACTERS));
    assert_eq!(characters(&keys(40, longest + 1), &bucket()), Some(MAX_CHARACTERS + 1));
    assert_eq!(characters(&GrantScope::default(), &bucket()), None);
    let error = render(&keys(40, longest + 1), &bucket()).unwrap_err().to_string();
    assert!(error.contains("2049 characters"), "{error}");
}

#[test]
fn a_narrowed_scope_has_only_the_ranges_that_contain_the_key() {
    let exactly = |key: &str| KeyRange::Exactly(key.to_owned());
    let below = |prefix: &str| KeyRange::Below(prefix.to_owned());
    let scope = GrantScope {
        keys: vec![exactly("a"), exactly("b"), below("c/"), below("c/d/")],
        actions: vec![Action::Read],
        ..GrantScope::default()
    };
    for (key, expected) in [
        ("a", vec![exactly("a")]),
        ("b", vec![exactly("b")]),
        ("c/x", vec![below("c/")]),
        ("c/d/", vec![below("c/"), below("c/d/")]),
        ("c", vec![]),
    ] {
        let narrowed = scope.narrowed_to(key);
        assert_eq!(narrowed.keys, expected, "{key}");
        assert_eq!(narrowed.actions, scope.actions);
    }
}

#[test]
fn the_smallest_scope_has_claims_of_the_minimum_length() {
    let on = ["homes/{user_id}/**".to_owned(), "teams/{team}/**".to_owned()];
    let policy = rules(&on, "\"read\"").unwrap();
    let mount = policy.mounts.iter().next().unwrap();
    let scope = policy.grants().next().unwrap().smallest_scope(&policy.mounts, mount);
    let home = format!("homes/{}/", "0".repeat(32));
    assert_eq!(
        scope.keys,
        [KeyRange::Below(home), KeyRange::Below("teams/0/".to_owned())]
    );
}

#[test]
fn bucket_arns_have_the_form_that_policies_use() {
    let resource = |bucket: &str, partition: &str| {
        let scope = GrantScope {
            actions: vec![Action::Read, Action::List],
            keys: vec![KeyRange::Below(String::new())],
            ..GrantScope::default()
        };
        let policy: Value =
            serde_json::from_str(&render(&scope, &BucketArn::new(bucket, partition).ok()?).ok()?).unwrap();
        let resource = |number: usize| policy["Statement"][number]["Resource"][0].as_str().unwrap().to_owned();
        Some((resource(0), resource(1)))
    };
    let pair = |objects: &str, bucket: &str| Some((objects.to_owned(), bucket.to_owned()));
    assert_eq!(
        resource("files", "aws-cn"),
        pair("arn:aws-cn:s3:::files/*", "arn:aws-cn:s3:::files")
    );
    let access_point = "arn:aws:s3:us-west-2:123456789012:accesspoint/files";
    assert_eq!(
        resource(access_point, "aws"),
        pair(&format!("{access_point}/object/*"), access_point)
    );
    for other in [
        "files-0123-s3alias",
        "arn:aws:s3-object-lambda:us-west-2:123456789012:accesspoint/files",
        "arn:aws:s3:us-west-2:123456789012:accesspoint/*",
        "arn:aws:s3:::files",
    ] {
        assert_eq!(resource(other, "aws"), None, "{other}");
    }
}
