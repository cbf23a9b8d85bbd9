//! The fronts: each delivers the path in its own way, and every one of them must reach the same key.

use serde_json::{Value, json};
use signpost::lambda::respond;
use signpost::service::handler::Handler;

use crate::support::{OPEN_RULES, ask, credentials, handler, handler_with, header, now};

pub(crate) async fn answer(handler: &Handler, event: &Value) -> Value {
    let answer = respond(handler, &event.to_string(), "invocation-1", now()).await;
    serde_json::from_str(&answer).expect("an answer is JSON")
}

pub(crate) fn location(answer: &Value) -> String {
    let single = answer["headers"]["location"].as_str();
    single
        .or(answer["multiValueHeaders"]["location"][0].as_str())
        .unwrap_or_default()
        .to_owned()
}

/// The key that the event was redirected to, or the status.
async fn key_of(handler: &Handler, event: &Value) -> Result<String, u64> {
    let answer = answer(handler, event).await;
    let url = location(&answer);
    let Some(path) = url.strip_prefix("https://example-bucket.s3.eu-central-1.amazonaws.com/") else {
        return Err(answer["statusCode"].as_u64().unwrap());
    };
    let path = path.split('?').next().unwrap();
    Ok(percent_encoding::percent_decode_str(path)
        .decode_utf8()
        .unwrap()
        .into_owned())
}

/// A REST API behind its own `execute-api` host; `path` is what the client sent after the stage.
pub(crate) fn rest(path: &str) -> Value {
    rest_behind(path, "/live", "")
}

/// `whole` stands before the key in `requestContext.path`, `base` in `path`.
pub(crate) fn rest_behind(path: &str, whole: &str, base: &str) -> Value {
    let proxy = path.trim_start_matches('/');
    let proxy = proxy.strip_suffix('/').unwrap_or(proxy);
    json!({
        "resource": if proxy.is_empty() { "/" } else { "/{proxy+}" },
        "path": format!("{base}/{}", path.trim_start_matches('/')),
        "httpMethod": "GET",
        "headers": {"Host": "api.example.com"},
        "multiValueHeaders": {"Host": ["api.example.com"]},
        "queryStringParameters": null,
        "multiValueQueryStringParameters": null,
        "pathParameters": if proxy.is_empty() { Value::Null } else { json!({"proxy": proxy}) },
        "requestContext": {
            "resourceId": "al6gqb", "stage": "live", "path": format!("{whole}{path}"),
            "domainName": "api.example.com", "requestId": "rest-1",
        },
        "body": null,
        "isBase64Encoded": false,
    })
}

pub(crate) fn http_api(decoded: &str, stage: &str) -> Value {
    let before = if stage == "$default" {
        String::new()
    } else {
        format!("/{stage}")
    };
    payload2(
        &format!("{before}{decoded}"),
        stage,
        "sjzepsqsu5.execute-api.us-west-2.amazonaws.com",
    )
}

pub(crate) fn function_url(path: &str) -> Value {
    payload2(
        path,
        "$default",
        "2cxn22odiwguak4feg4jtt7cwm0ziblr.lambda-url.us-west-2.on.aws",
    )
}

fn payload2(path: &str, stage: &str, domain: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
        "headers": {"host": domain},
        "requestContext": {
            "domainName": domain, "stage": stage, "requestId": "url-1", "http": {"method": "GET", "path": path},
        },
        "isBase64Encoded": false,
    })
}

pub(crate) fn alb(path: &str) -> Value {
    json!({
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-central-1:123456789012:x"}},
        "httpMethod": "GET", "path": path, "queryStringParameters": {},
        "headers": {"host": "files.example.com"}, "body": "", "isBase64Encoded": false,
    })
}

pub(crate) fn decoded(path: &str) -> String {
    percent_encoding::percent_decode_str(path)
        .decode_utf8()
        .unwrap()
        .into_owned()
}

