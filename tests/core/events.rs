//! The events of `events/`: each one gets the expected status, and a redirect leads to the expected key. `tests/runtime`
//! compares more members of the responses, with the release binary.

use std::path::{Path, PathBuf};

use serde_json::Value;
use signpost::lambda::respond;
use signpost::service::handler::Handler;

use crate::support::{credentials, handler_with, now};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The key in the path of a redirect to the bucket that `expected` names.
fn redirected_key(response: &Value, expected: &Value) -> Option<String> {
    let single = response["headers"]["location"].as_str();
    let url = single.or(response["multiValueHeaders"]["location"][0].as_str())?;
    let storage = expected.get("storage");
    let member = |name: &str, default| storage.map_or(Some(default), |storage| storage[name].as_str());
    let (bucket, region) = (member("bucket", "example-bucket")?, member("region", "eu-central-1")?);
    let path = url.strip_prefix(&format!("https://{bucket}.s3.{region}.amazonaws.com/"))?;
    let path = percent_encoding::percent_decode_str(path.split('?').next()?);
    Some(path.decode_utf8().ok()?.into_owned())
}

/// A handler with the rules that some expectations assume.
async fn handler_with_rules(file: &str) -> Handler {
    let rules = read(&root().join("tests/runtime").join(file));
    let env = [
        ("SIGNPOST_RULES", rules.as_str()),
        ("SIGNPOST_CORS_ORIGINS", "https://app.example.com"),
    ];
    handler_with(&env, credentials(None, None)).await
}

#[tokio::test]
async fn every_event_gets_the_expected_status_and_key() {
    let open = handler_with_rules("rules.toml").await;
    let caches = handler_with_rules("caches.toml").await;
    let expected: Value = serde_json::from_str(&read(&root().join("events/expected.json"))).unwrap();
    for (name, expected) in expected.as_object().unwrap() {
        let handler = if expected["rules"] == "caches.toml" {
            &caches
        } else {
            &open
        };
        let event = read(&root().join("events").join(name));
        let response = respond(handler, &event, "invocation-1", now()).await;
        let response: Value = serde_json::from_str(&response).unwrap();
        assert_eq!(response["statusCode"], expected["status"], "{name}: {response}");
        if ["redirect", "preflight"].map(Value::from).contains(&expected["form"]) {
            let key = expected
                .get("storage")
                .map_or(&expected["key"], |storage| &storage["key"]);
            assert_eq!(redirected_key(&response, expected).as_deref(), key.as_str(), "{name}");
        }
    }
}
