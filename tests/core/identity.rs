//! Identities that the gateway has verified: they are accepted only if the rules contain their issuer.

#![expect(clippy::needless_pass_by_value, reason = "`json!` makes values")]

use std::collections::BTreeMap;

use serde_json::{Value, json};
use signpost::auth::Issuer;
use signpost::lambda::respond;
use signpost::policy::Policy;
use signpost::service::handler::Handler;

use crate::support::{handler, now};

const RULES: &str = r#"
version = 1

[[issuer]]
name = "cognito"
iss = "https://cognito-idp.eu-central-1.amazonaws.com/pool"
via = "gateway"
groups = "cognito:groups"
sign_up = "closed"

[[issuer]]
name = "github"
iss = "https://token.actions.githubusercontent.com"
via = "gateway"

[[issuer]]
name = "custom"
iss = "our-authorizer"
via = "gateway-lambda"
groups = "team"

[[issuer]]
name = "account"
iss = "123456789012"
via = "gateway-iam"

[[token]]
id = "ci"
sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"

[[rule]]
id = "public"
who = ["anyone"]
can = ["read"]
on = ["public/**"]

[[rule]]
id = "own"
who = ["issuer:cognito"]
can = ["read", "delete"]
on = ["users/{sub}/**", "by-user-id/{user_id}/**"]

[[rule]]
id = "main-branch"
who = ["issuer:github"]
if = { ref = ["refs/heads/main"], event_name = ["push", "release"] }
allow_open_issuer = true
can = ["read"]
on = ["artifacts/{repository_id}/**"]

[[rule]]
id = "boss"
who = ["user:cognito/boss"]
can = ["read"]
on = ["boss/**"]

[[rule]]
id = "admins"
who = ["group:cognito/admins", "group:custom/admins"]
can = ["read"]
on = ["admin/**"]

[[rule]]
id = "machines"
who = ["issuer:account"]
can = ["read"]
on = ["machines/**"]

[[rule]]
id = "custom"
who = ["issuer:custom"]
can = ["read"]
on = ["custom/{sub}/**"]

[[rule]]
id = "ci"
who = ["token:ci"]
can = ["read"]
on = ["ci/**"]
"#;

const COGNITO: &str = "https://cognito-idp.eu-central-1.amazonaws.com/pool";
const GITHUB: &str = "https://token.actions.githubusercontent.com";

fn payload2(path: &str, authorizer: Value) -> Value {
    json!({
        "version": "2.0", "rawPath": path, "rawQueryString": "", "headers": {},
        "requestContext": {
            "domainName": "x.execute-api.eu-central-1.amazonaws.com", "stage": "$default", "requestId": "r",
            "http": {"method": "GET"}, "authorizer": authorizer,
        },
    })
}

fn rest(path: &str, authorizer: Value, identity: Value) -> Value {
    json!({
        "resource": "/{proxy+}", "httpMethod": "GET", "path": path, "pathParameters": {"proxy": path.trim_start_matches('/')}, "headers": {},
        "requestContext": {
            "resourceId": "r", "path": format!("/live{path}"), "requestId": "r",
            "authorizer": authorizer, "identity": identity,
        },
    })
}

fn jwt(claims: Value) -> Value {
    json!({"jwt": {"claims": claims, "scopes": null}})
}

async fn status(handler: &Handler, event: &Value) -> u64 {
    let answer: Value = serde_json::from_str(&respond(handler, &event.to_string(), "i", now()).await).unwrap();
    answer["statusCode"].as_u64().unwrap()
}

async fn assert_statuses(cases: Vec<(Value, u64)>) {
    let handler = handler(RULES).await;
    for (event, expected) in cases {
        assert_eq!(status(&handler, &event).await, expected, "{event}");
    }
}

