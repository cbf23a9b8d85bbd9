//! Listings of a service with several buckets: folders of mounts, hidden keys, and pages.

use serde_json::Value;
use signpost::service::handler::Handler;

use crate::s3::{FakeS3, answer};
use crate::support::{With as _, ask, body, json, now, parameter};

const RULES: &str = r#"
version = 1
[[mount]]
at = "archive/"
bucket = "acme-archive"
prefix = "2024/"
[[mount]]
at = "archive/deep/inner/"
bucket = "inner-bucket"
[[mount]]
at = "private/"
bucket = "private-bucket"
[[rule]]
id = "all"
who = ["anyone"]
can = ["list", "write", "read"]
on = ["**"]
allow_anonymous_write = true
[[rule]]
id = "no"
effect = "deny"
who = ["anyone"]
can = ["list"]
on = ["private/**"]
"#;

fn objects(inner: &str) -> String {
    answer("200 OK", &format!("<ListBucketResult>{inner}</ListBucketResult>"))
}

fn object(key: &str) -> String {
    format!("<Contents><Key>{key}</Key><Size>1</Size></Contents>")
}

fn folder(prefix: &str) -> String {
    format!("<CommonPrefixes><Prefix>{prefix}</Prefix></CommonPrefixes>")
}

fn truncated(token: &str) -> String {
    format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>")
}

async fn list(handler: &Handler, path: &str) -> Value {
    let response = handler
        .handle(&ask("GET", path).with("accept", "application/json"), now())
        .await;
    assert_eq!(response.status(), 200, "{path}: {}", body(&response));
    json(&response)
}

