//! Mounts through every front: the boundary of a mount, and listings above, at and below mounts.

use serde_json::{Value, json};
use signpost::service::handler::Handler;

use crate::fronts::{alb, answer, decoded, function_url, http_api, location, rest, rest_behind};
use crate::s3::{self, FakeS3};
use crate::support::{credentials, handler_with, parameter};

const RULES: &str = r#"
version = 1
[[mount]]
at = "archive/"
bucket = "acme-archive"
prefix = "2024/"
[[mount]]
at = "archive/hot/"
bucket = "acme-hot"
[[rule]]
id = "all"
who = ["anyone"]
can = ["read", "list"]
on = ["**"]
"#;

/// The beginnings of the URLs of the three buckets.
const ROOT: &str = "example-bucket.s3.eu-central-1.amazonaws.com";
const ARCHIVE: &str = "acme-archive.s3.eu-central-1.amazonaws.com/2024";
const HOT: &str = "acme-hot.s3.eu-central-1.amazonaws.com";

/// The event of every front for a request to `path`.
fn events(path: &str) -> [(&'static str, Value); 8] {
    [
        ("rest", rest(path)),
        ("rest, custom domain", rest_behind(path, "", "")),
        ("rest, base path", rest_behind(path, "/base", "/base")),
        ("http, $default", http_api(&decoded(path), "$default")),
        ("http, named stage", http_api(&decoded(path), "live")),
        ("url", function_url(path)),
        ("alb", alb(path)),
        ("alb-multi-value", multi_value(alb(path))),
    ]
}

/// The event of an ALB whose target group has multi-value headers.
fn multi_value(mut event: Value) -> Value {
    let headers = event["headers"].as_object().unwrap().clone();
    let headers = headers.into_iter().map(|(name, value)| (name, json!([value])));
    event["multiValueHeaders"] = Value::Object(headers.collect());
    event["multiValueQueryStringParameters"] = json!({});
    let event_fields = event.as_object_mut().unwrap();
    event_fields.remove("headers");
    event_fields.remove("queryStringParameters");
    event
}

/// The event with the header `Accept` for JSON, and with a query parameter if `next` is not empty.
fn listing(mut event: Value, next: &str) -> Value {
    let has = |event: &Value, field: &str| event.get(field).is_some();
    if has(&event, "headers") {
        event["headers"]["accept"] = "application/json".into();
    }
    if has(&event, "multiValueHeaders") {
        event["multiValueHeaders"]["accept"] = json!(["application/json"]);
    }
    if next.is_empty() {
        return event;
    }
    if has(&event, "rawQueryString") {
        event["rawQueryString"] = format!("next={next}").into();
    }
    if has(&event, "queryStringParameters") {
        event["queryStringParameters"] = json!({"next": next});
    }
    if has(&event, "multiValueQueryStringParameters") {
        event["multiValueQueryStringParameters"] = json!({"next": [next]});
    }
    event
}

#[tokio::test]
async fn the_boundary_of_a_mount_is_the_same_on_every_front() {
    let handler = handler_with(&[("SIGNPOST_RULES", RULES)], credentials(None, None)).await;
    for (path, bucket, key) in [
        ("/archive", ROOT, "archive"),
        ("/archive/a", ARCHIVE, "a"),
        ("/archive%2Fa", ARCHIVE, "a"),
        ("/archive%2fa", ARCHIVE, "a"),
        ("/%61rchive/a", ARCHIVE, "a"),
        ("/archive%252Fa", ROOT, "archive%252Fa"),
        ("/archive//a", ARCHIVE, "/a"),
        ("/archive/%2Fa", ARCHIVE, "/a"),
        ("//archive/a", ROOT, "/archive/a"),
        ("/%2Farchive/a", ROOT, "/archive/a"),
        ("/archive%5Ca", ROOT, "archive%5Ca"),
        ("/ARCHIVE/a", ROOT, "ARCHIVE/a"),
        ("/archive%20/a", ROOT, "archive%20/a"),
        ("/archive/hot", ARCHIVE, "hot"),
        ("/archive/hot/a", HOT, "a"),
        ("/archive%2Fhot%2Fa", HOT, "a"),
        ("/archive/hot%2Fa", HOT, "a"),
        ("/archive/hot%252Fa", ARCHIVE, "hot%252Fa"),
        ("/archive//hot/a", ARCHIVE, "/hot/a"),
    ] {
        for (front, event) in events(path) {
            let answer = answer(&handler, &event).await;
            let url = location(&answer);
            let url = url.split('?').next().unwrap();
            assert_eq!(url, format!("https://{bucket}/{key}"), "{front} {path}: {answer}");
        }
    }
    for path in [
        "/archive/../x",
        "/archive/%2e%2e/x",
        "/x/..%2Farchive%2Fa",
        "/archive%2F..%2Fx",
        "/archive/hot/./a",
    ] {
        for (front, event) in events(path) {
            let answer = answer(&handler, &event).await;
            assert_eq!(answer["statusCode"], 400, "{front} {path}: {answer}");
        }
    }
}

fn page(inner: &str) -> String {
    s3::answer("200 OK", &format!("<ListBucketResult>{inner}</ListBucketResult>"))
}

fn object(key: &str) -> String {
    format!("<Contents><Key>{key}</Key><Size>1</Size></Contents>")
}

fn folder(prefix: &str) -> String {
    format!("<CommonPrefixes><Prefix>{prefix}</Prefix></CommonPrefixes>")
}

/// The keys of the folders and objects in a listing, and its `next`.
async fn list(handler: &Handler, event: Value) -> (Vec<String>, String) {
    let answer = answer(handler, &event).await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let listing: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    let entries = ["folders", "objects"]
        .into_iter()
        .flat_map(|kind| listing[kind].as_array().unwrap());
    let keys = entries.map(|entry| entry["key"].as_str().unwrap().to_owned());
    (keys.collect(), listing["next"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn listings_above_at_and_below_a_mount_are_the_same_on_every_front() {
    let above = page(&(folder("archive/") + &folder("docs/") + &object("archive") + &object("b")));
    let at = page(&(object("2024/a") + &folder("2024/hot/") + &folder("2024/sub/")));
    let below = page(&(object("2024/sub/c") + &folder("2024/sub/deep/")));
    let nested = page(&(object("x") + &folder("hot/")));
    for (path, answer, target, prefix, keys) in [
        (
            "/",
            above,
            "/example-bucket/?",
            None,
            vec!["archive/", "docs/", "archive", "b"],
        ),
        (
            "/archive/",
            at,
            "/acme-archive/?",
            Some("2024/"),
            vec!["archive/hot/", "archive/sub/", "archive/a"],
        ),
        (
            "/archive/sub/",
            below,
            "/acme-archive/?",
            Some("2024/sub/"),
            vec!["archive/sub/deep/", "archive/sub/c"],
        ),
        (
            "/archive/hot/",
            nested,
            "/acme-hot/?",
            None,
            vec!["archive/hot/hot/", "archive/hot/x"],
        ),
    ] {
        let count = events(path).len();
        let s3 = FakeS3::start(&vec![answer; count]).await;
        let handler = s3.handler(RULES).await;
        for (front, event) in events(path) {
            let (found, next) = list(&handler, listing(event, "")).await;
            assert_eq!(
                (found, next.as_str()),
                (keys.iter().map(|key| (*key).to_owned()).collect(), ""),
                "{front} {path}"
            );
            let request = s3.requests().pop().unwrap();
            assert!(request.starts_with(target), "{front} {path}: {request}");
            assert_eq!(parameter(&request, "prefix").as_deref(), prefix, "{front} {path}");
        }
    }
}

#[tokio::test]
async fn the_next_of_a_mount_continues_on_every_front_and_only_there() {
    let first = page(&format!(
        "<IsTruncated>true</IsTruncated><NextContinuationToken>t+/=1</NextContinuationToken>{}",
        object("2024/a")
    ));
    let second = page(&(folder("2024/hot/") + &object("2024/z")));
    let count = events("/").len();
    let s3 = FakeS3::start(&[first, second].into_iter().cycle().take(2 * count).collect::<Vec<_>>()).await;
    let handler = s3.handler(RULES).await;
    for ((front, event), (_, elsewhere)) in events("/archive/").into_iter().zip(events("/archive/hot/")) {
        let (found, next) = list(&handler, listing(event.clone(), "")).await;
        assert_eq!(found, ["archive/hot/", "archive/a"], "{front}");
        let (found, end) = list(&handler, listing(event, &next)).await;
        assert_eq!((found, end.as_str()), (vec!["archive/z".to_owned()], ""), "{front}");
        let request = s3.requests().pop().unwrap();
        assert_eq!(
            parameter(&request, "continuation-token").as_deref(),
            Some("t+/=1"),
            "{front}"
        );
        let rejected = answer(&handler, &listing(elsewhere, &next)).await;
        assert_eq!(rejected["statusCode"], 400, "{front}: {rejected}");
    }
    assert_eq!(s3.requests().len(), 2 * count);
}
