//! git-lfs: batches, with the examples of
//! [its specification](https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md).

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};
use signpost::request::ApiRequest;
use signpost::service::handler::Handler;

use crate::fake::{Fake, FakeResponse, ReceivedRequest};
use crate::support::{With as _, ask, body, credentials, handler, handler_with, header, json, now, parameter};

/// The secrets are `secret` and `other`.
pub(crate) const RULES: &str = r#"
version = 1
[lfs]
at = "lfs/"
[[token]]
id = "ann"
sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
[[token]]
id = "bob"
sha256 = "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa"
[[rule]]
id = "own"
who = ["token:ann", "token:bob"]
can = ["read", "write"]
on = ["lfs/game/**", "lfs/team/game/**"]
[[rule]]
id = "small"
who = ["token:ann"]
can = ["read", "write"]
on = ["lfs/small/**"]
max_bytes = 10
content_types = ["application/octet-stream"]
[[rule]]
id = "read-only"
who = ["token:ann"]
can = ["read"]
on = ["lfs/docs/**"]
[[rule]]
id = "maintainers"
who = ["token:ann"]
can = ["delete"]
on = ["lfs/game/locks/**"]
"#;

const OID: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// The digest in base64, as in the header of S3.
const CHECKSUM: &str = "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=";

const TYPE: &str = "application/vnd.git-lfs+json";

pub(crate) fn post(path: &str, body: &Value) -> ApiRequest {
    raw(path, &body.to_string())
}

pub(crate) fn raw(path: &str, body: &str) -> ApiRequest {
    ApiRequest {
        body: Bytes::from(body.to_owned()),
        ..ask("POST", path)
    }
    .with("accept", TYPE)
    .with("content-type", TYPE)
}

pub(crate) fn ann(request: ApiRequest) -> ApiRequest {
    request.with("authorization", "Basic YW5uOnNlY3JldA==")
}

pub(crate) fn bob(request: ApiRequest) -> ApiRequest {
    request.with("authorization", "Bearer other")
}

fn batch(operation: &str, objects: &Value) -> ApiRequest {
    let body = json!({
        "operation": operation,
        "transfers": ["lfs-standalone-file", "basic", "ssh"],
        "ref": {"name": "refs/heads/main"},
        "objects": objects,
        "hash_algo": "sha256",
    });
    post("/-/lfs/game/objects/batch", &body)
}

pub(crate) async fn handle(handler: &Handler, request: ApiRequest) -> (u16, Value) {
    let response = handler.handle(&request, now()).await;
    assert_eq!(header(&response, "content-type"), TYPE, "{}", body(&response));
    (response.status().as_u16(), json(&response))
}

/// An S3 server on which only these paths exist, with objects of four bytes.
async fn s3_with(stored: &'static [&'static str]) -> Fake {
    Fake::start(move |request| head(request, stored)).await
}

fn head(request: &ReceivedRequest, stored: &[&str]) -> FakeResponse {
    assert_eq!(request.method, "HEAD");
    let path = request.path.split('?').next().unwrap_or_default();
    if stored.contains(&path) {
        (200, Vec::new(), "1234".to_owned())
    } else {
        (404, Vec::new(), String::new())
    }
}

async fn handler_of(s3: &Fake) -> Handler {
    let env = [("SIGNPOST_RULES", RULES), ("SIGNPOST_ENDPOINT", &s3.endpoint)];
    handler_with(&env, credentials(None, None)).await
}

#[tokio::test]
async fn a_download_is_signed_without_a_call() {
    let handler = handler(RULES).await;
    let request = batch("download", &json!([{"oid": OID, "size": 4}]));
    let (status, told) = handle(&handler, ann(request)).await;
    assert_eq!(
        (status, &told["transfer"], &told["hash_algo"]),
        (200, &json!("basic"), &json!("sha256"))
    );
    let object = &told["objects"][0];
    assert_eq!(
        (&object["oid"], &object["size"], &object["authenticated"]),
        (&json!(OID), &json!(4), &json!(true))
    );
    let action = &object["actions"]["download"];
    let href = action["href"].as_str().unwrap();
    assert!(href.contains(&format!(".com/lfs/game/9f/86/{OID}?")), "{href}");
    assert_eq!(action["header"], json!({}));
    assert_eq!(action["expires_in"], 300);
}

