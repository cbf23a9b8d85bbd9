//! Mounts that do not work: only their keys fail. The log and the pages of a service with several buckets.

use bytes::Bytes;
use serde_json::{Value, json};
use signpost::request::ApiRequest;
use signpost::service::handler::Handler;

use crate::s3::{FakeS3, answer};
use crate::secrecy::Log;
use crate::sts::{Answer, FakeSts};
use crate::support::{OPEN_RULES, With as _, ask, body, credentials, handler_with, header, json, now};

/// The endpoint of `broken/` cannot be resolved, because the access point is in another partition.
const BROKEN: &str = r#"
[[mount]]
at = "broken/"
bucket = "arn:aws-cn:s3:cn-north-1:123456789012:accesspoint/files"
[[mount]]
at = "good/"
bucket = "good-bucket"
prefix = "p/"
"#;

fn rules(mounts: &str) -> String {
    OPEN_RULES
        .replace("\"read\", ", "\"read\", \"list\", ")
        .replace("\non =", "\noverwrite = true\non =")
        + mounts
}

async fn serve(mounts: &str) -> Handler {
    handler_with(&[("SIGNPOST_RULES", &rules(mounts))], credentials(None, None)).await
}

async fn statuses(handler: &Handler, at: &str) -> Vec<u16> {
    let requests = [
        ask("GET", &format!("{at}a")),
        ask("HEAD", &format!("{at}a")),
        ask("PUT", &format!("{at}a")).sized(5),
        ask("DELETE", &format!("{at}a")),
        ask("POST", &format!("{at}a?uploads")),
        ask("GET", &format!("{at}a?uploadId=u")),
        ask("GET", &format!("{at}a?form")).with("accept", "application/json"),
        ask("POST", &format!("{at}?ext=txt")),
        ask("GET", &format!("/-/presign{at}a")),
    ];
    let mut statuses = Vec::new();
    for request in requests {
        statuses.push(handler.handle(&request, now()).await.status().as_u16());
    }
    statuses
}

#[tokio::test]
async fn a_mount_whose_endpoint_cannot_be_resolved_fails_alone() {
    let handler = serve(BROKEN).await;
    assert_eq!(statuses(&handler, "/broken/").await, [503; 9]);
    for at in ["/good/", "/"] {
        let found = statuses(&handler, at).await;
        assert!(found.iter().all(|status| *status < 400), "{at}: {found:?}");
    }
    let listing = handler
        .handle(&ask("GET", "/broken/").with("accept", "application/json"), now())
        .await;
    assert_eq!(listing.status(), 503, "{}", body(&listing));
    let text = body(&listing);
    assert!(
        !text.contains("arn:") && !text.contains("partition"),
        "the reason is in the log only: {text}"
    );
}

#[tokio::test]
async fn a_bulk_request_reports_the_failure_of_a_mount_for_its_items_only() {
    let handler = serve(BROKEN).await;
    let items = ["broken/a", "good/a", "a", "broken/b"].map(|key| json!({"method": "GET", "key": key}));
    let request = ApiRequest {
        body: Bytes::from(json!(items).to_string()),
        ..ask("POST", "/-/sign")
    };
    let response = handler.handle(&request, now()).await;
    assert_eq!(response.status(), 200, "{}", body(&response));
    let text = body(&response).to_owned();
    assert_eq!(text.matches("ServiceUnavailable").count(), 2, "{text}");
    assert_eq!(text.matches("X-Amz-Signature").count(), 2, "{text}");
}

#[tokio::test]
async fn the_page_of_a_folder_works_although_a_mount_in_it_fails() {
    let xml = "<ListBucketResult><Contents><Key>a</Key><Size>1</Size></Contents></ListBucketResult>";
    let s3 = FakeS3::start(&[answer("200 OK", xml)]).await;
    let role =
        "[[mount]]\nat = \"role/\"\nbucket = \"role-bucket\"\nsign_as = \"arn:aws:iam::123456789012:role/gone\"\n";
    let sts = FakeSts::start(Answer::Refusal).await;
    let handler = s3
        .handler_with(
            &rules(&format!("{BROKEN}{role}")),
            &[("AWS_ENDPOINT_URL_STS", &sts.endpoint)],
        )
        .await;
    let response = handler.handle(&page("/"), now()).await;
    assert_eq!(response.status(), 200, "{}", body(&response));
    for folder in ["broken/", "good/", "role/"] {
        assert!(
            body(&response).contains(&format!("href=\"{folder}\"")),
            "{folder}: {}",
            body(&response)
        );
    }
    assert!(sts.calls().is_empty(), "a page assumes no role");
}

fn page(path: &str) -> ApiRequest {
    ask("GET", path)
        .with("accept", "text/html")
        .with("sec-fetch-mode", "navigate")
}

/// The sources of `connect-src` in the policy of a page, without `'self'`.
async fn connections(handler: &Handler, path: &str) -> Vec<String> {
    let response = handler.handle(&page(path), now()).await;
    assert_eq!(response.status(), 200, "{path}: {}", body(&response));
    let policy = header(&response, "content-security-policy");
    let directive = policy
        .split(';')
        .find_map(|directive| directive.trim().strip_prefix("connect-src 'self' "));
    let mut sources: Vec<_> = directive.unwrap().split(' ').map(str::to_owned).collect();
    sources.sort();
    sources
}

