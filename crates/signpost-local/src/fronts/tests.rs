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
fn an_http_api_truncates_the_path_at_a_decoded_question_mark() {
    assert_eq!(event(EmulatedFront::HttpApi, "/a%3Fb/c?d=e", &[], b"")["rawPath"], "/a");
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