#[tokio::test]
async fn an_upload_signs_the_digest_the_size_and_the_condition() {
    let s3 = s3_with(&[]).await;
    let handler = handler_of(&s3).await;
    for repository in ["game", "team/game"] {
        let mut request = batch("upload", &json!([{"oid": OID, "size": 4}]));
        request.path = format!("/-/lfs/{repository}/objects/batch");
        let (status, told) = handle(&handler, bob(request)).await;
        assert_eq!(status, 200, "{told}");
        let action = &told["objects"][0]["actions"]["upload"];
        let href = action["href"].as_str().unwrap();
        assert!(href.contains(&format!("/lfs/{repository}/9f/86/{OID}?")), "{href}");
        assert_eq!(
            action["header"],
            json!({
                "content-type": "application/octet-stream",
                "if-none-match": "*",
                "x-amz-checksum-sha256": CHECKSUM,
            })
        );
        assert_eq!(
            parameter(href, "X-Amz-SignedHeaders").unwrap(),
            "content-length;content-type;host;if-none-match;x-amz-checksum-sha256"
        );
    }
}

#[tokio::test]
async fn an_existing_object_has_no_action_and_a_wrong_size_is_an_error() {
    let s3 =
        s3_with(&["/example-bucket/lfs/game/9f/86/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"])
            .await;
    let handler = handler_of(&s3).await;
    let objects = json!([{"oid": OID, "size": 4}, {"oid": OID, "size": 5}]);
    let (status, told) = handle(&handler, ann(batch("upload", &objects))).await;
    assert_eq!(status, 200);
    assert_eq!(told["objects"][0], json!({"oid": OID, "size": 4}));
    assert_eq!(told["objects"][1]["error"]["code"], 422);
}

