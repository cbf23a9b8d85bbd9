//! Headers and query parameters that do not come from the client: those of the fronts, and those of trackers.

#![expect(clippy::needless_pass_by_value, reason = "`json!` makes values")]

use serde_json::{Value, json};
use signpost::lambda::respond;
use signpost::service::handler::Handler;

use crate::support::{OPEN_RULES, credentials, handler, handler_with, now};

const HTTP_API: &str = "a1b2c3.execute-api.eu-central-1.amazonaws.com";
const FUNCTION_URL: &str = "a1b2c3.lambda-url.eu-central-1.on.aws";

fn payload2(domain: &str, method: &str, query: &str, headers: Value) -> Value {
    json!({
        "version": "2.0", "rawPath": "/a", "rawQueryString": query, "headers": headers,
        "requestContext": {"domainName": domain, "stage": "$default", "requestId": "r", "http": {"method": method}},
    })
}

/// The headers that `CloudFront` adds to a request to a function URL with origin access control.
fn cloudfront() -> Value {
    json!({
        "host": FUNCTION_URL,
        "authorization": "AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE/20260710/eu-central-1/lambda/aws4_request, Signature=00",
        "x-amz-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "x-amz-date": "20260710T191904Z",
        "x-amz-security-token": "token",
        "x-amz-source-account": "123456789012",
        "x-amz-source-arn": "arn:aws:cloudfront::123456789012:distribution/EDFDVBD6EXAMPLE",
        "x-amz-cf-id": "id",
    })
}

async fn answer(handler: &Handler, event: &Value) -> Value {
    let answer = respond(handler, &event.to_string(), "invocation-1", now()).await;
    serde_json::from_str(&answer).expect("a response is JSON")
}

async fn status(handler: &Handler, event: &Value) -> u64 {
    answer(handler, event).await["statusCode"].as_u64().unwrap()
}

#[tokio::test]
async fn the_signature_of_cloudfront_is_not_a_credential_of_the_client() {
    let handler = handler(OPEN_RULES).await;
    for method in ["GET", "HEAD", "PUT", "DELETE"] {
        let mut headers = cloudfront();
        headers["content-length"] = "0".into();
        let event = payload2(FUNCTION_URL, method, "", headers);
        let answer = answer(&handler, &event).await;
        assert_eq!(answer["statusCode"], 307, "{method}: {answer}");
        let url = answer["headers"]["location"].as_str().unwrap();
        assert!(!url.contains("source-a") && !url.contains("ASIAEXAMPLE"), "{url}");
    }
}

#[tokio::test]
async fn an_incomplete_or_forged_signature_of_cloudfront_is_rejected() {
    let handler = handler(OPEN_RULES).await;
    let changes = [
        ("authorization", json!("Bearer secret")),
        ("authorization", json!("Basic YTpi")),
        ("authorization", Value::Null),
        ("x-amz-date", Value::Null),
        ("x-amz-security-token", Value::Null),
        ("x-amz-content-sha256", Value::Null),
        ("x-amz-source-account", json!("210987654321")),
        ("x-amz-source-arn", json!("arn:aws:s3:::bucket")),
        ("x-amz-source-arn", Value::Null),
    ];
    for (name, value) in changes {
        let mut headers = cloudfront();
        if value.is_null() {
            headers.as_object_mut().unwrap().remove(name);
        } else {
            headers[name] = value;
        }
        let rejected = status(&handler, &payload2(FUNCTION_URL, "GET", "", headers)).await;
        assert_eq!(rejected, 400, "{name}");
    }
    let elsewhere = status(&handler, &payload2(HTTP_API, "GET", "", cloudfront())).await;
    assert_eq!(elsewhere, 400, "another front");
}

#[tokio::test]
async fn the_identity_of_cloudfront_is_not_that_of_the_caller() {
    let rules = r#"
        version = 1
        [[issuer]]
        name = "account"
        iss = "123456789012"
        via = "gateway-iam"
        [[rule]]
        id = "all"
        who = ["authenticated", "anyone"]
        can = ["read"]
        on = ["**"]
    "#;
    let handler = handler(rules).await;
    let iam =
        json!({"iam": {"accountId": "123456789012", "userArn": "arn:aws:iam::123456789012:user/a", "userId": "A"}});
    let mut own = payload2(
        FUNCTION_URL,
        "GET",
        "",
        json!({"host": FUNCTION_URL, "authorization": "AWS4-HMAC-SHA256 x"}),
    );
    own["requestContext"]["authorizer"] = iam.clone();
    assert_eq!(status(&handler, &own).await, 307);
    let mut front = payload2(FUNCTION_URL, "GET", "", cloudfront());
    front["requestContext"]["authorizer"] = iam;
    assert_eq!(status(&handler, &front).await, 401);
}

#[tokio::test]
async fn an_unsigned_payload_is_accepted_and_another_payload_hash_is_not() {
    let handler = handler(OPEN_RULES).await;
    for (value, expected) in [
        ("UNSIGNED-PAYLOAD", 307),
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", 400),
        ("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", 400),
        ("", 400),
    ] {
        for method in ["GET", "PUT", "DELETE"] {
            let headers = json!({"host": "h", "x-amz-content-sha256": value, "content-length": "0"});
            let event = payload2(FUNCTION_URL, method, "", headers);
            assert_eq!(status(&handler, &event).await, expected, "{method} {value}");
        }
    }
}

