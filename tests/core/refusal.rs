//! Requests that are rejected without a request to S3: the status, the code, and the remedy.

use signpost::encoding::is_invisible;

use crate::support::{OPEN_RULES, With as _, ask, body, handler, header, json, now};
use signpost::request::{ApiRequest, BodyLength};

/// The status and the code of the rejection.
async fn rejection(rules: &str, request: ApiRequest) -> (u16, String) {
    let response = handler(rules)
        .await
        .handle(&request.with("accept", "application/json"), now())
        .await;
    assert_eq!(
        header(&response, "content-type"),
        "application/problem+json",
        "{}",
        body(&response)
    );
    assert_eq!(header(&response, "location"), "");
    (
        response.status().as_u16(),
        json(&response)["code"].as_str().unwrap().to_owned(),
    )
}

/// Requests that [`OPEN_RULES`] reject, with the status and the code.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn invalid_requests() -> Vec<(ApiRequest, u16, &'static str)> {
    let chunked = ApiRequest {
        length: BodyLength::Chunked,
        ..ask("PUT", "/k")
    };
    let chunked_but_declared = ApiRequest {
        length: BodyLength::Chunked,
        ..ask("PUT", "/k?contentLength=5")
    };
    vec![
        (ask("GET", "/a/../b"), 400, "InvalidURI"),
        (ask("GET", "/a%zz"), 400, "InvalidURI"),
        (ask("GET", "/"), 403, "AccessDenied"),
        (ask("PUT", "/"), 400, "InvalidURI"),
        (ask("DELETE", "/"), 400, "InvalidURI"),
        (ask("GET", &format!("/{}", "a".repeat(1025))), 400, "KeyTooLongError"),
        (ask("POST", "/k"), 405, "MethodNotAllowed"),
        (ask("PATCH", "/k"), 405, "MethodNotAllowed"),
        (ask("get", "/k"), 405, "MethodNotAllowed"),
        (ask("", "/k"), 405, "MethodNotAllowed"),
        (ask("GET", "/k?nope=1"), 400, "InvalidArgument"),
        (ask("GET", "/k?torrent"), 400, "InvalidArgument"),
        (ask("GET", "/k?acl"), 400, "InvalidArgument"),
        (ask("GET", "/k?X-Amz-Signature=1"), 400, "InvalidArgument"),
        (ask("GET", "/k?expires=60&expires=61"), 400, "InvalidArgument"),
        (ask("GET", "/k?expires=0"), 400, "InvalidArgument"),
        (ask("GET", "/k?expires=1500ms"), 400, "InvalidArgument"),
        (ask("GET", "/k?expires=301"), 400, "InvalidArgument"),
        (ask("GET", "/k?versionId="), 400, "InvalidArgument"),
        (
            ask("PUT", "/k").sized(27).with("content-range", "bytes 6-32/33"),
            400,
            "InvalidArgument",
        ),
        (
            ask("GET", "/k?response-content-disposition=inline"),
            403,
            "AccessDenied",
        ),
        (ask("PUT", "/k?server-side-encryption=AES256"), 403, "AccessDenied"),
        (ask("PUT", "/k?contentLength=-1"), 400, "InvalidArgument"),
        (ask("PUT", "/k?contentLength=5").sized(6), 400, "InvalidArgument"),
        (ask("PUT", "/k?contentLength=5368709121"), 413, "EntityTooLarge"),
        (ask("PUT", "/k").sized(5_368_709_121), 413, "EntityTooLarge"),
        (ask("PUT", "/k?meta-a=b\nc"), 400, "InvalidArgument"),
        (ask("PUT", "/k?meta-a b=c"), 400, "InvalidArgument"),
        (ask("PUT", "/k?meta-=c"), 400, "InvalidArgument"),
        (
            ask("PUT", "/k?meta-a=b").with("x-amz-meta-a", "c"),
            400,
            "InvalidArgument",
        ),
        (
            ask("PUT", "/k?contentType=a/b").with("content-type", "c/d"),
            400,
            "InvalidArgument",
        ),
        (
            ask("PUT", "/k").with("x-amz-acl", "public-read"),
            400,
            "InvalidArgument",
        ),
        (
            ask("PUT", "/k").with("x-amz-copy-source", "/b/k"),
            400,
            "InvalidArgument",
        ),
        (
            ask("PUT", "/k").with("x-amz-grant-read", "id=1"),
            400,
            "InvalidArgument",
        ),
        (
            ask("PUT", "/k").with("x-amz-website-redirect-location", "/"),
            400,
            "InvalidArgument",
        ),
        (
            ask("PUT", "/k").with("x-amz-object-lock-mode", "GOVERNANCE"),
            400,
            "InvalidArgument",
        ),
        (
            ask("PUT", "/k").with("x-amz-request-payer", "requester"),
            400,
            "InvalidArgument",
        ),
        (
            ask("PUT", "/k").with("x-amz-meta-a", "\u{e9}t\u{e9}"),
            400,
            "InvalidArgument",
        ),
        (
            ask("PUT", "/k").with("x-amz-meta-a", "1").with("x-amz-meta-a", "2"),
            400,
            "InvalidArgument",
        ),
        (
            ask("PUT", "/k").with("x-amz-server-side-encryption", "AES256"),
            403,
            "AccessDenied",
        ),
        (ask("PUT", "/k").with("if-none-match", "\"e\""), 400, "InvalidArgument"),
        (ask("PUT", "/k").with("if-match", "\"e\""), 400, "InvalidArgument"),
        (ask("PUT", "/k?checksum-sha3=x"), 400, "InvalidArgument"),
        (
            ask("PUT", "/k").with("x-amz-checksum-xxhash32", "x"),
            400,
            "InvalidArgument",
        ),
        (
            ask("DELETE", "/k").with("x-amz-if-match-size", "1"),
            400,
            "InvalidArgument",
        ),
        (ask("DELETE", "/k?ifNoneMatch=*"), 400, "InvalidArgument"),
        (ask("DELETE", "/k?ifMatch="), 400, "InvalidArgument"),
        (ask("DELETE", "/k?uploadId=u&ifMatch=*"), 400, "InvalidArgument"),
        (ask("GET", "/k").with("x-amz-meta-a", "1"), 400, "InvalidArgument"),
        (ask("GET", "/k").with("x-amz-mfa", "1"), 400, "InvalidArgument"),
        (chunked, 411, "MissingContentLength"),
        (chunked_but_declared, 411, "MissingContentLength"),
        (ask("PUT", "/k").with("x-amz-meta-a", "a\tb"), 400, "InvalidArgument"),
        (
            ask("PUT", &format!("/k?meta-a={}", "x".repeat(2048))),
            400,
            "InvalidArgument",
        ),
        (
            ask("PUT", &format!("/k?contentType=a/{}", "x".repeat(5000))),
            400,
            "InvalidArgument",
        ),
        (
            ask("GET", "/k?response-content-type=a/b\r\nX: 1"),
            400,
            "InvalidArgument",
        ),
        (ask("GET", "/k?versionId=☃"), 400, "InvalidArgument"),
        (ask("GET", "/-/nothing"), 404, "NoSuchKey"),
        (ask("GET", "/%2D/nothing"), 404, "NoSuchKey"),
        (ask("GET", "/-/presign/"), 400, "InvalidURI"),
        (ask("GET", "/-/presign/k?method=POST"), 400, "InvalidArgument"),
        (ask("PUT", "/-/presign/k"), 405, "MethodNotAllowed"),
        (ask("POST", "/-/health"), 405, "MethodNotAllowed"),
        (
            ask("GET", "/k").with("authorization", "Bearer x"),
            401,
            "InvalidCredential",
        ),
        (ask("GET", "/k").with("authorization", ""), 401, "InvalidCredential"),
    ]
}