#[tokio::test]
async fn errors_are_reported_per_object() {
    let s3 = s3_with(&[]).await;
    let handler = handler_of(&s3).await;
    let upper = OID.to_uppercase();
    let objects = json!([
        {"oid": OID, "size": 4},
        {"oid": "12345678", "size": 4},
        {"oid": upper, "size": 4},
        {"oid": format!("../{}", &OID[3..]), "size": 4},
        {"oid": OID, "size": -1},
        {"oid": OID, "size": 1.5},
        {"oid": OID, "size": 5_368_709_121_u64},
        {"oid": OID, "size": 0},
        {"oid": OID, "size": 5_368_709_120_u64},
    ]);
    let (status, told) = handle(&handler, ann(batch("upload", &objects))).await;
    assert_eq!(status, 200);
    let codes = told["objects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|object| object["error"]["code"].as_u64());
    let expected = [
        None,
        Some(422),
        Some(422),
        Some(422),
        Some(422),
        Some(422),
        Some(413),
        None,
        None,
    ];
    assert_eq!(codes.collect::<Vec<_>>(), expected);
    let message = told["objects"][6]["error"]["message"].as_str().unwrap();
    assert!(message.contains("signpost lfs"), "{message}");
    assert_eq!(told["objects"][5]["size"], 1.5);
    let invalid = json!([{"oid": "12345678", "size": 4}, {"oid": "12345678", "size": 4}]);
    let (status, told) = handle(&handler, ann(batch("upload", &invalid))).await;
    assert_eq!(
        (status, &told["objects"][1]["error"]["code"]),
        (200, &json!(422)),
        "{told}"
    );
}

#[tokio::test]
async fn the_constraints_of_the_rule_apply_to_each_object() {
    let s3 = s3_with(&[]).await;
    let handler = handler_of(&s3).await;
    let objects = json!([{"oid": OID, "size": 10}, {"oid": OID, "size": 11}, {"oid": OID, "size": 0}]);
    for transfer in ["basic", "signpost"] {
        let request = post(
            "/-/lfs/small/objects/batch",
            &json!({"operation": "upload", "transfers": [transfer], "objects": objects}),
        );
        let (status, told) = handle(&handler, ann(request)).await;
        assert_eq!((status, &told["transfer"]), (200, &json!(transfer)));
        assert!(told["objects"][0]["actions"]["upload"].is_object());
        assert_eq!(told["objects"][1]["error"]["code"], 413);
        assert!(
            told["objects"][2]["actions"]["upload"].is_object(),
            "{}",
            told["objects"][2]
        );
    }
}

#[tokio::test]
async fn the_transfer_agent_receives_the_path_of_the_object() {
    let s3 = s3_with(&[]).await;
    let handler = handler_of(&s3).await;
    for (operation, action) in [("upload", "upload"), ("download", "download")] {
        let request = post(
            "/-/lfs/game/objects/batch",
            &json!({
                "operation": operation,
                "transfers": ["basic", "signpost"],
                "objects": [{"oid": OID, "size": 6_000_000_000_u64}],
            }),
        );
        let (status, told) = handle(&handler, ann(request)).await;
        assert_eq!((status, &told["transfer"]), (200, &json!("signpost")));
        let expected = format!("https://files.example.com/lfs/game/9f/86/{OID}");
        assert_eq!(told["objects"][0]["actions"], json!({action: {"href": expected}}));
    }
}

#[tokio::test]
async fn a_caller_without_a_credential_is_asked_for_one() {
    let handler = handler(RULES).await;
    let objects = json!([{"oid": OID, "size": 4}]);
    for request in [
        batch("download", &objects),
        batch("upload", &objects),
        post("/-/lfs/game/locks/verify", &json!({})),
        batch("download", &objects).with("authorization", "Basic YW5uOndyb25n"),
    ] {
        let response = handler.handle(&request, now()).await;
        // Locks are disabled without a table.
        if request.path.ends_with("verify") {
            assert_eq!(response.status(), 404);
            continue;
        }
        assert_eq!(response.status(), 401);
        assert_eq!(header(&response, "lfs-authenticate"), "Basic realm=\"signpost\"");
        assert_eq!(header(&response, "content-type"), TYPE);
        assert!(json(&response)["message"].is_string());
        assert_eq!(json(&response)["request_id"], "request-1");
    }
}

#[tokio::test]
async fn a_caller_who_may_only_read_cannot_upload() {
    let handler = handler(RULES).await;
    let body = |operation| json!({"operation": operation, "objects": [{"oid": OID, "size": 4}]});
    let request = |operation| post("/-/lfs/docs/objects/batch", &body(operation));
    assert_eq!(handle(&handler, ann(request("download"))).await.0, 200);
    assert_eq!(handle(&handler, ann(request("upload"))).await.0, 403);
    assert_eq!(handle(&handler, bob(request("download"))).await.0, 403);
}

#[tokio::test]
async fn requests_of_the_wrong_shape_are_rejected() {
    let handler = handler(RULES).await;
    let many: Vec<_> = (0..10_000).map(|_| json!({"oid": OID, "size": 4})).collect();
    let objects = json!([{"oid": OID, "size": 4}]);
    for (body, status) in [
        (String::new(), 422),
        ("[]".into(), 422),
        ("{}".into(), 422),
        ("nonsense".into(), 422),
        (format!("{}1", "[".repeat(100_000)), 422),
        (json!({"operation": "delete", "objects": objects}).to_string(), 422),
        (json!({"operation": "download", "objects": {}}).to_string(), 422),
        (json!({"operation": "download", "objects": ["a"]}).to_string(), 422),
        (
            json!({"operation": "download", "objects": [{"oid": OID}]}).to_string(),
            422,
        ),
        (
            json!({"operation": "download", "objects": [{"oid": 1, "size": 4}]}).to_string(),
            422,
        ),
        (
            json!({"operation": "download", "objects": [{"oid": OID, "size": "4"}]}).to_string(),
            422,
        ),
        (
            json!({"operation": "download", "objects": objects, "ref": "main"}).to_string(),
            422,
        ),
        (
            json!({"operation": "download", "objects": objects, "transfers": ["tus"]}).to_string(),
            422,
        ),
        (
            json!({"operation": "download", "objects": objects, "transfers": "basic"}).to_string(),
            422,
        ),
        (
            json!({"operation": "download", "objects": objects, "hash_algo": "sha512"}).to_string(),
            409,
        ),
        (
            json!({"operation": "download", "objects": many[..101]}).to_string(),
            413,
        ),
        (json!({"operation": "download", "objects": many}).to_string(), 422),
        (
            json!({"operation": "download", "objects": objects, "ref": null, "transfers": null, "hash_algo": null})
                .to_string(),
            200,
        ),
        (
            json!({"operation": "download", "objects": objects, "transfers": [], "unknown": 1}).to_string(),
            200,
        ),
        (json!({"operation": "download", "objects": []}).to_string(), 200),
    ] {
        let request = ann(raw("/-/lfs/game/objects/batch", &body));
        let (found, told) = handle(&handler, request).await;
        assert_eq!(found, status, "{}: {told}", &body[..body.len().min(100)]);
    }
}

#[tokio::test]
async fn invalid_repositories_are_rejected() {
    let handler = handler(RULES).await;
    for (repository, status) in [
        ("..", 422),
        ("a/..", 422),
        ("%2e%2e", 422),
        ("a//b", 422),
        ("a b", 422),
        ("\u{e9}", 422),
        ("", 422),
        ("objects", 404),
        ("game/locks", 404),
        ("game/locks/x", 404),
    ] {
        let path = format!("/-/lfs/{repository}/objects/batch");
        let request = ann(post(&path, &json!({"operation": "download", "objects": []})));
        assert_eq!(handle(&handler, request).await.0, status, "{repository}");
    }
}

#[tokio::test]
async fn a_batch_without_lookups_has_an_entry_for_each_object() {
    let handler = handler(RULES).await;
    let objects: Vec<_> = (0..100)
        .map(|number| json!({"oid": format!("{number:064x}"), "size": 4}))
        .collect();
    let request = ann(batch("download", &json!(objects)));
    let mut fastest = Duration::MAX;
    for _ in 0..20 {
        let started = Instant::now();
        let response = handler.handle(&request, now()).await;
        fastest = fastest.min(started.elapsed());
        assert_eq!(json(&response)["objects"].as_array().unwrap().len(), 100);
    }
    println!("a batch of 100 downloads takes {fastest:?}");
}

#[tokio::test]
async fn the_existence_of_100_objects_takes_two_rounds_of_requests() {
    let s3 = s3_with(&[]).await;
    s3.delay(Duration::from_secs(2));
    let handler = handler_of(&s3).await;
    let objects: Vec<_> = (0..100)
        .map(|number| json!({"oid": format!("{number:064x}"), "size": 4}))
        .collect();
    let request = ann(batch("upload", &json!(objects)));
    let response = tokio::spawn(async move { handle(&handler, request).await });
    while s3.requests().len() < 50 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(
        s3.requests().len(),
        50,
        "the second round waits for responses of the first one"
    );
    let (status, told) = response.await.unwrap();
    let results = told["objects"].as_array().unwrap().len();
    assert_eq!((status, results, s3.requests().len()), (200, 100, 100));
}

#[tokio::test]
async fn an_unavailable_bucket_is_reported_per_object() {
    let s3 = Fake::start(|_| (503, Vec::new(), String::new())).await;
    let handler = handler_of(&s3).await;
    let (status, told) = handle(&handler, ann(batch("upload", &json!([{"oid": OID, "size": 4}])))).await;
    assert_eq!((status, &told["objects"][0]["error"]["code"]), (200, &json!(503)));
}
