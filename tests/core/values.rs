//! Values that S3 would reject later are rejected as parameters, as headers and in rules.

use signpost::policy::Policy;
use signpost::request::{ApiRequest, BodyLength};

use crate::support::{With as _, ask, body, handler, header, json, now, parameter};

/// Rules that let the client set everything.
const RULES: &str = r#"
version = 1
[[rule]]
id = "open"
who = ["anyone"]
can = ["read", "write", "delete"]
on = ["**"]
allow_anonymous_write = true
overwrite = true
client_may_set = ["versionId", "response-expires", "x-amz-storage-class", "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-tagging"]
"#;

const MD5: &str = "XUFAKrxLKna5cZ2REBfFkg==";
const SHA256: &str = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";

/// A query parameter, its header, valid values, and invalid values.
const VALUES: &[(&str, &str, &[&str], &[&str])] = &[
    (
        "contentMD5",
        "content-md5",
        &[MD5],
        &[
            "x",
            "5d41402abc4b2a76b9719d911017c592",
            SHA256,
            "XUFAKrxLKna5cZ2REBfFkg",
        ],
    ),
    (
        "checksum-crc32",
        "x-amz-checksum-crc32",
        &["NhCmhg=="],
        &["NhCmhg", "NhCm", "a", "3610a686"],
    ),
    (
        "checksum-crc32c",
        "x-amz-checksum-crc32c",
        &["NhCmhg=="],
        &["NhCmhgA=", "NhCmhg==-2"],
    ),
    (
        "checksum-crc64nvme",
        "x-amz-checksum-crc64nvme",
        &["AAAAAAAAAAA="],
        &["NhCmhg==", "AAAAAAAAAAAA"],
    ),
    (
        "checksum-sha1",
        "x-amz-checksum-sha1",
        &["qvTGHdzF6KLavt4PO0gs2a6pQ00="],
        &[MD5, "qvTGHdzF6KLavt4PO0gs2a6pQ0"],
    ),
    (
        "checksum-sha256",
        "x-amz-checksum-sha256",
        &[SHA256],
        &[MD5, "LPJNul_wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="],
    ),
    (
        "sdk-checksum-algorithm",
        "x-amz-sdk-checksum-algorithm",
        &["SHA256", "crc32"],
        &["SHA3", "none"],
    ),
    (
        "tagging",
        "x-amz-tagging",
        &[
            "a=b",
            "a",
            "a=",
            "a=1&b=2",
            "k%C3%A4=x%20y",
            "team:a/b=+-=._:/@",
            "0=&1=&2=&3=&4=&5=&6=&7=&8=&9=",
        ],
        &[
            "=a",
            "a=b&",
            "a=1&a=2",
            "aws:x=1",
            "AWS:x=1",
            "a=<b>",
            "a=%00",
            "a=%FF",
            "a=%3B",
            "0=&1=&2=&3=&4=&5=&6=&7=&8=&9=&10=",
        ],
    ),
    (
        "storage-class",
        "x-amz-storage-class",
        &["STANDARD_IA", "GLACIER_IR"],
        &["standard", "FAST", "EXPRESS"],
    ),
    (
        "server-side-encryption",
        "x-amz-server-side-encryption",
        &["AES256", "aws:kms", "aws:kms:dsse"],
        &["aes256", "AES128", "aws:kms:", "none"],
    ),
];

async fn status(request: ApiRequest) -> (u16, String) {
    let response = handler(RULES).await.handle(&request, now()).await;
    (response.status().as_u16(), body(&response).to_owned())
}

/// A PUT with the parameter, with the header, and the other ways to request the same upload.
fn requests(parameter: &str, header: &str, value: &str) -> Vec<ApiRequest> {
    let with_parameter = |method: &str, path: &str| {
        let mut request = ask(method, path);
        request.query.push((parameter.into(), value.into()));
        request
    };
    let mut presign = with_parameter("GET", "/-/presign/k");
    presign.query.push(("method".into(), "PUT".into()));
    vec![
        with_parameter("PUT", "/k?url"),
        ask("PUT", "/k").sized(5).with(header, value),
        with_parameter("POST", "/p/"),
        presign,
    ]
}

fn bulk(parameter: &str, value: &str) -> ApiRequest {
    let items = serde_json::json!([{"method": "PUT", "key": "k", "query": {parameter: value}}]);
    ApiRequest {
        body: items.to_string().into(),
        ..ask("POST", "/-/sign")
    }
    .with("accept", "application/json")
}

#[tokio::test]
async fn valid_values_are_signed_and_invalid_values_are_rejected() {
    for (parameter, header, valid, invalid) in VALUES {
        for value in *valid {
            for request in requests(parameter, header, value) {
                let path = request.path.clone();
                let (status, text) = status(request).await;
                assert!(
                    [200, 307].contains(&status),
                    "{path} {parameter}={value}: {status} {text}"
                );
            }
        }
        for value in *invalid {
            for request in requests(parameter, header, value) {
                let path = request.path.clone();
                let (status, text) = status(request).await;
                assert_eq!(status, 400, "{path} {parameter}={value}: {text}");
            }
            let response = handler(RULES).await.handle(&bulk(parameter, value), now()).await;
            assert_eq!(
                json(&response)[0]["error"]["status"],
                400,
                "{parameter}={value}: {}",
                body(&response)
            );
        }
    }
}