#[tokio::test]
async fn invalid_requests_are_rejected() {
    let mut differences = Vec::new();
    for (row, (request, status, code)) in invalid_requests().into_iter().enumerate() {
        let shown = format!(
            "{} {} {:?} {:?}",
            request.method, request.path, request.query, request.headers
        );
        let actual = rejection(OPEN_RULES, request).await;
        if actual != (status, code.to_owned()) {
            differences.push(format!(
                "row {row}: {shown}\n  expected: {status} {code}\n  actual:   {} {}",
                actual.0, actual.1
            ));
        }
    }
    assert!(differences.is_empty(), "\n{}", differences.join("\n"));
}

#[tokio::test]
async fn only_a_redirected_upload_requires_a_length() {
    let undeclared = |path| ApiRequest {
        length: BodyLength::Missing,
        ..ask("PUT", path)
    };
    let handler = handler(OPEN_RULES).await;
    for (request, status) in [
        (undeclared("/k"), 411),
        (undeclared("/k?url"), 200),
        (ask("PUT", "/k"), 307),
    ] {
        let actual = handler.handle(&request, now()).await.status();
        assert_eq!(
            actual, status,
            "{} {:?} {:?}",
            request.path, request.query, request.length
        );
    }
}

#[tokio::test]
async fn a_rule_with_a_limit_requires_the_length_and_checks_it() {
    let rules = format!("{OPEN_RULES}\nmax_bytes = \"10MB\"");
    let handler = handler(&rules).await;
    for (request, status) in [
        (ask("PUT", "/k").sized(10_000_000), 307),
        (ask("PUT", "/k").sized(10_000_001), 413),
        (ask("PUT", "/k"), 411),
        (ask("PUT", "/k?url"), 411),
        (ask("PUT", "/k?url&contentLength=0"), 200),
        (ask("PUT", "/k?url&contentLength=7"), 200),
        (ask("PUT", "/k").sized(0), 307),
        (ask("PUT", "/k?url").sized(0), 411),
    ] {
        let response = handler.handle(&request, now()).await;
        assert_eq!(response.status(), status, "{:?} {:?}", request.query, request.length);
    }
}

