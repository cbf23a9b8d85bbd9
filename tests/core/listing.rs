//! Listings: the entries that each caller may see, the formats, and the errors of S3.

use std::io::Read as _;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use signpost::operation::Listing;
use signpost::request::ApiRequest;
use signpost::response::ApiResponse;

use crate::s3::{FakeS3, answer};
use crate::support::{OPEN_RULES, With as _, ask, body, handler, header, json, now, parameter};

fn objects(inner: &str) -> String {
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <Name>example-bucket</Name>{inner}</ListBucketResult>"
    );
    answer("200 OK", &xml)
}

fn object(key: &str, size: u64, modified: &str) -> String {
    format!("<Contents><Key>{key}</Key><LastModified>{modified}</LastModified><Size>{size}</Size></Contents>")
}

fn folder(prefix: &str) -> String {
    format!("<CommonPrefixes><Prefix>{prefix}</Prefix></CommonPrefixes>")
}

const LISTS_ALL: &str = "version = 1\n[[rule]]\nid = \"all\"\nwho = [\"anyone\"]\ncan = [\"list\"]\non = [\"**\"]\n";

const MONDAY: &str = "2026-11-23T18:00:00.000Z";
const TUESDAY: &str = "2026-11-24T18:00:00.000Z";

/// The response to `request` under `rules`, and the requests to S3, which returns `answer`.
async fn listed(rules: &str, answers: &[String], request: ApiRequest) -> (ApiResponse, Vec<String>) {
    let s3 = FakeS3::start(answers).await;
    let response = s3.handler(rules).await.handle(&request, now()).await;
    (response, s3.requests())
}

fn as_json(path: &str) -> ApiRequest {
    ask("GET", path).with("accept", "application/json")
}

#[tokio::test]
async fn a_long_listing_is_compressed_for_clients_that_accept_it() {
    let many: String = (0..50).map(|n| object(&format!("in/{n}.txt"), n, MONDAY)).collect();
    let many = [objects(&many)];
    let plain = listed(LISTS_ALL, &many, as_json("/in/")).await.0;
    assert!(plain.headers().get("content-encoding").is_none());
    assert!(header(&plain, "vary").contains("Accept-Encoding"), "caches must know");

    let request = as_json("/in/").with("accept-encoding", "br, gzip");
    let compressed = listed(LISTS_ALL, &many, request).await.0;
    assert_eq!(header(&compressed, "content-encoding"), "gzip");
    assert!(compressed.body().len() < plain.body().len() / 4);
    let mut unpacked = Vec::new();
    GzDecoder::new(&compressed.body()[..])
        .read_to_end(&mut unpacked)
        .unwrap();
    assert_eq!(unpacked, plain.body()[..]);

    let request = ask("HEAD", "/in/")
        .with("accept", "application/json")
        .with("accept-encoding", "gzip");
    let head = listed(LISTS_ALL, &many, request).await.0;
    assert_eq!(header(&head, "content-encoding"), "gzip");
    assert!(head.body().is_empty());
}

#[tokio::test]
async fn a_response_with_a_signature_is_never_compressed() {
    let requests: Vec<_> = (0..10)
        .map(|n| json!({"method": "GET", "key": format!("{n}.txt")}))
        .collect();
    let request = ApiRequest {
        body: Value::from(requests).to_string().into(),
        ..ask("POST", "/-/sign").with("accept-encoding", "gzip")
    };
    let response = handler(OPEN_RULES).await.handle(&request, now()).await;
    assert!(response.body().len() > 4096, "long enough to be worth it");
    assert!(response.headers().get("content-encoding").is_none());
}

fn names(listing: &Value, what: &str) -> Vec<String> {
    let entries = listing[what].as_array().unwrap().iter();
    entries
        .map(|entry| entry["name"].as_str().unwrap().to_owned())
        .collect()
}

/// A page that ends before the cursor `token`.
fn cut_off(token: &str) -> String {
    format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>")
}

