//! The id table in `DynamoDB`: the requests to it, their number, and the response while it is unavailable.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use signpost::request::ApiRequest;
use signpost::service::handler::Handler;

use crate::fake::{Fake, FakeResponse, ReceivedRequest};
use crate::opaque::{RULES, by, signed};
use crate::support::{With as _, ask, body, credentials, handler_with, json, now};

type Items = Arc<Mutex<HashMap<String, String>>>;

const UPDATE: &str = "DynamoDB_20120810.UpdateItem";
const LOOKUP: &str = "DynamoDB_20120810.BatchGetItem";

/// Stores ids as `DynamoDB` does, and accepts only the update and the lookup that the service sends.
fn keeping(items: &Items) -> impl FnMut(&ReceivedRequest) -> FakeResponse + Send + use<> {
    let items = Arc::clone(items);
    move |asked| {
        let input: Value = serde_json::from_str(&asked.body).unwrap();
        let mut items = items.lock().unwrap();
        let told = if asked.headers["x-amz-target"] == UPDATE {
            update(&mut items, &input)
        } else {
            assert_eq!(asked.headers["x-amz-target"], LOOKUP);
            lookup(&items, &input)
        };
        (200, Vec::new(), told.to_string())
    }
}

fn update(items: &mut HashMap<String, String>, input: &Value) -> Value {
    assert_eq!(
        input["UpdateExpression"], "SET #ulid = if_not_exists(#ulid, :ulid)",
        "an entry does not expire, and its id never changes"
    );
    assert_eq!(input["ExpressionAttributeNames"], json!({"#ulid": "ulid"}));
    assert_eq!(
        (&input["TableName"], &input["ReturnValues"]),
        (&json!("signpost"), &json!("ALL_NEW"))
    );
    let id = input["Key"]["id"]["S"].as_str().unwrap().to_owned();
    let new = input["ExpressionAttributeValues"][":ulid"]["S"]
        .as_str()
        .unwrap()
        .to_owned();
    let ulid = items.entry(id.clone()).or_insert(new);
    json!({"Attributes": {"id": {"S": id}, "ulid": {"S": ulid}}})
}

fn lookup(items: &HashMap<String, String>, input: &Value) -> Value {
    let wanted = &input["RequestItems"]["signpost"];
    assert_eq!(wanted["ConsistentRead"], true);
    let keys = wanted["Keys"].as_array().unwrap();
    assert!((1..=100).contains(&keys.len()));
    let keys: Vec<_> = keys.iter().map(|key| key["id"]["S"].as_str().unwrap()).collect();
    assert!(
        (1..keys.len()).all(|index| !keys[index..].contains(&keys[index - 1])),
        "a repeated key is rejected"
    );
    let found = keys.iter().rev().filter_map(|id| Some((id, items.get(*id)?)));
    let found: Vec<_> = found
        .map(|(id, ulid)| json!({"id": {"S": id}, "ulid": {"S": ulid}}))
        .collect();
    json!({"Responses": {"signpost": found}, "UnprocessedKeys": {}})
}

async fn serve(table: &Fake) -> Handler {
    let env = [
        ("SIGNPOST_RULES", RULES),
        ("SIGNPOST_TABLE", "signpost"),
        ("AWS_ENDPOINT_URL_DYNAMODB", &table.endpoint),
    ];
    handler_with(&env, credentials(None, None)).await
}

async fn each(handler: &Handler, wanted: &[Value]) -> Vec<Value> {
    let request = ApiRequest {
        body: Bytes::from(json!(wanted).to_string()),
        ..ask("POST", "/-/sign")
    };
    let answer = handler.handle(&by("a", request), now()).await;
    assert_eq!(answer.status(), 200, "{}", body(&answer));
    json(&answer).as_array().unwrap().clone()
}

fn upload(key: &str) -> Value {
    json!({"method": "PUT", "key": key, "query": {"contentLength": 5}})
}

/// The path in S3 of an instruction.
fn path(instruction: &Value) -> &str {
    let url = instruction["url"].as_str().unwrap_or_else(|| panic!("{instruction}"));
    url.split_once(".com/").unwrap().1.split('?').next().unwrap()
}

