//! Instructions: the responses to allowed requests, and the signed parts.

use crate::support::{self, OPEN_RULES, With as _, ask, body, handler, header, json, now, parameter};
use base64::Engine as _;
use signpost::request::{ApiRequest, BodyLength};
use signpost::response::ApiResponse;
use signpost::service::handler::Handler;

async fn told(handler: &Handler, request: ApiRequest) -> ApiResponse {
    handler.handle(&request, now()).await
}

/// The target of the redirect.
async fn location(request: ApiRequest) -> String {
    let response = told(&handler(OPEN_RULES).await, request).await;
    assert_eq!(response.status(), 307, "{}", body(&response));
    header(&response, "location").to_owned()
}

/// The instruction as JSON.
async fn instruction(request: ApiRequest) -> serde_json::Value {
    let response = told(
        &handler(OPEN_RULES).await,
        request.with("accept", "application/vnd.signpost+json, application/json"),
    )
    .await;
    assert_eq!(response.status(), 200, "{}", body(&response));
    json(&response)
}

#[tokio::test]
async fn each_method_is_redirected_to_its_own_object() {
    for method in ["GET", "HEAD", "PUT", "DELETE"] {
        let location = location(ask(method, "/a%20b//c%2Bd")).await;
        let (place, _) = location.split_once('?').unwrap();
        assert_eq!(
            place, "https://example-bucket.s3.eu-central-1.amazonaws.com/a%20b//c%2Bd",
            "{method}"
        );
        assert_eq!(parameter(&location, "X-Amz-Expires").unwrap(), "300");
        assert_eq!(parameter(&location, "X-Amz-Date").unwrap(), "20260710T191904Z");
    }
}

#[tokio::test]
async fn a_redirect_is_never_cached_and_leaks_no_referrer() {
    let response = told(&handler(OPEN_RULES).await, ask("GET", "/k")).await;
    for (name, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("vary", "Accept, Origin"),
    ] {
        assert_eq!(header(&response, name), value);
    }
}

/// The headers that real clients send by default.
const CLIENTS: &[(&str, &[(&str, &str)])] = &[
    ("curl", &[("accept", "*/*"), ("user-agent", "curl/8.11.0")]),
    ("no headers", &[]),
    ("axios, Angular", &[("accept", "application/json, text/plain, */*")]),
    (
        "HTTPie with a body",
        &[
            ("accept", "application/json, */*;q=0.5"),
            ("user-agent", "HTTPie/3.2.1"),
        ],
    ),
    (
        "jQuery",
        &[
            ("accept", "application/json, text/javascript, */*; q=0.01"),
            ("x-requested-with", "XMLHttpRequest"),
        ],
    ),
    ("got, ky", &[("accept", "application/json")]),
    (
        "RestSharp",
        &[(
            "accept",
            "application/json, text/json, text/x-json, text/javascript, application/xml, text/xml",
        )],
    ),
    (
        "Spring",
        &[("accept", "text/plain, application/json, application/*+json, */*")],
    ),
    (
        "httr",
        &[("accept", "application/json, text/xml, application/xml, */*")],
    ),
    ("cargo", &[("accept", "text/plain"), ("user-agent", "cargo/1.91.0")]),
    (
        "npm",
        &[(
            "accept",
            "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*",
        )],
    ),
    (
        "pip",
        &[(
            "accept",
            "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01",
        )],
    ),
    ("uv, wget, lftp", &[("accept", "*/*")]),
    (
        "wget2",
        &[(
            "accept",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        )],
    ),
    (
        "Java",
        &[("accept", "text/html, image/gif, image/jpeg, *; q=0.2, */*; q=0.2")],
    ),
    (
        "Node",
        &[("accept", "*/*"), ("sec-fetch-mode", "cors"), ("user-agent", "node")],
    ),
    (
        "a browser",
        &[
            (
                "accept",
                "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
            ),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-site", "none"),
            ("upgrade-insecure-requests", "1"),
        ],
    ),
    (
        "an image in a page",
        &[
            ("accept", "image/avif,image/webp,*/*;q=0.5"),
            ("sec-fetch-mode", "no-cors"),
        ],
    ),
    (
        "a type with weight 0",
        &[("accept", "application/vnd.signpost+json;q=0, */*")],
    ),
    (
        "only a type with weight 0",
        &[("accept", "application/vnd.signpost+json;q=0")],
    ),
    ("a wildcard", &[("accept", "application/*")]),
    (
        "a similar type",
        &[("accept", "application/vnd.signpost.v1+json, application/signpost+json")],
    ),
    (
        "two headers",
        &[("accept", "application/json"), ("accept", "text/plain")],
    ),
];

