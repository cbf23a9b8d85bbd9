//! Sessions of the signer role: when they are had, renewed and given up, and what they may do.

use std::time::{Duration, SystemTime};

use signpost::outbound::aws::CredentialSource;
use signpost::request::{ApiRequest, GatewayAuthorizer, GatewayIdentity};
use signpost::response::ApiResponse;
use signpost::service::handler::Handler;

use crate::sts::{Answer, FakeSts, token};
use crate::support::{
    OPEN_RULES, SESSION_TOKEN, With as _, ask, body, credentials, handler_with, header, json, now, parameter, settings,
};

const ROLE: &str = "arn:aws:iam::123456789012:role/signer";

/// Members are whom the gateway has verified.
const OF_A_GATEWAY: &str = r#"
version = 1
[[issuer]]
name = "idp"
iss = "https://idp.example.com"
via = "gateway"
[[rule]]
id = "r"
who = ["authenticated"]
can = ["read"]
on = ["**"]
"#;

type Env<'a> = &'a [(&'a str, &'a str)];

const HOUR: Duration = Duration::from_hours(1);

/// A folder for each member, and one for all.
const FOLDERS: &str = r#"
[[rule]]
id = "own"
who = ["authenticated"]
can = ["read", "write"]
on = ["users/{user_id}/**"]
[[rule]]
id = "shared"
who = ["anyone"]
can = ["read", "list"]
on = ["shared/**"]
"#;

fn minutes(minutes: u64) -> SystemTime {
    now() + Duration::from_mins(minutes)
}

async fn fake() -> FakeSts {
    FakeSts::start(Answer::SessionUntil(now() + HOUR)).await
}

async fn signing_by(sts: &FakeSts, more: &[(&str, &str)]) -> Handler {
    let base = [
        ("SIGNPOST_SIGNER_ROLE_ARN", ROLE),
        ("SIGNPOST_SIGNING_MODE", "signer"),
        ("AWS_ENDPOINT_URL_STS", sts.endpoint.as_str()),
    ];
    let env: Vec<_> = more.iter().copied().chain(base).collect();
    handler_with(&env, credentials(Some(SESSION_TOKEN), None)).await
}

async fn open(sts: &FakeSts) -> Handler {
    signing_by(sts, &[("SIGNPOST_RULES", OPEN_RULES)]).await
}

async fn get(handler: &Handler, time: SystemTime) -> ApiResponse {
    handler.handle(&ask("GET", "/k"), time).await
}

fn signing_token(response: &ApiResponse) -> String {
    assert_eq!(response.status(), 307, "{}", body(response));
    parameter(header(response, "location"), "X-Amz-Security-Token").unwrap()
}

#[tokio::test]
async fn without_a_signer_role_nothing_is_asked_for() {
    let sts = fake().await;
    let env = [
        ("SIGNPOST_RULES", OPEN_RULES),
        ("AWS_ENDPOINT_URL", sts.endpoint.as_str()),
    ];
    let handler = handler_with(&env, credentials(Some(SESSION_TOKEN), None)).await;
    assert_eq!(signing_token(&get(&handler, now()).await), SESSION_TOKEN);
    assert!(sts.calls().is_empty());
}

#[tokio::test]
async fn one_session_signs_everything() {
    let sts = fake().await;
    let handler = open(&sts).await;
    assert!(sts.calls().is_empty(), "nothing is asked for before it is needed");
    for _ in 0..3 {
        assert_eq!(signing_token(&get(&handler, now()).await), token(1));
    }
    let calls = sts.calls();
    assert_eq!(calls.len(), 1);
    for (name, value) in [
        ("Action", "AssumeRole"),
        ("RoleArn", ROLE),
        ("RoleSessionName", "signpost.1"),
        ("DurationSeconds", "3600"),
    ] {
        assert_eq!(calls[0][name], value);
    }
    assert!(!calls[0].contains_key("Policy") && !calls[0].contains_key("SourceIdentity"));
}

#[tokio::test]
async fn a_session_is_renewed_while_every_url_can_still_have_its_whole_life() {
    let sts = fake().await;
    let handler = open(&sts).await;
    for (minute, expected) in [(0, 1), (44, 1), (45, 2), (60, 2), (89, 2), (90, 3)] {
        sts.answer(Answer::SessionUntil(minutes(minute) + HOUR));
        let response = get(&handler, minutes(minute)).await;
        assert_eq!(signing_token(&response), token(expected), "minute {minute}");
        assert_eq!(
            parameter(header(&response, "location"), "X-Amz-Expires").unwrap(),
            "300"
        );
    }
    assert_eq!(sts.calls().len(), 3);
}