fn keys(listing: &Value, what: &str) -> Vec<String> {
    let entries = listing[what].as_array().unwrap().iter();
    entries.map(|entry| entry["key"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn mounts_appear_as_folders_and_hide_keys_of_the_outer_bucket() {
    let page = [
        folder("a/"),
        folder("archive/"),
        folder("private/"),
        object("b"),
        object("archive"),
        object("archives"),
    ];
    let s3 = FakeS3::start(&[objects(&page.concat())]).await;
    let listing = list(&s3.handler(RULES).await, "/").await;
    assert_eq!(keys(&listing, "folders"), ["a/", "archive/"]);
    assert_eq!(keys(&listing, "objects"), ["archive", "archives", "b"]);
    assert!(s3.requests()[0].starts_with("/example-bucket/?"), "{:?}", s3.requests());
}

#[tokio::test]
async fn a_mount_appears_without_any_key_in_the_outer_bucket() {
    let s3 = FakeS3::start(&[objects("")]).await;
    assert_eq!(
        keys(&list(&s3.handler(RULES).await, "/").await, "folders"),
        ["archive/"]
    );
}

#[tokio::test]
async fn a_listing_in_a_mount_has_public_keys() {
    let page = [
        object("2024/x%20y"),
        object("2024/"),
        folder("2024/sub/"),
        folder("2024/deep/"),
        object("elsewhere"),
    ];
    let s3 = FakeS3::start(&[objects(&page.concat())]).await;
    let listing = list(&s3.handler(RULES).await, "/archive/").await;
    assert_eq!(listing["prefix"], "archive/");
    assert_eq!(keys(&listing, "objects"), ["archive/x y"]);
    assert_eq!(
        keys(&listing, "folders"),
        ["archive/deep/", "archive/sub/"],
        "a folder on the way to a mount occurs once"
    );
    let request = &s3.requests()[0];
    assert!(request.starts_with("/acme-archive/?"), "{request}");
    assert_eq!(parameter(request, "prefix").unwrap(), "2024/");
}

#[tokio::test]
async fn a_folder_in_a_mount_is_listed_below_the_prefix_of_the_mount() {
    let page = [object("2024/deep/z"), folder("2024/deep/inner/")];
    let s3 = FakeS3::start(&[objects(&page.concat()), objects(&object("q"))]).await;
    let handler = s3.handler(RULES).await;
    let listing = list(&handler, "/archive/deep/").await;
    assert_eq!(keys(&listing, "folders"), ["archive/deep/inner/"]);
    assert_eq!(
        keys(&list(&handler, "/archive/deep/inner/").await, "objects"),
        ["archive/deep/inner/q"]
    );
    let requests = s3.requests();
    assert_eq!(parameter(&requests[0], "prefix").unwrap(), "2024/deep/");
    assert!(
        requests[1].starts_with("/inner-bucket/?") && !requests[1].contains("&prefix="),
        "{requests:?}"
    );
}

#[tokio::test]
async fn a_recursive_listing_stays_in_one_mount() {
    let page = [
        object("2024/a/b"),
        object("2024/deep/inner/hidden"),
        object("2024/deep/seen"),
    ];
    let s3 = FakeS3::start(&[objects(&page.concat())]).await;
    let listing = list(&s3.handler(RULES).await, "/archive/?recursive").await;
    assert_eq!(keys(&listing, "objects"), ["archive/a/b", "archive/deep/seen"]);
    assert_eq!(keys(&listing, "folders"), ["archive/deep/inner/"]);
}

#[tokio::test]
async fn the_folders_of_mounts_are_on_the_first_page_only() {
    let pages = [
        objects(&(truncated("t1") + &object("2024/a"))),
        objects(&(truncated("t2") + &folder("2024/deep/"))),
        objects(&object("2024/z")),
    ];
    let s3 = FakeS3::start(&pages).await;
    let handler = s3.handler(RULES).await;
    let (mut folders, mut objects, mut next) = (Vec::new(), Vec::new(), None::<String>);
    loop {
        let more = next.map_or(String::new(), |next| format!("?next={next}"));
        let listing = list(&handler, &format!("/archive/{more}")).await;
        folders.extend(keys(&listing, "folders"));
        objects.extend(keys(&listing, "objects"));
        next = listing["next"].as_str().map(str::to_owned);
        if next.is_none() {
            break;
        }
    }
    assert_eq!(
        (folders, objects),
        (
            vec!["archive/deep/".to_owned()],
            vec!["archive/a".into(), "archive/z".into()]
        )
    );
    let tokens: Vec<_> = s3
        .requests()
        .iter()
        .map(|request| parameter(request, "continuation-token"))
        .collect();
    assert_eq!(tokens, [None, Some("t1".to_owned()), Some("t2".to_owned())]);
}

#[tokio::test]
async fn a_complete_listing_has_each_folder_once() {
    let pages = [
        objects(&(truncated("t1") + &folder("2024/deep/"))),
        objects(&folder("2024/sub/")),
    ];
    let s3 = FakeS3::start(&pages).await;
    let request = ask("GET", "/archive/?simple");
    let response = s3.handler(RULES).await.handle(&request, now()).await;
    assert_eq!(body(&response), "deep/\nsub/\n");
}

#[tokio::test]
async fn the_next_of_a_listing_is_invalid_in_another_mount() {
    let page = objects(&(truncated("t1") + &object("2024/a")));
    let s3 = FakeS3::start(&[page]).await;
    let env = [("SIGNPOST_KEYS", "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")];
    let handler = s3.handler_with(RULES, &env).await;
    let next = list(&handler, "/archive/").await["next"].as_str().unwrap().to_owned();
    for moved in [
        RULES.replace("acme-archive", "other-archive"),
        RULES.replace("2024/", "2025/"),
        RULES.replace("archive/\"", "moved/\""),
    ] {
        let handler = s3.handler_with(&moved, &env).await;
        let response = handler
            .handle(&ask("GET", &format!("/archive/?next={next}")), now())
            .await;
        assert_eq!(response.status(), 400, "{}", body(&response));
    }
    assert_eq!(s3.requests().len(), 1);
}

#[tokio::test]
async fn pending_uploads_are_those_of_the_mount() {
    let uploads = |key: &str, id: &str| format!("<Upload><Key>{key}</Key><UploadId>{id}</UploadId></Upload>");
    let xml = format!(
        "<ListMultipartUploadsResult>{}{}</ListMultipartUploadsResult>",
        uploads("2024/x", "u1"),
        uploads("2024/deep/inner/y", "u2")
    );
    let s3 = FakeS3::start(&[answer("200 OK", &xml)]).await;
    let listing = list(&s3.handler(RULES).await, "/archive/?uploads").await;
    assert_eq!(keys(&listing, "uploads"), ["archive/x"]);
    let request = &s3.requests()[0];
    assert!(
        request.starts_with("/acme-archive/?") && request.contains("&prefix=2024%2F&uploads=&"),
        "{request}"
    );
}

#[tokio::test]
async fn a_service_without_a_root_bucket_lists_its_mounts_without_a_call() {
    let s3 = FakeS3::start(&[]).await;
    let handler = s3.handler_with(RULES, &[("SIGNPOST_BUCKET", "")]).await;
    assert_eq!(keys(&list(&handler, "/").await, "folders"), ["archive/"]);
    for path in ["/other/", "/private/"] {
        let response = handler.handle(&ask("GET", path), now()).await;
        assert!(
            response.status() == 404 || response.status() == 403,
            "{path}: {}",
            response.status()
        );
    }
    assert!(s3.requests().is_empty());
}

#[tokio::test]
async fn a_caller_sees_only_the_mounts_that_the_rules_allow() {
    let rules = r#"
version = 1
[[mount]]
at = "a/"
bucket = "bucket-a"
[[mount]]
at = "b/"
bucket = "bucket-b"
[[rule]]
id = "some"
who = ["anyone"]
can = ["list"]
on = ["b/in/**", "c/**"]
"#;
    let s3 = FakeS3::start(&[]).await;
    let listing = list(&s3.handler(rules).await, "/").await;
    assert_eq!(keys(&listing, "folders"), ["b/", "c/"]);
    let without_root = s3.handler_with(rules, &[("SIGNPOST_BUCKET", "")]).await;
    assert_eq!(
        keys(&list(&without_root, "/").await, "folders"),
        ["b/"],
        "no bucket stores c/"
    );
}