fn next(response: &ApiResponse) -> String {
    json(response)["next"].as_str().expect("there is more").to_owned()
}

#[tokio::test]
async fn json_tells_folders_and_objects_with_all_that_s3_says_and_nothing_that_it_does_not() {
    let inner = "<Contents><Key>videos/a%20b+c%2Bd.mp4</Key><LastModified>2026-11-25T18:00:00.000Z</LastModified>\
        <ETag>&quot;9a&#x61;&quot;</ETag><ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumAlgorithm>SHA256</ChecksumAlgorithm>\
        <ChecksumType>FULL_OBJECT</ChecksumType><Size>123</Size><Owner><ID>x</ID><DisplayName>y</DisplayName></Owner>\
        <StorageClass>STANDARD</StorageClass></Contents><Contents><Key>videos/bare</Key><Size>0</Size></Contents>\
        <CommonPrefixes><Prefix>videos/2026/</Prefix></CommonPrefixes>";
    let inner = cut_off("1+a/=") + inner;
    let (response, asked) = listed(LISTS_ALL, &[objects(&inner)], as_json("/videos/")).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "content-type"), "application/json");
    assert_eq!(header(&response, "cache-control"), "no-store");
    let next = json(&response)["next"].as_str().unwrap().to_owned();
    assert_eq!(header(&response, "link"), format!("<?next={next}>; rel=\"next\""));
    let expected = json!({
        "prefix": "videos/",
        "folders": [{"name": "2026/", "key": "videos/2026/"}],
        "objects": [
            {
                "name": "a b c+d.mp4", "key": "videos/a b c+d.mp4", "size": 123, "modified": "2026-11-25T18:00:00Z",
                "etag": "\"9aa\"", "checksum_algorithm": ["CRC64NVME", "SHA256"], "checksum_type": "FULL_OBJECT",
                "storage_class": "STANDARD",
            },
            {"name": "bare", "key": "videos/bare", "size": 0},
        ],
        "next": next,
    });
    assert_eq!(json(&response), expected);
    assert_eq!(asked.len(), 1);
    for (name, value) in [
        ("list-type", "2"),
        ("prefix", "videos/"),
        ("delimiter", "/"),
        ("max-keys", "1000"),
        ("encoding-type", "url"),
        ("x-signpost", "request-1.-.all"),
        ("X-Amz-Expires", "60"),
    ] {
        assert_eq!(parameter(&asked[0], name).as_deref(), Some(value), "{name}");
    }
    assert!(asked[0].starts_with("/example-bucket/?") && parameter(&asked[0], "X-Amz-Signature").is_some());
}

#[tokio::test]
async fn what_the_client_asks_for_reaches_s3() {
    let answers = [objects(&cut_off("1+a/=")), objects(&object("a/b", 1, MONDAY))];
    let s3 = FakeS3::start(&answers).await;
    let handler = s3.handler(LISTS_ALL).await;
    let next = next(&handler.handle(&as_json("/?recursive"), now()).await);
    let path = format!("/?recursive&max-keys=7&next={next}");
    let response = handler.handle(&as_json(&path), now()).await;
    assert_eq!(names(&json(&response), "objects"), ["a/b"]);
    let asked = &s3.requests()[1];
    assert_eq!(parameter(asked, "continuation-token").as_deref(), Some("1+a/="));
    assert_eq!(parameter(asked, "max-keys").as_deref(), Some("7"));
    assert_eq!(
        (parameter(asked, "delimiter"), parameter(asked, "prefix")),
        (None, None)
    );
}