#[tokio::test]
async fn every_front_reaches_the_same_key() {
    let handler = handler(OPEN_RULES).await;
    for path in [
        "/a",
        "/a/b.txt",
        "/capture/space%20value",
        "/a+b",
        "/a%2Bb",
        "/a%2Fb",
        "/100%25",
        "/100%2525",
        "/a//b",
        "//a",
        "///a//b",
        "//",
        "////",
        "/%F0%9F%A6%80/e%CC%81",
        "/a%5Cb",
        "/a%22%3C%3E'b",
        "/live/a",
        "/live",
        "/ping/",
        "/a%20",
        "/a;b=c,d",
    ] {
        let delete = |mut event: Value| {
            for method in ["/httpMethod", "/requestContext/http/method"] {
                if let Some(method) = event.pointer_mut(method) {
                    *method = "DELETE".into();
                }
            }
            event
        };
        let key = decoded(&path[1..]);
        for (front, event) in [
            ("rest", rest(path)),
            ("rest, custom domain", rest_behind(path, "", "")),
            ("rest, base path", rest_behind(path, "/base", "/base")),
            ("http, $default", http_api(&decoded(path), "$default")),
            ("http, named stage", http_api(&decoded(path), "live")),
            ("url", function_url(path)),
            ("alb", alb(path)),
        ] {
            assert_eq!(
                key_of(&handler, &delete(event)).await.as_ref(),
                Ok(&key),
                "{front} {path}"
            );
        }
    }
}

#[tokio::test]
async fn every_front_rejects_dot_segments_and_invalid_escapes() {
    let handler = handler(OPEN_RULES).await;
    let dots = [".", "%2e", "%2E"];
    let slashes = ["/", "%2f", "%2F"];
    let mut paths = vec![
        "/a%".into(),
        "/a%f".into(),
        "/a%zz".into(),
        "/%c0%ae%c0%ae/a".into(),
        "/a%00b".into(),
    ];
    for (one, two) in dots.iter().flat_map(|one| dots.iter().map(move |two| (one, two))) {
        for slash in slashes {
            paths.extend([
                format!("/pub{slash}{one}{two}{slash}k"),
                format!("/{one}{slash}k"),
                format!("/k{slash}{one}{two}"),
            ]);
            paths.push(format!("/{one}{two}"));
        }
    }
    for path in paths {
        for event in [
            rest(&path),
            rest_behind(&path, "/b", "/b"),
            function_url(&path),
            alb(&path),
        ] {
            assert_eq!(key_of(&handler, &event).await, Err(400), "{event}");
        }
        let decoded = percent_encoding::percent_decode_str(&path).decode_utf8();
        if let Some(path) = decoded.ok().filter(|path| !path.contains('%')) {
            assert_eq!(key_of(&handler, &http_api(&path, "live")).await, Err(400), "{path}");
        }
    }
}

#[tokio::test]
async fn an_http_api_cannot_carry_a_question_mark_and_the_others_can() {
    let handler = handler(OPEN_RULES).await;
    for event in [rest("/a%3Fb"), function_url("/a%3Fb"), alb("/a%3Fb")] {
        assert_eq!(key_of(&handler, &event).await.as_deref(), Ok("a?b"));
    }
}

#[tokio::test]
async fn an_event_without_the_exact_key_is_rejected_with_500() {
    let handler = handler(OPEN_RULES).await;
    let mut payload1 = rest("/a");
    payload1["version"] = "1.0".into();
    payload1["requestContext"].as_object_mut().unwrap().remove("resourceId");
    let mut no_resource = payload1.clone();
    no_resource.as_object_mut().unwrap().remove("version");
    let mut foreign_stage = http_api("/a", "live");
    foreign_stage["rawPath"] = "/other/a".into();
    let mut foreign_proxy = rest("/a");
    foreign_proxy["pathParameters"]["proxy"] = "b".into();
    let mut wrong_type = rest("/a");
    wrong_type["path"] = 1.into();
    let empty = json!({});
    let sqs = json!({"Records": []});
    for event in [
        payload1,
        no_resource,
        foreign_stage,
        foreign_proxy,
        wrong_type,
        empty,
        sqs,
        json!(null),
        json!(7),
    ] {
        let answer = answer(&handler, &event).await;
        assert_eq!(answer["statusCode"], 500, "{event}");
        let body = answer["body"].as_str().unwrap();
        assert!(
            body.contains("front is not supported") && body.contains("invocation-1"),
            "{body}"
        );
    }
}