#[tokio::test]
async fn long_tags_are_rejected() {
    for (tags, expected) in [
        (format!("{}={}", "k".repeat(128), "v".repeat(256)), 307),
        (format!("{}=v", "k".repeat(129)), 400),
        (format!("k={}", "v".repeat(257)), 400),
        (format!("{}=v", "%C3%A4".repeat(128)), 307),
        (format!("{}=v", "%C3%A4".repeat(129)), 400),
    ] {
        let (status, text) = status(ask("PUT", "/k").sized(5).with("x-amz-tagging", &tags)).await;
        assert_eq!(status, expected, "{text}");
    }
}

#[tokio::test]
async fn a_plus_that_became_a_space_is_explained() {
    let mut request = ask("PUT", "/k?url");
    request.query.push(("checksum-sha256".into(), SHA256.replace('+', " ")));
    let (status, text) = status(request).await;
    assert_eq!(status, 400);
    assert!(text.contains("32 bytes") && text.contains("%2B"), "{text}");
}

#[tokio::test]
async fn other_operations_reject_values_too() {
    for (request, expected) in [
        (ask("GET", "/k?response-expires=Sun, 06 Nov 1994 08:49:37 GMT"), 307),
        (ask("GET", "/k?response-expires=tomorrow"), 400),
        (ask("GET", "/k?x-amz-checksum-mode=ENABLED"), 307),
        (ask("GET", "/k?x-amz-checksum-mode=on"), 400),
        (ask("GET", "/k?versionId=a b"), 400),
        (ask("GET", "/k?versionId=null"), 307),
        (ask("PUT", "/k?partNumber=1&uploadId=u&contentMD5=x&url"), 400),
        (ask("POST", "/k?uploads&checksum-algorithm=SHA3"), 400),
        (ask("POST", "/k?uploads&checksum-type=WHOLE"), 400),
        (ask("POST", "/k?uploads&storage-class=FAST"), 400),
        (ask("POST", "/k?uploads&tagging=a==<"), 400),
        (ask("POST", "/k?uploadId=u&checksum-crc32=NhCmhg==-2"), 307),
        (ask("POST", "/k?uploadId=u&checksum-crc32=NhCmhg==-0"), 400),
        (ask("POST", "/k?uploadId=u&checksum-crc32=NhCmhg==-10001"), 400),
        (ask("PUT", "/k?ifMatch=*&url"), 400),
        (ask("GET", "/k?form&storage-class=FAST"), 400),
        (ask("GET", "/p/?form&server-side-encryption=AES128"), 400),
    ] {
        let query = format!("{} {:?}", request.method, request.query);
        let (status, text) = status(request).await;
        assert_eq!(status, expected, "{query}: {text}");
    }
}

#[tokio::test]
async fn a_kms_key_requires_an_encryption_that_uses_it() {
    let key = "server-side-encryption-aws-kms-key-id=alias%2Fa".replace("%2F", "/");
    for (query, expected) in [
        (format!("{key}&server-side-encryption=aws:kms"), 200),
        (format!("{key}&server-side-encryption=aws:kms:dsse"), 200),
        (format!("{key}&server-side-encryption=AES256"), 400),
        (key.clone(), 400),
        (
            "server-side-encryption-aws-kms-key-id=a b&server-side-encryption=aws:kms".to_owned(),
            400,
        ),
    ] {
        for request in [
            ask("PUT", &format!("/k?url&{query}")),
            ask("POST", &format!("/k?uploads&url&{query}")),
            ask("GET", &format!("/k?form&{query}")).with("accept", "application/json"),
        ] {
            let method = request.method.clone();
            let (status, text) = status(request).await;
            assert_eq!(status, expected, "{method} {query}: {text}");
        }
    }
}

#[test]
fn rules_with_such_values_are_invalid() {
    for (fields, is_valid) in [
        ("storage_class = \"STANDARD_IA\"", true),
        ("storage_class = \"FAST\"", false),
        ("sse = \"AES256\"", true),
        ("sse = \"AES128\"", false),
        (
            "sse = \"aws:kms\"\nsse_kms_key_id = \"arn:aws:kms:eu-central-1:123456789012:key/1234\"",
            true,
        ),
        ("sse = \"aws:kms\"\nsse_kms_key_id = \"a b\"", false),
        ("sse = \"AES256\"\nsse_kms_key_id = \"alias/a\"", false),
        ("cache_control = \"max-age=60, private\"", true),
        ("cache_control = \"\"", false),
        ("cache_control = \" no-store\"", false),
        ("cache_control = \"no-store \"", false),
        ("cache_control = \"no\\tstore\"", false),
        ("cache_control = \"né\"", false),
    ] {
        for rules in [
            format!("{RULES}\n{fields}"),
            format!("{}[defaults]\n{fields}", "version = 1\n"),
        ] {
            assert_eq!(Policy::parse(&rules).is_ok(), is_valid, "{rules}");
        }
    }
    let without_encryption = RULES.replace("\"x-amz-server-side-encryption\",", "");
    assert!(Policy::parse(&format!("{without_encryption}\nsse_kms_key_id = \"alias/a\"")).is_err());
}