#[tokio::test]
async fn no_default_header_of_a_client_turns_a_request_for_an_object_into_something_else() {
    let handler = handler(OPEN_RULES).await;
    for (client, headers) in CLIENTS {
        for (method, path, length) in [
            ("GET", "/k", 0),
            ("HEAD", "/k", 0),
            ("PUT", "/k", 5),
            ("PUT", "/k", 0),
            ("DELETE", "/k", 0),
            ("POST", "/k?uploads", 0),
            ("PUT", "/k?partNumber=1&uploadId=i", 5),
            ("POST", "/k?uploadId=i&mp-object-size=5", 5),
            ("GET", "/k?uploadId=i", 0),
            ("DELETE", "/k?uploadId=i", 0),
        ] {
            let request = ask(method, path).sized(length);
            let request = headers
                .iter()
                .fold(request, |request, (name, value)| request.with(name, value));
            let response = told(&handler, request).await;
            assert_eq!(response.status(), 307, "{client}: {method} {path}");
            assert!(header(&response, "location").contains("X-Amz-Signature="), "{client}");
        }
    }
}

#[tokio::test]
async fn an_instruction_is_returned_only_on_explicit_request() {
    let handler = handler(OPEN_RULES).await;
    for (path, accept, status, kind) in [
        ("/k?url", "*/*", 200, "text/plain; charset=utf-8"),
        (
            "/k?url",
            "application/vnd.signpost+json",
            200,
            "text/plain; charset=utf-8",
        ),
        ("/k?url=", "application/json", 200, "text/plain; charset=utf-8"),
        ("/k?json", "*/*", 200, "application/json"),
        ("/k?json", "text/html", 200, "application/json"),
        ("/k", "application/vnd.signpost+json", 200, "application/json"),
        (
            "/k",
            "Application/VND.Signpost+JSON; q=0.1, */*",
            200,
            "application/json",
        ),
        ("/k?url&json", "*/*", 400, "application/problem+json"),
        ("/k?url=1", "*/*", 400, "text/plain; charset=utf-8"),
        ("/k?json=1", "*/*", 400, "application/problem+json"),
    ] {
        for method in ["GET", "PUT", "DELETE"] {
            let response = told(&handler, ask(method, path).with("accept", accept)).await;
            let found = (response.status().as_u16(), header(&response, "content-type"));
            assert_eq!(found, (status, kind), "{method} {path} {accept}");
        }
    }
}

#[tokio::test]
async fn a_request_with_a_body_never_gets_an_instruction() {
    let handler = handler(OPEN_RULES).await;
    let chunked = ApiRequest {
        length: BodyLength::Chunked,
        ..ask("PUT", "/a%20b?url")
    };
    let put = |path| ask("PUT", path).sized(5);
    for request in [
        put("/a%20b?url"),
        put("/a%20b?json"),
        put("/a%20b?url&contentLength=5"),
        put("/a%20b").with("accept", "application/vnd.signpost+json"),
        put("/a%20b?partNumber=1&uploadId=i&url"),
        ask("POST", "/a%20b?uploadId=i&mp-object-size=5&json").sized(5),
        ask("POST", "/a%20b?uploads&url").sized(5),
        ask("DELETE", "/a%20b?url").sized(5),
        ask("GET", "/a%20b?json").sized(5),
        ask("GET", "/-/presign/a%20b?method=PUT").sized(5),
        chunked,
    ] {
        let context = format!("{} {} {:?}", request.method, request.path, request.query);
        let repeated = request
            .query
            .iter()
            .filter(|(name, _)| !["url", "json", "contentLength"].contains(&name.as_str()));
        let repeated: Vec<_> = repeated.map(|(name, value)| format!("{name}={value}")).collect();
        let repeated = repeated.join("&");
        let response = told(&handler, request.with("accept", "application/json")).await;
        assert_eq!(response.status(), 400, "{context}");
        let problem = json(&response);
        assert_eq!(problem["code"], "InvalidRequest", "{context}");
        assert!(
            problem["detail"]
                .as_str()
                .unwrap()
                .starts_with("nothing has been stored")
        );
        if !context.contains("presign") {
            let remedy = problem["remedy"].as_str().unwrap();
            let query = if repeated.is_empty() {
                String::new()
            } else {
                format!("?{repeated}")
            };
            assert!(
                remedy.contains(&format!("curl -fL -T FILE 'https://files.example.com/a%20b{query}')")),
                "{remedy}"
            );
            let query = if repeated.is_empty() {
                String::new()
            } else {
                format!("{repeated}&")
            };
            assert!(
                remedy.contains(&format!(
                    "curl -fT FILE \"$(curl -fsS -X PUT 'https://files.example.com/a%20b?{query}url&contentLength='$(wc -c <FILE | tr -d ' '))\""
                )),
                "{remedy}"
            );
        }
    }
    for request in [put("/k"), ask("PUT", "/k?url").sized(0), ask("HEAD", "/k?url").sized(5)] {
        let response = told(&handler, request).await;
        assert!([200, 307].contains(&response.status().as_u16()));
    }
}

