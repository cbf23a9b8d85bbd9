//! Multipart uploads: the operation that a request selects, the signed parts, and the limits of the rules.

use serde_json::json;
use signpost::request::ApiRequest;

use crate::support::{OPEN_RULES, With as _, ask, body, handler, header, json, now, parameter};

/// A rule that limits and describes uploaded objects.
const LIMITED: &str = r#"
version = 1
[[rule]]
id = "limited"
who = ["anyone"]
can = ["write"]
on = ["in/**"]
allow_anonymous_write = true
max_bytes = 1000
content_types = ["video/*"]
metadata = { origin = "upload" }
storage_class = "GLACIER_IR"
"#;

async fn told(rules: &str, request: ApiRequest) -> serde_json::Value {
    let response = handler(rules)
        .await
        .handle(
            &request.with("accept", "application/vnd.signpost+json, application/json"),
            now(),
        )
        .await;
    assert_eq!(response.status(), 200, "{}", body(&response));
    json(&response)
}

async fn refused(rules: &str, request: ApiRequest) -> (u16, String) {
    let request = request.with("accept", "application/problem+json, application/json");
    let response = handler(rules).await.handle(&request, now()).await;
    let code = json(&response)["code"].as_str().map(str::to_owned);
    (response.status().as_u16(), code.unwrap_or_default())
}

#[tokio::test]
async fn each_step_of_a_multipart_upload_is_redirected_to_its_sub_resource() {
    let handler = handler(OPEN_RULES).await;
    for (method, path, signed) in [
        ("POST", "/a%20b?uploads", &[("uploads", "")][..]),
        (
            "PUT",
            "/a%20b?partNumber=7&uploadId=2~x/y",
            &[("partNumber", "7"), ("uploadId", "2~x/y")],
        ),
        (
            "GET",
            "/a%20b?uploadId=u&max-parts=5",
            &[("uploadId", "u"), ("max-parts", "5")],
        ),
        (
            "POST",
            "/a%20b?uploadId=u",
            &[("uploadId", "u"), ("If-None-Match", "*")],
        ),
        ("DELETE", "/a%20b?uploadId=u", &[("uploadId", "u")]),
    ] {
        let response = handler.handle(&ask(method, path), now()).await;
        assert_eq!(response.status(), 307, "{method} {path}: {}", body(&response));
        let location = header(&response, "location");
        assert!(location.starts_with("https://example-bucket.s3.eu-central-1.amazonaws.com/a%20b?"));
        for (name, value) in signed {
            assert_eq!(parameter(location, name).as_deref(), Some(*value), "{method} {path}");
        }
        assert!(body(&response).contains("Nothing has been"), "{}", body(&response));
    }
}

#[tokio::test]
async fn instructions_for_parts_contain_the_headers_that_the_client_must_send() {
    let part = told(
        OPEN_RULES,
        ask(
            "PUT",
            "/k?partNumber=1&uploadId=u&contentLength=9&checksum-crc64nvme=AAAAAAAAAAA=",
        ),
    )
    .await;
    assert_eq!(
        part["headers"],
        json!({"content-length": "9", "x-amz-checksum-crc64nvme": "AAAAAAAAAAA="})
    );
    assert_eq!(part["method"], "PUT");
    let begun = told(
        OPEN_RULES,
        ask(
            "POST",
            "/k?uploads&checksum-algorithm=CRC64NVME&checksum-type=FULL_OBJECT&contentType=a/b&meta-x=1",
        ),
    )
    .await;
    assert_eq!(
        begun["headers"],
        json!({
            "x-amz-checksum-algorithm": "CRC64NVME", "x-amz-checksum-type": "FULL_OBJECT", "content-type": "a/b",
            "x-amz-meta-x": "1",
        })
    );
    let ended = told(
        OPEN_RULES,
        ask("POST", "/k?uploadId=u&mp-object-size=12&checksum-type=FULL_OBJECT"),
    )
    .await;
    assert_eq!(
        ended["headers"],
        json!({"x-amz-mp-object-size": "12", "x-amz-checksum-type": "FULL_OBJECT", "if-none-match": "*"})
    );
    assert_eq!(ended["method"], "POST");
}

#[tokio::test]
async fn headers_of_an_upload_are_signed_if_the_operation_accepts_them() {
    let handler = handler(OPEN_RULES).await;
    let part = ask("PUT", "/k?partNumber=1&uploadId=u")
        .sized(9)
        .with("content-md5", "XUFAKrxLKna5cZ2REBfFkg==");
    let part = handler.handle(&part, now()).await;
    assert_eq!(
        parameter(header(&part, "location"), "X-Amz-SignedHeaders").unwrap(),
        "content-length;content-md5;host"
    );
    let end = ask("POST", "/k?uploadId=u")
        .sized(200)
        .with("x-amz-mp-object-size", "9");
    let end = handler.handle(&end, now()).await;
    assert_eq!(
        parameter(header(&end, "location"), "X-Amz-SignedHeaders").unwrap(),
        "host;x-amz-mp-object-size",
        "the list of parts may have any length"
    );
}