/// A request of a REST API with other resources than those of the template.
fn rest_resource(resource: &str, parameters: Value, path: &str) -> Value {
    let mut event = rest(path);
    event["resource"] = resource.into();
    event["pathParameters"] = parameters;
    event["requestContext"]["path"] = format!("/live{path}").into();
    event["path"] = path.into();
    event
}

#[tokio::test]
async fn the_key_of_a_rest_api_is_the_path_parameter_of_its_resource() {
    let handler = handler(OPEN_RULES).await;
    for (resource, parameters, path, key) in [
        ("/{key+}", json!({"key": "a/b"}), "/a/b", "a/b"),
        ("/{key+}", json!({"key": "a%20b"}), "/a%20b/", "a b/"),
        ("/{name}", json!({"name": "a"}), "/a", "a"),
        ("/files/{name}", json!({"name": "a.txt"}), "/files/a.txt", "a.txt"),
        ("/files/{name}", json!({"name": "a%20b"}), "/files/a%20b", "a b"),
        ("/files/{name}", json!({"name": "a b"}), "/files/a%20b", "a b"),
        ("/files/{name}", json!({"name": "a/b"}), "/files/a%2Fb", "a/b"),
        ("/files/{key+}", json!({"key": "a//b"}), "/files/a//b", "a//b"),
        ("/files/{key+}", json!({"key": "files/a"}), "/files/files/a", "files/a"),
        ("/a/b/{proxy+}", json!({"proxy": "c"}), "/a/b/c", "c"),
    ] {
        let mut event = rest_resource(resource, parameters, path);
        event["httpMethod"] = "DELETE".into();
        assert_eq!(key_of(&handler, &event).await.as_deref(), Ok(key), "{resource} {path}");
    }
}

#[tokio::test]
async fn a_resource_that_does_not_show_the_key_is_rejected_with_500() {
    let handler = handler(OPEN_RULES).await;
    for (resource, parameters, path) in [
        ("/files", Value::Null, "/files"),
        ("/files", json!({"proxy": "files"}), "/files"),
        ("/files/a.txt", Value::Null, "/files/a.txt"),
        ("/{key+}", Value::Null, "/a"),
        ("/{key+}", json!({"proxy": "a"}), "/a"),
        ("/{key+}", json!({"key": ""}), "/a"),
        ("/{key+}", json!({"key": "b"}), "/a"),
        ("/{key+}", json!({"key": "a b"}), "/a%20b"),
        ("/files/{name}", json!({"name": "b"}), "/files/a"),
        ("/files/{name}", json!({"name": "a"}), "/other/a"),
        ("/{tenant}/{key+}", json!({"tenant": "t", "key": "a"}), "/t/a"),
        ("/{name}/metadata", json!({"name": "a"}), "/a/metadata"),
        ("", json!({"proxy": "a"}), "/a"),
    ] {
        let event = rest_resource(resource, parameters, path);
        assert_eq!(key_of(&handler, &event).await, Err(500), "{resource} {path}");
    }
    let mut without = rest("/a");
    without.as_object_mut().unwrap().remove("resource");
    assert_eq!(key_of(&handler, &without).await, Err(500));
}

#[tokio::test]
async fn malformed_hosts_queries_and_headers_get_a_response() {
    let handler = handler(OPEN_RULES).await;
    for (field, value, status) in [
        ("/headers/host", json!("a b<>\""), 307),
        ("/headers/host", json!("a\r\nb"), 400),
        ("/headers/x-amz-meta-a\r\nb", json!("x"), 400),
        ("/headers/x", json!("a\r\nSet-Cookie: b"), 400),
        ("/headers/", json!("x"), 400),
        ("/rawQueryString", json!("a b=\"<>&%zz"), 400),
        ("/rawQueryString", json!("url=%ff"), 400),
        ("/rawQueryString", json!("&&&"), 307),
        ("/headers/content-length", json!("many"), 400),
        ("/requestContext/http/method", json!("GET /x"), 405),
        (
            "/requestContext/domainName",
            json!("evil\" onmouseover=.lambda-url.x.on.aws"),
            307,
        ),
    ] {
        let mut event = function_url("/a");
        let (parent, name) = field.rsplit_once('/').unwrap();
        event.pointer_mut(parent).unwrap()[name] = value;
        let answer = answer(&handler, &event).await;
        assert_eq!(answer["statusCode"], status, "{event}");
        assert!(!answer["body"].as_str().unwrap().contains("onmouseover"));
    }
}