#[tokio::test]
async fn uploads_in_progress_under_denied_keys_are_not_listed() {
    let upload = |key: &str| format!("<Upload><Key>{key}</Key><UploadId>id-of-{key}</UploadId></Upload>");
    let keys = ["a", "kept/x", "kept/deep/y", "keptx", "secret", "z"];
    let uploads: String = keys.map(|key| upload(&format!("videos/{key}"))).concat();
    let xml = answer(
        "200 OK",
        &format!("<ListMultipartUploadsResult>{uploads}</ListMultipartUploadsResult>"),
    );
    for actions in ["\"list\", \"write\"", "\"write\"", "\"list\""] {
        let rules = format!(
            "version = 1\n[[rule]]\nid = \"all\"\nwho = [\"anyone\"]\ncan = [\"list\", \"write\"]\non = [\"**\"]\n\
             allow_anonymous_write = true\n[[rule]]\nid = \"no\"\neffect = \"deny\"\nwho = [\"anyone\"]\n\
             can = [{actions}]\non = [\"videos/kept/**\", \"videos/secret\"]\n"
        );
        let (response, _) = listed(&rules, std::slice::from_ref(&xml), as_json("/videos/?uploads")).await;
        assert_eq!(response.status(), 200);
        let seen = names(&json(&response), "uploads");
        if actions.contains("write") {
            assert_eq!(seen, ["a", "keptx", "z"], "{actions}");
            assert!(!body(&response).contains("kept/") && !body(&response).contains("secret"));
        }
        let (inside, requests) = listed(&rules, std::slice::from_ref(&xml), as_json("/videos/kept/?uploads")).await;
        if actions.contains("write") {
            assert_eq!((inside.status().as_u16(), requests.len()), (403, 0), "{actions}");
        }
    }
}

#[tokio::test]
async fn uploads_in_progress_are_listed_for_callers_who_may_write_and_list() {
    let rules = LISTS_ALL.replace("[\"list\"]", "[\"list\", \"write\"]") + "allow_anonymous_write = true\n";
    let xml = "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>videos/b</NextKeyMarker>\
        <NextUploadIdMarker>id-1</NextUploadIdMarker><Upload><Key>videos/b</Key><UploadId>id-1</UploadId>\
        <Initiated>2026-11-25T18:00:00.000Z</Initiated><StorageClass>STANDARD</StorageClass></Upload></ListMultipartUploadsResult>";
    let answers = [answer("200 OK", xml), answer("200 OK", "<ListMultipartUploadsResult/>")];
    let s3 = FakeS3::start(&answers).await;
    let handler = s3.handler(&rules).await;
    let first = handler.handle(&as_json("/videos/?uploads"), now()).await;
    let told = json(&first);
    let next = told["next"].as_str().unwrap().to_owned();
    let upload = json!({"key": "videos/b", "name": "b", "upload_id": "id-1", "initiated": "2026-11-25T18:00:00Z", "storage_class": "STANDARD"});
    assert_eq!(told, json!({"prefix": "videos/", "uploads": [upload], "next": next}));
    assert_eq!(header(&first, "link"), format!("<?uploads=&next={next}>; rel=\"next\""));
    let second = handler
        .handle(&as_json(&format!("/videos/?uploads&next={next}")), now())
        .await;
    assert_eq!(json(&second), json!({"prefix": "videos/", "uploads": [], "next": null}));
    let asked = s3.requests();
    assert_eq!(parameter(&asked[1], "key-marker").as_deref(), Some("videos/b"));
    assert_eq!(parameter(&asked[1], "upload-id-marker").as_deref(), Some("id-1"));
}

/// A drop box: anyone may write, and only the names below `shown/` are public.
const DROP_BOX: &str = r#"
version = 1
[[rule]]
id = "drop"
who = ["anyone"]
can = ["write"]
on = ["drop/**", "shown/**"]
allow_anonymous_write = true
[[rule]]
id = "shown"
who = ["anyone"]
can = ["list"]
on = ["shown/**", "read-only/**"]
[[rule]]
id = "hidden"
effect = "deny"
who = ["anyone"]
can = ["list"]
on = ["shown/hidden/**"]
"#;