#[tokio::test]
async fn the_limits_of_a_rule_apply_to_multipart_uploads() {
    let begun = told(
        LIMITED,
        ask("POST", "/in/k?uploads&contentType=video/mp4&contentLength=1000"),
    )
    .await;
    assert_eq!(
        begun["headers"],
        json!({"content-type": "video/mp4", "x-amz-meta-origin": "upload", "x-amz-storage-class": "GLACIER_IR"})
    );
    let ended = told(LIMITED, ask("POST", "/in/k?uploadId=u&mp-object-size=1000")).await;
    assert_eq!(
        ended["headers"]["x-amz-mp-object-size"], "1000",
        "S3 compares it with the parts"
    );
    for (method, path, status, code) in [
        (
            "POST",
            "/in/k?uploads&contentType=video/mp4&contentLength=1001",
            413,
            "EntityTooLarge",
        ),
        (
            "POST",
            "/in/k?uploads&contentType=text/html",
            415,
            "UnsupportedMediaType",
        ),
        ("POST", "/in/k?uploads", 415, "UnsupportedMediaType"),
        (
            "POST",
            "/in/k?uploads&contentType=video/mp4&meta-origin=me",
            400,
            "InvalidArgument",
        ),
        (
            "POST",
            "/in/k?uploads&contentType=video/mp4&storage-class=STANDARD",
            403,
            "AccessDenied",
        ),
        ("PUT", "/in/k?partNumber=1&uploadId=u", 411, "MissingContentLength"),
        (
            "PUT",
            "/in/k?partNumber=1&uploadId=u&contentLength=1001",
            413,
            "EntityTooLarge",
        ),
        ("POST", "/in/k?uploadId=u", 411, "MissingContentLength"),
        ("POST", "/in/k?uploadId=u&mp-object-size=1001", 413, "EntityTooLarge"),
        ("POST", "/in/k?uploadId=u&mp-object-size=-1", 400, "InvalidArgument"),
        (
            "POST",
            "/in/k?uploadId=u&mp-object-size=9&ifMatch=%22e%22",
            400,
            "InvalidArgument",
        ),
        ("POST", "/out/k?uploads", 403, "AccessDenied"),
        ("PUT", "/out/k?partNumber=1&uploadId=u", 403, "AccessDenied"),
        ("GET", "/out/k?uploadId=u", 403, "AccessDenied"),
        ("POST", "/out/k?uploadId=u", 403, "AccessDenied"),
        ("DELETE", "/out/k?uploadId=u", 403, "AccessDenied"),
    ] {
        assert_eq!(
            refused(LIMITED, ask(method, path)).await,
            (status, code.to_owned()),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn read_and_delete_permissions_do_not_allow_listing_or_aborting_uploads() {
    let rules = r#"
        version = 1
        [[rule]]
        id = "no-write"
        who = ["anyone"]
        can = ["read", "delete"]
        on = ["**"]
        allow_anonymous_write = true
    "#;
    for (method, path) in [
        ("GET", "/k?uploadId=u"),
        ("DELETE", "/k?uploadId=u"),
        ("POST", "/k?uploads"),
    ] {
        assert_eq!(
            refused(rules, ask(method, path)).await,
            (403, "AccessDenied".into()),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn what_s3_would_not_take_as_part_of_an_upload_is_refused() {
    for (method, path, status, code) in [
        ("PUT", "/k?uploadId=u", 400, "InvalidArgument"),
        ("PUT", "/k?partNumber=0&uploadId=u", 400, "InvalidArgument"),
        ("PUT", "/k?partNumber=10001&uploadId=u", 400, "InvalidArgument"),
        ("PUT", "/k?partNumber=1x&uploadId=u", 400, "InvalidArgument"),
        ("PUT", "/k?partNumber=%2B1&uploadId=u", 400, "InvalidArgument"),
        ("PUT", "/k?partNumber=1&uploadId=", 400, "InvalidArgument"),
        ("PUT", "/k?partNumber=1", 400, "InvalidArgument"),
        ("PUT", "/k?partNumber=1&partNumber=2&uploadId=u", 400, "InvalidArgument"),
        (
            "PUT",
            "/k?partNumber=1&uploadId=u&contentLength=5368709121",
            413,
            "EntityTooLarge",
        ),
        ("PUT", "/k?partNumber=1&uploadId=u&meta-a=1", 400, "InvalidArgument"),
        (
            "PUT",
            "/k?partNumber=1&uploadId=u&ifNoneMatch=*",
            400,
            "InvalidArgument",
        ),
        ("POST", "/k?uploads=1", 400, "InvalidArgument"),
        ("POST", "/k?uploads&uploadId=u", 400, "InvalidArgument"),
        ("POST", "/k?uploads&contentLength=53687091200001", 413, "EntityTooLarge"),
        ("GET", "/k?uploadId=u&max-parts=1001", 400, "InvalidArgument"),
        ("GET", "/k?uploadId=u&download", 400, "InvalidArgument"),
        ("GET", "/k?uploads", 405, "MethodNotAllowed"),
        ("PUT", "/k?uploads", 405, "MethodNotAllowed"),
        ("HEAD", "/k?uploadId=u", 405, ""),
        ("POST", "/k", 405, "MethodNotAllowed"),
        ("GET", "/-/presign/k?method=GET&uploads", 400, "InvalidArgument"),
        ("GET", "/-/presign/k?method=PUT&uploadId=u", 400, "InvalidArgument"),
    ] {
        let response = handler(OPEN_RULES)
            .await
            .handle(
                &ask(method, path).with("accept", "application/vnd.signpost+json, application/json"),
                now(),
            )
            .await;
        let told = serde_json::from_slice::<serde_json::Value>(response.body()).unwrap_or_default();
        let told = (
            response.status().as_u16(),
            told["code"].as_str().unwrap_or_default().to_owned(),
        );
        assert_eq!(told, (status, code.to_owned()), "{method} {path}");
    }
}

#[tokio::test]
async fn allow_contains_the_methods_of_the_sub_resource() {
    let handler = handler(OPEN_RULES).await;
    for (path, allow) in [
        ("/k", "GET, HEAD, PUT, DELETE, OPTIONS"),
        ("/k?uploads", "POST, OPTIONS"),
        ("/k?uploadId=u", "PUT, GET, POST, DELETE, OPTIONS"),
    ] {
        for method in ["OPTIONS", "PATCH"] {
            let response = handler.handle(&ask(method, path), now()).await;
            assert_eq!(header(&response, "allow"), allow, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_go_example_supports_parts() {
    let path = "/-/presign/k?method=PUT&uploadId=u&partNumber=3&contentLength=5";
    let told = json(&handler(OPEN_RULES).await.handle(&ask("GET", path), now()).await);
    assert_eq!(
        (&told["Method"], &told["Header"]),
        (&json!("PUT"), &json!({"Content-Length": ["5"]}))
    );
    assert_eq!(parameter(told["URL"].as_str().unwrap(), "partNumber").unwrap(), "3");
}

#[tokio::test]
async fn the_limit_of_a_rule_bounds_the_parts_that_a_client_can_store() {
    const MIB: u64 = 1024 * 1024;
    let limited = |max_bytes: u64| {
        format!(
            "{}overwrite = true\nmax_bytes = {max_bytes}\n",
            crate::support::OPEN_RULES
        )
    };
    for (max_bytes, number, length, status) in [
        (100, 1, Some(100), 200),
        (100, 1, Some(101), 413),
        (100, 2, Some(1), 413),
        (100, 10_000, Some(1), 413),
        (20 * MIB, 4, Some(5 * MIB), 200),
        (20 * MIB, 4, Some(5 * MIB + 1), 413),
        (20 * MIB, 5, Some(1), 413),
        (20 * MIB, 1, Some(20 * MIB), 200),
        (20 * MIB, 2, None, 411),
        (6 * 1024 * MIB, 2, None, 411),
        (6 * 1024 * MIB, 2, Some(5 * 1024 * MIB), 200),
        (6 * 1024 * MIB, 1000, Some(2 * 1024 * MIB), 413),
    ] {
        let length = length.map_or_else(String::new, |length: u64| format!("&contentLength={length}"));
        let path = format!("/k?json&partNumber={number}&uploadId=u{length}");
        let rules = limited(max_bytes);
        let handler = handler(&rules).await;
        let request = ask("PUT", &path);
        let response = handler.handle(&request, now()).await;
        assert_eq!(response.status(), status, "{max_bytes} {path}: {}", body(&response));
    }
    let handler = handler(crate::support::OPEN_RULES).await;
    let request = ask("PUT", "/k?json&partNumber=9&uploadId=u");
    assert_eq!(
        handler.handle(&request, now()).await.status(),
        200,
        "no limit, no length"
    );
}