#[tokio::test]
async fn an_upload_with_content_range_is_rejected() {
    let chunked = |request: ApiRequest| ApiRequest {
        length: BodyLength::Chunked,
        ..request
    };
    for request in [
        ask("PUT", "/k").sized(27),
        ask("PUT", "/k?url"),
        chunked(ask("PUT", "/k")),
        ask("PUT", "/k?partNumber=1&uploadId=u").sized(27),
        ask("POST", "/k?uploads"),
        ask("POST", "/k?uploadId=u"),
        ask("POST", "/p/"),
        ask("POST", "/"),
    ] {
        for range in ["bytes 6-32/33", "bytes */33", "bytes 0-32/33", ""] {
            let query = format!("{} {} {:?}", request.method, request.path, request.query);
            let (status, text) = status(request.clone().with("content-range", range)).await;
            assert_eq!(status, 400, "{query}: {text}");
            assert!(text.contains("RFC 9110"), "{text}");
        }
    }
    for method in ["GET", "HEAD", "DELETE"] {
        let (status, _) = status(ask(method, "/k").with("content-range", "bytes 6-32/33")).await;
        assert_eq!(status, 307, "{method} stores nothing");
    }
}

#[tokio::test]
async fn an_upload_states_one_condition_and_agrees_with_the_rule() {
    let rules = "version = 1\n[[rule]]\nid = \"all\"\nwho = [\"anyone\"]\ncan = [\"write\"]\non = [\"**\"]\noverwrite = true\n\
        allow_anonymous_write = true\nexpires = \"5m\"\nstorage_class = \"STANDARD_IA\"\nmetadata = { team = \"a\" }\n\
        client_may_set = [\"x-amz-storage-class\"]\n";
    let handler = handler(rules).await;
    let put = |path: &str| ask("PUT", path).sized(5);
    for (request, expected) in [
        (put("/k?ifNoneMatch=*"), 307),
        (put("/k").with("if-none-match", "*"), 307),
        (put("/k").with("if-match", "\"a\""), 307),
        (put("/k").with("if-match", "\"a\"").with("if-none-match", "*"), 400),
        (put("/k").with("if-match", "*"), 400),
        (put("/k").with("if-none-match", "\"a\""), 400),
        (put("/k").with("x-amz-meta-team", "a"), 307),
        (put("/k").with("x-amz-meta-team", "b"), 400),
        (put("/k").with("x-amz-storage-class", "STANDARD_IA"), 307),
        (put("/k").with("x-amz-storage-class", "GLACIER"), 400),
        (put("/k?expires=300"), 307),
        (put("/k?expires=301"), 400),
        (
            put(&format!("/k?meta-a={}", "x".repeat(2048 - "a".len() - "teama".len()))),
            307,
        ),
        (
            put(&format!("/k?meta-a={}", "x".repeat(2049 - "a".len() - "teama".len()))),
            400,
        ),
    ] {
        let context = format!("{:.60} {:?}", format!("{:?}", request.query), request.headers);
        let response = handler.handle(&request, now()).await;
        assert_eq!(response.status(), expected, "{context}: {}", body(&response));
    }
}

#[tokio::test]
async fn an_upload_for_an_instruction_needs_no_length_without_a_limit() {
    for (max_bytes, path, expected) in [
        ("", "/k?json", 200),
        ("", "/k?url", 200),
        ("", "/k", 411),
        ("max_bytes = 5", "/k?json", 411),
        ("max_bytes = 5", "/k", 411),
    ] {
        let rules = format!(
            "version = 1\n[[rule]]\nid = \"all\"\nwho = [\"anyone\"]\ncan = [\"write\"]\non = [\"**\"]\n\
             allow_anonymous_write = true\n{max_bytes}\n"
        );
        let request = ApiRequest {
            length: BodyLength::Missing,
            ..ask("PUT", path)
        };
        let response = handler(&rules).await.handle(&request, now()).await;
        assert_eq!(response.status(), expected, "{max_bytes} {path}: {}", body(&response));
    }
}

#[tokio::test]
async fn a_condition_of_an_upload_has_the_spelling_of_s3_in_a_redirect() {
    let handler = handler(RULES).await;
    for (path, name, value) in [
        ("/k?ifMatch=\"a\"", "If-Match", "\"a\""),
        ("/k?ifNoneMatch=*", "If-None-Match", "*"),
    ] {
        let response = handler.handle(&ask("PUT", path).sized(5), now()).await;
        assert_eq!(response.status(), 307, "{path}: {}", body(&response));
        let location = header(&response, "location");
        assert_eq!(parameter(location, name).as_deref(), Some(value), "{location}");
        assert_eq!(parameter(location, &name.to_ascii_lowercase()), None, "{location}");
    }
}