#[tokio::test]
async fn a_page_may_contact_the_buckets_of_its_folder_and_no_others() {
    let mounts: String = [
        ("a/", "bucket-a", "https://a.example"),
        ("a/in/", "bucket-in", "https://in.example:8443"),
        ("a/in/deep/", "bucket-deep", "https://a.example"),
        ("b/", "bucket-b", "https://b.example"),
    ]
    .map(|(at, bucket, endpoint)| {
        format!("[[mount]]\nat = \"{at}\"\nbucket = \"{bucket}\"\nendpoint = \"{endpoint}\"\n")
    })
    .concat();
    let empty = answer("200 OK", "<ListBucketResult></ListBucketResult>");
    let s3 = FakeS3::start(&[empty.clone(), empty]).await;
    // Without `list`, a page calls no store.
    let write_only = rules(&mounts).replace("\"list\", ", "");
    let (handler, local) = (s3.handler(&write_only).await, s3.handler(&rules(&mounts)).await);
    let root = s3.endpoint.as_str();
    let (a, inner, b) = ("https://a.example", "https://in.example:8443", "https://b.example");
    for (path, expected) in [
        ("/", vec![root, a, b, inner]),
        ("/c/", vec![root]),
        ("/a/", vec![a, inner]),
        ("/a/in/", vec![a, inner]),
        ("/a/in/deep/", vec![a]),
        ("/b/", vec![b]),
        ("/b/deep/", vec![b]),
    ] {
        assert_eq!(connections(&handler, path).await, expected, "{path}");
    }
    assert_eq!(connections(&local, "/").await, [root, a, b, inner]);
    assert_eq!(connections(&local, "/b/x.bin?view").await, [b]);
    let form = handler.handle(&page("/b/?form"), now()).await;
    let policy = header(&form, "content-security-policy");
    assert!(
        policy.contains("form-action 'self' https://b.example"),
        "{} {policy}",
        form.status()
    );
}

#[tokio::test]
async fn a_page_does_not_reveal_the_buckets_of_mounts_that_the_caller_may_not_use() {
    let mount = |name: &str| {
        format!(
            "[[mount]]\nat = \"{name}/\"\nbucket = \"bucket-of-{0}\"\nendpoint = \"https://{0}.example\"\n",
            name.replace('/', "-")
        )
    };
    let mounts = ["denied", "read-only", "outer", "outer/inner", "unnamed", "written"]
        .map(mount)
        .concat();
    let rules = format!(
        "version = 1\n{mounts}[[rule]]\nid = \"r\"\nwho = [\"anyone\"]\ncan = [\"read\", \"list\"]\non = [\"read-only/**\", \
         \"denied/**\", \"outer/inner/deep/**\", \"own/**\"]\n[[rule]]\nid = \"w\"\nwho = [\"anyone\"]\ncan = [\"write\"]\non = [\"written/in/**\"]\n\
         allow_anonymous_write = true\n[[rule]]\nid = \"no\"\neffect = \"deny\"\nwho = [\"anyone\"]\ncan = [\"read\", \
         \"list\", \"write\"]\non = [\"denied/**\"]\n"
    );
    let s3 = FakeS3::start(&[]).await;
    let handler = s3.handler(&rules).await;
    let found = connections(&handler, "/").await;
    assert_eq!(
        found,
        [
            s3.endpoint.as_str(),
            "https://outer-inner.example",
            "https://read-only.example",
            "https://written.example"
        ]
    );
}

/// The fields of the lines of the log with a status.
fn lines(log: &Log) -> Vec<Value> {
    let text = log.text();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .map(|line| line["fields"].clone())
        .filter(|fields| fields.get("status").is_some())
        .collect()
}

#[tokio::test]
async fn a_log_line_contains_the_bucket_and_the_storage_key_of_a_mount() {
    let log = Log::default();
    let _guard = log.listen();
    let xml = "<ListBucketResult></ListBucketResult>";
    let s3 = FakeS3::start(&[answer("200 OK", xml), answer("200 OK", xml)]).await;
    let deny =
        "[[rule]]\nid = \"no\"\neffect = \"deny\"\nwho = [\"anyone\"]\ncan = [\"read\"]\non = [\"good/no/**\"]\n";
    let handler = s3.handler(&rules(&format!("{BROKEN}{deny}"))).await;
    let arn = "arn:aws-cn:s3:cn-north-1:123456789012:accesspoint/files";
    let bucket = json!("good-bucket");
    for (request, message, bucket, key, object) in [
        (
            ask("GET", "/good/a"),
            "signed",
            bucket.clone(),
            json!("good/a"),
            json!("p/a"),
        ),
        (ask("GET", "/a"), "signed", Value::Null, json!("a"), Value::Null),
        (
            ask("GET", "/good/in/"),
            "listed",
            bucket.clone(),
            json!("good/in/"),
            json!("p/in/"),
        ),
        (ask("GET", "/in/"), "listed", Value::Null, json!("in/"), Value::Null),
        (
            ask("GET", "/good/no/a"),
            "refused",
            bucket.clone(),
            json!("good/no/a"),
            Value::Null,
        ),
        (
            ask("GET", "/good/a?form"),
            "signed",
            bucket,
            json!("good/a"),
            json!("p/a"),
        ),
        (
            ask("GET", "/broken/a"),
            "failed",
            json!(arn),
            json!("broken/"),
            Value::Null,
        ),
    ] {
        let request = request.with("accept", "application/json");
        handler.handle(&request, now()).await;
        let line = lines(&log).pop().unwrap();
        let found = ["message", "bucket", "key", "object"].map(|field| line[field].clone());
        assert_eq!(found, [json!(message), bucket, key, object], "{line}");
    }
    let request = ApiRequest {
        body: Bytes::from(json!([{"method": "GET", "key": "good/b"}]).to_string()),
        ..ask("POST", "/-/sign")
    };
    json(&handler.handle(&request, now()).await);
    let part = log
        .text()
        .lines()
        .find(|line| line.contains("good/b"))
        .unwrap()
        .to_owned();
    assert!(
        part.contains("\"bucket\":\"good-bucket\"") && part.contains("\"object\":\"p/b\""),
        "{part}"
    );
}