#[tokio::test]
async fn a_caller_who_may_only_write_or_only_list_does_not_see_the_uploads_of_others() {
    for path in [
        "/drop/?uploads",
        "/read-only/?uploads",
        "/?uploads",
        "/shown/hidden/?uploads",
    ] {
        let (response, asked) = listed(DROP_BOX, &[], as_json(path)).await;
        assert_eq!(response.status(), 403, "{path}");
        assert!(asked.is_empty(), "{path}");
    }
    let xml = "<ListMultipartUploadsResult><Upload><Key>shown/a</Key><UploadId>1</UploadId></Upload>\
               <Upload><Key>shown/hidden/b</Key><UploadId>2</UploadId></Upload></ListMultipartUploadsResult>";
    let (response, _) = listed(DROP_BOX, &[answer("200 OK", xml)], as_json("/shown/?uploads")).await;
    let keys: Vec<_> = json(&response)["uploads"]
        .as_array()
        .unwrap()
        .iter()
        .map(|upload| upload["key"].clone())
        .collect();
    assert_eq!(keys, ["shown/a"]);
}

#[tokio::test]
async fn text_listings_contain_no_control_characters_and_no_invisible_characters_of_names() {
    let inner =
        folder("d%1B%5B31m/") + &object("a%0Ab%07", 1234, MONDAY) + &object("%E2%80%AE%C3%A9%C2%9B", 5, TUESDAY);
    for request in [
        ask("GET", "/").with("accept", "*/*").with("user-agent", "curl/8.11.0"),
        ask("GET", "/").with("accept", "text/plain"),
    ] {
        let (response, _) = listed(LISTS_ALL, &[objects(&inner)], request).await;
        assert_eq!(header(&response, "content-type"), "text/plain; charset=utf-8");
        assert_eq!(
            body(&response),
            "             -  -                     d\\u001b[31m/\n\
             \x20         1234  2026-11-23T18:00:00Z  a\\u000ab\\u0007\n\
             \x20            5  2026-11-24T18:00:00Z  \\u202eé\\u009b\n"
        );
    }
    let (response, _) = listed(LISTS_ALL, &[objects(&inner)], as_json("/?simple")).await;
    assert_eq!(body(&response), "d\\u001b[31m/\na\\u000ab\\u0007\n\\u202eé\\u009b\n");
}

#[tokio::test]
async fn a_page_is_sorted_and_filtered() {
    let inner =
        folder("x/") + &folder("y/") + &object("b", 3, MONDAY) + &object("c", 1, TUESDAY) + &object("d", 2, MONDAY);
    for (query, folders, found) in [
        ("", "x/y/", "bcd"),
        ("sort=name", "x/y/", "bcd"),
        ("order=desc", "y/x/", "dcb"),
        ("sort=size", "x/y/", "cdb"),
        ("sort=size&order=desc", "x/y/", "bdc"),
        ("sort=modified", "x/y/", "bdc"),
        ("sort=modified&order=desc", "x/y/", "cdb"),
        ("q=B", "", "b"),
        ("q=X", "x/", ""),
        ("q=", "x/y/", "bcd"),
        ("recursive=", "x/y/", "bcd"),
    ] {
        let (response, _) = listed(LISTS_ALL, &[objects(&inner)], as_json(&format!("/?{query}"))).await;
        let told = json(&response);
        assert_eq!(names(&told, "folders").concat(), folders, "{query}");
        assert_eq!(names(&told, "objects").concat(), found, "{query}");
    }
}

/// Rules for a user who may list its own folder, and for other users.
const MEMBERS: &str = r#"
version = 1
[[token]]
id = "ada"
sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
[[rule]]
id = "own"
who = ["authenticated"]
can = ["list", "write"]
on = ["users/{user_id}/**", "shared/**", "shared/secret/**", "single/file"]
[[rule]]
id = "public"
who = ["anyone"]
can = ["list"]
on = ["public/deep/er/**", "public/gone/**", "-/hidden/**"]
[[rule]]
id = "secret"
effect = "deny"
who = ["anyone"]
can = ["list"]
on = ["shared/secret/**", "shared/note", "public/gone/**"]
"#;

fn member(path: &str) -> ApiRequest {
    as_json(path).with("authorization", "Bearer secret")
}