#[tokio::test]
async fn the_base_path_is_required_and_removed() {
    let env = [("SIGNPOST_RULES", OPEN_RULES), ("SIGNPOST_BASE_PATH", "/files/")];
    let handler = handler_with(&env, credentials(None, None)).await;
    for (path, key) in [
        ("/files/a", Ok("a")),
        ("/files//a", Ok("/a")),
        ("/files/files/a", Ok("files/a")),
        ("/filesystem/a", Err(404)),
        ("/a", Err(404)),
        ("/", Err(404)),
        ("//", Err(404)),
        ("/files", Err(403)),
    ] {
        for event in [alb(path), function_url(path), http_api(path, "live")] {
            assert_eq!(key_of(&handler, &event).await, key.map(str::to_owned), "{event}");
        }
    }
}

#[tokio::test]
async fn the_length_of_an_upload_is_the_length_that_the_front_reports() {
    let handler = handler(OPEN_RULES).await;
    let signed = async |event: &Value| {
        let url = location(&answer(&handler, event).await);
        url.contains("X-Amz-SignedHeaders=content-length%3Bhost")
    };
    let mut rest = rest("/a");
    rest["httpMethod"] = "PUT".into();
    assert!(!signed(&rest).await, "no body: the two-step form");
    rest["body"] = "aGVsbG8=".into();
    rest["isBase64Encoded"] = true.into();
    assert!(signed(&rest).await);
    let mut url = function_url("/a");
    url["requestContext"]["http"]["method"] = "PUT".into();
    url["headers"]["content-length"] = "5".into();
    url["body"] = "aGVsbG8=".into();
    url["isBase64Encoded"] = true.into();
    assert!(signed(&url).await);
    url["headers"].as_object_mut().unwrap().remove("content-length");
    assert_eq!(
        answer(&handler, &url).await["statusCode"],
        411,
        "a body without a length came in chunks"
    );
}

#[tokio::test]
async fn a_decoded_base64_body_has_its_own_length() {
    let handler = handler(&format!("{OPEN_RULES}\nmax_bytes = 5")).await;
    for (body, encoded, status) in [
        ("aGVsbG8=", true, 307),
        ("aGVsbG8h", true, 413),
        ("aGVsbA==", true, 307),
        ("hello", false, 307),
        ("hello!", false, 413),
        ("hellö", false, 413),
    ] {
        let mut event = rest("/a");
        event["httpMethod"] = "PUT".into();
        event["body"] = body.into();
        event["isBase64Encoded"] = encoded.into();
        assert_eq!(answer(&handler, &event).await["statusCode"], status, "{body}");
    }
}

#[tokio::test]
async fn each_front_receives_the_response_in_its_format() {
    let handler = handler(OPEN_RULES).await;
    let rest = answer(&handler, &rest("/a")).await;
    assert!(rest["multiValueHeaders"]["location"][0].is_string() && rest.get("headers").is_none());
    let url = answer(&handler, &function_url("/a")).await;
    assert!(url["headers"]["location"].is_string() && url.get("multiValueHeaders").is_none());
    let single = answer(&handler, &alb("/a")).await;
    assert_eq!(single["statusDescription"], "307 Temporary Redirect");
    assert!(single["headers"]["location"].is_string() && single.get("multiValueHeaders").is_none());
    let mut event = alb("/a");
    event["multiValueHeaders"] = json!({"host": ["files.example.com"]});
    event.as_object_mut().unwrap().remove("headers");
    let multiple = answer(&handler, &event).await;
    assert!(multiple["multiValueHeaders"]["location"][0].is_string() && multiple.get("headers").is_none());
}

#[tokio::test]
async fn an_alb_query_is_decoded_once() {
    let handler = handler(OPEN_RULES).await;
    let mut event = alb("/a");
    event["queryStringParameters"] = json!({"response-content-type": "text%2Fplain%3B+charset%3Dutf-8"});
    assert!(
        location(&answer(&handler, &event).await).contains("response-content-type=text%2Fplain%3B%20charset%3Dutf-8")
    );
}

