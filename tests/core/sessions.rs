//! Sessions of the signer role: when they are requested, renewed and dropped, and what they allow.

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

/// The gateway verifies the users.
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

/// A folder for each user, and one shared folder.
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
async fn without_a_signer_role_sts_gets_no_request() {
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
async fn one_session_signs_every_url() {
    let sts = fake().await;
    let handler = open(&sts).await;
    assert!(sts.calls().is_empty(), "no session is requested before it is needed");
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
async fn a_session_is_renewed_while_it_can_still_sign_urls_with_the_full_lifetime() {
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
async fn the_old_session_is_used_until_it_ends_if_renewal_fails_and_the_response_contains_the_end() {
    let sts = fake().await;
    let handler = open(&sts).await;
    assert_eq!(signing_token(&get(&handler, now()).await), token(1));
    sts.answer(Answer::Refusal);
    let at = |seconds| now() + HOUR - Duration::from_secs(seconds);
    let request = ask("GET", "/k").with("accept", "application/vnd.signpost+json, application/json");
    for (left, expires_in) in [(301, 300), (300, 300), (299, 299), (61, 61), (60, 60)] {
        let instruction = json(&handler.handle(&request, at(left)).await);
        assert_eq!(instruction["expires_in"], expires_in, "{left} s left");
        assert_eq!(
            parameter(instruction["url"].as_str().unwrap(), "X-Amz-Security-Token").unwrap(),
            token(1)
        );
        let end = humantime::format_rfc3339_seconds(at(left) + Duration::from_secs(expires_in)).to_string();
        assert_eq!(instruction["expires_at"], end, "{left} s left");
    }
    let response = handler.handle(&request, at(59)).await;
    assert_eq!(response.status(), 500, "less than the floor is never given out");
    assert!(!body(&response).contains("sts") && !body(&response).contains("role"));
    // A URL with a shorter lifetime can be signed for longer.
    let short = ask("GET", "/k?expires=20");
    assert_eq!(handler.handle(&short, at(20)).await.status(), 307);
    assert_eq!(handler.handle(&short, at(19)).await.status(), 500);
    sts.answer(Answer::SessionUntil(now() + HOUR + HOUR));
    assert_ne!(signing_token(&get(&handler, at(10)).await), token(1));
}

#[tokio::test]
async fn a_failed_renewal_is_not_retried_at_every_request() {
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
async fn a_response_of_sts_has_a_maximum_size() {
    let sts = fake().await;
    for (spaces, expected) in [(200 * 1024, 307), (256 * 1024, 500)] {
        sts.answer(Answer::LargeSession(now() + HOUR, spaces));
        let response = get(&open(&sts).await, now()).await;
        assert_eq!(response.status(), expected, "{spaces}: {}", body(&response));
    }
}

#[tokio::test]
async fn concurrent_requests_share_a_session_and_its_failure() {
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
    // Only the request that performs the renewal waits for it.
    sts.answer(Answer::SessionUntil(minutes(50) + HOUR));
    let tokens: Vec<_> = all(minutes(50)).await.iter().map(signing_token).collect();
    assert_eq!(tokens.iter().filter(|found| **found == token(3)).count(), 1);
    assert_eq!(tokens.iter().filter(|found| **found == token(2)).count(), 19);
    assert_eq!(sts.calls().len(), 3);
}

#[tokio::test]
async fn the_items_of_a_bulk_request_share_one_attempt() {
    let sts = fake().await;
    let handler = open(&sts).await;
    sts.answer(Answer::Refusal);
    let bulk = ApiRequest {
        body: serde_json::json!([{"method": "GET", "key": "a"}, {"method": "GET", "key": "b"}, {"method": "PUT", "key": "c"}])
            .to_string()
            .into(),
        ..ask("POST", "/-/sign")
    };
    let response = handler.handle(&bulk, minutes(0)).await;
    let items: Vec<serde_json::Value> = serde_json::from_slice(response.body()).unwrap();
    assert!(items.iter().all(|part| part["error"]["status"] == 500), "{items:?}");
    assert_eq!((items.len(), sts.calls().len()), (3, 1));

    sts.answer(Answer::SessionUntil(now() + HOUR));
    assert_eq!(
        get(&handler, minutes(1)).await.status(),
        307,
        "the next request tries again"
    );
}

#[tokio::test]
async fn a_session_that_is_already_expired_signs_nothing() {
    let sts = FakeSts::start(Answer::SessionUntil(now())).await;
    let response = get(&open(&sts).await, now()).await;
    assert_eq!(response.status(), 503);
}

#[tokio::test]
async fn the_debug_output_of_a_session_contains_no_secret() {
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

/// S3 requires `s3:GetObject` to compare an `ETag`, and the session of a rule without `read` does not have it.
#[tokio::test]
async fn a_scoped_session_compares_an_etag_only_if_the_rule_allows_reading() {
    let etag = ("if-match", "\"0123456789abcdef0123456789abcdef\"");
    let requests = [
        (ask("PUT", "/k").sized(1).with(etag.0, etag.1), false),
        (ask("PUT", "/k?ifMatch=%22e%22").sized(1), false),
        (ask("PUT", "/k?url&ifMatch=%22e%22"), false),
        (ask("POST", "/k?uploadId=u").with(etag.0, etag.1), false),
        (ask("DELETE", "/k").with(etag.0, etag.1), false),
        (ask("DELETE", "/k?ifMatch=%22e%22"), false),
        // These conditions require no permission to read.
        (ask("DELETE", "/k?ifMatch=*"), true),
        (ask("DELETE", "/k").with("if-match", "*"), true),
        (ask("PUT", "/k").sized(1), true),
    ];
    for (can, mode, may_compare) in [
        ("\"write\", \"delete\"", "scoped", false),
        ("\"read\", \"write\", \"delete\"", "scoped", true),
        ("\"write\", \"delete\"", "signer", true),
    ] {
        let sts = fake().await;
        let rules = format!(
            "version = 1\n[[rule]]\nid = \"r\"\nwho = [\"anyone\"]\nallow_anonymous_write = true\ncan = [{can}]\non = [\"**\"]\n\
             overwrite = true\n"
        );
        let handler = signing_by(&sts, &[("SIGNPOST_RULES", &rules), ("SIGNPOST_SIGNING_MODE", mode)]).await;
        for (request, always) in &requests {
            let response = handler.handle(request, now()).await;
            let shown = format!(
                "{can} {mode} {} {:?} {:?}",
                request.method, request.query, request.headers
            );
            if *always || may_compare {
                assert!(
                    response.status().is_success() || response.status() == 307,
                    "{shown}: {}",
                    body(&response)
                );
            } else {
                assert_eq!(response.status(), 403, "{shown}");
                assert!(body(&response).contains("the rule does not allow reading"), "{shown}");
            }
        }
    }
}

#[tokio::test]
async fn an_item_of_a_bulk_request_with_a_condition_is_rejected_like_a_request() {
    let sts = fake().await;
    let rules = "version = 1\n[[rule]]\nid = \"r\"\nwho = [\"anyone\"]\nallow_anonymous_write = true\ncan = [\"write\"]\n\
                 on = [\"**\"]\noverwrite = true\n";
    let handler = signing_by(&sts, &[("SIGNPOST_RULES", rules), ("SIGNPOST_SIGNING_MODE", "scoped")]).await;
    let items = br#"[{"method": "PUT", "key": "k", "query": {"ifMatch": "\"e\""}}]"#;
    let request = ApiRequest {
        body: items.to_vec().into(),
        ..ask("POST", "/-/sign")
    };
    let response = handler.handle(&request, now()).await;
    assert!(
        body(&response).contains("the rule does not allow reading"),
        "{}",
        body(&response)
    );
}

#[tokio::test]
async fn an_epoch_is_part_of_the_session_name_and_is_ignored_without_a_role() {
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

/// Rules with the folders, and the users `a` and `b`, whose secrets are their names.
fn user_rules() -> String {
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
async fn a_user_has_a_session_for_each_rule_that_allows_no_more_than_the_rule() {
    let sts = fake().await;
    let rules = user_rules();
    let handler = signing_by(&sts, &[("SIGNPOST_RULES", &rules), ("SIGNPOST_SIGNING_MODE", "scoped")]).await;
    let user_id = |secret: &str| {
        let issuer = signpost::auth::Issuer::Token;
        signpost::auth::User::new(issuer, secret.to_owned(), Vec::new())
            .user_id()
            .to_owned()
    };
    let (a, b) = (user_id("a"), user_id("b"));
    let get = async |user: &str, path: &str| {
        let request = ask("GET", path).with("authorization", &format!("Bearer {user}"));
        signing_token(&handler.handle(&request, now()).await)
    };
    for _ in 0..2 {
        assert_eq!(get("a", &format!("/users/{a}/x")).await, token(1));
        assert_eq!(get("a", &format!("/users/{a}/deep/y")).await, token(1));
        assert_eq!(get("b", &format!("/users/{b}/x")).await, token(2));
        assert_eq!(get("a", "/shared/x").await, token(3));
        let anonymous = handler.handle(&ask("GET", "/shared/x"), now()).await;
        assert_eq!(signing_token(&anonymous), token(4));
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

/// The cache contains a thousand sessions and drops the least recently used one.
#[tokio::test]
async fn the_least_recently_used_session_is_removed_from_the_cache() {
    let sts = fake().await;
    let env = [("SIGNPOST_RULES", OF_A_GATEWAY), ("SIGNPOST_SIGNING_MODE", "scoped")];
    let handler = signing_by(&sts, &env).await;
    let get = async |user: usize| {
        let claims = [
            ("iss", "https://idp.example.com".to_owned()),
            ("sub", format!("user-{user}")),
        ];
        let request = ApiRequest {
            gateway: Some(GatewayIdentity {
                authorizer: GatewayAuthorizer::Jwt,
                claims: claims.map(|(name, value)| (name.to_owned(), value.into())).into(),
            }),
            ..ask("GET", "/k")
        };
        signing_token(&handler.handle(&request, now()).await)
    };
    for user in 1..=1000 {
        assert_eq!(get(user).await, token(user));
    }
    // All sessions are cached, and the first is now the most recently used.
    assert_eq!(get(1).await, token(1));
    assert_eq!(sts.calls().len(), 1000);
    assert_eq!(get(1001).await, token(1001));
    for user in [3, 1000, 1, 1001] {
        assert_eq!(get(user).await, token(user), "user {user}");
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
async fn rules_that_no_session_could_serve_prevent_the_start() {
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
    let scoped = ("SIGNPOST_SIGNING_MODE", "scoped");
    let access_point = "arn:aws:s3:us-west-2:123456789012:accesspoint/files";
    let cases: &[(&str, Env<'_>, Option<&str>)] = &[
        (&short, &[scoped], None),
        (&long, &[], None),
        (&long, &[scoped], Some("SIGNPOST_SIGNING_MODE")),
        (&kms, &[], None),
        (&kms, &[scoped], Some("SIGNPOST_SIGNING_MODE")),
        (OPEN_RULES, &[scoped, ("SIGNPOST_BUCKET", access_point)], None),
        (
            OPEN_RULES,
            &[scoped, ("SIGNPOST_BUCKET", "files-0123-s3alias")],
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

/// A rule whose session policy grows with the claims of the user.
fn rules_with_claims(patterns: &[&str]) -> String {
    let on: Vec<_> = patterns.iter().map(|pattern| format!("{pattern:?}")).collect();
    format!(
        "version = 1\n[[issuer]]\nname = \"idp\"\niss = \"https://idp.example.com\"\nvia = \"gateway\"\n\
         [[rule]]\nid = \"r\"\nwho = [\"issuer:idp\"]\ncan = [\"read\", \"write\", \"list\"]\non = [{}]\n",
        on.join(", ")
    )
}

fn by_user_with(claims: &[(&str, &str)], request: ApiRequest) -> ApiRequest {
    let required = [("iss", "https://idp.example.com"), ("sub", "alice")];
    let claims = required.iter().chain(claims);
    ApiRequest {
        gateway: Some(GatewayIdentity {
            authorizer: GatewayAuthorizer::Jwt,
            claims: claims
                .map(|(name, value)| ((*name).to_owned(), (*value).into()))
                .collect(),
        }),
        ..request
    }
}

const FIVE: [&str; 5] = [
    "K/{a}/{b}/{c}/**",
    "L/{a}/{b}/{c}/**",
    "M/{a}/{b}/{c}/**",
    "N/{a}/{b}/{c}/**",
    "O/{a}/{b}/{c}/**",
];

async fn scoped(sts: &FakeSts, patterns: &[&str]) -> Handler {
    let rules = rules_with_claims(patterns);
    signing_by(sts, &[("SIGNPOST_RULES", &rules), ("SIGNPOST_SIGNING_MODE", "scoped")]).await
}

#[tokio::test]
async fn long_claims_reduce_a_session_to_the_requested_pattern() {
    let sts = fake().await;
    let handler = scoped(&sts, &FIVE).await;
    let long = "x".repeat(100);
    let claims = [("a", long.as_str()), ("b", &long), ("c", &long)];
    for (folder, expected) in [("L", 1), ("L", 1), ("N", 2)] {
        let path = format!("/{folder}/{long}/{long}/{long}/k");
        let response = handler.handle(&by_user_with(&claims, ask("GET", &path)), now()).await;
        assert_eq!(signing_token(&response), token(expected), "{folder}");
    }
    let form = ask("GET", &format!("/O/{long}/{long}/{long}/?form")).with("accept", "application/json");
    let response = handler.handle(&by_user_with(&claims, form), now()).await;
    assert_eq!(
        json(&response)["fields"]["x-amz-security-token"],
        token(3),
        "{}",
        body(&response)
    );
    let calls = sts.calls();
    assert_eq!(calls.len(), 3);
    let folder = format!("arn:aws:s3:::example-bucket/L/{long}/{long}/{long}/*");
    assert!(
        calls[0]["Policy"].contains(&folder) && !calls[0]["Policy"].contains("/K/"),
        "{}",
        calls[0]["Policy"]
    );
    // Short claims fit, so one session serves every pattern.
    let short = [("a", "1"), ("b", "2"), ("c", "3")];
    for folder in ["K", "O"] {
        let request = by_user_with(&short, ask("GET", &format!("/{folder}/1/2/3/k")));
        assert_eq!(
            signing_token(&handler.handle(&request, now()).await),
            token(4),
            "{folder}"
        );
    }
}

#[tokio::test]
async fn claims_that_fit_into_no_session_policy_are_an_error_of_the_client() {
    let sts = fake().await;
    let handler = scoped(&sts, &["K/{a}/{b}/{c}/{d}/{e}/{f}/{g}/**"]).await;
    let long = "x".repeat(128);
    let claims: Vec<_> = ["a", "b", "c", "d", "e", "f", "g"]
        .iter()
        .map(|name| (*name, long.as_str()))
        .collect();
    let folder = format!("/K{}", format!("/{long}").repeat(7));
    for request in [
        ask("GET", &format!("{folder}/k")),
        ask("PUT", &format!("{folder}/k")).sized(5),
        ask("GET", &format!("{folder}/?form")).with("accept", "application/json"),
        ask("GET", &format!("{folder}/")).with("accept", "application/json"),
        ask("GET", &format!("{folder}/k.png?view")).with("accept", "text/html"),
    ] {
        let path = request.path.clone();
        let response = handler.handle(&by_user_with(&claims, request), now()).await;
        assert_eq!(response.status(), 403, "{path}: {}", body(&response));
        assert!(
            body(&response).contains("claims of this caller are too long"),
            "{}",
            body(&response)
        );
    }
    assert!(sts.calls().is_empty());
}

#[tokio::test]
async fn a_policy_that_sts_cannot_pack_is_reduced_and_otherwise_an_error_of_the_client() {
    let sts = FakeSts::start(Answer::SessionForPolicy(now() + HOUR, 700)).await;
    let handler = scoped(&sts, &FIVE).await;
    let get = async |length: usize| {
        let claim = "x".repeat(length);
        let claims = [("a", claim.as_str()), ("b", "b"), ("c", "c")];
        handler
            .handle(&by_user_with(&claims, ask("GET", &format!("/L/{claim}/b/c/k"))), now())
            .await
    };
    assert_eq!(
        signing_token(&get(40).await),
        token(2),
        "the second call is for one pattern"
    );
    assert_eq!(signing_token(&get(40).await), token(2));
    assert_eq!(sts.calls().len(), 2, "the first call is not repeated");
    sts.answer(Answer::SessionForPolicy(now() + HOUR, 10));
    let response = get(50).await;
    assert_eq!(response.status(), 403, "{}", body(&response));
    assert_eq!(sts.calls().len(), 4);
    assert_eq!(get(50).await.status(), 403);
    assert_eq!(sts.calls().len(), 4, "neither call is repeated");
    sts.answer(Answer::Refusal);
    assert_eq!(
        get(60).await.status(),
        500,
        "another refusal of STS is an error of the service"
    );
}
