//! Compares the events with recorded events of AWS.

use std::net::SocketAddr;

use http::Request;
use serde_json::{Value, json};

use super::{ClientRequest, EmulatedFront, to_http_response};

const ALL_FRONTS: [EmulatedFront; 5] = [
    EmulatedFront::Rest,
    EmulatedFront::HttpApi,
    EmulatedFront::FunctionUrl,
    EmulatedFront::Alb,
    EmulatedFront::AlbMultiValue,
];

/// Returns the event of a front for a request with these headers and this body.
fn event(front: EmulatedFront, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Value {
    let mut request = Request::post(target).header("host", "127.0.0.1:8080");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let address = SocketAddr::from(([127, 0, 0, 1], 8080));
    let request = ClientRequest {
        parts: &parts,
        body,
        peer: address,
        local: address,
        request_id: "7c2af7db-31f3-42b5-8a6d-9ffc74e3b9e0",
    };
    serde_json::from_str(&front.build_event(&request).unwrap()).unwrap()
}

#[test]
fn the_path_of_each_front_matches_the_recording() {
    let target = "/capture/space%20value";
    assert_eq!(event(EmulatedFront::Rest, target, &[], b"")["path"], target);
    assert_eq!(
        event(EmulatedFront::Rest, target, &[], b"")["pathParameters"]["proxy"],
        "capture/space%20value"
    );
    assert_eq!(
        event(EmulatedFront::HttpApi, target, &[], b"")["rawPath"],
        "/capture/space value"
    );
    assert_eq!(event(EmulatedFront::FunctionUrl, target, &[], b"")["rawPath"], target);
    assert_eq!(event(EmulatedFront::Alb, target, &[], b"")["path"], target);
}

#[test]
fn a_rest_api_changes_slashes_in_path_and_proxy_but_not_in_the_context() {
    let event = event(EmulatedFront::Rest, "//a//b/", &[], b"");
    assert_eq!(event["path"], "/a//b/");
    assert_eq!(event["pathParameters"]["proxy"], "a//b");
    assert_eq!(event["requestContext"]["path"], "//a//b/");
}

#[test]
fn only_a_rest_api_rejects_a_long_path() {
    for (key, accepted) in [
        ("k".repeat(1024), true),
        ("%F0%9F%9A%80".repeat(127), true),
        ("%F0%9F%9A%80".repeat(128), false),
    ] {
        let (parts, ()) = Request::get(format!("/{key}")).body(()).unwrap().into_parts();
        for front in ALL_FRONTS {
            let address = SocketAddr::from(([127, 0, 0, 1], 8080));
            let request = ClientRequest {
                parts: &parts,
                body: b"",
                peer: address,
                local: address,
                request_id: "7c2af7db-31f3-42b5-8a6d-9ffc74e3b9e0",
            };
            let event = front.build_event(&request);
            assert_eq!(
                event.is_ok(),
                accepted || front != EmulatedFront::Rest,
                "{front:?} {}",
                key.len()
            );
        }
    }
}

#[test]
fn an_http_api_truncates_the_path_at_a_decoded_question_mark() {
    assert_eq!(event(EmulatedFront::HttpApi, "/a%3Fb/c?d=e", &[], b"")["rawPath"], "/a");
}

#[test]
fn an_http_api_merges_slashes() {
    for (target, path) in [
        ("/a//b", "/a/b"),
        ("//a", "/a"),
        ("/a////b//", "/a/b/"),
        ("/a%2F%2Fb", "/a/b"),
        ("/a/%2Fb", "/a/b"),
    ] {
        assert_eq!(
            event(EmulatedFront::HttpApi, target, &[], b"")["rawPath"],
            path,
            "{target}"
        );
        assert_eq!(event(EmulatedFront::FunctionUrl, target, &[], b"")["rawPath"], target);
    }
}

#[test]
fn an_http_api_adds_headers_to_a_request_without_a_body() {
    let empty = event(EmulatedFront::HttpApi, "/a", &[], b"");
    assert_eq!(empty["headers"]["content-length"], "0");
    assert!(empty["headers"]["content-type"].is_string());
    let own = [("content-type", "image/png"), ("content-length", "1")];
    let event_with_body = event(EmulatedFront::HttpApi, "/a", &own, b"a");
    assert_eq!(event_with_body["headers"]["content-type"], "image/png");
    assert_eq!(event_with_body["headers"]["content-length"], "1");
    let other = event(EmulatedFront::FunctionUrl, "/a", &[], b"");
    assert!(other["headers"]["content-type"].is_null() && other["headers"]["content-length"].is_null());
}

#[test]
fn a_rest_api_drops_content_md5_and_applies_a_method_override() {
    let headers = [
        ("content-md5", "XUFAKrxLKna5cZ2REBfFkg=="),
        ("x-http-method-override", "DELETE"),
    ];
    let rest = event(EmulatedFront::Rest, "/a", &headers, b"");
    assert_eq!(rest["httpMethod"], "DELETE");
    assert_eq!(rest["requestContext"]["httpMethod"], "DELETE");
    assert!(rest["headers"]["content-md5"].is_null() && rest["multiValueHeaders"]["content-md5"].is_null());
    for front in [EmulatedFront::HttpApi, EmulatedFront::FunctionUrl] {
        let other = event(front, "/a", &headers, b"");
        assert_eq!(other["requestContext"]["http"]["method"], "POST", "{front:?}");
        assert_eq!(other["headers"]["content-md5"], headers[0].1, "{front:?}");
    }
    assert_eq!(event(EmulatedFront::Alb, "/a", &headers, b"")["httpMethod"], "POST");
}

#[test]
fn the_query_of_each_front_matches_the_recording() {
    let target = "/k?repeat=one&repeat=two&literalPlus=a+b&encodedPlus=a%2Bb&empty=";
    let rest = event(EmulatedFront::Rest, target, &[], b"");
    assert_eq!(rest["queryStringParameters"]["literalPlus"], "a b");
    assert_eq!(rest["queryStringParameters"]["encodedPlus"], "a+b");
    assert_eq!(rest["queryStringParameters"]["repeat"], "two");
    assert_eq!(rest["multiValueQueryStringParameters"]["repeat"], json!(["one", "two"]));
    let http = event(EmulatedFront::HttpApi, target, &[], b"");
    assert_eq!(http["rawQueryString"], target.split_once('?').unwrap().1);
    assert_eq!(http["queryStringParameters"]["repeat"], "one,two");
    let alb = event(EmulatedFront::AlbMultiValue, target, &[], b"");
    assert_eq!(alb["multiValueQueryStringParameters"]["encodedPlus"], json!(["a%2Bb"]));
    assert_eq!(alb["queryStringParameters"], Value::Null);
    assert_eq!(
        event(EmulatedFront::Alb, target, &[], b"")["queryStringParameters"]["repeat"],
        "two"
    );
}

#[test]
fn repeated_headers_of_each_front_match_the_recording() {
    let headers = [("x-probe", "first"), ("x-probe", "second")];
    let rest = event(EmulatedFront::Rest, "/k", &headers, b"");
    assert_eq!(rest["headers"]["x-probe"], "second");
    assert_eq!(rest["multiValueHeaders"]["x-probe"], json!(["first", "second"]));
    assert_eq!(
        event(EmulatedFront::HttpApi, "/k", &headers, b"")["headers"]["x-probe"],
        "first,second"
    );
    assert_eq!(
        event(EmulatedFront::FunctionUrl, "/k", &headers, b"")["headers"]["x-probe"],
        "first,second"
    );
    assert_eq!(
        event(EmulatedFront::Alb, "/k", &headers, b"")["headers"]["x-probe"],
        "second"
    );
    let alb = event(EmulatedFront::AlbMultiValue, "/k", &headers, b"");
    assert_eq!(alb["multiValueHeaders"]["x-probe"], json!(["first", "second"]));
}

#[test]
fn only_a_rest_api_removes_the_content_length() {
    let headers = [("content-length", "3")];
    assert_eq!(
        event(EmulatedFront::Rest, "/k", &headers, b"abc")["headers"]["content-length"],
        Value::Null
    );
    for front in [EmulatedFront::HttpApi, EmulatedFront::FunctionUrl, EmulatedFront::Alb] {
        assert_eq!(
            event(front, "/k", &headers, b"abc")["headers"]["content-length"],
            "3",
            "{front:?}"
        );
    }
}

#[test]
fn no_front_forwards_connection_headers() {
    let headers = [
        ("transfer-encoding", "chunked"),
        ("content-length", "9"),
        ("expect", "100-continue"),
        ("x-forwarded-proto", "https"),
    ];
    for front in ALL_FRONTS {
        let event = event(front, "/k", &headers, b"abc");
        let headers = if front == EmulatedFront::AlbMultiValue {
            &event["multiValueHeaders"]
        } else {
            &event["headers"]
        };
        for name in ["transfer-encoding", "content-length", "expect"] {
            assert_eq!(headers[name], Value::Null, "{front:?} {name}");
        }
        let scheme = headers["x-forwarded-proto"].to_string();
        assert!(
            scheme.contains("http") && !scheme.contains("https"),
            "{front:?} {scheme}"
        );
    }
}

#[test]
fn a_text_body_stays_text_except_on_a_rest_api() {
    let json = [("content-type", "application/json; charset=utf-8")];
    for (front, body, base64) in [
        (EmulatedFront::Rest, "eyJhIjoxfQ==", true),
        (EmulatedFront::HttpApi, "{\"a\":1}", false),
        (EmulatedFront::FunctionUrl, "{\"a\":1}", false),
        (EmulatedFront::Alb, "{\"a\":1}", false),
    ] {
        let event = event(front, "/k", &json, b"{\"a\":1}");
        assert_eq!(event["body"], body, "{front:?}");
        assert_eq!(event["isBase64Encoded"], base64, "{front:?}");
    }
    for front in ALL_FRONTS {
        assert_eq!(event(front, "/k", &[], b"\xff\x00")["body"], "/wA=", "{front:?}");
    }
}

#[test]
fn payload_format_2_lists_cookies_separately() {
    let cookies = [("cookie", "session=abc123; theme=dark")];
    let http = event(EmulatedFront::HttpApi, "/k", &cookies, b"");
    assert_eq!(http["cookies"], json!(["session=abc123", "theme=dark"]));
    assert_eq!(http["headers"]["cookie"], Value::Null);
    assert_eq!(
        event(EmulatedFront::FunctionUrl, "/k", &cookies, b"")["headers"]["cookie"],
        "session=abc123; theme=dark"
    );
}

#[test]
fn a_response_above_the_limit_of_the_front_is_a_502() {
    let response = |bytes: usize| {
        let json = serde_json::json!({"statusCode": 200, "headers": {}, "body": ""}).to_string();
        json.replace("\"\"", &format!("\"{}\"", "x".repeat(bytes - json.len())))
    };
    for (front, limit) in [
        (EmulatedFront::Rest, 6 << 20),
        (EmulatedFront::HttpApi, 6 << 20),
        (EmulatedFront::FunctionUrl, 6 << 20),
        (EmulatedFront::Alb, 1 << 20),
        (EmulatedFront::AlbMultiValue, 1 << 20),
    ] {
        let largest = response(limit);
        assert_eq!(largest.len(), limit);
        assert_eq!(to_http_response(front, &largest).status(), 200, "{front:?}");
        assert_eq!(to_http_response(front, &response(limit + 1)).status(), 502, "{front:?}");
    }
}