#[tokio::test]
async fn an_error_has_the_preferred_type_of_the_types_on_offer() {
    let handler = handler(OPEN_RULES).await;
    for (path, accept, kind) in [
        ("/a/../b", "*/*", "text/plain; charset=utf-8"),
        ("/a/../b", "image/png", "text/plain; charset=utf-8"),
        (
            "/a/../b",
            "application/json, text/plain, */*",
            "application/problem+json",
        ),
        (
            "/a/../b",
            "text/plain, application/json, */*",
            "text/plain; charset=utf-8",
        ),
        ("/a/../b", "application/problem+json", "application/problem+json"),
        ("/a/../b", "application/vnd.signpost+json", "application/problem+json"),
        (
            "/a/../b",
            "application/xml, application/json;q=0.1",
            "application/problem+json",
        ),
        ("/a/../b", "text/html, */*;q=0.8", "text/html; charset=utf-8"),
        ("/a/../b?json", "*/*", "application/problem+json"),
        ("/a/../b", "text/html;q=0", "text/plain; charset=utf-8"),
        // The first of two weights applies.
        (
            "/a/../b",
            "text/html;q=0.1, application/json;q=0.5, text/html",
            "application/problem+json",
        ),
    ] {
        let response = told(&handler, ask("GET", path).with("accept", accept)).await;
        assert_eq!(
            (response.status().as_u16(), header(&response, "content-type")),
            (400, kind),
            "{accept}"
        );
    }
}

#[tokio::test]
async fn a_bare_url_is_the_url_and_a_newline() {
    let response = told(&handler(OPEN_RULES).await, ask("PUT", "/k?url")).await;
    let text = body(&response);
    assert!(text.starts_with("https://example-bucket.s3.") && text.ends_with('\n'));
    assert_eq!(text.lines().count(), 1);
}

#[tokio::test]
async fn json_contains_everything_that_the_client_needs() {
    let told = instruction(ask("PUT", "/a%20b?contentLength=5&contentType=text/plain")).await;
    assert_eq!(told["method"], "PUT");
    assert_eq!(told["key"], "a b");
    assert_eq!(told["expires_in"], 300);
    assert_eq!(told["expires_at"], "2026-07-10T19:24:04Z");
    let headers = serde_json::json!({"content-length": "5", "content-type": "text/plain", "if-none-match": "*"});
    assert_eq!(told["headers"], headers);
    let signed = parameter(told["url"].as_str().unwrap(), "X-Amz-SignedHeaders").unwrap();
    assert_eq!(signed, "content-length;content-type;host;if-none-match");
}

#[tokio::test]
async fn create_only_is_signed_into_the_query_of_a_redirect() {
    let url = location(ask("PUT", "/k").sized(5)).await;
    assert_eq!(parameter(&url, "If-None-Match").unwrap(), "*");
    assert_eq!(parameter(&url, "X-Amz-SignedHeaders").unwrap(), "content-length;host");
}

