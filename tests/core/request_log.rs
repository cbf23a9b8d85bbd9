//! The log line of a rejected request: who requested what, and the rule that decided.

use serde_json::{Value, json};
use signpost::request::ApiRequest;

use crate::secrecy::Log;
use crate::support::{With as _, ask, credentials, handler_with, now};

/// The secret of the token is `secret`.
const RULES: &str = r#"
version = 1
[lfs]
at = "lfs/"
[[token]]
id = "ann"
sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
[[rule]]
id = "all"
who = ["token:ann"]
can = ["read", "write", "list"]
on = ["docs/**", "lfs/**"]
[[rule]]
id = "closed"
effect = "deny"
who = ["anyone"]
can = ["read", "write", "list"]
on = ["docs/secret/**", "lfs/game/locks/secret/**"]
"#;

/// The fields of the log line of a request.
async fn fields_of(request: ApiRequest) -> Value {
    let env = [("SIGNPOST_RULES", RULES), ("SIGNPOST_TABLE", "signpost")];
    let handler = handler_with(&env, credentials(None, None)).await;
    let log = Log::default();
    let listening = log.listen();
    handler.handle(&request, now()).await;
    drop(listening);
    let text = log.text();
    let line = text
        .lines()
        .find(|line| line.contains("\"status\":"))
        .expect("a log line");
    serde_json::from_str::<Value>(line).unwrap()["fields"].clone()
}

#[tokio::test]
async fn the_log_of_a_rejection_has_the_caller_the_operation_the_key_and_the_rule() {
    let user = fields_of(ask("GET", "/-/whoami").with("authorization", "Bearer secret")).await["user_id"].clone();
    assert!(user.as_str().is_some_and(|user| user.len() == 32), "{user}");
    let lock = ApiRequest {
        body: json!({"path": "secret/plan"}).to_string().into(),
        ..ask("POST", "/-/lfs/game/locks").with("content-type", "application/vnd.git-lfs+json")
    };
    for (request, operation, key, rule) in [
        (
            ask("GET", "/docs/secret/a"),
            json!("GetObject"),
            "docs/secret/a",
            json!("closed"),
        ),
        (
            ask("PUT", "/other/a").sized(5),
            json!("PutObject"),
            "other/a",
            Value::Null,
        ),
        (
            ask("GET", "/docs/secret/").with("accept", "application/json"),
            json!("ListObjectsV2"),
            "docs/secret/",
            json!("closed"),
        ),
        (lock, Value::Null, "lfs/game/locks/secret/plan", json!("closed")),
    ] {
        let fields = fields_of(request.with("authorization", "Bearer secret")).await;
        assert_eq!(fields["message"], "refused", "{fields}");
        assert_eq!(
            (&fields["operation"], &fields["key"], &fields["rule"]),
            (&operation, &json!(key), &rule),
            "{fields}"
        );
        assert_eq!(fields["user_id"], user, "{fields}");
    }
}
