//! Share links with limited uses: each use is granted once, even for concurrent requests.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use serde_json::{Value, json};
use signpost::config::{IdTableLocation, Settings};
use signpost::outbound::aws::CredentialSource;
use signpost::request::ApiRequest;
use signpost::service::handler::Handler;

use crate::fake::{Fake, FakeResponse, ReceivedRequest};
use crate::support::{With as _, ask, body, credentials, handler_with, header, json, now, settings};

/// The secret of the token is `secret`.
const RULES: &str = r#"
version = 1
[[token]]
id = "ann"
sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
[[rule]]
id = "all"
who = ["token:ann"]
can = ["read", "write"]
on = ["**"]
overwrite = true
share = ["read", "write"]
"#;

const ENV: [(&str, &str); 2] = [
    ("SIGNPOST_RULES", RULES),
    ("SIGNPOST_KEYS", "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
];

/// Updates a counter as `DynamoDB` does, and accepts only the update that the service sends.
fn counting() -> impl FnMut(&ReceivedRequest) -> FakeResponse + Send + 'static {
    let mut counters: HashMap<String, u64> = HashMap::new();
    move |asked| {
        assert_eq!(asked.headers["x-amz-target"], "DynamoDB_20120810.UpdateItem");
        assert_eq!(asked.headers["content-type"], "application/x-amz-json-1.0");
        let signature = asked.headers["authorization"].to_str().unwrap();
        assert!(signature.contains("/eu-central-1/dynamodb/aws4_request"), "{signature}");
        let update: Value = serde_json::from_str(&asked.body).unwrap();
        assert_eq!(update["TableName"], "signpost");
        assert_eq!(update["UpdateExpression"], "SET #ends = :ends ADD #used :one");
        assert_eq!(
            update["ConditionExpression"],
            "attribute_not_exists(#used) OR #used < :most"
        );
        assert_eq!(
            update["ExpressionAttributeNames"],
            json!({"#used": "used", "#ends": "ends"})
        );
        let values = &update["ExpressionAttributeValues"];
        let number = |name: &str| values[name]["N"].as_str().unwrap().parse::<u64>().unwrap();
        assert_eq!((values.as_object().unwrap().len(), number(":one")), (3, 1));
        let used = counters
            .entry(update["Key"]["id"]["S"].as_str().unwrap().to_owned())
            .or_default();
        if *used >= number(":most") {
            let kind = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
            return (
                400,
                Vec::new(),
                json!({"__type": kind, "message": "The conditional request failed"}).to_string(),
            );
        }
        *used += 1;
        (200, Vec::new(), "{}".to_owned())
    }
}

async fn in_dynamodb(table: &Fake) -> Handler {
    let table = [
        ("SIGNPOST_TABLE", "signpost"),
        ("AWS_ENDPOINT_URL_DYNAMODB", &table.endpoint),
    ];
    let env: Vec<_> = ENV.into_iter().chain(table).collect();
    handler_with(&env, credentials(None, None)).await
}

async fn in_folder(name: &str) -> Handler {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    let settings = Settings {
        table: Some(IdTableLocation::Folder(folder)),
        ..settings(&ENV)
    };
    let source = CredentialSource::from_provider(credentials(None, None));
    Handler::start(settings, source).await.unwrap()
}

async fn nowhere() -> Handler {
    handler_with(&ENV, credentials(None, None)).await
}

fn share(wanted: &Value) -> ApiRequest {
    static REQUESTS: AtomicU32 = AtomicU32::new(0);
    ApiRequest {
        body: Bytes::from(wanted.to_string()),
        request_id: format!("share-{}", REQUESTS.fetch_add(1, Ordering::Relaxed)),
        ..ask("POST", "/-/share")
    }
    .with("authorization", "Bearer secret")
    .with("accept", "application/vnd.signpost+json, application/json")
}

/// The value of `?share` in a new link.
async fn link(handler: &Handler, wanted: Value) -> String {
    let told = handler.handle(&share(&wanted), now()).await;
    assert_eq!(told.status(), 200, "{}", body(&told));
    let url = json(&told)["url"].as_str().unwrap().to_owned();
    url.split_once("?share=").unwrap().1.to_owned()
}

