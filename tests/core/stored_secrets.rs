//! Keys and the client secret in Systems Manager or Secrets Manager: when they are requested, and what happens without them.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde_json::{Value, json};
use signpost::request::ApiRequest;
use signpost::service::handler::Handler;

use crate::fake::{Fake, FakeResponse, ReceivedRequest};
use crate::support::{With as _, ask, body, credentials, handler_with, now, settings};

const KEY: &str = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const NEW_KEY: &str = "k2:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA";
const ARN: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:signpost/keys-AbCdEf";

/// The secret of the token is `secret`.
const RULES: &str = r#"
version = 1
[[token]]
id = "ann"
sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
[[rule]]
id = "read"
who = ["token:ann"]
can = ["read"]
on = ["docs/**"]
"#;

fn stored(output: Value) -> impl FnMut(&ReceivedRequest) -> FakeResponse + Send + 'static {
    move |_| (200, Vec::new(), output.to_string())
}

fn parameter(text: &str) -> impl FnMut(&ReceivedRequest) -> FakeResponse + Send + 'static {
    stored(json!({"Parameter": {"Name": "/signpost/keys", "Version": 1, "Value": text}}))
}

fn failing(_: &ReceivedRequest) -> FakeResponse {
    (400, Vec::new(), json!({"__type": "AccessDeniedException"}).to_string())
}

fn at(seconds: u64) -> SystemTime {
    now() + Duration::from_secs(seconds)
}

async fn with_keys_in(place: &str, fake: &Fake) -> Handler {
    let env = [
        ("SIGNPOST_RULES", RULES),
        ("SIGNPOST_KEYS", place),
        ("AWS_ENDPOINT_URL", &fake.endpoint),
    ];
    handler_with(&env, credentials(Some("token"), None)).await
}

/// Creates a share link.
async fn share(handler: &Handler, time: SystemTime) -> (u16, String) {
    let request = ApiRequest {
        body: Bytes::from_static(br#"{"key": "docs/a"}"#),
        ..ask("POST", "/-/share").with("authorization", "Bearer secret")
    };
    let response = handler.handle(&request, time).await;
    (response.status().as_u16(), body(&response).trim().to_owned())
}

async fn open(handler: &Handler, link: &str, time: SystemTime) -> u16 {
    let path = link
        .strip_prefix("https://files.example.com")
        .expect("a link of this service");
    handler.handle(&ask("GET", path), time).await.status().as_u16()
}

#[tokio::test]
async fn keys_are_requested_at_the_first_request_and_again_after_a_minute() {
    let ssm = Fake::start(parameter(&format!("{KEY}\n"))).await;
    let handler = with_keys_in("ssm:/signpost/keys", &ssm).await;
    assert!(ssm.requests().is_empty(), "the start does not wait for the network");
    let (status, link) = share(&handler, at(0)).await;
    assert_eq!(status, 200, "{link}");
    assert_eq!(open(&handler, &link, at(59)).await, 307);
    assert_eq!(ssm.requests().len(), 1);
    let request = &ssm.requests()[0];
    assert_eq!(request.headers["x-amz-target"], "AmazonSSM.GetParameter");
    assert_eq!(request.body, r#"{"Name":"/signpost/keys","WithDecryption":true}"#);
    ssm.answer(parameter(&format!("{NEW_KEY},{KEY}")));
    assert_eq!(open(&handler, &link, at(60)).await, 307, "both keys verify");
    ssm.answer(parameter(NEW_KEY));
    assert_eq!(open(&handler, &link, at(119)).await, 307);
    assert_eq!(
        open(&handler, &link, at(120)).await,
        401,
        "a removed key has no effect after a minute"
    );
    assert_eq!(ssm.requests().len(), 3);
}

#[tokio::test]
async fn keys_can_be_in_secrets_manager() {
    let service = Fake::start(stored(json!({"SecretString": KEY}))).await;
    let handler = with_keys_in(&format!("secretsmanager:{ARN}"), &service).await;
    let (status, link) = share(&handler, at(0)).await;
    assert_eq!((status, open(&handler, &link, at(1)).await), (200, 307), "{link}");
    let request = &service.requests()[0];
    assert_eq!(request.headers["x-amz-target"], "secretsmanager.GetSecretValue");
    assert_eq!(request.body, json!({"SecretId": ARN}).to_string());
    let signature = request.headers["authorization"].to_str().unwrap();
    assert!(
        signature.contains("/eu-central-1/secretsmanager/aws4_request"),
        "{signature}"
    );
}

#[tokio::test]
async fn the_last_keys_are_used_for_ten_minutes_and_without_keys_every_request_is_rejected() {
    let ssm = Fake::start(failing).await;
    let handler = with_keys_in("ssm:/signpost/keys", &ssm).await;
    assert_eq!(share(&handler, at(0)).await.0, 503);
    for invalid in ["", "k1:short", "nonsense"] {
        ssm.answer(parameter(invalid));
        assert_eq!(share(&handler, at(20)).await.0, 503, "{invalid:?}");
    }
    ssm.answer(parameter(KEY));
    let (status, link) = share(&handler, at(40)).await;
    assert_eq!(status, 200);
    ssm.answer(failing);
    assert_eq!(open(&handler, &link, at(639)).await, 307);
    assert_eq!(open(&handler, &link, at(640)).await, 503);
}

#[tokio::test]
async fn keys_in_the_settings_need_no_request() {
    let fake = Fake::start(failing).await;
    let handler = with_keys_in(KEY, &fake).await;
    assert_eq!(share(&handler, at(0)).await.0, 200);
    assert!(fake.requests().is_empty());
}

#[tokio::test]
async fn debug_output_contains_no_stored_secret() {
    let ssm = Fake::start(parameter(KEY)).await;
    let handler = with_keys_in("ssm:/signpost/keys", &ssm).await;
    assert_eq!(share(&handler, at(0)).await.0, 200);
    assert!(!format!("{handler:?}").contains("AAAAAAAA"));
    let printed = format!(
        "{:?}",
        settings(&[("SIGNPOST_CLIENT_SECRET", "very-secret"), ("SIGNPOST_KEYS", KEY)])
    );
    assert!(
        !printed.contains("very-secret") && !printed.contains("AAAAAAAA"),
        "{printed}"
    );
}
