//! The credentials of mounts: those of the service, roles and access keys, each obtained at the first use of its mount.

use std::time::Duration;

use serde_json::{Value, json};
use signpost::service::handler::Handler;

use crate::fake::{Fake, FakeResponse, ReceivedRequest};
use crate::sts::{Answer, FakeSts, token};
use crate::support::{OPEN_RULES, With as _, ask, body, credentials, handler_with, json, now, parameter};

const SECRET: &str = "the-secret-of-the-store-that-nobody-may-see";

const ROLE: &str = "arn:aws:iam::210987654321:role/archive";

fn rules(mount: &str) -> String {
    format!("{OPEN_RULES}[[mount]]\nat = \"m/\"\nbucket = \"mounted-bucket\"\n{mount}\n")
}

fn role_rules() -> String {
    rules(&format!("sign_as = \"{ROLE}\"\nexternal_id = \"acme:1\""))
}

async fn signed(handler: &Handler, path: &str) -> Value {
    let response = handler
        .handle(&ask("GET", path).with("accept", "application/vnd.signpost+json"), now())
        .await;
    assert_eq!(response.status(), 200, "{path}: {}", body(&response));
    json(&response)
}

fn key_id(instruction: &Value) -> String {
    let credential = parameter(instruction["url"].as_str().unwrap(), "X-Amz-Credential").unwrap();
    credential.split('/').next().unwrap().to_owned()
}

async fn status(handler: &Handler, path: &str) -> u16 {
    handler.handle(&ask("GET", path), now()).await.status().as_u16()
}

#[tokio::test]
async fn a_mount_without_credentials_uses_those_of_the_service() {
    let handler = handler_with(
        &[("SIGNPOST_RULES", &rules(""))],
        credentials(Some("service-token"), None),
    )
    .await;
    let instruction = signed(&handler, "/m/a").await;
    assert_eq!(key_id(&instruction), "AKIAIOSFODNN7EXAMPLE");
    let url = instruction["url"].as_str().unwrap();
    assert_eq!(parameter(url, "X-Amz-Security-Token").unwrap(), "service-token");
}

#[tokio::test]
async fn an_access_key_of_a_setting_signs_the_urls_of_its_mount_only() {
    let key = format!("AKIAMOUNT:{SECRET}");
    let rules = rules("credentials = \"R2\"");
    let env = [("SIGNPOST_RULES", rules.as_str()), ("SIGNPOST_CREDENTIALS_R2", &key)];
    let handler = handler_with(
        &env,
        credentials(Some("service-token"), Some(now() + Duration::from_mins(2))),
    )
    .await;
    let instruction = signed(&handler, "/m/a").await;
    assert_eq!(key_id(&instruction), "AKIAMOUNT");
    let url = instruction["url"].as_str().unwrap();
    assert_eq!(parameter(url, "X-Amz-Security-Token"), None, "{url}");
    assert_eq!(instruction["expires_in"], 300, "an access key does not expire");
    let outer = signed(&handler, "/a").await;
    assert_eq!(
        (key_id(&outer).as_str(), &outer["expires_in"]),
        ("AKIAIOSFODNN7EXAMPLE", &json!(120))
    );
    let shown = format!("{handler:?}");
    assert!(!shown.contains(SECRET), "{shown}");
}