#[tokio::test]
async fn a_rule_with_media_types_signs_the_allowed_one() {
    let rules = format!("{OPEN_RULES}\ncontent_types = [\"image/*\", \"text/plain\"]");
    let handler = handler(&rules).await;
    for (content_type, status) in [
        (Some("image/png"), 307),
        (Some("Text/Plain; charset=utf-8"), 307),
        (Some("text/html"), 415),
        (Some("imagex/png"), 415),
        (Some("image"), 415),
        (Some("image/png,text/html"), 415),
        (Some("image/png;x, text/html"), 415),
        (Some("image/p g"), 415),
        (Some("image/"), 415),
        (None, 415),
    ] {
        let request = ask("PUT", "/k").sized(1);
        let request = content_type.map_or(request.clone(), |value| request.with("content-type", value));
        let response = handler.handle(&request, now()).await;
        assert_eq!(response.status(), status, "{content_type:?}");
        if status == 307 {
            assert!(header(&response, "location").contains("content-length%3Bcontent-type%3Bhost"));
        }
    }
}

#[tokio::test]
async fn a_client_that_signs_its_own_request_must_not_be_redirected() {
    let handler = handler(OPEN_RULES).await;
    for name in ["x-amz-date", "x-amz-security-token", "x-amz-content-sha256"] {
        for (path, status) in [("/k", 400), ("/k?url", 200)] {
            let response = handler.handle(&ask("GET", path).with(name, "x"), now()).await;
            assert_eq!(response.status(), status, "{name} {path}");
        }
    }
}