#[tokio::test]
async fn a_jwt_grants_access_to_its_own_prefix_and_to_no_sibling() {
    let alice = || jwt(json!({"iss": COGNITO, "sub": "alice"}));
    let evil = |sub: &str| jwt(json!({"iss": COGNITO, "sub": sub}));
    assert_statuses(vec![
        (payload2("/users/alice/a", alice()), 307),
        (payload2("/users/alice", alice()), 403),
        (payload2("/users/alice2/a", alice()), 403),
        (payload2("/users/bob/a", alice()), 403),
        (payload2("/users/{sub}/a", alice()), 403),
        (payload2("/boss/a", alice()), 403),
        (payload2("/boss/a", evil("boss")), 307),
        (payload2("/users//a", evil("")), 401),
        (payload2("/public/a", evil("")), 401),
        (payload2("/public/a", evil("[alice]")), 401),
        (payload2("/public/a", evil("[alice, bob]")), 401),
        (payload2("/users/a/b/a", evil("a/b")), 403),
        (payload2("/users/a%2Fb/a", evil("a%2Fb")), 403),
        (payload2("/users/**/a", evil("**")), 403),
        (payload2("/users/é/a", evil("é")), 403),
        (payload2("/users/../a", evil("..")), 400),
        (
            rest(
                "/users/alice/a",
                json!({"claims": {"iss": COGNITO, "sub": "alice"}}),
                Value::Null,
            ),
            307,
        ),
        (
            rest(
                "/users/bob/a",
                json!({"claims": {"iss": COGNITO, "sub": "alice"}}),
                Value::Null,
            ),
            403,
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_subject_is_unique_only_within_its_issuer() {
    assert_statuses(vec![
        (
            payload2("/users/alice/a", jwt(json!({"iss": GITHUB, "sub": "alice"}))),
            403,
        ),
        (payload2("/boss/a", jwt(json!({"iss": GITHUB, "sub": "boss"}))), 403),
        (
            payload2(
                "/boss/a",
                jwt(json!({"iss": "https://evil.example.com", "sub": "boss"})),
            ),
            401,
        ),
        (payload2("/boss/a", jwt(json!({"sub": "boss"}))), 401),
        (
            payload2("/boss/a", json!({"lambda": {"principalId": "boss", "iss": COGNITO}})),
            403,
        ),
    ])
    .await;
}

#[tokio::test]
async fn every_condition_must_match_exactly() {
    let push = |reference: &str, event: &str| {
        jwt(json!({"iss": GITHUB, "sub": "x", "ref": reference, "event_name": event, "repository_id": "42"}))
    };
    assert_statuses(vec![
        (payload2("/artifacts/42/a", push("refs/heads/main", "push")), 307),
        (payload2("/artifacts/42/a", push("refs/heads/main", "release")), 307),
        (payload2("/artifacts/42/a", push("refs/heads/main2", "push")), 403),
        (
            payload2("/artifacts/42/a", push("refs/heads/main", "pull_request")),
            403,
        ),
        (payload2("/artifacts/43/a", push("refs/heads/main", "push")), 403),
        (
            payload2(
                "/artifacts/42/a",
                jwt(json!({"iss": GITHUB, "sub": "x", "repository_id": "42"})),
            ),
            403,
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_flattened_array_of_groups_is_not_split() {
    let groups = |groups: &str| jwt(json!({"iss": COGNITO, "sub": "a", "cognito:groups": groups}));
    assert_statuses(vec![
        (payload2("/admin/a", groups("admins")), 307),
        (payload2("/admin/a", groups("[admins]")), 403),
        (payload2("/admin/a", groups("[users admins]")), 403),
        (payload2("/admin/a", groups("users admins")), 403),
        (payload2("/admin/a", groups("users,admins")), 403),
        (
            payload2(
                "/admin/a",
                jwt(json!({"iss": GITHUB, "sub": "a", "cognito:groups": "admins"})),
            ),
            403,
        ),
    ])
    .await;
}

#[tokio::test]
async fn lambda_authorizers_and_iam_are_distinguished_on_every_front() {
    let arn = "arn:aws:sts::123456789012:assumed-role/ci/session";
    let iam = |account: &str| json!({"iam": {"userArn": arn, "accountId": account, "userId": "AROA:session"}});
    let rest_iam = |account: &str| json!({"userArn": arn, "accountId": account, "user": "AROA:session"});
    assert_statuses(vec![
        (payload2("/machines/a", iam("123456789012")), 307),
        (payload2("/machines/a", iam("210987654321")), 401),
        (rest("/machines/a", Value::Null, rest_iam("123456789012")), 307),
        (rest("/machines/a", Value::Null, rest_iam("210987654321")), 401),
        (
            rest(
                "/machines/a",
                Value::Null,
                json!({"userArn": null, "sourceIp": "203.0.113.7"}),
            ),
            401,
        ),
        (
            payload2("/custom/joe/a", json!({"lambda": {"principalId": "joe"}})),
            307,
        ),
        (payload2("/custom/joe/a", json!({"lambda": {"sub": "joe"}})), 307),
        (payload2("/custom/joe/a", json!({"lambda": {"sub": ""}})), 401),
        (payload2("/custom/7/a", json!({"lambda": {"sub": 7}})), 307),
        (
            payload2("/admin/a", json!({"lambda": {"sub": "joe", "team": "admins"}})),
            307,
        ),
        (
            rest(
                "/custom/joe/a",
                json!({"principalId": "joe", "integrationLatency": 3}),
                Value::Null,
            ),
            307,
        ),
    ])
    .await;
}

#[tokio::test]
async fn without_an_authorizer_context_every_request_is_rejected() {
    let with = |mut event: Value, credential: &str| {
        event["headers"]["authorization"] = credential.into();
        event
    };
    assert_statuses(vec![
        (payload2("/public/a", Value::Null), 401),
        (payload2("/public/a", jwt(Value::Null)), 401),
        (
            payload2("/public/a", json!({"jwt": {"claims": {}}, "iam": {"userArn": ""}})),
            401,
        ),
        (rest("/public/a", Value::Null, Value::Null), 401),
        (with(payload2("/ci/a", Value::Null), "Bearer secret"), 307),
        (with(payload2("/ci/a", Value::Null), "Bearer wrong"), 401),
        (
            with(
                payload2("/public/a", jwt(json!({"iss": COGNITO, "sub": "a"}))),
                "Bearer the-same-jwt",
            ),
            307,
        ),
    ])
    .await;
}

#[tokio::test]
async fn an_authorizer_context_is_ignored_if_the_rules_contain_no_issuer() {
    let rules = "version = 1\n[[rule]]\nid = \"r\"\nwho = [\"authenticated\"]\ncan = [\"read\"]\non = [\"**\"]";
    let event = payload2("/a", jwt(json!({"iss": COGNITO, "sub": "alice"})));
    assert_eq!(status(&handler(rules).await, &event).await, 403);
}

#[tokio::test]
async fn a_role_session_identifies_its_role_and_an_iam_user_itself() {
    let who = |arn: &str| json!({"iam": {"userArn": arn, "accountId": "123456789012"}});
    let rules = |subject: &str| {
        format!(
            "version = 1\n[[issuer]]\nname = \"a\"\niss = \"123456789012\"\nvia = \"gateway-iam\"\n\
             [[rule]]\nid = \"r\"\nwho = [\"user:a/{subject}\"]\ncan = [\"read\"]\non = [\"**\"]"
        )
    };
    let role = "arn:aws:sts::123456789012:assumed-role/ci";
    let user = "arn:aws:iam::123456789012:user/path/ann";
    for (subject, arn, expected) in [
        (role, format!("{role}/one"), 307),
        (role, format!("{role}/two"), 307),
        (role, format!("{role}2/one"), 403),
        (user, user.to_owned(), 307),
        (user, format!("{user}2"), 403),
    ] {
        let event = payload2("/a", who(&arn));
        assert_eq!(status(&handler(&rules(subject)).await, &event).await, expected, "{arn}");
    }
}

#[tokio::test]
async fn a_group_is_unique_only_within_its_issuer() {
    let claims = |issuer: &str| jwt(json!({"iss": issuer, "sub": "a", "cognito:groups": "admins", "team": "admins"}));
    let rules = RULES.replace(
        "\"group:cognito/admins\", \"group:custom/admins\"",
        "\"group:cognito/admins\", \"group:admins\"",
    );
    let handler = handler(&rules).await;
    assert_eq!(status(&handler, &payload2("/admin/a", claims(COGNITO))).await, 307);
    let lambda = json!({"lambda": {"sub": "joe", "team": "admins"}});
    assert_eq!(status(&handler, &payload2("/admin/a", lambda)).await, 403);
}

#[tokio::test]
async fn a_deny_rule_matches_if_the_claim_is_missing() {
    let deny = "[[rule]]\nid = \"d\"\neffect = \"deny\"\nwho = [\"issuer:cognito\"]\nif = { verified = [\"false\"] }\n\
                can = [\"read\"]\non = [\"**\"]\n";
    let handler = handler(&format!("{RULES}{deny}")).await;
    for (verified, expected) in [
        (json!("true"), 307),
        (json!("false"), 403),
        (Value::Null, 403),
        (json!(["true"]), 403),
    ] {
        let claims = jwt(json!({"iss": COGNITO, "sub": "alice", "verified": verified}));
        assert_eq!(
            status(&handler, &payload2("/users/alice/a", claims)).await,
            expected,
            "{verified}"
        );
    }
}

#[test]
fn invalid_issuers_prevent_the_start() {
    let issuer =
        |name: &str, iss: &str, via: &str| format!("[[issuer]]\nname = \"{name}\"\niss = \"{iss}\"\nvia = \"{via}\"\n");
    let rule =
        |who: &str, on: &str| format!("[[rule]]\nid = \"r\"\nwho = [{who}]\ncan = [\"read\"]\non = [\"{on}\"]\n");
    let two = issuer("a", "i", "gateway") + &issuer("b", "j", "gateway");
    let cases = [
        (issuer("a", "", "gateway"), "empty"),
        (issuer("a b", "i", "gateway"), "letters"),
        (
            issuer("a", "i", "gateway") + &issuer("a", "j", "gateway"),
            "occurs twice",
        ),
        (
            issuer("a", "i", "gateway") + &issuer("b", "i", "gateway"),
            "another issuer has the same value",
        ),
        (
            issuer("a", "i", "gateway-lambda") + &issuer("b", "j", "gateway-lambda"),
            "only one issuer can use a Lambda authorizer",
        ),
        (issuer("a", "i", "magic"), "unknown value"),
        (issuer("a", "i", "gateway") + "colour = 1", "unknown field"),
        (rule("\"issuer:nobody\"", "a"), "no [[issuer]]"),
        (rule("\"user:nobody/x\"", "a"), "no [[issuer]]"),
        (two.clone() + &rule("\"user:x\"", "a"), "must be user:ISSUER/SUBJECT"),
        (
            two.clone() + &rule("\"authenticated\"", "{sub}/**"),
            "depend on the issuer",
        ),
        (two.clone() + &rule("\"group:g\"", "{email}/**"), "depend on the issuer"),
        (
            two.clone() + &rule("\"issuer:a\", \"issuer:b\"", "{sub}/**"),
            "depend on the issuer",
        ),
        (
            two.clone() + &rule("\"issuer:a\", \"anyone\"", "{sub}/**"),
            "depend on the issuer",
        ),
        (
            two.clone() + &rule("\"authenticated\"", "a") + "if = { x = [\"y\"] }",
            "depend on the issuer",
        ),
        (
            two.clone() + &rule("\"issuer:a\"", "a") + "if = { x = [] }",
            "matches nothing",
        ),
        (two.clone() + &rule("\"issuer:a\"", "{}/**"), "name of a claim"),
        (two.clone() + &rule("\"issuer:a\"", "{a b}/**"), "name of a claim"),
    ];
    for (text, problem) in cases {
        let error = Policy::parse(&format!("version = 1\n{text}"))
            .expect_err(&text)
            .to_string();
        assert!(error.contains(problem), "{text}\n{error}");
    }
    assert!(
        Policy::parse(&format!(
            "version = 1\n{two}{}",
            rule("\"issuer:a\", \"issuer:b\"", "{user_id}/**")
        ))
        .is_ok()
    );
}

#[test]
fn a_verified_subject_is_a_user_of_the_issuer_with_this_name() {
    let tokens = |name: &str| {
        format!("[[issuer]]\nname = \"{name}\"\niss = \"https://{name}.example\"\naud = [\"a\"]\nalg = [\"ES256\"]\n")
    };
    let policy = Policy::parse(&format!("{RULES}{}{}", tokens("one"), tokens("two"))).unwrap();
    let user = |name| policy.authenticators.issuer_user(name, "alice", BTreeMap::new());
    for (name, iss) in [
        ("cognito", COGNITO),
        ("custom", "our-authorizer"),
        ("one", "https://one.example"),
        ("two", "https://two.example"),
    ] {
        let user = user(name).unwrap().unwrap();
        let (name, iss) = (name.to_owned(), iss.to_owned());
        assert_eq!(
            (user.issuer, user.subject.as_str()),
            (Issuer::Named { name, iss }, "alice")
        );
    }
    assert!(user("unknown").is_none());
}

#[tokio::test]
async fn whoami_has_the_expiry_time_of_a_token_that_the_gateway_verified() {
    let handler = handler(RULES).await;
    let lambda = |exp: Value| json!({"lambda": {"sub": "a", "iss": "our-authorizer", "exp": exp}});
    let jwt = |exp: Value| jwt(json!({"iss": COGNITO, "sub": "a", "exp": exp}));
    let expiry = json!("2033-05-18T03:33:20Z");
    for (authorizer, expected) in [
        (jwt(json!(2_000_000_000)), expiry.clone()),
        (jwt(json!("2000000000")), expiry),
        (jwt(json!("Wed May 18 03:33:20 UTC 2033")), Value::Null),
        (jwt(Value::Null), Value::Null),
        // A Lambda authorizer chooses the meaning of its values.
        (lambda(json!(2_000_000_000)), Value::Null),
    ] {
        let event = payload2("/-/whoami", authorizer).to_string();
        let response: Value = serde_json::from_str(&respond(&handler, &event, "i", now()).await).unwrap();
        let caller: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
        assert!(
            caller["caller"]
                .as_str()
                .is_some_and(|caller| caller.starts_with("user:")),
            "{caller}"
        );
        assert_eq!(caller["expires_at"], expected, "{event}");
    }
}
