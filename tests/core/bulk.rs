//! Bulk signing, and uploads under generated keys.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::{Value, json};
use signpost::request::ApiRequest;
use signpost::service::handler::Handler;

use crate::support::{
    OPEN_RULES, With as _, ask, body, credentials as keys, handler, handler_with, header, json, now, parameter,
};

/// The secret of the token is `secret`.
const RULES: &str = r#"
version = 1

[[token]]
id = "ann"
sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"

[[rule]]
id = "own"
who = ["token:ann"]
can = ["read", "write"]
on = ["ann/**"]
share = ["write"]

[[rule]]
id = "public"
who = ["anyone"]
can = ["read"]
on = ["public/**"]
"#;

fn sign(wanted: &Value) -> ApiRequest {
    ApiRequest {
        body: Bytes::from(wanted.to_string()),
        ..ask("POST", "/-/sign")
    }
}

async fn told(handler: &Handler, request: &ApiRequest) -> Vec<Value> {
    let response = handler.handle(request, now()).await;
    assert_eq!(response.status(), 200, "{}", body(&response));
    json(&response).as_array().unwrap().clone()
}

#[tokio::test]
async fn results_are_in_the_order_of_the_items_and_equal_single_requests() {
    let handler = handler(OPEN_RULES).await;
    let wanted = json!([
        {"method": "PUT", "key": "a b", "query": {"partNumber": 2, "uploadId": "u", "contentLength": 5}},
        {"method": "GET", "key": "c", "query": {"expires": "1m"}},
        {"method": "POST", "key": "d", "query": {"uploads": ""}},
    ]);
    let told = told(&handler, &sign(&wanted)).await;
    let alone = [
        ask("PUT", "/a b?partNumber=2&uploadId=u&contentLength=5"),
        ask("GET", "/c?expires=1m"),
        ask("POST", "/d?uploads"),
    ];
    for (told, alone) in told.iter().zip(alone) {
        let alone = json(
            &handler
                .handle(
                    &alone.with("accept", "application/vnd.signpost+json, application/json"),
                    now(),
                )
                .await,
        );
        let url = |told: &Value| told["url"].as_str().unwrap().split('?').next().unwrap().to_owned();
        assert_eq!(url(told), url(&alone));
        for field in ["method", "headers", "key", "expires_in", "expires_at"] {
            assert_eq!(told[field], alone[field], "{field}");
        }
    }
    assert_eq!(parameter(told[0]["url"].as_str().unwrap(), "partNumber").unwrap(), "2");
}

#[tokio::test]
async fn an_invalid_item_does_not_affect_other_items() {
    let handler = handler(RULES).await;
    let wanted = json!([
        {"method": "GET", "key": "public/a"},
        {"method": "GET", "key": "ann/a"},
        {"method": "GET", "key": "public/../ann/a"},
        {"method": "PATCH", "key": "public/a"},
        {"method": "GET", "key": "public/a", "query": {"nope": "1"}},
        {"method": "GET", "key": "public/a", "quarry": {}},
        {"method": "GET"},
        7,
        {"method": "GET", "key": "public/a", "query": {"expires": [1]}},
        {"method": "GET", "key": "public/b"},
        {"method": "GET", "key": "-/public/a"},
        {"method": "get", "key": "public/a"},
        {"method": "GET", "key": "public/\n"},
        {"method": "GET", "key": null},
        {"method": "GET", "key": "k".repeat(100_000)},
        {"method": "PUT", "key": "ann/a", "query": {"partNumber": 0, "uploadId": "u"}},
        {"method": "PUT", "key": "ann/a", "query": {"partNumber": 10001, "uploadId": "u"}},
        {"method": "PUT", "key": "ann/a", "query": {"partNumber": -1, "uploadId": "u"}},
        {"method": "PUT", "key": "ann/a", "query": {"partNumber": 1.5, "uploadId": "u"}},
        {"method": "PUT", "key": "ann/a", "query": {"partNumber": 1, "uploadId": ""}},
        {"method": "PUT", "key": "ann/a", "query": {"partNumber": 1, "uploadId": "u\r\nx: y"}},
        {"method": "PUT", "key": "ann/a", "query": {"uploads": "", "uploadId": "u"}},
        [[[[]]]],
        {"method": "GET", "key": "public/c", "query": {"share": "forged"}},
    ]);
    let told = told(&handler, &sign(&wanted)).await;
    let codes: Vec<_> = told
        .iter()
        .map(|told| told["error"]["code"].as_str().unwrap_or("signed"))
        .collect();
    assert_eq!(
        codes,
        [
            "signed",
            "CredentialRequired",
            "InvalidURI",
            "MethodNotAllowed",
            "InvalidArgument",
            "InvalidArgument",
            "InvalidArgument",
            "InvalidArgument",
            "InvalidArgument",
            "signed",
            "InvalidURI",
            "MethodNotAllowed",
            "InvalidURI",
            "InvalidArgument",
            "KeyTooLongError",
            "InvalidArgument",
            "InvalidArgument",
            "InvalidArgument",
            "InvalidArgument",
            "InvalidArgument",
            "InvalidArgument",
            "MethodNotAllowed",
            "InvalidArgument",
            "InvalidCredential",
        ]
    );
    assert_eq!(told[1]["error"]["status"], 401);
    assert!(told[1]["error"]["remedy"].as_str().unwrap().contains("token"));
}