#[tokio::test]
async fn folders_lead_to_where_a_caller_may_list_and_s3_is_not_asked_for_them() {
    for (request, expected) in [
        (as_json("/"), vec!["public/"]),
        (as_json("/public/"), vec!["deep/"]),
        (as_json("/public/deep/"), vec!["er/"]),
        (member("/"), vec!["public/", "shared/", "users/"]),
        (member("/?q=sh"), vec!["shared/"]),
        (member("/?order=desc"), vec!["users/", "shared/", "public/"]),
    ] {
        let path = request.path.clone();
        let (response, asked) = listed(MEMBERS, &[], request).await;
        assert_eq!(response.status(), 200, "{path}: {}", body(&response));
        let told = json(&response);
        assert_eq!(names(&told, "folders"), expected, "{path}");
        assert_eq!((&told["objects"], &told["next"]), (&json!([]), &Value::Null), "{path}");
        assert!(asked.is_empty(), "{path}");
    }
    let (response, _) = listed(MEMBERS, &[], member("/users/")).await;
    let own = names(&json(&response), "folders");
    assert_eq!(own.len(), 1, "{own:?}");
    let (response, asked) = listed(MEMBERS, &[objects("")], member(&format!("/users/{}", own[0]))).await;
    assert_eq!(
        (response.status().as_u16(), asked.len()),
        (200, 1),
        "an empty folder is an empty listing"
    );
}

#[tokio::test]
async fn a_listing_contains_only_keys_that_the_caller_may_list() {
    let inner = folder("shared/open/")
        + &folder("shared/secret/")
        + &object("shared/", 0, MONDAY)
        + &object("shared/a", 1, MONDAY)
        + &object("shared/marker/", 0, MONDAY)
        + &object("shared/note", 1, MONDAY)
        + &object("shared/secret/b", 1, MONDAY);
    for query in ["", "?recursive", "?q=e"] {
        let (response, _) = listed(MEMBERS, &[objects(&inner)], member(&format!("/shared/{query}"))).await;
        let told = json(&response);
        assert_eq!(names(&told, "folders"), ["open/"], "{query}");
        let expected: &[&str] = if query == "?q=e" { &[] } else { &["a"] };
        assert_eq!(names(&told, "objects"), expected, "{query}");
    }
    let hidden = folder("-/") + &object("-/x", 1, MONDAY) + &object("-x", 1, MONDAY) + &folder("-%2F-/");
    let (response, _) = listed(LISTS_ALL, &[objects(&hidden)], as_json("/")).await;
    assert_eq!(names(&json(&response), "objects"), ["-x"]);
    assert_eq!(names(&json(&response), "folders"), [""; 0]);
}

#[tokio::test]
async fn who_may_not_list_is_refused_and_s3_is_not_asked() {
    let table = [
        (as_json("/shared/"), 401),
        (as_json("/public/gone/"), 401),
        (as_json("/public/gone/a/"), 401),
        (as_json("/public/other/"), 401),
        (as_json("/single/"), 401),
        (member("/shared/secret/"), 403),
        (member("/shared/secret/a/"), 403),
        (member("/users/somebody-else/"), 403),
        (member("/single/"), 403),
        (member("/public/gone/"), 403),
        (member("/?uploads"), 403),
        (as_json("/shared/?uploads"), 401),
        (as_json("/").with("authorization", "Bearer wrong"), 401),
        (as_json("/public/?share=x"), 403),
        (member("/shared/?share=x"), 403),
    ];
    for (request, status) in table {
        let (response, asked) = listed(MEMBERS, &[], request.clone()).await;
        assert_eq!(response.status(), status, "{} {:?}", request.path, request.query);
        assert!(asked.is_empty(), "{}", request.path);
    }
}