#[test]
fn an_invalid_access_key_is_rejected_without_its_text() {
    use signpost::config::Settings;
    for value in [
        "AKIA",
        ":hidden",
        "AKIA:",
        "A/B:hidden",
        "AKIA:hid den",
        "ssm:two words",
    ] {
        let env = [
            ("SIGNPOST_BUCKET", "abc"),
            ("AWS_REGION", "eu-west-1"),
            ("SIGNPOST_CREDENTIALS_R2", value),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let error = Settings::from_env(env).expect_err(value).to_string();
        assert!(
            error.contains("SIGNPOST_CREDENTIALS_R2") && !error.contains("hid"),
            "{error}"
        );
    }
    for name in [
        "SIGNPOST_CREDENTIALS_",
        "SIGNPOST_CREDENTIALS_r2",
        "SIGNPOST_CREDENTIALS",
        "SIGNPOST_CREDENTIALS_A-B",
    ] {
        let env = [
            ("SIGNPOST_BUCKET", "abc"),
            ("AWS_REGION", "eu-west-1"),
            (name, "AKIA:secret"),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let error = Settings::from_env(env).expect_err(name).to_string();
        assert!(error.contains("is unknown"), "{error}");
    }
}

fn parameter_store(text: &str) -> impl FnMut(&ReceivedRequest) -> FakeResponse + Send + 'static {
    let output = json!({"Parameter": {"Name": "/r2", "Version": 1, "Value": text}});
    move |_| (200, Vec::new(), output.to_string())
}

fn failing(_: &ReceivedRequest) -> FakeResponse {
    (400, Vec::new(), json!({"__type": "AccessDeniedException"}).to_string())
}

#[tokio::test]
async fn a_stored_access_key_is_read_at_the_first_use_of_its_mount() {
    let ssm = Fake::start(parameter_store(&format!("AKIAMOUNT:{SECRET}\n"))).await;
    let rules = rules("credentials = \"R2\"");
    let env = [
        ("SIGNPOST_RULES", rules.as_str()),
        ("SIGNPOST_CREDENTIALS_R2", "ssm:/r2"),
        ("AWS_ENDPOINT_URL_SSM", &ssm.endpoint),
    ];
    let handler = handler_with(&env, credentials(None, None)).await;
    assert_eq!(status(&handler, "/a").await, 307);
    assert!(ssm.requests().is_empty(), "no request has used the mount");
    for _ in 0..3 {
        assert_eq!(key_id(&signed(&handler, "/m/a").await), "AKIAMOUNT");
    }
    assert_eq!(ssm.requests().len(), 1);
}

#[tokio::test]
async fn a_mount_whose_access_key_cannot_be_read_fails_alone() {
    let ssm = Fake::start(failing).await;
    let rules = rules("credentials = \"R2\"");
    let env = [
        ("SIGNPOST_RULES", rules.as_str()),
        ("SIGNPOST_CREDENTIALS_R2", "secretsmanager:r2"),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &ssm.endpoint),
    ];
    let handler = handler_with(&env, credentials(None, None)).await;
    let response = handler
        .handle(&ask("GET", "/m/a").with("accept", "application/json"), now())
        .await;
    assert_eq!(response.status(), 503, "{}", body(&response));
    assert!(
        body(&response).contains("the bucket of this key is temporarily unavailable"),
        "{}",
        body(&response)
    );
    assert_eq!(status(&handler, "/a").await, 307);
}

#[tokio::test]
async fn a_role_is_assumed_once_for_its_mount_with_the_external_id() {
    let sts = FakeSts::start(Answer::SessionUntil(now() + Duration::from_hours(1))).await;
    let rules = role_rules();
    let env = [
        ("SIGNPOST_RULES", rules.as_str()),
        ("AWS_ENDPOINT_URL_STS", &sts.endpoint),
    ];
    let handler = handler_with(&env, credentials(None, None)).await;
    assert_eq!(status(&handler, "/a").await, 307);
    assert!(sts.calls().is_empty(), "no request has used the mount");
    for _ in 0..3 {
        let instruction = signed(&handler, "/m/a").await;
        let url = instruction["url"].as_str().unwrap();
        assert_eq!(parameter(url, "X-Amz-Security-Token").unwrap(), token(1));
    }
    let calls = sts.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(
        (calls[0]["RoleArn"].as_str(), calls[0]["ExternalId"].as_str()),
        (ROLE, "acme:1")
    );
    assert!(!calls[0].contains_key("Policy"), "only mode scoped limits sessions");
}