#[tokio::test]
async fn the_credential_of_the_request_applies_to_every_item() {
    let handler = handler(RULES).await;
    let wanted = json!([{"method": "PUT", "key": "ann/a"}, {"method": "PUT", "key": "bob/a"}]);
    let outcome = told(&handler, &sign(&wanted).with("authorization", "Bearer secret")).await;
    let outcome = [&outcome[0]["method"], &outcome[1]["error"]["code"]];
    assert_eq!(outcome, [&json!("PUT"), &json!("AccessDenied")]);
    let garbage = sign(&json!([{"method": "GET", "key": "public/a"}])).with("authorization", "Bearer no");
    assert_eq!(
        handler.handle(&garbage, now()).await.status(),
        401,
        "it is never taken for nobody"
    );
}

#[tokio::test]
async fn a_share_link_grants_the_same_in_bulk_and_alone() {
    let env = [
        ("SIGNPOST_RULES", RULES),
        ("SIGNPOST_KEYS", "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    ];
    let handler = handler_with(&env, keys(None, None)).await;
    let asked = ApiRequest {
        body: Bytes::from(json!({"prefix": "ann/in/", "methods": ["PUT"]}).to_string()),
        ..ask("POST", "/-/share")
    };
    let made = handler
        .handle(&asked.with("authorization", "Bearer secret"), now())
        .await;
    let link = parameter(body(&made).trim(), "share").unwrap();
    let item = |key: &str| json!({"method": "PUT", "key": key, "query": {"share": link}});
    let told = told(&handler, &sign(&json!([item("ann/in/a"), item("ann/out")]))).await;
    assert_eq!(
        [&told[0]["key"], &told[1]["error"]["code"]],
        [&json!("ann/in/a"), &json!("AccessDenied")]
    );
}

#[tokio::test]
async fn a_body_other_than_an_array_of_up_to_100_items_is_rejected() {
    let handler = handler(OPEN_RULES).await;
    let item = json!({"method": "GET", "key": "k"});
    assert_eq!(told(&handler, &sign(&json!(vec![item.clone(); 100]))).await.len(), 100);
    assert!(told(&handler, &sign(&json!([]))).await.is_empty());
    for wanted in [json!(vec![item.clone(); 101]), item, json!("x")] {
        assert_eq!(handler.handle(&sign(&wanted), now()).await.status(), 400, "{wanted}");
    }
    let with_query = ApiRequest {
        query: vec![("expires".into(), "60".into())],
        ..sign(&json!([]))
    };
    assert_eq!(handler.handle(&with_query, now()).await.status(), 400);
    let got = handler.handle(&ask("GET", "/-/sign"), now()).await;
    assert_eq!((got.status().as_u16(), header(&got, "allow")), (405, "POST, OPTIONS"));
}

fn sign_text(text: impl Into<Bytes>) -> ApiRequest {
    ApiRequest {
        body: text.into(),
        ..ask("POST", "/-/sign")
    }
}

#[tokio::test]
async fn repeated_members_are_rejected() {
    let handler = handler(OPEN_RULES).await;
    let wanted = sign_text(
        r#"[{"method": "GET", "key": "a", "key": "b"}, {"method": "GET", "method": "PUT", "key": "a"},
            {"method": "GET", "key": "a", "query": {"expires": 60, "expires": 1}}, {"method": "GET", "key": "a"}]"#,
    );
    let told = told(&handler, &wanted).await;
    for told in &told[..3] {
        assert_eq!(told["error"]["code"], "InvalidArgument", "{told}");
    }
    assert_eq!(told[3]["key"], "a");
}

#[tokio::test]
async fn a_hostile_body_is_rejected_with_a_short_response() {
    let handler = handler(OPEN_RULES).await;
    for (what, text) in [
        ("nothing", String::new()),
        ("half", "[{\"method\": \"GET\"".into()),
        ("deep", "[".repeat(100_000)),
        ("many", format!("[{}1]", "1,".repeat(400_000))),
        ("large", format!("[\"{}\"]", "x".repeat(1024 * 1024))),
        ("more after it", "[] []".into()),
        ("a control character", "[\u{0}]".into()),
    ] {
        let response = handler.handle(&sign_text(text), now()).await;
        assert_eq!(response.status(), 400, "{what}");
        assert!(body(&response).len() < 1000, "{what}");
    }
    let nested = sign_text("[".repeat(100_000) + &"]".repeat(100_000));
    assert_eq!(
        told(&handler, &nested).await[0]["error"]["code"],
        "InvalidArgument",
        "one request, and a bad one"
    );
    let broken = sign_text(&b"[{\"method\": \"GET\", \"key\": \"\xff\"}]"[..]);
    assert_eq!(handler.handle(&broken, now()).await.status(), 400);
}

#[tokio::test]
async fn generated_keys_sort_by_time() {
    let handler = handler(OPEN_RULES).await;
    let ask = ask("POST", "/videos/?ext=mp4&contentLength=5")
        .with("accept", "application/vnd.signpost+json, application/json");
    let told = json(&handler.handle(&ask, now()).await);
    let key = told["key"].as_str().unwrap();
    let name = key.strip_prefix("videos/").unwrap().strip_suffix(".mp4").unwrap();
    assert_eq!((name.len(), &name[..10]), (26, "01KX6QG620"), "{name}");
    assert_eq!(
        (&told["method"], &told["headers"]["content-length"]),
        (&json!("PUT"), &json!("5"))
    );
    assert_eq!(told["headers"]["if-none-match"], "*");
    let path = told["url"].as_str().unwrap().split('?').next().unwrap().to_owned();
    assert!(path.ends_with(&format!("/{key}")), "{path}");
}

#[tokio::test]
async fn the_response_to_an_upload_with_a_generated_key_contains_key_and_url() {
    let handler = handler(OPEN_RULES).await;
    for accept in ["*/*", "text/plain", "text/html"] {
        let response = handler.handle(&ask("POST", "/in/").with("accept", accept), now()).await;
        assert_eq!(response.status(), 200, "{accept}");
        let lines: Vec<_> = body(&response).lines().collect();
        let [key, url] = lines[..] else { panic!("{lines:?}") };
        assert!(url.contains(&format!("/{key}?")), "{key}");
    }
    let at_the_root = handler.handle(&ask("POST", "/"), now()).await;
    assert_eq!(body(&at_the_root).lines().next().unwrap().len(), 26);
}

#[tokio::test]
async fn every_generated_key_is_unique() {
    let handler = handler(OPEN_RULES).await;
    let mut keys = BTreeSet::new();
    for number in 0..100 {
        let request = ApiRequest {
            request_id: format!("request-{number}"),
            ..ask("POST", "/in/")
        };
        let response = handler.handle(&request, now()).await;
        keys.insert(body(&response).lines().next().unwrap().to_owned());
    }
    assert_eq!(keys.len(), 100);
}

#[tokio::test]
async fn the_rules_apply_to_generated_keys_and_a_body_is_rejected() {
    let handler = handler(RULES).await;
    let with_body = ApiRequest {
        body: Bytes::from_static(b"the file"),
        ..ask("POST", "/ann/")
    };
    for (request, status) in [
        (ask("POST", "/ann/"), 401),
        (ask("POST", "/bob/").with("authorization", "Bearer secret"), 403),
        (with_body.with("authorization", "Bearer secret"), 400),
        (ask("POST", "/ann/?ext=").with("authorization", "Bearer secret"), 400),
        (
            ask("POST", "/ann/?ext=../x").with("authorization", "Bearer secret"),
            400,
        ),
        (
            ask("POST", "/ann/?ext=a..b").with("authorization", "Bearer secret"),
            400,
        ),
        (
            ask("POST", "/ann/?ext=a&ext=b").with("authorization", "Bearer secret"),
            400,
        ),
        (ask("POST", "/ann/?ext=a/b").with("authorization", "Bearer secret"), 400),
        (ask("POST", "/ann/?ext=\\b").with("authorization", "Bearer secret"), 400),
        (ask("POST", "/ann/?ext=é").with("authorization", "Bearer secret"), 400),
        (ask("POST", "/ann/?ext=a\n").with("authorization", "Bearer secret"), 400),
        (ask("POST", "/ann/?form").with("authorization", "Bearer secret"), 400),
        (ask("POST", "/ann/../bob/").with("authorization", "Bearer secret"), 400),
        (
            ask("POST", "/ann/?ext=12345678901234567").with("authorization", "Bearer secret"),
            400,
        ),
        (ask("POST", "/ann/?uploads").with("authorization", "Bearer secret"), 400),
        (
            ask("POST", "/ann/?ext=tar.gz").with("authorization", "Bearer secret"),
            200,
        ),
    ] {
        let response = handler.handle(&request, now()).await;
        assert_eq!(
            response.status(),
            status,
            "{} {:?}: {}",
            request.path,
            request.query,
            body(&response)
        );
    }
}

/// Anonymous callers reach this check before the rules, so its time must not grow with the square of the query.
#[tokio::test]
async fn a_query_with_too_many_parameters_is_rejected() {
    let handler = handler(OPEN_RULES).await;
    let with = |count: usize| {
        let query = (0..count).map(|n| (format!("meta-{n}"), json!("x")));
        json!([{"method": "PUT", "key": "a", "query": query.collect::<serde_json::Map<_, _>>()}])
    };
    let most = &told(&handler, &sign(&with(100))).await[0];
    assert_eq!(most["error"], Value::Null);
    let over = &told(&handler, &sign(&with(101))).await[0]["error"];
    assert_eq!(over["status"], 400, "{over}");
    assert!(over["detail"].as_str().unwrap().contains("the limit is 100"), "{over}");
}

#[tokio::test]
async fn an_item_must_be_an_object() {
    let handler = handler(OPEN_RULES).await;
    let error = &told(&handler, &sign(&json!([["GET", "a", {}]]))).await[0]["error"];
    assert_eq!(error["status"], 400, "{error}");
}

/// The size of a response in the event of a front, which contains the body as a text.
fn size_in_event(response: &signpost::response::ApiResponse) -> usize {
    serde_json::to_string(body(response)).unwrap().len()
}

/// An ALB accepts 1 MB. The largest request has 1 MB.
#[tokio::test]
async fn the_response_to_a_bulk_request_is_always_small_enough_for_every_front() {
    let handler = handler(&format!("{OPEN_RULES}overwrite = true\nmax_bytes = 1000\n")).await;
    let item = |key: &str, query: Value| json!({"method": "PUT", "key": key, "query": query});
    let mut cases = Vec::new();
    for text in ["\u{7f}", "\u{1}", "\"", "\\", "\u{202e}", "\u{e0041}", "🦀", "k", " "] {
        let long = text.repeat(9000 / serde_json::to_string(text).unwrap().len().max(4));
        let key: String = text.repeat(1000 / text.len());
        cases.extend([
            item("k", json!({long.as_str(): "1"})),
            item("k", json!({"contentType": long})),
            item("k", json!({"expires": long})),
            item("k", json!({format!("meta-{long}"): "1"})),
            json!({"method": "GET", "key": "k", long.as_str(): 1}),
            json!({"method": long, "key": "k"}),
            item(&long, json!({})),
            item(&key, json!({})),
            item(
                &key,
                json!({"contentLength": 5, "meta-a": text.repeat(2000 / text.len())}),
            ),
        ]);
    }
    for case in cases {
        // The request itself may have at most 1 MB.
        let count = (1024 * 1024 / (case.to_string().len() + 1)).min(100);
        for (max_response_bytes, limit) in [(1 << 20, 950_000), (6 << 20, 6_000_000)] {
            let mut request = sign(&json!(vec![case.clone(); count]));
            request.base_url = format!("https://{}", "a".repeat(260));
            request.max_response_bytes = max_response_bytes;
            let response = handler.handle(&request, now()).await;
            assert_eq!(response.status(), 200, "{case}");
            let size = size_in_event(&response);
            assert!(
                size < limit,
                "{size} bytes for {}",
                case.to_string().chars().take(100).collect::<String>()
            );
            assert_eq!(json(&response).as_array().unwrap().len(), count);
        }
    }
}

#[tokio::test]
async fn items_beyond_the_size_limit_of_the_response_are_rejected_and_the_others_are_signed() {
    let handler = handler(OPEN_RULES).await;
    let long = json!({"method": "PUT", "key": "k".repeat(1000), "query": {"meta-a": "\"".repeat(2000)}});
    let from_alb = |items: &Value| ApiRequest {
        max_response_bytes: 1 << 20,
        ..sign(items)
    };
    let told = told(&handler, &from_alb(&json!(vec![long; 100]))).await;
    let signed = told.iter().take_while(|result| result["url"].is_string()).count();
    assert!((20..100).contains(&signed), "{signed}");
    for rejected in &told[signed..] {
        assert_eq!(rejected["error"]["code"], "InvalidArgument");
        assert!(
            rejected["error"]["detail"].as_str().unwrap().contains("fewer items"),
            "{rejected}"
        );
    }
    let usual = json!({"method": "PUT", "key": format!("{}/é", "folder".repeat(30)), "query": {"contentLength": 5}});
    let longest = json!({"method": "PUT", "key": "☺".repeat(341)});
    for request in [from_alb(&json!(vec![usual; 100])), sign(&json!(vec![longest; 100]))] {
        let told = self::told(&handler, &request).await;
        assert!(told.iter().all(|result| result["url"].is_string()));
    }
}

#[tokio::test]
async fn a_body_of_another_type_is_rejected_with_the_expected_type() {
    let handler = handler(OPEN_RULES).await;
    let response = handler.handle(&sign(&json!({"method": "GET"})), now()).await;
    assert!(
        body(&response).contains("an array of up to 100 requests"),
        "{}",
        body(&response)
    );
    let query = json!([{"method": "GET", "key": "k", "query": "expires=60"}]);
    let told = told(&handler, &sign(&query)).await;
    assert!(told[0].to_string().contains("an object of parameters"), "{}", told[0]);
}

#[tokio::test]
async fn an_extension_has_up_to_16_characters() {
    let handler = handler(OPEN_RULES).await;
    for (extension, expected) in [
        ("tar.gz", 200),
        (&*"a".repeat(16), 200),
        (&*"a".repeat(17), 400),
        ("", 400),
        ("a..b", 400),
        ("a/b", 400),
    ] {
        let response = handler
            .handle(&ask("POST", &format!("/in/?ext={extension}")), now())
            .await;
        assert_eq!(response.status(), expected, "{extension}: {}", body(&response));
    }
}
