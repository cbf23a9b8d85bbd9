//! The calls during the start-up, which the first request then need not make.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use signpost::config::Settings;
use signpost::outbound::aws::CredentialSource;
use signpost::response::ApiResponse;
use signpost::service::handler::Handler;

use crate::fake::{Fake, FakeResponse, ReceivedRequest};
use crate::sts::{Answer, FakeSts, token};
use crate::support::{OPEN_RULES, ask, body, credentials, handler_with, header, now, parameter};

const ROLE: (&str, &str) = ("SIGNPOST_SIGNER_ROLE_ARN", "arn:aws:iam::123456789012:role/signer");
const ARCHIVE: &str = "arn:aws:iam::123456789012:role/archive";
const HOUR: Duration = Duration::from_hours(1);

const ID_RULES: &str = r#"
version = 1
[[rule]]
id = "r"
who = ["anyone"]
can = ["read"]
on = ["**"]
rewrite = "objects/{id}"
"#;

/// Rules with a mount that has its own role.
fn archive_rules() -> String {
    format!("{OPEN_RULES}[[mount]]\nat = \"archive/\"\nbucket = \"archive\"\nsign_as = \"{ARCHIVE}\"\n")
}

async fn start(env: &[(&str, &str)]) -> Handler {
    handler_with(env, credentials(Some("token"), None)).await
}

async fn signer(sts: &FakeSts, more: &[(&str, &str)]) -> Handler {
    let base = [
        ROLE,
        ("SIGNPOST_SIGNING_MODE", "signer"),
        ("AWS_ENDPOINT_URL_STS", sts.endpoint.as_str()),
    ];
    start(&[&base, more].concat()).await
}

async fn session() -> FakeSts {
    FakeSts::start(Answer::SessionUntil(now() + HOUR)).await
}

async fn get(handler: &Handler, key: &str) -> ApiResponse {
    handler.handle(&ask("GET", key), now()).await
}

fn signing_token(response: &ApiResponse) -> String {
    assert_eq!(response.status(), 307, "{}", body(response));
    parameter(header(response, "location"), "X-Amz-Security-Token").unwrap()
}

fn rules_parameter(text: &str) -> impl FnMut(&ReceivedRequest) -> FakeResponse + Send + 'static {
    let value = json!({"Parameter": {"Name": "/rules", "Version": 1, "Value": text}});
    move |_| (200, Vec::new(), value.to_string())
}