async fn status(handler: &Handler, method: &str, path: &str) -> u16 {
    handler
        .handle(&ask(method, path).sized(5), now())
        .await
        .status()
        .as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_requests_never_exceed_the_uses_of_a_link() {
    let table = Fake::start(counting()).await;
    for (place, handler) in [
        ("table", in_dynamodb(&table).await),
        ("folder", in_folder("uses-at-once").await),
    ] {
        for uses in [1, 3] {
            let link = link(&handler, json!({"key": format!("k{uses}"), "uses": uses})).await;
            let clicks = (0..50).map(|_| {
                let (handler, path) = (handler.clone(), format!("/k{uses}?share={link}"));
                tokio::spawn(async move { handler.handle(&ask("GET", &path), now()).await })
            });
            let mut statuses = HashMap::new();
            for click in clicks.collect::<Vec<_>>() {
                let answer = click.await.unwrap();
                let status = answer.status().as_u16();
                *statuses.entry(status).or_insert(0) += 1;
                assert_eq!(header(&answer, "location").is_empty(), status != 307);
            }
            assert_eq!(statuses, HashMap::from([(307, uses), (401, 50 - uses)]), "{place}");
            // Later requests are rejected too.
            assert_eq!(status(&handler, "GET", &format!("/k{uses}?share={link}")).await, 401);
        }
    }
}

#[tokio::test]
async fn only_an_instruction_consumes_a_use() {
    let table = Fake::start(counting()).await;
    let handler = in_dynamodb(&table).await;
    let one = link(&handler, json!({"key": "k", "uses": 1})).await;
    for (method, path, refused) in [
        ("GET", "/other?share={}", 403),
        ("HEAD", "/k?share={}", 403),
        ("PUT", "/k?share={}", 403),
        ("GET", "/k?share={}&nonsense", 400),
        ("GET", "/k?share={}0", 401),
        ("OPTIONS", "/k?share={}", 204),
    ] {
        assert_eq!(
            status(&handler, method, &path.replace("{}", &one)).await,
            refused,
            "{method} {path}"
        );
    }
    assert!(table.requests().is_empty());
    assert_eq!(status(&handler, "GET", &format!("/k?share={one}")).await, 307);
    assert_eq!(table.requests().len(), 1);
    let update: Value = serde_json::from_str(&table.requests()[0].body).unwrap();
    let id = update["Key"]["id"]["S"].as_str().unwrap();
    assert!(
        id.starts_with("use:") && !id.contains(&one),
        "an item holds the link's id and not the link"
    );
    let day_after_its_end = now() + std::time::Duration::from_hours(48);
    let seconds = day_after_its_end
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    assert_eq!(update["ExpressionAttributeValues"][":ends"]["N"], seconds.to_string());
}

#[tokio::test]
async fn head_consumes_a_use() {
    let handler = in_folder("uses-head").await;
    let two = link(&handler, json!({"key": "k", "methods": ["GET", "HEAD"], "uses": 2})).await;
    let path = format!("/k?share={two}");
    assert_eq!(status(&handler, "HEAD", &path).await, 307);
    assert_eq!(status(&handler, "GET", &path).await, 307);
    assert_eq!(status(&handler, "HEAD", &path).await, 401);
}

#[tokio::test]
async fn a_link_with_limited_uses_allows_no_multipart_upload() {
    let handler = in_folder("uses-many").await;
    let drop = link(&handler, json!({"prefix": "drop/", "methods": ["PUT"], "uses": 1})).await;
    for (method, path) in [
        ("POST", "/drop/k?uploads&share={}"),
        ("PUT", "/drop/k?partNumber=1&uploadId=u&share={}"),
        ("POST", "/drop/k?uploadId=u&share={}"),
        ("GET", "/drop/?form&share={}"),
        ("GET", "/drop/k?form&share={}"),
    ] {
        let answer = handler.handle(&ask(method, &path.replace("{}", &drop)), now()).await;
        assert_eq!(answer.status(), 403, "{method} {path}: {}", body(&answer));
    }
    // Each item of a bulk request consumes a use.
    let wanted = json!({"method": "PUT", "key": "drop/k", "query": {"share": drop}});
    let both = ApiRequest {
        body: Bytes::from(json!([wanted, wanted]).to_string()),
        ..ask("POST", "/-/sign")
    };
    let told = json(&handler.handle(&both, now()).await);
    assert!(told[0]["url"].is_string(), "{told}");
    assert_eq!(told[1]["error"]["status"], 401, "{told}");
}

#[tokio::test]
async fn a_link_without_limited_uses_does_not_query_the_table() {
    let table = Fake::start(counting()).await;
    let handler = in_dynamodb(&table).await;
    let link = link(&handler, json!({"key": "k"})).await;
    for _ in 0..3 {
        assert_eq!(status(&handler, "GET", &format!("/k?share={link}")).await, 307);
    }
    assert!(table.requests().is_empty());
}

#[tokio::test]
async fn limited_uses_require_a_table() {
    let table = Fake::start(counting()).await;
    let handler = in_dynamodb(&table).await;
    let one = link(&handler, json!({"key": "k", "uses": 1})).await;
    let path = format!("/k?share={one}");
    let elsewhere = nowhere().await;
    assert_eq!(
        status(&elsewhere, "GET", &path).await,
        503,
        "a link of a time when there was a table"
    );
    let refused = elsewhere.handle(&share(&json!({"key": "k", "uses": 1})), now()).await;
    assert_eq!(refused.status(), 400);
    assert!(body(&refused).contains("SIGNPOST_TABLE"), "{}", body(&refused));
    for (status_of_table, answer) in [
        (400, r#"{"__type":"com.amazon.coral.service#AccessDeniedException"}"#),
        (500, ""),
    ] {
        table.answer(move |_| (status_of_table, Vec::new(), answer.to_owned()));
        let failed = handler.handle(&ask("GET", &path), now()).await;
        assert_eq!(failed.status(), 503);
        assert!(!body(&failed).contains("Denied") && header(&failed, "location").is_empty());
    }
    table.answer(counting());
    assert_eq!(status(&handler, "GET", &path).await, 307);
}

#[tokio::test]
async fn the_number_of_uses_is_limited_and_returned() {
    let handler = in_folder("uses-number").await;
    for (uses, expected) in [(0, 400), (1, 200), (1000, 200), (1001, 400)] {
        let told = handler.handle(&share(&json!({"key": "k", "uses": uses})), now()).await;
        assert_eq!(told.status(), expected, "{uses}");
        if expected == 200 {
            assert_eq!(json(&told)["uses"], uses);
            assert_eq!(json(&told)["methods"], json!(["GET"]));
        }
    }
}

#[tokio::test]
async fn a_prefetch_does_not_consume_a_use() {
    let handler = in_folder("uses-prefetch").await;
    let link = link(&handler, json!({"key": "a", "uses": 1})).await;
    let path = format!("/a?share={link}");
    for (name, value) in [
        ("sec-purpose", "prefetch"),
        ("sec-purpose", "prefetch;prerender"),
        ("sec-purpose", "prefetch;anonymous-client-ip"),
        ("Purpose", "prefetch"),
        ("Purpose", "Prefetch"),
        ("x-purpose", "preview"),
        ("X-Moz", "prefetch"),
    ] {
        let prefetch = ask("GET", &path).with(name, value);
        let response = handler.handle(&prefetch, now()).await;
        assert_eq!(response.status(), 503, "{name}: {value}: {}", body(&response));
        assert_eq!(header(&response, "cache-control"), "no-store");
        assert_eq!(header(&response, "location"), "");
    }
    assert_eq!(status(&handler, "GET", &path).await, 307);
    assert_eq!(status(&handler, "GET", &path).await, 401);
}

#[tokio::test]
async fn a_prefetch_of_a_link_without_a_limit_is_redirected() {
    let handler = in_folder("uses-prefetch-unlimited").await;
    let link = link(&handler, json!({"key": "a"})).await;
    let prefetch = ask("GET", &format!("/a?share={link}")).with("sec-purpose", "prefetch");
    assert_eq!(handler.handle(&prefetch, now()).await.status(), 307);
}