#[tokio::test]
async fn while_no_new_session_is_had_the_old_one_serves_to_its_end_and_says_when_that_is() {
    let sts = fake().await;
    let handler = open(&sts).await;
    assert_eq!(signing_token(&get(&handler, now()).await), token(1));
    sts.answer(Answer::Refusal);
    let at = |seconds| now() + HOUR - Duration::from_secs(seconds);
    let asked = ask("GET", "/k").with("accept", "application/json");
    for (left, expires_in) in [(301, 300), (300, 300), (299, 299), (61, 61), (60, 60)] {
        let told = json(&handler.handle(&asked, at(left)).await);
        assert_eq!(told["expires_in"], expires_in, "{left} s left");
        assert_eq!(
            parameter(told["url"].as_str().unwrap(), "X-Amz-Security-Token").unwrap(),
            token(1)
        );
        let end = humantime::format_rfc3339_seconds(at(left) + Duration::from_secs(expires_in)).to_string();
        assert_eq!(told["expires_at"], end, "{left} s left");
    }
    let response = handler.handle(&asked, at(59)).await;
    assert_eq!(response.status(), 500, "less than the floor is never given out");
    assert!(!body(&response).contains("sts") && !body(&response).contains("role"));
    // A URL that is asked for with a shorter life is of use for longer.
    let short = ask("GET", "/k?expires=20");
    assert_eq!(handler.handle(&short, at(20)).await.status(), 307);
    assert_eq!(handler.handle(&short, at(19)).await.status(), 500);
    sts.answer(Answer::SessionUntil(now() + HOUR + HOUR));
    assert_ne!(signing_token(&get(&handler, at(10)).await), token(1));
}

#[tokio::test]
async fn a_failing_renewal_is_not_tried_again_at_every_request() {
    let sts = fake().await;
    let handler = open(&sts).await;
    get(&handler, now()).await;
    sts.answer(Answer::Refusal);
    for second in 0..45 {
        let time = minutes(50) + Duration::from_secs(second);
        assert_eq!(signing_token(&get(&handler, time).await), token(1));
    }
    assert_eq!(sts.calls().len(), 1 + 3);
}

#[tokio::test]
async fn who_waits_for_the_same_session_shares_it_and_its_failure() {
    let sts = fake().await;
    sts.delay(Duration::from_millis(200));
    let handler = open(&sts).await;
    let all = |time| {
        let handler = handler.clone();
        async move {
            let tasks: Vec<_> = (0..20)
                .map(|_| {
                    let handler = handler.clone();
                    tokio::spawn(async move { get(&handler, time).await })
                })
                .collect();
            let mut responses = Vec::new();
            for task in tasks {
                responses.push(task.await.unwrap());
            }
            responses
        }
    };
    sts.answer(Answer::Refusal);
    assert!(all(now()).await.iter().all(|response| response.status() == 500));
    assert_eq!(sts.calls().len(), 1);
    sts.answer(Answer::SessionUntil(now() + HOUR));
    assert!(
        all(now() + Duration::from_secs(1))
            .await
            .iter()
            .all(|response| signing_token(response) == token(2))
    );
    assert_eq!(sts.calls().len(), 2);
    // Nobody waits for the renewal but the one who does it.
    sts.answer(Answer::SessionUntil(minutes(50) + HOUR));
    let tokens: Vec<_> = all(minutes(50)).await.iter().map(signing_token).collect();
    assert_eq!(tokens.iter().filter(|found| **found == token(3)).count(), 1);
    assert_eq!(tokens.iter().filter(|found| **found == token(2)).count(), 19);
    assert_eq!(sts.calls().len(), 3);
}

#[tokio::test]
async fn the_parts_of_one_request_wait_for_one_attempt_between_them() {
    let sts = fake().await;
    let handler = open(&sts).await;
    sts.answer(Answer::Refusal);
    let bulk = ApiRequest {
        body: serde_json::json!([{"method": "GET", "key": "a"}, {"method": "GET", "key": "b"}, {"method": "PUT", "key": "c"}])
            .to_string()
            .into(),
        ..ask("POST", "/-/sign")
    };
    let told = handler.handle(&bulk, minutes(0)).await;
    let told: Vec<serde_json::Value> = serde_json::from_slice(told.body()).unwrap();
    assert!(told.iter().all(|part| part["error"]["status"] == 500), "{told:?}");
    assert_eq!((told.len(), sts.calls().len()), (3, 1));

    sts.answer(Answer::SessionUntil(now() + HOUR));
    assert_eq!(
        get(&handler, minutes(1)).await.status(),
        307,
        "the next request tries again"
    );
}