fn refused(_: &ReceivedRequest) -> FakeResponse {
    (400, Vec::new(), r#"{"__type":"AccessDeniedException"}"#.to_owned())
}

#[tokio::test]
async fn the_signer_role_is_assumed_before_the_first_request() {
    let sts = session().await;
    let handler = signer(&sts, &[("SIGNPOST_RULES", OPEN_RULES)]).await;
    handler.prepare(now()).await;
    assert_eq!(sts.calls().len(), 1);
    for _ in 0..2 {
        assert_eq!(signing_token(&get(&handler, "/k").await), token(1));
    }
    assert_eq!((sts.calls().len(), sts.connections()), (1, 1));
}

#[tokio::test]
async fn the_epoch_of_the_rules_names_the_session() {
    let rules = format!("{OPEN_RULES}[signer]\nepoch = \"7\"\n");
    let sts = session().await;
    let ssm = Fake::start(rules_parameter(&rules)).await;
    let source = [
        ("SIGNPOST_RULES_SOURCE", "ssm:/rules"),
        ("AWS_ENDPOINT_URL_SSM", ssm.endpoint.as_str()),
    ];
    for more in [&[("SIGNPOST_RULES", rules.as_str())][..], &source] {
        let handler = signer(&sts, more).await;
        handler.prepare(now()).await;
        assert_eq!(sts.calls().last().unwrap()["RoleSessionName"], "signpost.7");
        let calls = (sts.calls().len(), ssm.requests().len());
        signing_token(&get(&handler, "/k").await);
        assert_eq!((sts.calls().len(), ssm.requests().len()), calls, "no further call");
    }
}

#[tokio::test]
async fn the_role_of_a_mount_is_assumed_by_its_first_request_on_the_same_connection() {
    let sts = session().await;
    let handler = signer(&sts, &[("SIGNPOST_RULES", &archive_rules())]).await;
    let roles = || -> Vec<_> { sts.calls().iter().map(|call| call["RoleArn"].clone()).collect() };
    handler.prepare(now()).await;
    assert_eq!(roles(), [ROLE.1]);
    for _ in 0..2 {
        assert_eq!(signing_token(&get(&handler, "/archive/k").await), token(2));
        assert_eq!(signing_token(&get(&handler, "/k").await), token(1));
    }
    assert_eq!(roles(), [ROLE.1, ARCHIVE]);
    assert_eq!(sts.connections(), 1);
}

/// Without `SIGNPOST_BUCKET`, all mounts can have their own role.
#[tokio::test]
async fn a_signer_role_that_no_mount_uses_is_not_assumed() {
    let sts = session().await;
    let rules = archive_rules();
    let env = [
        ROLE,
        ("AWS_REGION", "eu-central-1"),
        ("SIGNPOST_SIGNING_MODE", "signer"),
        ("SIGNPOST_RULES", rules.as_str()),
        ("AWS_ENDPOINT_URL_STS", sts.endpoint.as_str()),
    ];
    let settings = Settings::from_env(env.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap();
    let source = CredentialSource::from_provider(credentials(Some("token"), None));
    let handler = Handler::start(settings, source).await.unwrap();
    handler.prepare(now()).await;
    assert!(sts.calls().is_empty(), "{:?}", sts.calls());
    assert_eq!(signing_token(&get(&handler, "/archive/k").await), token(1));
}

#[tokio::test]
async fn a_role_that_cannot_be_assumed_does_not_stop_the_start_up() {
    let sts = FakeSts::start(Answer::Refusal).await;
    let handler = signer(&sts, &[("SIGNPOST_RULES", OPEN_RULES)]).await;
    handler.prepare(now()).await;
    assert_eq!(get(&handler, "/-/health").await.status(), 200);
    sts.answer(Answer::SessionUntil(now() + HOUR));
    assert_eq!(signing_token(&get(&handler, "/k").await), token(2));
}

#[tokio::test]
async fn a_service_that_does_not_respond_delays_the_start_up_only_until_its_deadline() {
    let sts = session().await;
    sts.delay(Duration::from_mins(1));
    let handler = signer(&sts, &[("SIGNPOST_RULES", OPEN_RULES)]).await;
    let started = Instant::now();
    handler.prepare(now()).await;
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    sts.delay(Duration::ZERO);
    signing_token(&get(&handler, "/k").await);
}

#[tokio::test]
async fn an_unreachable_service_does_not_stop_the_start_up() {
    let unreachable = ("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    let env = [
        ROLE,
        unreachable,
        ("SIGNPOST_SIGNING_MODE", "signer"),
        ("SIGNPOST_RULES_SOURCE", "ssm:/rules"),
        ("SIGNPOST_KEYS", "ssm:/keys"),
        ("SIGNPOST_TABLE", "table"),
    ];
    let handler = start(&env).await;
    let started = Instant::now();
    handler.prepare(now()).await;
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert_eq!(get(&handler, "/k").await.status(), 503);
}

#[tokio::test]
async fn rules_are_read_before_the_first_request() {
    let ssm = Fake::start(rules_parameter(OPEN_RULES)).await;
    let env = [
        ("SIGNPOST_RULES_SOURCE", "ssm:/rules"),
        ("AWS_ENDPOINT_URL", ssm.endpoint.as_str()),
    ];
    let handler = start(&env).await;
    handler.prepare(now()).await;
    assert_eq!(ssm.requests().len(), 1);
    assert_eq!(get(&handler, "/k").await.status(), 307);
    assert_eq!(ssm.requests().len(), 1);
}

#[tokio::test]
async fn rules_and_keys_that_cannot_be_read_are_read_again_by_the_first_request() {
    let ssm = Fake::start(refused).await;
    let env = [
        ("SIGNPOST_RULES_SOURCE", "ssm:/rules"),
        ("SIGNPOST_KEYS", "ssm:/keys"),
        ("AWS_ENDPOINT_URL", ssm.endpoint.as_str()),
    ];
    let handler = start(&env).await;
    handler.prepare(now()).await;
    assert_eq!(ssm.requests().len(), 2);
    ssm.answer(|request| {
        let name: Value = serde_json::from_str(&request.body).unwrap();
        match name["Name"].as_str() {
            Some("/rules") => rules_parameter(OPEN_RULES)(request),
            _ => rules_parameter("k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")(request),
        }
    });
    let response = get(&handler, "/k").await;
    assert_eq!(response.status(), 307, "{}", body(&response));
}

#[tokio::test]
async fn mode_scoped_and_the_id_table_open_a_connection_that_the_first_request_uses() {
    let sts = session().await;
    let table = Fake::start(|_| (200, Vec::new(), json!({"Responses": {}}).to_string())).await;
    let env = [
        ROLE,
        ("SIGNPOST_SIGNING_MODE", "scoped"),
        ("SIGNPOST_RULES", ID_RULES),
        ("SIGNPOST_TABLE", "table"),
        ("AWS_ENDPOINT_URL_STS", sts.endpoint.as_str()),
        ("AWS_ENDPOINT_URL_DYNAMODB", table.endpoint.as_str()),
    ];
    let handler = start(&env).await;
    handler.prepare(now()).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(sts.calls().is_empty() && table.requests().is_empty());
    assert_eq!((sts.connections(), table.connections()), (1, 1));
    for _ in 0..3 {
        assert!(get(&handler, "/k").await.status().is_client_error());
    }
    assert_eq!((table.requests().len(), table.connections()), (3, 1));
}

#[tokio::test]
async fn without_roles_sources_and_tables_the_start_up_makes_no_call() {
    let other = Fake::start(refused).await;
    let env = [
        ("SIGNPOST_RULES", OPEN_RULES),
        ("AWS_ENDPOINT_URL", other.endpoint.as_str()),
    ];
    start(&env).await.prepare(now()).await;
    assert_eq!(other.connections(), 0);
}