#[tokio::test]
async fn a_media_type_that_an_http_api_adds_is_not_that_of_the_client() {
    let handler = handler(&format!("{OPEN_RULES}\ncontent_types = [\"image/png\"]")).await;
    let added = json!({"host": "h", "content-length": "0", "content-type": "application/octet-stream"});
    let event = payload2(HTTP_API, "PUT", "url&contentType=image%2Fpng", added.clone());
    let accepted = answer(&handler, &event).await;
    assert_eq!(accepted["statusCode"], 200, "{accepted}");
    assert_eq!(
        status(&handler, &payload2(HTTP_API, "PUT", "url", added.clone())).await,
        415
    );
    assert_eq!(
        status(
            &handler,
            &payload2(FUNCTION_URL, "PUT", "url&contentType=image%2Fpng", added)
        )
        .await,
        400,
        "other fronts add no media type"
    );
    let mut own = payload2(
        HTTP_API,
        "PUT",
        "",
        json!({"host": "h", "content-length": "1", "content-type": "image/png"}),
    );
    own["body"] = "YQ==".into();
    own["isBase64Encoded"] = true.into();
    assert_eq!(status(&handler, &own).await, 307);
}

#[tokio::test]
async fn tracking_parameters_are_ignored_and_never_signed() {
    let handler = handler_with(
        &[(
            "SIGNPOST_RULES",
            &OPEN_RULES.replace("\"delete\"", "\"delete\", \"list\""),
        )],
        credentials(None, None),
    )
    .await;
    let plain = answer(&handler, &payload2(FUNCTION_URL, "GET", "", json!({"host": "h"}))).await;
    for query in [
        "fbclid=IwAR0",
        "gclid=a&gbraid=b&wbraid=c&dclid=d",
        "msclkid=1&yclid=2&ttclid=3&twclid=4&li_fat_id=5",
        "utm_source=a&utm_medium=b&utm_campaign=c&UTM_TERM=d&utm_id=e&utm_content",
        "mc_cid=1&mc_eid=2&igshid=3&igsh=4&_hsenc=5&_hsmi=6&mkt_tok=7",
        "_=1783711144836&_ga=2.1&_gl=1*x",
        "_=1&_=2",
        "utm_campaign=caff%E9&utm_term=%zz",
        "%5F=1&utm%5Fsource=x",
    ] {
        let event = payload2(FUNCTION_URL, "GET", query, json!({"host": "h"}));
        assert_eq!(answer(&handler, &event).await, plain, "{query}");
    }
    let mut alb = json!({
        "requestContext": {"elb": {}}, "httpMethod": "GET", "path": "/a", "headers": {"host": "h"},
        "queryStringParameters": {"utm_source": "%E9", "fbclid": "x"},
    });
    assert_eq!(status(&handler, &alb).await, 307);
    alb["queryStringParameters"]["acl"] = "".into();
    assert_eq!(status(&handler, &alb).await, 400);
    let rest = json!({
        "resource": "/{proxy+}", "httpMethod": "GET", "path": "/a", "pathParameters": {"proxy": "a"}, "headers": {},
        "multiValueQueryStringParameters": {"utm_source": ["a", "b"], "_": [""]},
        "requestContext": {"resourceId": "r", "path": "/live/a"},
    });
    assert_eq!(status(&handler, &rest).await, 307);
    for (path, query, expected) in [
        ("/-/health", "utm_source=a&_=1", 200),
        ("/-/docs", "fbclid=a", 200),
        ("/a", "view&fbclid=a", 200),
        ("/a", "delete&fbclid=a", 200),
        ("/a", "uploads&gclid=1", 405),
        ("/a", "acl&gclid=1", 400),
        ("/a", "torrent&_=1", 400),
        ("/a", "utm_=1", 400),
        ("/a", "X-Amz-Signature=1&fbclid=a", 400),
        ("/-/presign/a", "method=GET&utm_source=a", 200),
    ] {
        let mut event = payload2(FUNCTION_URL, "GET", query, json!({"host": "h"}));
        event["rawPath"] = path.into();
        assert_eq!(status(&handler, &event).await, expected, "{path}?{query}");
    }
}

#[tokio::test]
async fn urls_behind_a_custom_domain_do_not_contain_the_stage() {
    let handler = handler(OPEN_RULES).await;
    for (domain, url) in [
        (HTTP_API, format!("https://{HTTP_API}/live/a")),
        ("files.example.com", "https://files.example.com/a".to_owned()),
    ] {
        let mut event = payload2(domain, "GET", "", json!({"host": domain}));
        event["rawPath"] = "/live/a".into();
        event["requestContext"]["stage"] = "live".into();
        let answer = answer(&handler, &event).await;
        assert!(
            answer["body"].as_str().unwrap().contains(&format!("'{url}'")),
            "{answer}"
        );
    }
}