#[tokio::test]
async fn the_commands_in_texts_name_the_public_url() {
    let handler = handler(OPEN_RULES).await;
    for (event, url) in [
        (rest("/a%20b"), "https://api.example.com/live/a%20b"),
        (
            rest_behind("/a%20b", "/base", "/base"),
            "https://api.example.com/base/a%20b",
        ),
        (
            http_api("/a b", "live"),
            "https://sjzepsqsu5.execute-api.us-west-2.amazonaws.com/live/a%20b",
        ),
        (alb("/a%20b"), "https://files.example.com/a%20b"),
    ] {
        let answer = answer(&handler, &event).await;
        assert!(
            answer["body"].as_str().unwrap().contains(&format!("'{url}'")),
            "{answer}"
        );
    }
}

/// The secret of the token is `secret`.
const MEMBERS: &str = r#"
version = 1
[[token]]
id = "ci"
sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
[[rule]]
id = "own"
who = ["token:ci"]
can = ["read"]
on = ["**"]
"#;

/// A POST, by a CDN that calls the API by the API's own name.
fn post(path: &str, headers: &[(&str, &str)], body: &str) -> Value {
    let mut event = rest(path);
    event["httpMethod"] = "POST".into();
    for (name, value) in headers {
        event["headers"][*name] = (*value).into();
        event["multiValueHeaders"][*name] = json!([value]);
    }
    event["body"] = body.into();
    event
}

#[tokio::test]
async fn the_public_url_replaces_the_host_of_the_front() {
    let env = |rules| {
        [
            ("SIGNPOST_RULES", rules),
            ("SIGNPOST_KEYS", "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
            ("SIGNPOST_PUBLIC_URL", "https://cdn.example.com/files/"),
        ]
    };
    let open = handler_with(&env(OPEN_RULES), credentials(None, None)).await;
    for event in [
        rest("/a%20b"),
        http_api("/a b", "live"),
        function_url("/a%20b"),
        alb("/a%20b"),
    ] {
        assert_eq!(
            key_of(&open, &event).await,
            Ok("a b".to_owned()),
            "the key is the front's"
        );
        let answer = answer(&open, &event).await;
        let text = answer["body"].as_str().unwrap();
        assert!(text.contains("'https://cdn.example.com/files/a%20b'"), "{text}");
    }

    let members = handler_with(&env(MEMBERS), credentials(None, None)).await;
    let bearer = ("Authorization", "Bearer secret");
    let share = post("/-/share", &[bearer, ("Accept", "application/json")], r#"{"key": "a"}"#);
    let shared = answer(&members, &share).await;
    let link: Value = serde_json::from_str(shared["body"].as_str().unwrap()).unwrap();
    assert!(
        link["url"]
            .as_str()
            .unwrap()
            .starts_with("https://cdn.example.com/files/a?share=")
    );

    let form = ("Content-Type", "application/x-www-form-urlencoded");
    for (origin, status) in [
        ("https://cdn.example.com", 200),
        ("https://api.example.com", 403),
        ("https://cdn.example.com.evil.example", 403),
    ] {
        let sign_in = post("/-/login", &[form, ("Origin", origin)], "token=secret");
        let answer = answer(&members, &sign_in).await;
        assert_eq!(answer["statusCode"], status, "{origin}: {answer}");
    }
}

#[tokio::test]
async fn browsers_must_use_https_if_the_front_does() {
    let handler = handler(crate::support::OPEN_RULES).await;
    for (base_url, expected) in [
        ("https://files.example.com", "max-age=31536000"),
        (
            "https://abc.execute-api.eu-central-1.amazonaws.com/live",
            "max-age=31536000",
        ),
        ("http://files.example.com", ""),
        ("http://127.0.0.1:8080", ""),
        ("", ""),
    ] {
        for (method, path) in [
            ("GET", "/k"),
            ("GET", "/-/health"),
            ("GET", "/-/docs"),
            ("PATCH", "/k"),
            ("OPTIONS", "/k"),
            ("HEAD", "/"),
        ] {
            let mut request = ask(method, path);
            base_url.clone_into(&mut request.base_url);
            let response = handler.handle(&request, now()).await;
            assert_eq!(
                header(&response, "strict-transport-security"),
                expected,
                "{base_url} {method} {path}"
            );
        }
    }
}
