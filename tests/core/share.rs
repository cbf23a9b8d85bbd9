//! Share links: the access that they grant, and how they expire.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde_json::{Value, json};
use signpost::request::{ApiRequest, GatewayAuthorizer, GatewayIdentity};
use signpost::service::handler::Handler;

use crate::support::{With as _, ask, body, credentials, handler_with, header, json, now, parameter};

pub(crate) const KEYS: &str = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const NEW_KEYS: &str = "k2:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA";

/// The secret of the token is `secret`.
pub(crate) const RULES: &str = r#"
version = 1

[[token]]
id = "ann"
sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
groups = ["staff"]

[[rule]]
id = "read"
who = ["token:ann"]
can = ["read"]
on = ["docs/**"]

[[rule]]
id = "drop"
who = ["group:staff"]
can = ["read", "write"]
on = ["drop/**"]
share = ["write"]
share_expires = "1h"
overwrite = true

[[rule]]
id = "private"
who = ["token:ann"]
can = ["read", "delete"]
on = ["private/**"]
share = []
"#;

pub(crate) async fn serve(rules: &str, keys: &str) -> Handler {
    handler_with(
        &[("SIGNPOST_RULES", rules), ("SIGNPOST_KEYS", keys)],
        credentials(None, None),
    )
    .await
}

pub(crate) fn share(wanted: &Value) -> ApiRequest {
    let body = Bytes::from(wanted.to_string());
    ApiRequest {
        body,
        ..ask("POST", "/-/share")
    }
    .with("authorization", "Bearer secret")
    .with("accept", "application/json")
}

/// The value of `?share` in a new link.
pub(crate) async fn link(handler: &Handler, wanted: Value) -> String {
    let response = handler.handle(&share(&wanted), now()).await;
    assert_eq!(response.status(), 200, "{}", body(&response));
    let url = json(&response)["url"].as_str().unwrap().to_owned();
    url.split_once("?share=").unwrap().1.to_owned()
}

pub(crate) async fn status(handler: &Handler, method: &str, path: &str, link: &str) -> u16 {
    let request = ask(method, &format!("{path}?share={link}")).sized(5);
    handler.handle(&request, now()).await.status().as_u16()
}