fn targets(table: &Fake) -> Vec<String> {
    let asked = table.requests();
    asked
        .iter()
        .map(|asked| asked.headers["x-amz-target"].to_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_first_uploads_use_one_storage_key() {
    let table = Fake::start(keeping(&Items::default())).await;
    let handler = serve(&table).await;
    let uploads = (0..50).map(|_| {
        let handler = handler.clone();
        tokio::spawn(async move { signed(&handler, by("a", ask("PUT", "/docs/x").sized(5))).await.unwrap() })
    });
    let mut keys = Vec::new();
    for upload in uploads.collect::<Vec<_>>() {
        keys.push(upload.await.unwrap());
    }
    keys.dedup();
    assert_eq!(keys.len(), 1, "one storage key for all uploads: {keys:?}");
    assert_eq!(table.requests().len(), 50, "one request to the table for each upload");
}

#[tokio::test]
async fn an_upload_needs_one_update_and_other_requests_one_lookup() {
    let items = Items::default();
    let table = Fake::start(keeping(&items)).await;
    let handler = serve(&table).await;
    let stored = signed(&handler, by("a", ask("PUT", "/docs/x").sized(5))).await.unwrap();
    assert_eq!(targets(&table), [UPDATE]);
    let expected = HashMap::from([(
        "key:objects/{id}:docs/x".to_owned(),
        stored["/objects/".len()..].to_owned(),
    )]);
    assert_eq!(*items.lock().unwrap(), expected);
    for (method, path) in [
        ("GET", "/docs/x"),
        ("HEAD", "/docs/x"),
        ("DELETE", "/docs/x"),
        ("PUT", "/docs/x?partNumber=2&uploadId=u"),
        ("POST", "/docs/x?uploadId=u"),
    ] {
        let before = table.requests().len();
        assert_eq!(
            signed(&handler, by("a", ask(method, path).sized(5))).await,
            Ok(stored.clone()),
            "{method} {path}"
        );
        assert_eq!(targets(&table)[before..], [LOOKUP], "{method} {path}");
    }
}

#[tokio::test]
async fn requests_without_an_id_do_not_query_the_table() {
    let table = Fake::start(keeping(&Items::default())).await;
    let handler = serve(&table).await;
    for (token, method, path) in [
        ("a", "GET", "/plain/x"),
        ("a", "PUT", "/plain/x"),
        ("a", "GET", "/plain/?form"),
        ("a", "GET", "/docs/x?nonsense"),
        ("a", "GET", "/docs/?form"),
        ("b", "DELETE", "/docs/x"),
        ("wrong", "GET", "/docs/x"),
        ("a", "OPTIONS", "/docs/x"),
    ] {
        handler.handle(&by(token, ask(method, path).sized(5)), now()).await;
        assert_eq!(targets(&table), [""; 0], "{token}: {method} {path}");
    }
    handler.handle(&ask("PUT", "/docs/x").sized(5), now()).await;
    assert_eq!(targets(&table), [""; 0], "an anonymous upload");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_request_looks_up_all_ids_in_one_batch() {
    let table = Fake::start(keeping(&Items::default())).await;
    let handler = serve(&table).await;
    let names: Vec<_> = (0..100).map(|number| format!("docs/{number}")).collect();
    table.delay(Duration::from_millis(200));
    let uploads = each(&handler, &names.iter().map(|name| upload(name)).collect::<Vec<_>>()).await;
    assert!(table.take_most_waiting() > 4, "the updates of the table are concurrent");
    assert_eq!(table.requests().len(), 100);
    let reads: Vec<_> = names.iter().map(|name| json!({"method": "GET", "key": name})).collect();
    let reads = each(&handler, &reads).await;
    assert!(table.take_most_waiting() > 1, "the lookups are concurrent");
    assert_eq!(targets(&table)[100..], [LOOKUP; 4]);
    for (name, (upload, read)) in names.iter().zip(uploads.iter().zip(&reads)) {
        assert_eq!((&read["key"], path(read)), (&json!(name), path(upload)), "{name}");
    }
    // The parts of one object need one lookup.
    let part = |number| json!({"method": "PUT", "key": "docs/7", "query": {"partNumber": number, "uploadId": "u"}});
    let parts = each(&handler, &(1..=100).map(part).collect::<Vec<_>>()).await;
    for (index, part) in parts.iter().enumerate() {
        assert_eq!(path(part), path(&uploads[7]), "part {}", index + 1);
    }
    assert_eq!(table.requests().len(), 105);
    // An upload and a download in one bulk request use the same id.
    let both = each(
        &handler,
        &[json!({"method": "GET", "key": "docs/new"}), upload("docs/new")],
    )
    .await;
    assert_eq!(path(&both[0]), path(&both[1]));
}

#[tokio::test]
async fn nothing_that_needs_an_id_is_signed_while_the_table_is_unavailable() {
    let items = Items::default();
    let table = Fake::start(keeping(&items)).await;
    let handler = serve(&table).await;
    let stored = signed(&handler, by("a", ask("PUT", "/docs/x").sized(5))).await.unwrap();
    let unfinished =
        json!({"Responses": {}, "UnprocessedKeys": {"signpost": {"Keys": [{"id": {"S": "key:"}}]}}}).to_string();
    let no_id =
        json!({"Attributes": {"ulid": {"S": "no id"}}, "Responses": {"signpost": [{"id": {"S": "x"}}]}}).to_string();
    for (status, answer) in [
        (
            400,
            r#"{"__type":"com.amazon.coral.service#AccessDeniedException"}"#.to_owned(),
        ),
        (500, String::new()),
        (200, unfinished),
        (200, no_id),
        (200, "garbage".to_owned()),
    ] {
        let shown = answer.clone();
        table.answer(move |_| (status, Vec::new(), answer.clone()));
        for request in [
            ask("GET", "/docs/x"),
            ask("PUT", "/docs/x").sized(5),
            ask("GET", "/docs/x?form"),
        ] {
            let failed = handler.handle(&by("a", request), now()).await;
            assert_eq!(failed.status(), 503, "the table responds {status} {shown}");
            assert!(
                !body(&failed).contains("Denied") && !body(&failed).contains("amazon"),
                "{}",
                body(&failed)
            );
        }
        let wanted = [
            json!({"method": "GET", "key": "docs/x"}),
            json!({"method": "GET", "key": "plain/x"}),
        ];
        let told = each(&handler, &wanted).await;
        assert_eq!(told[0]["error"]["status"], 503, "{told:?}");
        assert_eq!(path(&told[1]), "plain/x");
    }
    // A throttled request is sent again.
    let mut turn = 0;
    let mut good = keeping(&items);
    table.answer(move |asked| {
        turn += 1;
        match turn {
            1 => (
                400,
                Vec::new(),
                json!({"__type": "x#ProvisionedThroughputExceededException"}).to_string(),
            ),
            2 => (
                200,
                Vec::new(),
                json!({"Responses": {}, "UnprocessedKeys": {"signpost": {"Keys": []}}}).to_string(),
            ),
            _ => good(asked),
        }
    });
    assert_eq!(signed(&handler, by("a", ask("GET", "/docs/x"))).await, Ok(stored));
}