#[tokio::test]
async fn a_session_that_is_over_when_it_comes_signs_nothing() {
    let sts = FakeSts::start(Answer::SessionUntil(now())).await;
    let response = get(&open(&sts).await, now()).await;
    assert_eq!(response.status(), 503);
}

#[tokio::test]
async fn a_session_is_not_printed() {
    let sts = fake().await;
    let scoped = [("SIGNPOST_RULES", OPEN_RULES), ("SIGNPOST_SIGNING_MODE", "scoped")];
    for handler in [open(&sts).await, signing_by(&sts, &scoped).await] {
        get(&handler, now()).await;
        let printed = format!("{handler:?}");
        for number in [1, 2] {
            let secret = format!("session-secret-{number}");
            assert!(
                !printed.contains(&token(number)) && !printed.contains(&secret),
                "{printed}"
            );
        }
    }
}

#[tokio::test]
async fn an_epoch_is_a_part_of_the_name_and_means_nothing_without_a_role() {
    let sts = fake().await;
    let rules = format!("{OPEN_RULES}[signer]\nepoch = \"2\"\n");
    let handler = signing_by(&sts, &[("SIGNPOST_RULES", &rules)]).await;
    get(&handler, now()).await;
    assert_eq!(sts.calls()[0]["RoleSessionName"], "signpost.2");
    let source = CredentialSource::from_provider(credentials(None, None));
    let error = Handler::start(settings(&[("SIGNPOST_RULES", &rules)]), source)
        .await
        .unwrap_err();
    assert_eq!(error.var, "SIGNPOST_SIGNER_ROLE_ARN");
}