#[tokio::test]
async fn headers_that_s3_wants_signed_are_mirrored() {
    let request = ask("PUT", "/k")
        .sized(5)
        .with("content-md5", "XUFAKrxLKna5cZ2REBfFkg==")
        .with("x-amz-checksum-sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=")
        .with("x-amz-sdk-checksum-algorithm", "SHA256")
        .with("x-amz-meta-color", "red")
        .with("if-none-match", "*")
        .with("content-type", "text/plain")
        .with("user-agent", "curl/8")
        .with("x-amz-cf-id", "cloudfront")
        .with("x-amzn-trace-id", "Root=1-2-3")
        .with("x-forwarded-for", "203.0.113.7");
    let url = location(request).await;
    assert_eq!(
        parameter(&url, "X-Amz-SignedHeaders").unwrap(),
        "content-length;content-md5;host;if-none-match;x-amz-checksum-sha256;x-amz-meta-color;\
         x-amz-sdk-checksum-algorithm"
    );
    assert_eq!(parameter(&url, "If-None-Match"), None, "the client sends it itself");
}

/// The checksum algorithms of S3.
const CHECKSUMS: [&str; 10] = [
    "crc32",
    "crc32c",
    "crc64nvme",
    "md5",
    "sha1",
    "sha256",
    "sha512",
    "xxhash128",
    "xxhash3",
    "xxhash64",
];

/// The Base64 encoding of a digest of zeros.
fn digest(algorithm: &str) -> String {
    let bytes = match algorithm {
        "crc32" | "crc32c" => 4,
        "crc64nvme" | "xxhash64" | "xxhash3" => 8,
        "md5" | "xxhash128" => 16,
        "sha1" => 20,
        "sha256" => 32,
        "sha512" => 64,
        other => panic!("the length of {other} is unknown"),
    };
    base64::engine::general_purpose::STANDARD.encode(vec![0; bytes])
}