#[tokio::test]
async fn an_unknown_parameter_of_a_listing_is_rejected_with_the_known_ones() {
    let rules = LISTS_ALL.replace("[\"list\"]", "[\"list\", \"write\"]") + "allow_anonymous_write = true\n";
    for listing in Listing::ALL {
        let asks = if listing == Listing::Uploads { "uploads&" } else { "" };
        for query in ["versions", "prefix=x", "url", "uploadId=1", "download"] {
            let (response, _) = listed(&rules, &[], as_json(&format!("/a/?{asks}{query}"))).await;
            let told = json(&response);
            assert_eq!(
                (response.status().as_u16(), &told["code"]),
                (400, &json!("InvalidArgument")),
                "{query}"
            );
            for parameter in listing.parameters() {
                assert!(told["remedy"].as_str().unwrap().contains(parameter.name), "{told}");
            }
        }
    }
    for query in [
        "max-keys=0",
        "max-keys=1001",
        "max-keys=",
        "max-keys=+5",
        "sort=etag",
        "sort=",
        "order=up",
        "next=",
        "recursive=1",
        "simple=1",
        "uploads=1",
        "uploads&next=!",
        "uploads&next=YQ",
        "q=a&q=b",
    ] {
        let (response, asked) = listed(&rules, &[], as_json(&format!("/?{query}"))).await;
        assert_eq!((response.status().as_u16(), asked.len()), (400, 0), "{query}");
    }
}

#[tokio::test]
async fn failures_of_s3_are_opaque() {
    let error = |status: &str, code: &str| {
        answer(
            status,
            &format!("<Error><Code>{code}</Code><Message>of-the-signer</Message></Error>"),
        )
    };
    let rubbish = [
        "",
        "<",
        "no xml",
        "<html/>",
        "<ListBucketResult>",
        "<ListBucketResult><Contents></ListBucketResult>",
        "<ListMultipartUploadsResult/>",
        "<ListBucketResult>&nbsp;</ListBucketResult>",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        "<!DOCTYPE a [<!ENTITY b \"c\">]><ListBucketResult><Name>&b;</Name></ListBucketResult>",
    ];
    let rubbish = rubbish.into_iter().map(|xml| (vec![answer("200 OK", xml)], 500));
    let large = answer("200 OK", &" ".repeat(5 << 20));
    let table = [
        (vec![error("403 Forbidden", "AccessDenied")], 500),
        (vec![error("404 Not Found", "NoSuchBucket")], 500),
        (vec![error("400 Bad Request", "InvalidArgument")], 500),
        (vec![answer("301 Moved Permanently", "")], 500),
        (
            vec![
                error("503 Slow Down", "SlowDown"),
                error("503 Slow Down", "SlowDown"),
                error("503 Slow Down", "SlowDown"),
            ],
            503,
        ),
        (
            vec![
                String::new(),
                "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n<".to_owned(),
                String::new(),
            ],
            503,
        ),
        (vec![large.clone(), large.clone(), large], 503),
    ];
    for (answers, status) in table.into_iter().chain(rubbish) {
        let (response, asked) = listed(LISTS_ALL, &answers, as_json("/a/")).await;
        let told = body(&response);
        assert_eq!(response.status(), status, "{told} for {:.60}", answers[0]);
        assert!(
            !told.contains("of-the-signer") && !told.contains("XML") && !told.contains("Bucket"),
            "{told}"
        );
        assert_eq!(asked.len(), answers.len(), "{told}");
    }
}

#[tokio::test]
async fn one_failure_of_s3_is_mended_by_a_second_attempt() {
    let answers = [answer("503 Slow Down", ""), objects(&object("a", 1, MONDAY))];
    let (response, asked) = listed(LISTS_ALL, &answers, as_json("/")).await;
    assert_eq!(
        (names(&json(&response), "objects"), asked.len()),
        (vec!["a".to_owned()], 2)
    );
}