/// The folders, and the members `a` and `b` whose tokens are their names.
fn members() -> String {
    // The digests of "a" and "b".
    let digests = [
        ("a", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
        ("b", "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"),
    ];
    let tables = digests.map(|(id, sha256)| {
        format!(
            "[[token]]
id = {id:?}
sha256 = {sha256:?}
"
        )
    });
    format!("version = 1\n{}{FOLDERS}", tables.concat())
}

#[tokio::test]
async fn a_member_has_a_session_for_each_rule_that_does_no_more_than_the_rule() {
    let sts = fake().await;
    let rules = members();
    let handler = signing_by(&sts, &[("SIGNPOST_RULES", &rules), ("SIGNPOST_SIGNING_MODE", "scoped")]).await;
    let user_id = |secret: &str| {
        let issuer = signpost::auth::Issuer::Token;
        signpost::auth::User::new(issuer, secret.to_owned(), Vec::new())
            .user_id()
            .to_owned()
    };
    let (a, b) = (user_id("a"), user_id("b"));
    let get = async |member: &str, path: &str| {
        let request = ask("GET", path).with("authorization", &format!("Bearer {member}"));
        signing_token(&handler.handle(&request, now()).await)
    };
    for _ in 0..2 {
        assert_eq!(get("a", &format!("/users/{a}/x")).await, token(1));
        assert_eq!(get("a", &format!("/users/{a}/deep/y")).await, token(1));
        assert_eq!(get("b", &format!("/users/{b}/x")).await, token(2));
        assert_eq!(get("a", "/shared/x").await, token(3));
        let nobody = handler.handle(&ask("GET", "/shared/x"), now()).await;
        assert_eq!(signing_token(&nobody), token(4));
    }
    let calls = sts.calls();
    assert_eq!(calls.len(), 4);
    let names: Vec<_> = calls.iter().map(|call| call["RoleSessionName"].clone()).collect();
    assert_eq!(
        names,
        [
            format!("{a}.1"),
            format!("{b}.1"),
            format!("{a}.1"),
            "anonymous.1".to_owned()
        ]
    );
    let identities: Vec<_> = calls.iter().map(|call| call["SourceIdentity"].clone()).collect();
    assert_eq!(identities, [a.clone(), b, a.clone(), "anonymous".to_owned()]);
    assert_eq!(
        calls[0]["Policy"],
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":["s3:AbortMultipartUpload","s3:GetObject","s3:ListMultipartUploadParts","s3:PutObject"],"Resource":["arn:aws:s3:::example-bucket/users/{a}/*"]}}]}}"#
        )
    );
    assert_eq!(
        calls[2]["Policy"],
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::example-bucket/shared/*"]},{"Effect":"Allow","Action":["s3:ListBucket"],"Resource":["arn:aws:s3:::example-bucket"],"Condition":{"StringLike":{"s3:prefix":["shared/*"]}}}]}"#
    );
}

/// The one that was used longest ago goes when another comes to a thousand.
#[tokio::test]
async fn of_more_members_than_are_kept_the_one_seen_longest_ago_has_a_new_session() {
    let sts = fake().await;
    let env = [("SIGNPOST_RULES", OF_A_GATEWAY), ("SIGNPOST_SIGNING_MODE", "scoped")];
    let handler = signing_by(&sts, &env).await;
    let get = async |member: usize| {
        let claims = [
            ("iss", "https://idp.example.com".to_owned()),
            ("sub", format!("member-{member}")),
        ];
        let request = ApiRequest {
            gateway: Some(GatewayIdentity {
                authorizer: GatewayAuthorizer::Jwt,
                claims: claims.map(|(name, value)| (name.to_owned(), value)).into(),
            }),
            ..ask("GET", "/k")
        };
        signing_token(&handler.handle(&request, now()).await)
    };
    for member in 1..=1000 {
        assert_eq!(get(member).await, token(member));
    }
    // All are kept, and the first is now the one that was seen last.
    assert_eq!(get(1).await, token(1));
    assert_eq!(sts.calls().len(), 1000);
    assert_eq!(get(1001).await, token(1001));
    for kept in [3, 1000, 1, 1001] {
        assert_eq!(get(kept).await, token(kept), "member {kept}");
    }
    assert_eq!(get(2).await, token(1002), "the second had to go");
    assert_eq!(
        get(4).await,
        token(1003),
        "and then the fourth, since the third was seen meanwhile"
    );
    assert_eq!(sts.calls().len(), 1003);
}

#[tokio::test]
async fn the_source_identity_can_be_left_out() {
    let sts = fake().await;
    let env = [
        ("SIGNPOST_RULES", OPEN_RULES),
        ("SIGNPOST_SIGNING_MODE", "scoped"),
        ("SIGNPOST_SIGNER_SOURCE_IDENTITY", "false"),
    ];
    get(&signing_by(&sts, &env).await, now()).await;
    assert!(!sts.calls()[0].contains_key("SourceIdentity"));
}

#[tokio::test]
async fn what_no_session_could_serve_stops_the_start_up() {
    let long = |patterns: usize| {
        let on: Vec<_> = (0..patterns).map(|number| format!("\"{number:030}/**\"")).collect();
        format!(
            "version = 1\n[[rule]]\nid = \"r\"\nwho = [\"anyone\"]\ncan = [\"read\"]\non = [{}]\n",
            on.join(",")
        )
    };
    let (short, long) = (long(30), long(60));
    let kms = OPEN_RULES.to_owned() + "sse = \"aws:kms\"\n";
    let one_minute = OPEN_RULES.to_owned() + "expires = \"30s\"\n";
    let member = ("SIGNPOST_SIGNING_MODE", "scoped");
    let access_point = "arn:aws:s3:us-west-2:123456789012:accesspoint/files";
    let cases: &[(&str, Env<'_>, Option<&str>)] = &[
        (&short, &[member], None),
        (&long, &[], None),
        (&long, &[member], Some("SIGNPOST_SIGNING_MODE")),
        (&kms, &[], None),
        (&kms, &[member], Some("SIGNPOST_SIGNING_MODE")),
        (OPEN_RULES, &[member, ("SIGNPOST_BUCKET", access_point)], None),
        (
            OPEN_RULES,
            &[member, ("SIGNPOST_BUCKET", "files-0123-s3alias")],
            Some("SIGNPOST_SIGNING_MODE"),
        ),
        (
            OPEN_RULES,
            &[("SIGNPOST_SIGNER_SESSION", "119s")],
            Some("SIGNPOST_SIGNER_SESSION"),
        ),
        (OPEN_RULES, &[("SIGNPOST_SIGNER_SESSION", "2m")], None),
        (&one_minute, &[("SIGNPOST_SIGNER_SESSION", "1m")], None),
    ];
    for (rules, env, refused) in cases {
        let base = [
            ("SIGNPOST_SIGNER_ROLE_ARN", ROLE),
            ("SIGNPOST_SIGNING_MODE", "signer"),
            ("SIGNPOST_RULES", *rules),
        ];
        let env: Vec<_> = env.iter().copied().chain(base).collect();
        let source = CredentialSource::from_provider(credentials(None, None));
        let outcome = Handler::start(settings(&env), source).await;
        assert_eq!(
            outcome.err().map(|error| error.var),
            *refused,
            "{:?}",
            &env[..env.len() - 1]
        );
    }
}
