//! The events, held to the recorded ones.

use std::net::SocketAddr;

use http::Request;
use serde_json::{Value, json};

use super::{Delivery, Front};

const ALL: [Front; 5] = [
    Front::Rest,
    Front::HttpApi,
    Front::FunctionUrl,
    Front::Alb,
    Front::AlbMultiValue,
];

/// The event of a front for a request with these headers and this body.
fn event(front: Front, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Value {
    let mut request = Request::post(target).header("host", "127.0.0.1:8080");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let address = SocketAddr::from(([127, 0, 0, 1], 8080));
    let delivery = Delivery {
        parts: &parts,
        body,
        peer: address,
        local: address,
        request_id: "7c2af7db-31f3-42b5-8a6d-9ffc74e3b9e0",
    };
    serde_json::from_str(&front.event(&delivery).unwrap()).unwrap()
}

#[test]
fn each_front_tells_the_path_as_recorded() {
    let target = "/capture/space%20value";
    assert_eq!(event(Front::Rest, target, &[], b"")["path"], target);
    assert_eq!(
        event(Front::Rest, target, &[], b"")["pathParameters"]["proxy"],
        "capture/space%20value"
    );
    assert_eq!(
        event(Front::HttpApi, target, &[], b"")["rawPath"],
        "/capture/space value"
    );
    assert_eq!(event(Front::FunctionUrl, target, &[], b"")["rawPath"], target);
    assert_eq!(event(Front::Alb, target, &[], b"")["path"], target);
}

#[test]
fn a_rest_api_collapses_leading_slashes_and_strips_a_trailing_one_but_not_everywhere() {
    let event = event(Front::Rest, "//a//b/", &[], b"");
    assert_eq!(event["path"], "/a//b/");
    assert_eq!(event["pathParameters"]["proxy"], "a//b");
    assert_eq!(event["requestContext"]["path"], "//a//b/");
}

#[test]
fn an_http_api_cuts_a_decoded_question_mark() {
    assert_eq!(event(Front::HttpApi, "/a%3Fb/c?d=e", &[], b"")["rawPath"], "/a");
}

#[test]
fn each_front_tells_the_query_as_recorded() {
    let target = "/k?repeat=one&repeat=two&literalPlus=a+b&encodedPlus=a%2Bb&empty=";
    let rest = event(Front::Rest, target, &[], b"");
    assert_eq!(rest["queryStringParameters"]["literalPlus"], "a b");
    assert_eq!(rest["queryStringParameters"]["encodedPlus"], "a+b");
    assert_eq!(rest["queryStringParameters"]["repeat"], "two");
    assert_eq!(rest["multiValueQueryStringParameters"]["repeat"], json!(["one", "two"]));
    let http = event(Front::HttpApi, target, &[], b"");
    assert_eq!(http["rawQueryString"], target.split_once('?').unwrap().1);
    assert_eq!(http["queryStringParameters"]["repeat"], "one,two");
    let alb = event(Front::AlbMultiValue, target, &[], b"");
    assert_eq!(alb["multiValueQueryStringParameters"]["encodedPlus"], json!(["a%2Bb"]));
    assert_eq!(alb["queryStringParameters"], Value::Null);
    assert_eq!(
        event(Front::Alb, target, &[], b"")["queryStringParameters"]["repeat"],
        "two"
    );
}

#[test]
fn each_front_tells_repeated_headers_as_recorded() {
    let headers = [("x-probe", "first"), ("x-probe", "second")];
    let rest = event(Front::Rest, "/k", &headers, b"");
    assert_eq!(rest["headers"]["x-probe"], "second");
    assert_eq!(rest["multiValueHeaders"]["x-probe"], json!(["first", "second"]));
    assert_eq!(
        event(Front::HttpApi, "/k", &headers, b"")["headers"]["x-probe"],
        "first,second"
    );
    assert_eq!(
        event(Front::FunctionUrl, "/k", &headers, b"")["headers"]["x-probe"],
        "first,second"
    );
    assert_eq!(event(Front::Alb, "/k", &headers, b"")["headers"]["x-probe"], "second");
    let alb = event(Front::AlbMultiValue, "/k", &headers, b"");
    assert_eq!(alb["multiValueHeaders"]["x-probe"], json!(["first", "second"]));
}

#[test]
fn only_a_rest_api_keeps_the_length_to_itself() {
    let headers = [("content-length", "3")];
    assert_eq!(
        event(Front::Rest, "/k", &headers, b"abc")["headers"]["content-length"],
        Value::Null
    );
    for front in [Front::HttpApi, Front::FunctionUrl, Front::Alb] {
        assert_eq!(
            event(front, "/k", &headers, b"abc")["headers"]["content-length"],
            "3",
            "{front:?}"
        );
    }
}

#[test]
fn no_front_passes_on_what_speaks_of_the_connection() {
    let headers = [
        ("transfer-encoding", "chunked"),
        ("content-length", "9"),
        ("expect", "100-continue"),
        ("x-forwarded-proto", "https"),
    ];
    for front in ALL {
        let event = event(front, "/k", &headers, b"abc");
        let headers = if front == Front::AlbMultiValue {
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
fn text_stays_text_except_on_a_rest_api() {
    let json = [("content-type", "application/json; charset=utf-8")];
    for (front, body, base64) in [
        (Front::Rest, "eyJhIjoxfQ==", true),
        (Front::HttpApi, "{\"a\":1}", false),
        (Front::FunctionUrl, "{\"a\":1}", false),
        (Front::Alb, "{\"a\":1}", false),
    ] {
        let event = event(front, "/k", &json, b"{\"a\":1}");
        assert_eq!(event["body"], body, "{front:?}");
        assert_eq!(event["isBase64Encoded"], base64, "{front:?}");
    }
    for front in ALL {
        assert_eq!(event(front, "/k", &[], b"\xff\x00")["body"], "/wA=", "{front:?}");
    }
}

#[test]
fn cookies_stand_apart_in_payload_2() {
    let cookies = [("cookie", "session=abc123; theme=dark")];
    let http = event(Front::HttpApi, "/k", &cookies, b"");
    assert_eq!(http["cookies"], json!(["session=abc123", "theme=dark"]));
    assert_eq!(http["headers"]["cookie"], Value::Null);
    assert_eq!(
        event(Front::FunctionUrl, "/k", &cookies, b"")["headers"]["cookie"],
        "session=abc123; theme=dark"
    );
}