#[tokio::test]
async fn a_next_that_s3_does_not_know_is_the_fault_of_the_client() {
    let refusal = answer(
        "400 Bad Request",
        "<Error><Code>InvalidArgument</Code><Message>token</Message></Error>",
    );
    let s3 = FakeS3::start(&[objects(&cut_off("old")), refusal]).await;
    let handler = s3.handler(LISTS_ALL).await;
    let next = next(&handler.handle(&as_json("/"), now()).await);
    let response = handler.handle(&as_json(&format!("/?next={next}")), now()).await;
    assert_eq!(s3.requests().len(), 2);
    assert_eq!(
        (response.status().as_u16(), &json(&response)["code"]),
        (400, &json!("InvalidArgument"))
    );
}

#[tokio::test]
async fn another_error_of_s3_for_a_later_page_is_a_failure_of_the_service() {
    for (status, code) in [
        ("400 Bad Request", "InvalidRequest"),
        ("403 Forbidden", "InvalidArgument"),
    ] {
        let error = answer(
            status,
            &format!("<Error><Code>{code}</Code><Message>m</Message></Error>"),
        );
        let s3 = FakeS3::start(&[objects(&cut_off("old")), error]).await;
        let handler = s3.handler(LISTS_ALL).await;
        let next = next(&handler.handle(&as_json("/"), now()).await);
        let response = handler.handle(&as_json(&format!("/?next={next}")), now()).await;
        assert_eq!(response.status(), 500, "{status} {code}: {}", body(&response));
    }
}

#[tokio::test]
async fn a_head_of_a_listing_equals_a_get_without_the_body() {
    let (response, _) = listed(LISTS_ALL, &[objects(&cut_off("t"))], ask("HEAD", "/a/?json")).await;
    assert_eq!((response.status().as_u16(), body(&response)), (200, ""));
    assert!(header(&response, "link").starts_with("<?json=&next="));
}

/// The cursor of S3 contains the last key, which the caller may not be allowed to see.
#[tokio::test]
async fn the_cursor_reveals_no_key() {
    let hidden = "[[rule]]\nid = \"no\"\neffect = \"deny\"\nwho = [\"anyone\"]\ncan = [\"list\", \"write\"]\non = [\"a/merger/**\"]\n";
    let rules = LISTS_ALL.replace("\"list\"", "\"list\", \"write\"") + "allow_anonymous_write = true\n" + hidden;
    let uploads = "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>a/merger/plan</NextKeyMarker>\
        <NextUploadIdMarker>id-of-it</NextUploadIdMarker></ListMultipartUploadsResult>";
    let answers = [objects(&cut_off("a/merger/plan")), answer("200 OK", uploads)];
    for keys in ["", "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let s3 = FakeS3::start(&answers).await;
        let handler = s3.handler_with(&rules, &[("SIGNPOST_KEYS", keys)]).await;
        for path in ["/a/?recursive", "/a/?uploads"] {
            let response = handler.handle(&as_json(path), now()).await;
            let word = BASE64_URL_SAFE_NO_PAD.decode(next(&response)).unwrap();
            let told = [body(&response).as_bytes(), header(&response, "link").as_bytes(), &word].concat();
            for secret in ["merger", "id-of-it"] {
                let found = told.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{path} tells {secret:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_cursor_is_valid_for_one_listing_only() {
    let s3 = FakeS3::start(&[objects(&cut_off("a/b"))]).await;
    let handler = s3.handler(LISTS_ALL).await;
    let next = next(&handler.handle(&as_json("/a/"), now()).await);
    let mut altered = next.clone().into_bytes();
    altered[20] ^= 1;
    let altered = String::from_utf8(altered).unwrap();
    for path in [
        format!("/b/?next={next}"),
        format!("/?next={next}"),
        format!("/a/?next={altered}"),
        format!("/a/?next={}", &next[..next.len() - 4]),
        "/a/?next=a/b".to_owned(),
        "/a/?next=YQ".to_owned(),
    ] {
        let response = handler.handle(&as_json(&path), now()).await;
        assert_eq!(response.status(), 400, "{path}: {}", body(&response));
    }
    assert_eq!(s3.requests().len(), 1, "S3 is not asked");
}