#[tokio::test]
async fn urls_expire_with_the_session_of_their_mount() {
    let sts = FakeSts::start(Answer::SessionUntil(now() + Duration::from_secs(100))).await;
    let rules = role_rules();
    let env = [
        ("SIGNPOST_RULES", rules.as_str()),
        ("AWS_ENDPOINT_URL_STS", &sts.endpoint),
    ];
    let handler = handler_with(&env, credentials(None, None)).await;
    assert_eq!(signed(&handler, "/m/a").await["expires_in"], 100);
    assert_eq!(signed(&handler, "/a").await["expires_in"], 300);
}

#[tokio::test]
async fn a_mount_whose_role_cannot_be_assumed_fails_alone() {
    let sts = FakeSts::start(Answer::Refusal).await;
    let rules = role_rules();
    let env = [
        ("SIGNPOST_RULES", rules.as_str()),
        ("AWS_ENDPOINT_URL_STS", &sts.endpoint),
    ];
    let handler = handler_with(&env, credentials(None, None)).await;
    assert_eq!(status(&handler, "/m/a").await, 503);
    assert_eq!(status(&handler, "/a").await, 307);
}

#[tokio::test]
async fn a_session_policy_names_the_bucket_and_the_prefix_of_the_mount() {
    let sts = FakeSts::start(Answer::SessionUntil(now() + Duration::from_hours(1))).await;
    let rules = "version = 1\n[[mount]]\nat = \"m/\"\nbucket = \"mounted-bucket\"\nprefix = \"p/\"\n[[mount]]\nat = \"m/in/\"\nbucket \
                 = \"inner-bucket\"\n[[rule]]\nid = \"r\"\nwho = [\"anyone\"]\ncan = [\"read\", \"list\"]\non = [\"m/**\", \"m/in/x\", \
                 \"out/**\"]\n";
    let env = [
        ("SIGNPOST_RULES", rules),
        ("SIGNPOST_SIGNING_MODE", "scoped"),
        ("SIGNPOST_SIGNER_ROLE_ARN", "arn:aws:iam::123456789012:role/signer"),
        ("AWS_ENDPOINT_URL_STS", &sts.endpoint),
    ];
    let handler = handler_with(&env, credentials(None, None)).await;
    for (path, resources) in [
        ("/m/a", json!(["arn:aws:s3:::mounted-bucket/p/*"])),
        (
            "/m/in/x",
            json!(["arn:aws:s3:::inner-bucket/*", "arn:aws:s3:::inner-bucket/x"]),
        ),
        ("/out/a", json!(["arn:aws:s3:::example-bucket/out/*"])),
    ] {
        assert_eq!(status(&handler, path).await, 307, "{path}");
        let policy: Value = serde_json::from_str(&sts.calls().last().unwrap()["Policy"]).unwrap();
        assert_eq!(policy["Statement"][0]["Resource"], resources, "{path}: {policy}");
    }
    assert_eq!(sts.calls().len(), 3, "one session for each mount");
}

#[tokio::test]
async fn a_role_of_a_mount_has_sessions_for_each_user_in_mode_scoped() {
    let sts = FakeSts::start(Answer::SessionUntil(now() + Duration::from_hours(1))).await;
    let rules = role_rules();
    let env = [
        ("SIGNPOST_RULES", rules.as_str()),
        ("SIGNPOST_SIGNING_MODE", "scoped"),
        ("SIGNPOST_SIGNER_ROLE_ARN", "arn:aws:iam::123456789012:role/signer"),
        ("AWS_ENDPOINT_URL_STS", &sts.endpoint),
    ];
    let handler = handler_with(&env, credentials(None, None)).await;
    assert_eq!(status(&handler, "/m/a").await, 307);
    assert_eq!(status(&handler, "/a").await, 307);
    let calls = sts.calls();
    let assumed: Vec<_> = calls.iter().map(|call| call["RoleArn"].as_str()).collect();
    assert_eq!(assumed, [ROLE, "arn:aws:iam::123456789012:role/signer"]);
    assert!(calls[0]["Policy"].contains("mounted-bucket") && !calls[0]["Policy"].contains("example-bucket"));
}