/// S3 accepts this header with this value in addition to a presigned query.
#[tokio::test]
async fn an_unsigned_payload_may_be_declared_in_every_format() {
    let handler = handler(OPEN_RULES).await;
    for (path, status) in [("/k", 307), ("/k?url", 200)] {
        let request = ask("GET", path).with("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
        let response = handler.handle(&request, now()).await;
        assert_eq!(response.status(), status, "{path}");
        assert!(!header(&response, "location").contains("content-sha256"), "{path}");
    }
}

#[tokio::test]
async fn method_override_headers_are_ignored() {
    let request = ask("GET", "/k")
        .with("x-http-method-override", "DELETE")
        .with("x-method-override", "DELETE");
    let response = handler(OPEN_RULES).await.handle(&request, now()).await;
    assert!(body(&response).starts_with("Nothing has been sent yet"));
}

#[tokio::test]
async fn an_error_is_two_plain_lines_for_curl_and_escaped_html_for_browsers() {
    let handler = handler(OPEN_RULES).await;
    let request = ask("GET", "/k?<script>=1");
    let plain = handler.handle(&request, now()).await;
    assert_eq!(body(&plain).lines().count(), 2);
    assert!(body(&plain).contains("(request request-1)"), "{}", body(&plain));
    let html = handler.handle(&request.with("accept", "text/html"), now()).await;
    assert_eq!(header(&html, "content-type"), "text/html; charset=utf-8");
    assert!(
        !body(&html).contains("<script>") && body(&html).contains("&#60;script&#62;"),
        "{}",
        body(&html)
    );
}

#[tokio::test]
async fn errors_contain_no_control_characters_of_the_request() {
    let handler = handler(OPEN_RULES).await;
    for path in ["/k?meta-\u{1b}[31m=x", "/k?meta-x\nInvalid: forged=x", "/k?\u{7}=x"] {
        let response = handler.handle(&ask("PUT", path), now()).await;
        assert_eq!(response.status(), 400);
        assert_eq!(body(&response).lines().count(), 2, "{}", body(&response));
        assert!(!body(&response).contains(['\u{1b}', '\u{7}']));
    }
}

#[tokio::test]
async fn a_head_is_redirected_whatever_it_accepts() {
    let handler = handler(OPEN_RULES).await;
    for request in [
        ask("HEAD", "/k").with("accept", "application/json"),
        ask("HEAD", "/k?url"),
    ] {
        let actual = handler.handle(&request, now()).await.status();
        assert_eq!(actual, 307, "{:?} {:?}", request.query, request.headers);
    }
}

#[tokio::test]
async fn a_long_download_name_is_shortened_and_hides_no_extension() {
    let handler = handler(OPEN_RULES).await;
    let long = format!("/k?download={}", "'".repeat(8200));
    let response = handler.handle(&ask("GET", &long), now()).await;
    assert_eq!(response.status(), 307);
    assert!(header(&response, "location").len() < 4096);
    let hidden = handler.handle(&ask("GET", "/k?download=a\u{202e}gpj.exe"), now()).await;
    assert!(
        !header(&hidden, "location").contains("%25E2%2580%25AE"),
        "{}",
        header(&hidden, "location")
    );
}

#[tokio::test]
async fn a_405_response_contains_allow() {
    let response = handler(OPEN_RULES).await.handle(&ask("POST", "/k"), now()).await;
    assert_eq!(header(&response, "allow"), "GET, HEAD, PUT, DELETE, OPTIONS");
}

#[tokio::test]
async fn texts_contain_no_invisible_characters_of_the_request() {
    let handler = handler(OPEN_RULES).await;
    let invisible = "\u{202e}\u{2066}\u{200b}\u{feff}\u{e0041}\u{85}";
    let escaped: String =
        percent_encoding::utf8_percent_encode(invisible, percent_encoding::NON_ALPHANUMERIC).to_string();
    let mut unknown = ask("GET", "/k");
    unknown.query = vec![(format!("a{invisible}"), String::new())];
    let requests = [
        unknown,
        ask("POST", &format!("/a{}/", escaped.trim_end_matches("%C2%85"))).with("accept", "text/plain"),
        ask("GET", &format!("/a{escaped}/")),
        ask("PATCH", &format!("/a{escaped}")),
    ];
    for request in requests {
        let response = handler.handle(&request, now()).await;
        assert!(
            header(&response, "content-type").starts_with("text/plain"),
            "{request:?}"
        );
        let found = body(&response)
            .chars()
            .find(|char| *char != '\n' && is_invisible(*char));
        assert_eq!(found, None, "{:?}", body(&response));
    }
}

/// Names that grow when they are escaped.
const GROWING: [&str; 7] = ["\u{7f}", "\u{1}", "\"", "\\", "\u{202e}", "\u{e0041}", "🦀"];

#[tokio::test]
async fn errors_contain_only_the_beginning_of_a_name_or_value() {
    let handler = handler(OPEN_RULES).await;
    for text in GROWING {
        let long = text.repeat(5000);
        let mut requests = vec![
            ask("GET", "/-/login"),
            ask("PATCH", "/k"),
            ask("GET", "/k").with("accept", "application/json"),
        ];
        for (method, path, name, value) in [
            ("GET", "/k", long.as_str(), "1"),
            ("GET", "/k", "expires", &long),
            ("GET", "/k", "versionId", &long),
            ("GET", "/k", "response-content-type", &long),
            ("PUT", "/k", "contentLength", &long),
            ("PUT", "/k", "contentType", &long),
            ("PUT", "/k", &format!("meta-{long}"), "1"),
            ("GET", "/", "sort", &long),
            ("GET", "/", "next", &long),
            ("GET", "/", &long, &long),
            ("GET", "/k/", "form", &long),
            ("GET", "/k?form", &long, &long),
            ("GET", "/k?form", "success_action_redirect", &long),
            ("GET", "/k", "share", &long),
            ("GET", "/-/presign/k", "method", &long),
        ] {
            let mut request = ask(method, path);
            request.query.push((name.to_owned(), value.to_owned()));
            requests.push(request.clone());
            request.query.push((name.to_owned(), value.to_owned()));
            requests.push(request);
        }
        for request in requests {
            let response = handler.handle(&request, now()).await;
            let length = body(&response).len();
            assert!(length < 4000, "{length} bytes: {request:?}");
        }
    }
}

/// Parameters that exclude each other are not described as a repetition.
#[tokio::test]
async fn parameters_that_exclude_each_other_have_their_own_message() {
    let rules = crate::support::OPEN_RULES.replace("\"versionId\"", "\"versionId\", \"response-content-disposition\"");
    let handler =
        crate::support::handler(&rules.replace("allow_anonymous_write", "overwrite = true\nallow_anonymous_write"))
            .await;
    for (method, path, detail, remedy) in [
        (
            "GET",
            "/k?download&response-content-disposition=inline",
            "the query parameters `download` and `response-content-disposition` exclude each other",
            "Send `download` or `response-content-disposition`, but not both.",
        ),
        (
            "GET",
            "/k?form&success_action_redirect=https://files.example.com/&success_action_status=201",
            "the query parameters `success_action_redirect` and `success_action_status` exclude each other",
            "Send `success_action_redirect` or `success_action_status`, but not both.",
        ),
        (
            "GET",
            "/k?expires=60&expires=60",
            "parameter \"expires\" is repeated",
            "Send it once.",
        ),
    ] {
        let request = crate::support::With::with(crate::support::ask(method, path), "accept", "application/json");
        let response = handler.handle(&request, crate::support::now()).await;
        let problem = crate::support::json(&response);
        assert_eq!(
            (response.status().as_u16(), &problem["detail"]),
            (400, &detail.into()),
            "{path}"
        );
        assert_eq!(problem["remedy"], remedy, "{path}");
    }
    let request = crate::support::With::with(
        crate::support::ask("PUT", "/k?contentType=text/plain"),
        "content-type",
        "text/html",
    );
    let request = crate::support::With::with(crate::support::With::sized(request, 1), "accept", "application/json");
    let response = handler.handle(&request, crate::support::now()).await;
    assert!(
        crate::support::json(&response)["detail"]
            .as_str()
            .unwrap()
            .contains("another value than the header")
    );
}

#[tokio::test]
async fn a_value_is_sent_as_a_parameter_and_as_a_header_only_if_both_are_equal() {
    for (parameter, name, equal, different) in [
        ("contentType=text/plain", "content-type", "text/plain", "text/html"),
        ("meta-a=1", "x-amz-meta-a", "1", "2"),
        (
            "checksum-sha256=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            "x-amz-checksum-sha256",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            "BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        ),
        (
            "checksum-crc32=AAAAAA==",
            "x-amz-checksum-crc32",
            "AAAAAA==",
            "AAAAAQ==",
        ),
    ] {
        for (value, expected) in [(equal, 307), (different, 400)] {
            let request = ask("PUT", &format!("/k?{parameter}")).sized(5).with(name, value);
            let response = handler(OPEN_RULES).await.handle(&request, now()).await;
            assert_eq!(response.status(), expected, "{parameter} {value}: {}", body(&response));
            let is_named = body(&response).contains("another value than the header");
            assert_eq!(is_named, expected == 400, "{}", body(&response));
        }
    }
}

#[tokio::test]
async fn a_declared_length_must_be_the_length_of_the_body_if_there_is_one() {
    let handler = handler(OPEN_RULES).await;
    for (sent, declared, expected) in [(5, 5, 307), (5, 6, 400), (6, 5, 400), (0, 5, 307), (0, 0, 307)] {
        let request = ask("PUT", &format!("/k?contentLength={declared}")).sized(sent);
        let response = handler.handle(&request, now()).await;
        assert_eq!(response.status(), expected, "{sent} {declared}: {}", body(&response));
    }
}