#[tokio::test]
async fn every_checksum_is_signed_from_the_header_and_from_the_parameter() {
    for algorithm in CHECKSUMS {
        let header = format!("x-amz-checksum-{algorithm}");
        let digest = digest(algorithm);
        for (method, path) in [
            ("PUT", "/k?"),
            ("PUT", "/k?partNumber=1&uploadId=u&"),
            ("POST", "/k?uploadId=u&"),
        ] {
            let sent = ask(method, path.trim_end_matches(['?', '&']))
                .with(&header, &digest)
                .sized(9);
            let signed = parameter(&location(sent).await, "X-Amz-SignedHeaders").unwrap();
            assert!(signed.split(';').any(|name| name == header), "{method} {path} {signed}");
            let told = instruction(ask(method, &format!("{path}checksum-{algorithm}={digest}"))).await;
            assert_eq!(told["headers"][&header], digest, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_condition_of_a_delete_is_a_signed_header_in_every_format() {
    for value in ["\"e\"", "*"] {
        let sent = location(ask("DELETE", "/k").with("if-match", value)).await;
        assert_eq!(parameter(&sent, "X-Amz-SignedHeaders").unwrap(), "host;if-match");
        // If the client does not send the header, S3 rejects the signature and deletes nothing.
        let path = format!("/k?ifMatch={value}");
        let requested = location(ask("DELETE", &path)).await;
        assert_eq!(parameter(&requested, "X-Amz-SignedHeaders").unwrap(), "host;if-match");
        assert_eq!(parameter(&requested, "If-Match"), None);
        assert_eq!(instruction(ask("DELETE", &path)).await["headers"]["if-match"], value);
    }
}

#[tokio::test]
async fn range_and_conditional_headers_of_a_get_are_not_signed() {
    let request = ask("GET", "/k")
        .with("range", "bytes=0-1")
        .with("if-none-match", "\"e\"")
        .with("if-match", "\"e\"");
    assert_eq!(
        parameter(&location(request).await, "X-Amz-SignedHeaders").unwrap(),
        "host"
    );
}

#[tokio::test]
async fn metadata_set_by_parameter_requires_no_header_after_a_redirect() {
    let url = location(ask("PUT", "/k?meta-Color=red").sized(5)).await;
    assert_eq!(parameter(&url, "x-amz-meta-color").unwrap(), "red");
    let told = instruction(ask("PUT", "/k?meta-Color=red")).await;
    assert_eq!(told["headers"]["x-amz-meta-color"], "red");
}

#[tokio::test]
async fn settings_of_the_rule_apply_in_every_response_format() {
    let rules = format!(
        "{OPEN_RULES}\noverwrite = true\nmetadata = {{ team = \"blue\" }}\nstorage_class = \"STANDARD_IA\"\n\
         sse = \"aws:kms\"\nsse_kms_key_id = \"key-1\"\nexpires = \"1m\""
    );
    let handler = handler(&rules).await;
    let enforced = [
        ("x-amz-meta-team", "blue"),
        ("x-amz-storage-class", "STANDARD_IA"),
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-server-side-encryption-aws-kms-key-id", "key-1"),
    ];
    let redirect = told(&handler, ask("PUT", "/k").sized(1)).await;
    let in_json = json(
        &told(
            &handler,
            ask("PUT", "/k").with("accept", "application/vnd.signpost+json, application/json"),
        )
        .await,
    );
    for (name, value) in enforced {
        assert_eq!(parameter(header(&redirect, "location"), name).unwrap(), value);
        assert_eq!(in_json["headers"][name], value);
    }
    assert_eq!(parameter(header(&redirect, "location"), "If-None-Match"), None);
    assert_eq!(in_json["expires_in"], 60);
}

#[tokio::test]
async fn a_download_is_an_attachment_with_the_requested_name() {
    let disposition =
        async |path| parameter(&location(ask("GET", path)).await, "response-content-disposition").unwrap();
    assert_eq!(disposition("/a/b.html").await, "attachment");
    assert_eq!(
        disposition("/a/b.html?download").await,
        "attachment; filename=\"b.html\"; filename*=UTF-8''b.html"
    );
    assert_eq!(
        disposition("/a?download=n\"a;m\\e/ü\r\nX: y.txt").await,
        "attachment; filename=\"n_a_m_e____X: y.txt\"; filename*=UTF-8''n%22a%3Bm_e_%C3%BC__X%3A%20y.txt"
    );
}

#[tokio::test]
async fn version_and_overrides_are_signed_if_the_rule_allows_them() {
    let url = location(ask("GET", "/k?versionId=v1&response-content-type=text/plain")).await;
    assert_eq!(parameter(&url, "versionId").unwrap(), "v1");
    assert_eq!(parameter(&url, "response-content-type").unwrap(), "text/plain");
}

#[tokio::test]
async fn every_signed_url_contains_request_caller_and_rule() {
    assert_eq!(
        parameter(&location(ask("GET", "/k")).await, "x-signpost").unwrap(),
        "request-1.-.open"
    );
}

#[tokio::test]
async fn a_client_can_request_a_shorter_lifetime() {
    assert_eq!(instruction(ask("GET", "/k?expires=60")).await["expires_in"], 60);
    assert_eq!(instruction(ask("GET", "/k?expires=2m")).await["expires_in"], 120);
}

#[tokio::test]
async fn the_presign_path_responds_like_the_go_example() {
    let handler = handler(OPEN_RULES).await;
    let put = json(&told(&handler, ask("GET", "/-/presign/a/b%20c?method=PUT&contentLength=1234")).await);
    assert_eq!(put["Method"], "PUT");
    assert_eq!(
        put["Header"],
        serde_json::json!({"Content-Length": ["1234"], "If-None-Match": ["*"]})
    );
    let url = put["URL"].as_str().unwrap();
    assert!(
        url.starts_with("https://example-bucket.s3.eu-central-1.amazonaws.com/a/b%20c?"),
        "{url}"
    );
    let get = json(&told(&handler, ask("GET", "/-/presign/x?method=GET&contentLength=0")).await);
    assert_eq!(
        (get["Method"].as_str(), get["Header"].as_object().unwrap().len()),
        (Some("GET"), 0)
    );
}

#[tokio::test]
async fn health_requires_no_rule() {
    let response = told(&handler("version = 1").await, ask("GET", "/-/health")).await;
    assert_eq!(response.status(), 200);
    assert_eq!(
        json(&response),
        serde_json::json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")})
    );
}

#[tokio::test]
async fn options_is_never_redirected() {
    let handler = support::handler_with(
        &[
            ("SIGNPOST_RULES", "version = 1"),
            ("SIGNPOST_CORS_ORIGINS", "https://app.example.com"),
        ],
        support::credentials(None, None),
    )
    .await;
    let preflight = |origin| {
        ask("OPTIONS", "/k")
            .with("origin", origin)
            .with("access-control-request-method", "PUT")
            .with("access-control-request-headers", "content-type, x-amz-meta-a")
    };
    let allowed = told(&handler, preflight("https://app.example.com")).await;
    assert_eq!(allowed.status(), 204);
    assert_eq!(header(&allowed, "allow"), "GET, HEAD, PUT, DELETE, OPTIONS");
    assert_eq!(
        header(&allowed, "access-control-allow-origin"),
        "https://app.example.com"
    );
    assert_eq!(
        header(&allowed, "access-control-allow-headers"),
        "content-type, x-amz-meta-a"
    );
    let foreign = told(&handler, preflight("https://evil.example.com")).await;
    assert_eq!(
        (
            foreign.status().as_u16(),
            header(&foreign, "access-control-allow-origin")
        ),
        (204, "")
    );
}

#[tokio::test]
async fn errors_and_redirects_contain_the_cors_headers() {
    let handler = support::handler_with(
        &[
            ("SIGNPOST_RULES", OPEN_RULES),
            ("SIGNPOST_CORS_ORIGINS", "https://app.example.com"),
        ],
        support::credentials(None, None),
    )
    .await;
    for path in ["/k", "/a/../b"] {
        let response = told(&handler, ask("GET", path).with("origin", "https://app.example.com")).await;
        assert_eq!(
            header(&response, "access-control-allow-origin"),
            "https://app.example.com",
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_client_that_does_not_follow_redirects_learns_that_nothing_was_sent() {
    for (method, words) in [
        ("PUT", "Nothing has been stored yet"),
        ("DELETE", "Nothing has been deleted yet"),
    ] {
        let response = told(&handler(OPEN_RULES).await, ask(method, "/a%20b")).await;
        let text = body(&response);
        assert!(text.starts_with(words) && text.contains("curl -fL"), "{text}");
        assert!(
            text.contains("https://files.example.com/a%20b") && !text.contains("X-Amz"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn the_command_in_a_redirect_repeats_the_whole_request_without_its_credential() {
    let handler = handler(OPEN_RULES).await;
    for (method, path, command) in [
        ("GET", "/a%20b", "curl -fL -O 'https://files.example.com/a%20b'"),
        (
            "GET",
            "/k?versionId=abc",
            "curl -fL -O 'https://files.example.com/k?versionId=abc'",
        ),
        (
            "GET",
            "/k?download=it's.txt",
            "curl -fL -O 'https://files.example.com/k?download=it%27s.txt'",
        ),
        (
            "PUT",
            "/k?partNumber=2&uploadId=u",
            "curl -fL -T PART 'https://files.example.com/k?partNumber=2&uploadId=u'",
        ),
        (
            "POST",
            "/k?uploads",
            "curl -fL -X POST 'https://files.example.com/k?uploads='",
        ),
        (
            "DELETE",
            "/k?uploadId=u",
            "curl -fL -X DELETE 'https://files.example.com/k?uploadId=u'",
        ),
    ] {
        let text = body(&told(&handler, ask(method, path)).await).to_owned();
        assert!(text.contains(&format!("Follow it:  {command}\n")), "{text}");
    }
    let text = body(&told(&handler, ask("PUT", "/k?meta-a=b c&contentLength=5")).await).to_owned();
    assert!(
        text.contains("'https://files.example.com/k?meta-a=b%20c&url&contentLength='$(wc"),
        "{text}"
    );
}

#[tokio::test]
async fn a_head_has_no_body() {
    assert!(
        told(&handler(OPEN_RULES).await, ask("HEAD", "/k"))
            .await
            .body()
            .is_empty()
    );
    assert!(
        told(&handler(OPEN_RULES).await, ask("HEAD", "/a/../b"))
            .await
            .body()
            .is_empty()
    );
}
