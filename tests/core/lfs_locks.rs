//! git-lfs: locks, with the examples of
//! [its specification](https://github.com/git-lfs/git-lfs/blob/main/docs/api/locking.md).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use signpost::config::{IdTableLocation, Settings};
use signpost::outbound::aws::CredentialSource;
use signpost::request::ApiRequest;
use signpost::response::ApiResponse;
use signpost::service::handler::Handler;

use crate::fake::{Fake, FakeResponse, ReceivedRequest};
use crate::lfs::{RULES, ann, bob, handle, post, raw};
use crate::support::{ask, credentials, handler, handler_with, json, now, settings};

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
