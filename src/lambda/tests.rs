//! The content of the log.

use std::io;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::*;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Collects the log of this thread from now on.
    fn collect(level: LevelFilter) -> (Self, tracing::subscriber::DefaultGuard) {
        let lines = Self::default();
        let writer = lines.clone();
        let guard = tracing::subscriber::set_default(json_log(move || writer.clone(), level));
        (lines, guard)
    }
}

#[test]
fn no_level_lets_other_crates_log_requests() {
    let (lines, _guard) = Lines::collect(LevelFilter::TRACE);
    tracing::trace!(target: "lambda_runtime::layers::api_response", body = "secret", "raw event");
    tracing::error!(target: "lambda_runtime", "broken");
    tracing::trace!(target: "signpost::service::handler", "signed");
    let lines = lines.text();
    assert!(lines.contains("broken") && lines.contains("signed"), "{lines}");
    assert!(!lines.contains("secret"), "{lines}");
}

const RULES: &str = r#"
version = 1
[[token]]
id = "ci"
sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
[[rule]]
id = "ours"
who = ["token:ci"]
can = ["read", "write"]
on = ["**"]
max_bytes = 10
[[rule]]
id = "worm"
effect = "deny"
who = ["anyone"]
can = ["write"]
on = ["archive/**"]
"#;

async fn handler() -> Handler {
    let env = [
        ("SIGNPOST_BUCKET", "example-bucket"),
        ("AWS_REGION", "eu-central-1"),
        ("SIGNPOST_RULES", RULES),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Handler::start(Settings::from_env(env).unwrap(), CredentialSource::example())
        .await
        .unwrap()
}

fn event(method: &str, path: &str, query: &str) -> String {
    json!({
        "version": "2.0", "rawPath": path, "rawQueryString": query,
        "headers": {
            "authorization": "Bearer secret",
            "x-amzn-trace-id": "Self=1-aa; Root=1-67891233-abcdef012345678912345678;Sampled=1",
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        },
        "requestContext": {
            "domainName": "abc.lambda-url.eu-central-1.on.aws", "requestId": "front-1",
            "http": {"method": method, "path": path},
        },
    })
    .to_string()
}

#[tokio::test]
async fn each_request_logs_one_line_with_user_key_and_result_but_no_secret() {
    let user_id = crate::auth::User::new(crate::auth::Issuer::Token, "ci".into(), Vec::new());
    let known = json!({"user_id": user_id.user_id(), "rule": "ours", "operation": "PutObject", "key": "a b"});
    let with = |more: Value| {
        let mut all = known.clone();
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let cases = [
        (
            "PUT",
            "/a%20b",
            "url&contentLength=5",
            with(json!({"message": "signed", "status": 200, "expires_in": 300})),
        ),
        (
            "PUT",
            "/a%20b",
            "url&contentLength=50",
            with(json!({"message": "refused", "status": 413, "code": "EntityTooLarge"})),
        ),
        (
            "PUT",
            "/archive/a",
            "url",
            with(
                json!({"message": "refused", "status": 403, "rule": "worm", "key": "archive/a", "code": "AccessDenied"}),
            ),
        ),
        (
            "GET",
            "/a",
            "secret=1",
            json!({"message": "refused", "status": 400, "code": "InvalidArgument"}),
        ),
        ("GET", "/-/health", "", json!({"message": "healthy", "status": 200})),
    ];
    let handler = handler().await;
    for (count, (method, path, query, expected)) in cases.into_iter().enumerate() {
        let (lines, _guard) = Lines::collect(LevelFilter::TRACE);
        respond(&handler, &event(method, path, query), "invocation-1", SystemTime::now()).await;
        let text = lines.text();
        let line: Value = serde_json::from_str(&text).expect("one line of JSON");
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&line[name], value, "{name} of {path}: {text}");
        }
        assert_eq!(line["request.id"], "front-1");
        assert_eq!(line["request.invocation"], "invocation-1");
        assert_eq!(line["trace.xray"], "1-67891233-abcdef012345678912345678");
        assert_eq!(line["trace.id"], "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(line.get("cold").is_some(), count == 0, "only the first is cold");
        assert!(line["duration_ms"].as_f64().is_some_and(|took| took > 0.0));
        assert!(!text.contains("secret") && !text.contains("X-Amz"), "{text}");
    }
}

#[tokio::test]
async fn each_part_of_a_bulk_request_logs_a_line() {
    let handler = handler().await;
    let (lines, _guard) = Lines::collect(LevelFilter::INFO);
    let mut event: Value = serde_json::from_str(&event("POST", "/-/sign", "")).unwrap();
    event["body"] = json!(r#"[{"method": "GET", "key": "a"}, {"method": "PUT", "key": "archive/b"}]"#);
    respond(&handler, &event.to_string(), "invocation-1", SystemTime::now()).await;
    let text = lines.text();
    let told: Vec<(Value, Value)> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| (line["message"].clone(), line["key"].clone()))
        .collect();
    let expected = [
        ("signed", json!("a")),
        ("refused", json!("archive/b")),
        ("signed", Value::Null),
    ];
    assert_eq!(told, expected.map(|(message, key)| (json!(message), key)));
}

#[tokio::test]
async fn the_start_up_logs_the_version_and_the_digest_of_the_rules() {
    let (lines, _guard) = Lines::collect(LevelFilter::INFO);
    handler().await;
    let line: Value = serde_json::from_str(&lines.text()).expect("one line");
    assert_eq!(line["message"], "read the rules");
    assert_eq!(line["version"], env!("CARGO_PKG_VERSION"));
    let digest = crate::auth::TokenDigest::of(RULES.as_bytes()).to_hex();
    assert_eq!((&line["rules"], &line["rules.sha256"]), (&json!(2), &json!(digest)));
}