/// A key that was copied from a URL path would make a link to another object, or to none.
#[tokio::test]
async fn a_key_that_begins_with_a_slash_is_rejected_with_the_correct_key() {
    let handler = serve(RULES, KEYS).await;
    for (wanted, correct) in [
        (json!({"key": "/docs/a"}), "docs/a"),
        (json!({"key": "//docs/a"}), "docs/a"),
        (json!({"prefix": "/docs/"}), "docs/"),
        (json!({"key": "/"}), ""),
    ] {
        let response = handler.handle(&share(&wanted), now()).await;
        assert_eq!(response.status(), 400, "{wanted}");
        let detail = json(&response)["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("must not begin with `/`"), "{detail}");
        assert!(detail.ends_with(&format!("names the key {correct:?}")), "{detail}");
    }
}

#[tokio::test]
async fn a_rejected_share_link_names_the_rule_and_the_field() {
    let handler = serve(RULES, KEYS).await;
    for (wanted, status, expected) in [
        (
            json!({"prefix": "drop/", "methods": ["PUT"], "expires": "2h"}),
            400,
            "invalid expires: the rule \"drop\" allows at most 1h (`share_expires`)",
        ),
        (
            json!({"key": "private/a"}),
            403,
            "the rule does not allow share links to read this key",
        ),
        (
            json!({"key": "other/a"}),
            403,
            "no rule allows this caller to read this key",
        ),
    ] {
        let response = handler.handle(&share(&wanted), now()).await;
        assert_eq!(response.status(), status, "{wanted}");
        assert_eq!(json(&response)["detail"], expected, "{wanted}");
    }
    let response = handler.handle(&share(&json!({"key": "private/a"})), now()).await;
    assert_eq!(
        json(&response)["remedy"],
        "Ask the operator to add \"read\" to `share` of the rule."
    );
}

#[tokio::test]
async fn a_link_allows_reading_one_object_only() {
    let handler = serve(RULES, KEYS).await;
    let link = link(&handler, json!({"key": "docs/a b"})).await;
    for (method, path, expected) in [
        ("GET", "/docs/a%20b", 307),
        ("HEAD", "/docs/a%20b", 307),
        ("PUT", "/docs/a%20b", 403),
        ("DELETE", "/docs/a%20b", 403),
        ("GET", "/docs/a%20b2", 403),
        ("GET", "/docs/a", 403),
        ("GET", "/docs/", 403),
        ("GET", "/private/a", 403),
    ] {
        assert_eq!(status(&handler, method, path, &link).await, expected, "{method} {path}");
    }
}

#[tokio::test]
async fn the_response_contains_the_url_and_its_expiry() {
    let handler = serve(RULES, KEYS).await;
    let response = handler
        .handle(&share(&json!({"key": "docs/a b", "expires": "2h"})), now())
        .await;
    let told = json(&response);
    assert!(
        told["url"]
            .as_str()
            .unwrap()
            .starts_with("https://files.example.com/docs/a%20b?share=k1.")
    );
    assert_eq!(told["expires_at"], "2026-07-10T21:19:04Z");
    assert_eq!(told["methods"], json!(["GET", "HEAD"]));
    assert!(!told["id"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn an_upload_link_allows_new_objects_below_its_prefix_up_to_its_limit() {
    let handler = serve(RULES, KEYS).await;
    let wanted = json!({"prefix": "drop/x/", "methods": ["PUT"], "max_bytes": 5, "expires": 600});
    let link = link(&handler, wanted).await;
    let put = |path: &str, length| ask("PUT", &format!("{path}?share={link}")).sized(length);
    let taken = handler.handle(&put("/drop/x/a", 5), now()).await;
    assert_eq!(taken.status(), 307);
    assert_eq!(
        parameter(header(&taken, "location"), "If-None-Match").unwrap(),
        "*",
        "a link never replaces"
    );
    for (path, length, expected) in [
        ("/drop/x/a", 6, 413),
        ("/drop/a", 5, 403),
        ("/drop/xy", 5, 403),
        ("/drop/x/", 5, 403),
    ] {
        assert_eq!(
            handler.handle(&put(path, length), now()).await.status(),
            expected,
            "{path} {length}"
        );
    }
    assert_eq!(status(&handler, "GET", "/drop/x/a", &link).await, 403);
    let parts = |method: &str, query: &str| ask(method, &format!("/drop/x/a?{query}&share={link}"));
    for (method, query, expected) in [
        ("POST", "uploads", 307),
        ("PUT", "partNumber=1&uploadId=u&contentLength=5", 307),
        ("PUT", "partNumber=1&uploadId=u&contentLength=6", 413),
        ("POST", "uploadId=u", 411),
        ("POST", "uploadId=u&mp-object-size=5", 307),
        ("POST", "uploadId=u&mp-object-size=6", 413),
    ] {
        let response = handler.handle(&parts(method, query), now()).await;
        assert_eq!(response.status(), expected, "{method} {query}");
    }
}

#[tokio::test]
async fn a_link_requires_a_rule_that_allows_sharing() {
    let handler = serve(RULES, KEYS).await;
    for (wanted, expected) in [
        (json!({"key": "private/a"}), 403),
        (json!({"key": "docs/a", "methods": ["PUT"]}), 403),
        (json!({"key": "docs/a", "methods": ["GET", "DELETE"]}), 403),
        (json!({"key": "drop/a"}), 403),
        (json!({"key": "other/a"}), 403),
        (json!({"prefix": "docs"}), 400),
        (json!({"key": "docs/../a"}), 400),
        (json!({"key": "docs/a", "prefix": "docs/"}), 400),
        (json!({}), 400),
        (json!(["docs/a", null, null, null, null, null]), 400),
        (json!({"key": "docs/a", "methods": ["GET", "GET"]}), 400),
        (json!({"key": "docs/a", "methods": []}), 400),
        (json!({"key": "docs/a", "methods": ["POST"]}), 400),
        (json!({"key": "docs/a", "colour": 1}), 400),
        (json!({"key": "docs/a", "expires": 0}), 400),
        (json!({"key": "docs/a", "expires": "8d"}), 400),
        (json!({"prefix": "drop/", "methods": ["PUT"], "expires": "61m"}), 400),
        (json!("text"), 400),
    ] {
        let response = handler.handle(&share(&wanted), now()).await;
        assert_eq!(response.status(), expected, "{wanted}");
    }
    let nobody = ApiRequest {
        body: Bytes::from_static(b"{\"key\":\"docs/a\"}"),
        ..ask("POST", "/-/share")
    };
    assert_eq!(handler.handle(&nobody, now()).await.status(), 401);
    assert_eq!(handler.handle(&ask("GET", "/-/share"), now()).await.status(), 405);
}

#[tokio::test]
async fn errors_contain_no_control_characters_of_the_body() {
    let handler = serve(RULES, KEYS).await;
    let mut request = share(&json!({"key": "docs/a", "\u{1b}[31mcolour\r\nX: y": 1}));
    request.headers.remove("accept");
    let response = handler.handle(&request, now()).await;
    let told = body(&response);
    assert!(
        told.contains("[31mcolour") && !told.contains(['\u{1b}', '\r']),
        "{told}"
    );
    assert_eq!(told.lines().count(), 2, "{told}");
}

#[tokio::test]
async fn a_link_expires_and_no_url_outlives_it() {
    let handler = serve(RULES, KEYS).await;
    let link = link(&handler, json!({"key": "docs/a", "expires": 100})).await;
    let at = async |seconds| {
        let response = handler
            .handle(
                &ask("GET", &format!("/docs/a?share={link}")),
                now() + Duration::from_secs(seconds),
            )
            .await;
        (
            response.status().as_u16(),
            parameter(header(&response, "location"), "X-Amz-Expires"),
        )
    };
    assert_eq!(at(0).await, (307, Some("100".into())));
    assert_eq!(at(60).await, (307, Some("40".into())));
    assert_eq!(at(100).await, (401, None));
}

#[tokio::test]
async fn an_altered_foreign_or_revoked_link_is_401() {
    let handler = serve(RULES, KEYS).await;
    let link = link(&handler, json!({"key": "docs/a"})).await;
    let [id, statement, mac] = link.split('.').collect::<Vec<_>>()[..] else {
        panic!("{link}")
    };
    let said = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(statement).unwrap()).unwrap();
    let forged = BASE64_URL_SAFE_NO_PAD.encode(said.replace("docs/a", "docs/b"));
    let altered = [
        format!("{id}.{forged}.{mac}"),
        format!("k2.{statement}.{mac}"),
        format!("{id}.{statement}."),
        format!("{id}.{statement}.{}", &mac[..20]),
        format!("{id}.{statement}"),
        String::new(),
        "..".into(),
        format!("{link}x"),
    ];
    for altered in altered {
        assert_eq!(status(&handler, "GET", "/docs/a", &altered).await, 401, "{altered}");
    }
    let named: Value = serde_json::from_str(&said).unwrap();
    let revoked = format!("{RULES}\n[share]\nrevoked = [{}]", named["id"]);
    let cases = [
        (serve(RULES, KEYS).await, 307),
        (serve(RULES, NEW_KEYS).await, 401),
        (serve(RULES, &format!("{NEW_KEYS},{KEYS}")).await, 307),
        (serve(RULES, "").await, 401),
        (serve(&revoked, KEYS).await, 401),
    ];
    for (handler, expected) in cases {
        assert_eq!(status(&handler, "GET", "/docs/a", &link).await, expected);
    }
}

#[tokio::test]
async fn only_a_link_with_a_valid_signature_reveals_why_it_does_not_work() {
    let handler = serve(RULES, KEYS).await;
    let link = link(&handler, json!({"key": "docs/a", "expires": "1h"})).await;
    let id = BASE64_URL_SAFE_NO_PAD.decode(link.split('.').nth(1).unwrap()).unwrap();
    let id: Value = serde_json::from_slice(&id).unwrap();
    let revoking = serve(&format!("{RULES}\n[share]\nrevoked = [{}]", id["id"]), KEYS).await;
    let altered = format!("{}.{}", link.rsplit_once('.').unwrap().0, "A".repeat(43));
    let late = now() + Duration::from_hours(2);
    for (handler, at, problem, remedy) in [
        (
            &revoking,
            now(),
            "has been revoked",
            "The operator has disabled this link",
        ),
        (
            &handler,
            late,
            "has expired",
            "Ask the person who sent you the link for a new one",
        ),
    ] {
        for (link, [problem, remedy]) in [
            (&link, [problem, remedy]),
            (&altered, ["the share link is invalid", "Copy the complete link again"]),
        ] {
            let response = handler.handle(&ask("GET", &format!("/docs/a?share={link}")), at).await;
            let text = body(&response);
            assert!(text.contains(problem) && text.contains(remedy), "{text}");
        }
    }
}

#[tokio::test]
async fn a_link_grants_no_more_than_its_creator_has_now() {
    let link = link(&serve(RULES, KEYS).await, json!({"key": "docs/a"})).await;
    let without_rule = RULES.replace("docs/**", "else/**");
    let without_maker = RULES.replace("\"ann\"", "\"bea\"").replace("token:ann", "token:bea");
    let denied = format!(
        "{RULES}\n[[rule]]\nid = \"d\"\neffect = \"deny\"\nwho = [\"anyone\"]\ncan = [\"read\"]\non = [\"docs/a\"]"
    );
    let unshared = RULES.replace("on = [\"docs/**\"]", "on = [\"docs/**\"]\nshare = []");
    for (rules, expected) in [
        (without_rule, 403),
        (without_maker, 401),
        (denied, 403),
        (unshared, 403),
    ] {
        assert_eq!(
            status(&serve(&rules, KEYS).await, "GET", "/docs/a", &link).await,
            expected,
            "{rules}"
        );
    }
}

#[tokio::test]
async fn a_link_excludes_other_credentials() {
    let handler = serve(RULES, KEYS).await;
    let link = link(&handler, json!({"key": "docs/a"})).await;
    let request = ask("GET", &format!("/docs/a?share={link}")).with("authorization", "Bearer secret");
    assert_eq!(handler.handle(&request, now()).await.status(), 401);
    let twice = ask("GET", &format!("/docs/a?share={link}&share={link}"));
    assert_eq!(handler.handle(&twice, now()).await.status(), 400);
}

#[tokio::test]
async fn a_link_excludes_a_caller_whom_the_gateway_has_verified() {
    let issuer = "\n[[issuer]]\nname = \"idp\"\niss = \"i\"\nvia = \"gateway\"\n";
    let link = link(&serve(RULES, KEYS).await, json!({"key": "docs/a"})).await;
    // Without an issuer behind the gateway, the rules do not use its identity.
    for (rules, expected) in [(RULES.to_owned(), 307), (format!("{RULES}{issuer}"), 401)] {
        let claims = [("iss", "i"), ("sub", "alice")];
        let request = ApiRequest {
            gateway: Some(GatewayIdentity {
                authorizer: GatewayAuthorizer::Jwt,
                claims: claims.map(|(name, text)| (name.to_owned(), text.into())).into(),
            }),
            ..ask("GET", &format!("/docs/a?share={link}"))
        };
        assert_eq!(
            serve(&rules, KEYS).await.handle(&request, now()).await.status(),
            expected
        );
    }
}

#[tokio::test]
async fn share_links_require_keys() {
    let handler = serve(RULES, "").await;
    assert_eq!(
        handler.handle(&share(&json!({"key": "docs/a"})), now()).await.status(),
        404
    );
}

#[test]
fn invalid_keys_prevent_startup_and_are_not_printed() {
    let short = "k1:c2VjcmV0";
    for keys in [
        "secret",
        short,
        "k 1:AAAA",
        &format!("k 1{}", &KEYS[2..]),
        &KEYS[2..],
        &format!("{}{}", "k".repeat(33), &KEYS[2..]),
        &format!("{KEYS},{KEYS}"),
        &format!("{KEYS},{NEW_KEYS},k3{}", &KEYS[2..]),
    ] {
        let env = [
            ("SIGNPOST_BUCKET", "example-bucket"),
            ("AWS_REGION", "eu-central-1"),
            ("SIGNPOST_KEYS", keys),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let error = signpost::config::Settings::from_env(env).unwrap_err().to_string();
        assert!(
            error.starts_with("SIGNPOST_KEYS: ") && !error.contains("c2VjcmV0") && !error.contains("AAAA"),
            "{error}"
        );
    }
}

#[test]
fn the_id_of_a_key_has_up_to_32_letters_digits_hyphens_and_underscores() {
    for id in ["k", "K-1_a", &"k".repeat(32)] {
        let keys = format!("{id}{}", &KEYS[2..]).parse::<signpost::auth::Keyring>();
        assert!(keys.is_ok(), "{id}");
    }
}

#[tokio::test]
async fn debug_output_contains_no_link_and_no_key() {
    let handler = serve(RULES, KEYS).await;
    let keys: signpost::auth::Keyring = KEYS.parse().unwrap();
    let decided = format!("{handler:?} {keys:?}");
    assert!(
        !decided.contains("AAAA") && decided.contains("SigningKey(k1, redacted)"),
        "{decided}"
    );
}
