//! git-lfs: batches and locks, with the examples of its specification
//! ([batch](https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md),
//! [locks](https://github.com/git-lfs/git-lfs/blob/main/docs/api/locking.md)).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};
use signpost::config::{IdTableLocation, Settings};
use signpost::outbound::aws::CredentialSource;
use signpost::request::ApiRequest;
use signpost::response::ApiResponse;
use signpost::service::handler::Handler;

use crate::fake::{Fake, FakeResponse, ReceivedRequest};
use crate::support::{
    With as _, ask, body, credentials, handler, handler_with, header, json, now, parameter, settings,
};

/// The secrets are `secret` and `other`.
const RULES: &str = r#"
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

fn post(path: &str, body: &Value) -> ApiRequest {
    raw(path, &body.to_string())
}

fn raw(path: &str, body: &str) -> ApiRequest {
    ApiRequest {
        body: Bytes::from(body.to_owned()),
        ..ask("POST", path)
    }
    .with("accept", TYPE)
    .with("content-type", TYPE)
}

fn ann(request: ApiRequest) -> ApiRequest {
    request.with("authorization", "Basic YW5uOnNlY3JldA==")
}

fn bob(request: ApiRequest) -> ApiRequest {
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

async fn handle(handler: &Handler, request: ApiRequest) -> (u16, Value) {
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

// ---- locks ----

/// The items of a `DynamoDB` table: the attributes by the id of the item.
type Items = Arc<Mutex<BTreeMap<String, BTreeMap<String, Value>>>>;

/// Responds as `DynamoDB` does to the calls for locks.
fn dynamodb(items: &Items) -> impl FnMut(&ReceivedRequest) -> FakeResponse + Send + use<> {
    let items = Arc::clone(items);
    move |request| {
        let input: Value = serde_json::from_str(&request.body).unwrap();
        let mut items = items.lock().unwrap();
        if request.headers["x-amz-target"] == "DynamoDB_20120810.BatchGetItem" {
            return (200, Vec::new(), lookup(&items, &input).to_string());
        }
        assert_eq!(request.headers["x-amz-target"], "DynamoDB_20120810.UpdateItem");
        let item = items
            .entry(input["Key"]["id"]["S"].as_str().unwrap().to_owned())
            .or_default();
        let attribute = input["ExpressionAttributeNames"]["#lock"].as_str().unwrap().to_owned();
        let values = &input["ExpressionAttributeValues"];
        let is_allowed = match input["UpdateExpression"].as_str().unwrap() {
            "SET #lock = :lock" => {
                assert_eq!(input["ConditionExpression"], "attribute_not_exists(#lock)");
                !item.contains_key(&attribute)
            }
            "REMOVE #lock" => {
                assert_eq!(input["ConditionExpression"], "#lock.#id = :id");
                item.get(&attribute)
                    .is_some_and(|lock| lock["M"]["id"] == values[":id"])
            }
            other => panic!("{other}"),
        };
        if !is_allowed {
            let error = json!({"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"});
            return (400, Vec::new(), error.to_string());
        }
        match values.get(":lock") {
            Some(lock) => item.insert(attribute, lock.clone()),
            None => item.remove(&attribute),
        };
        (200, Vec::new(), "{}".to_owned())
    }
}

fn lookup(items: &BTreeMap<String, BTreeMap<String, Value>>, input: &Value) -> Value {
    let wanted = &input["RequestItems"]["signpost"];
    assert_eq!(wanted["ConsistentRead"], true);
    let ids = wanted["Keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["id"]["S"].as_str().unwrap());
    let found = ids.filter_map(|id| {
        let mut item = items.get(id)?.clone();
        item.insert("id".into(), json!({"S": id}));
        Some(json!(item))
    });
    json!({"Responses": {"signpost": found.collect::<Vec<_>>()}, "UnprocessedKeys": {}})
}

/// A temporary folder, which is deleted with the value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("signpost-locks-{}-{number}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A handler with a table in a folder.
async fn handler_in(rules: &str, folder: &Folder) -> Handler {
    let settings = Settings {
        table: Some(IdTableLocation::Folder(folder.0.clone())),
        ..settings(&[("SIGNPOST_RULES", rules)])
    };
    let source = CredentialSource::from_provider(credentials(None, None));
    Handler::start(settings, source).await.unwrap()
}

/// Handlers with both kinds of tables. The values must outlive the handlers.
async fn handlers_with_locks() -> Vec<(Handler, Option<Folder>, Option<Fake>)> {
    let table = Fake::start(dynamodb(&Items::default())).await;
    let env = [
        ("SIGNPOST_RULES", RULES),
        ("SIGNPOST_TABLE", "signpost"),
        ("AWS_ENDPOINT_URL_DYNAMODB", &table.endpoint),
    ];
    let with_table = handler_with(&env, credentials(None, None)).await;
    let folder = Folder::new();
    let with_folder = handler_in(RULES, &folder).await;
    vec![(with_table, None, Some(table)), (with_folder, Some(folder), None)]
}

fn lock(path: &str) -> ApiRequest {
    post(
        "/-/lfs/game/locks",
        &json!({"path": path, "ref": {"name": "refs/heads/main"}}),
    )
}

fn unlock(id: &Value, force: bool) -> ApiRequest {
    let path = format!("/-/lfs/game/locks/{}/unlock", id.as_str().unwrap());
    post(&path, &json!({"force": force, "ref": {"name": "refs/heads/main"}}))
}

fn paths(locks: &Value) -> Vec<&str> {
    let locks = locks.as_array().unwrap().iter();
    locks.map(|lock| lock["path"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_lock_is_created_once_listed_verified_and_removed() {
    for (handler, _folder, _table) in handlers_with_locks().await {
        let (status, created) = handle(&handler, ann(lock("foo/bar.zip"))).await;
        assert_eq!(status, 201, "{created}");
        let first = &created["lock"];
        assert_eq!(
            (&first["path"], &first["owner"]),
            (&json!("foo/bar.zip"), &json!({"name": "ann"}))
        );
        assert_eq!(first["locked_at"], "2026-07-10T19:19:04Z");
        for again in [ann(lock("foo/bar.zip")), bob(lock("foo/bar.zip"))] {
            let (status, conflict) = handle(&handler, again).await;
            assert_eq!((status, &conflict["lock"]), (409, first));
            assert!(conflict["message"].is_string());
        }
        let (status, second) = handle(&handler, bob(lock("x"))).await;
        assert_eq!(status, 201);

        let (status, listed) = handle(&handler, bob(ask("GET", "/-/lfs/game/locks"))).await;
        assert_eq!((status, listed["locks"].as_array().unwrap().len()), (200, 2));
        assert!(listed.get("next_cursor").is_none());
        let by_path = handle(&handler, ann(ask("GET", "/-/lfs/game/locks?path=x&id=&cursor=&limit=")))
            .await
            .1;
        assert_eq!(by_path["locks"], json!([second["lock"]]));
        let by_id = format!("/-/lfs/game/locks?id={}", first["id"].as_str().unwrap());
        assert_eq!(
            handle(&handler, ann(ask("GET", &by_id))).await.1["locks"],
            json!([first])
        );
        let other = handle(&handler, ann(ask("GET", "/-/lfs/team/game/locks"))).await.1;
        assert_eq!(other, json!({"locks": []}));

        let (_, verified) = handle(&handler, ann(post("/-/lfs/game/locks/verify", &json!({})))).await;
        assert_eq!(
            (paths(&verified["ours"]), paths(&verified["theirs"])),
            (vec!["foo/bar.zip"], vec!["x"])
        );

        let (status, removed) = handle(&handler, ann(unlock(&first["id"], false))).await;
        assert_eq!((status, &removed["lock"]), (200, first));
        assert_eq!(handle(&handler, ann(unlock(&first["id"], false))).await.0, 404);
        assert_eq!(handle(&handler, ann(lock("foo/bar.zip"))).await.0, 201);
    }
}

#[tokio::test]
async fn only_the_owner_or_a_rule_for_delete_removes_a_lock() {
    for (handler, _folder, _table) in handlers_with_locks().await {
        let (_, of_ann) = handle(&handler, ann(lock("a"))).await;
        let (_, of_bob) = handle(&handler, bob(lock("b"))).await;
        let (status, refused) = handle(&handler, bob(unlock(&of_ann["lock"]["id"], false))).await;
        assert_eq!(status, 403);
        assert!(refused["message"].as_str().unwrap().contains("ann"), "{refused}");
        assert_eq!(handle(&handler, bob(unlock(&of_ann["lock"]["id"], true))).await.0, 403);
        assert_eq!(handle(&handler, ann(unlock(&of_bob["lock"]["id"], false))).await.0, 403);
        let (status, removed) = handle(&handler, ann(unlock(&of_bob["lock"]["id"], true))).await;
        assert_eq!((status, &removed["lock"]), (200, &of_bob["lock"]));
        assert_eq!(handle(&handler, unlock(&of_ann["lock"]["id"], true)).await.0, 401);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_50_concurrent_requests_locks_a_path() {
    for (handler, _folder, _table) in handlers_with_locks().await {
        let requests = (0..50).map(|number| {
            let handler = handler.clone();
            let request = if number % 2 == 0 {
                ann(lock("a/b"))
            } else {
                bob(lock("a/b"))
            };
            tokio::spawn(async move { handler.handle(&request, now()).await })
        });
        let mut responses: Vec<ApiResponse> = Vec::new();
        for request in requests.collect::<Vec<_>>() {
            responses.push(request.await.unwrap());
        }
        let created: Vec<_> = responses.iter().filter(|response| response.status() == 201).collect();
        assert_eq!(created.len(), 1);
        let lock = &json(created[0])["lock"];
        let others = responses.iter().filter(|response| response.status() == 409);
        assert_eq!(others.filter(|response| json(response)["lock"] == *lock).count(), 49);
    }
}

#[tokio::test]
async fn locks_are_listed_in_pages() {
    for (handler, _folder, _table) in handlers_with_locks().await {
        let mut expected = Vec::new();
        for number in 0..5 {
            let path = format!("f{number}");
            let request = ann(lock(&path));
            let response = handler.handle(&request, now() + Duration::from_secs(number)).await;
            assert_eq!(response.status(), 201);
            expected.push(path);
        }
        let mut listed = Vec::new();
        let mut cursor = String::new();
        for _ in 0..3 {
            let path = format!("/-/lfs/game/locks?limit=2&cursor={cursor}");
            let page = handle(&handler, bob(ask("GET", &path))).await.1;
            assert!(page["locks"].as_array().unwrap().len() <= 2);
            listed.extend(paths(&page["locks"]).into_iter().map(str::to_owned));
            cursor = page["next_cursor"].as_str().unwrap_or_default().to_owned();
        }
        assert_eq!((listed, cursor), (expected, String::new()));
        let verify = post("/-/lfs/game/locks/verify", &json!({"limit": 3, "cursor": null}));
        let page = handle(&handler, ann(verify)).await.1;
        assert_eq!(page["ours"].as_array().unwrap().len(), 3);
        let next = json!({"limit": 3, "cursor": page["next_cursor"]});
        let page = handle(&handler, ann(post("/-/lfs/game/locks/verify", &next))).await.1;
        assert_eq!(paths(&page["ours"]), ["f3", "f4"]);
        assert!(page.get("next_cursor").is_none());
    }
}

#[tokio::test]
async fn rules_decide_about_each_lock() {
    let rules = format!(
        "{RULES}
[[rule]]
id = \"hidden\"
effect = \"deny\"
who = [\"token:bob\"]
can = [\"read\", \"write\"]
on = [\"lfs/game/locks/secret/**\"]
"
    );
    let folder = Folder::new();
    let handler = handler_in(&rules, &folder).await;
    assert_eq!(handle(&handler, ann(lock("secret/plan"))).await.0, 201);
    assert_eq!(handle(&handler, bob(lock("secret/other"))).await.0, 403);
    let listed = handle(&handler, bob(ask("GET", "/-/lfs/game/locks"))).await.1;
    assert_eq!(listed, json!({"locks": []}));
    let verified = handle(&handler, bob(post("/-/lfs/game/locks/verify", &json!({}))))
        .await
        .1;
    assert_eq!(verified, json!({"ours": [], "theirs": []}));
    let read_only = handle(&handler, ann(post("/-/lfs/docs/locks", &json!({"path": "a"})))).await;
    assert_eq!(read_only.0, 403);
    assert_eq!(
        handle(&handler, ann(post("/-/lfs/docs/locks/verify", &json!({}))))
            .await
            .0,
        403
    );
    assert_eq!(handle(&handler, ann(ask("GET", "/-/lfs/docs/locks"))).await.0, 200);
    assert_eq!(handle(&handler, bob(ask("GET", "/-/lfs/docs/locks"))).await.0, 403);
    assert_eq!(handle(&handler, ask("GET", "/-/lfs/game/locks")).await.0, 401);
}

#[tokio::test]
async fn a_caller_who_may_only_write_verifies_the_locks_of_others() {
    let rules = format!(
        "{RULES}
[[rule]]
id = \"blind\"
effect = \"deny\"
who = [\"token:bob\"]
can = [\"read\"]
on = [\"lfs/game/**\"]
"
    );
    let folder = Folder::new();
    let handler = handler_in(&rules, &folder).await;
    assert_eq!(handle(&handler, ann(lock("plan"))).await.0, 201);
    let verify = post("/-/lfs/game/locks/verify", &json!({}));
    let (status, verified) = handle(&handler, bob(verify)).await;
    assert_eq!((status, paths(&verified["theirs"])), (200, vec!["plan"]), "{verified}");
}

#[tokio::test]
async fn invalid_requests_for_locks_are_rejected() {
    for (handler, _folder, _table) in handlers_with_locks().await {
        let long = "a".repeat(1100);
        for path in [
            "", "/", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\nb", "a\u{0}", &long,
        ] {
            let (status, told) = handle(&handler, ann(lock(path))).await;
            assert_eq!(status, 422, "{path:?}: {told}");
        }
        for (path, body) in [
            ("/-/lfs/game/locks", ""),
            ("/-/lfs/game/locks", "[]"),
            ("/-/lfs/game/locks", "{}"),
            ("/-/lfs/game/locks", "{\"path\":1}"),
            ("/-/lfs/game/locks/verify", ""),
            ("/-/lfs/game/locks/verify", "{\"cursor\":\"x\"}"),
            ("/-/lfs/game/locks/verify", "{\"limit\":-1}"),
            ("/-/lfs/game/locks/verify", "{\"limit\":\"a\"}"),
            ("/-/lfs/game/locks/x/unlock", "{\"force\":1}"),
        ] {
            assert_eq!(handle(&handler, ann(raw(path, body))).await.0, 422, "{path} {body}");
        }
        for query in ["cursor=x", "limit=-1", "limit=x", "limit=1&limit=2"] {
            let request = ann(ask("GET", &format!("/-/lfs/game/locks?{query}")));
            assert_eq!(handle(&handler, request).await.0, 422, "{query}");
        }
        for id in ["x", "../x", "01M8P29Z8AKC3622B6Y31AB50J"] {
            let path = format!("/-/lfs/game/locks/{id}/unlock");
            let (status, _) = handle(&handler, ann(post(&path, &json!({})))).await;
            assert_eq!(status, 404, "{id}");
        }
    }
}

#[tokio::test]
async fn locks_require_a_table_and_a_table_that_responds() {
    let handler = handler(RULES).await;
    for request in [
        lock("a"),
        ask("GET", "/-/lfs/game/locks"),
        post("/-/lfs/game/locks/verify", &json!({})),
    ] {
        let (status, told) = handle(&handler, ann(request)).await;
        assert_eq!(status, 404, "git-lfs continues a push after this status");
        assert!(told["message"].as_str().unwrap().contains("SIGNPOST_TABLE"));
    }
    let table = Fake::start(|_| (500, Vec::new(), String::new())).await;
    let env = [
        ("SIGNPOST_RULES", RULES),
        ("SIGNPOST_TABLE", "signpost"),
        ("AWS_ENDPOINT_URL_DYNAMODB", &table.endpoint),
    ];
    let handler = handler_with(&env, credentials(None, None)).await;
    assert_eq!(handle(&handler, ann(ask("GET", "/-/lfs/game/locks"))).await.0, 503);
    assert_eq!(handle(&handler, ann(lock("a"))).await.0, 503);
}

#[tokio::test]
async fn a_repeated_call_whose_first_response_was_lost_still_owns_the_lock() {
    let mut store = dynamodb(&Items::default());
    let mut lost = false;
    let table = Fake::start(move |request| {
        let response = store(request);
        if !lost && request.headers["x-amz-target"] == "DynamoDB_20120810.UpdateItem" {
            lost = true;
            return (500, Vec::new(), String::new());
        }
        response
    })
    .await;
    let env = [
        ("SIGNPOST_RULES", RULES),
        ("SIGNPOST_TABLE", "signpost"),
        ("AWS_ENDPOINT_URL_DYNAMODB", &table.endpoint),
    ];
    let handler = handler_with(&env, credentials(None, None)).await;
    assert_eq!(handle(&handler, ann(lock("a"))).await.0, 201);
}

#[tokio::test]
async fn a_full_table_is_reported() {
    let table = Fake::start(|_| {
        let error = json!({
            "__type": "com.amazon.coral.validate#ValidationException",
            "message": "Item size to update has exceeded the maximum allowed size",
        });
        (400, Vec::new(), error.to_string())
    })
    .await;
    let env = [
        ("SIGNPOST_RULES", RULES),
        ("SIGNPOST_TABLE", "signpost"),
        ("AWS_ENDPOINT_URL_DYNAMODB", &table.endpoint),
    ];
    let handler = handler_with(&env, credentials(None, None)).await;
    assert_eq!(handle(&handler, ann(lock("a"))).await.0, 507);
}
