//! Tokens in a header of their own, which rules can enable.

use signpost::policy::Policy;
use signpost::request::{ApiRequest, GatewayAuthorizer, GatewayIdentity};
use signpost::service::handler::Handler;

use crate::support::{With as _, ask, body, credentials, handler, handler_with, header, json, now};

/// The secret of the token is `secret`.
const RULES: &str = r#"
version = 1
[defaults]
token_header = "X-Signpost-Token"
[[token]]
id = "ci"
sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
[[rule]]
id = "own"
who = ["token:ci"]
can = ["read", "write", "list"]
on = ["**"]
share = ["read"]
[[rule]]
id = "public"
who = ["anyone"]
can = ["read"]
on = ["pub/**"]
"#;

const NAME: &str = "x-signpost-token";

async fn status(handler: &Handler, request: ApiRequest) -> u16 {
    handler.handle(&request, now()).await.status().as_u16()
}

#[tokio::test]
async fn the_header_contains_the_secret_with_or_without_the_id() {
    let handler = handler(RULES).await;
    for (value, expected) in [
        ("secret", 307),
        ("ci:secret", 307),
        ("other:secret", 401),
        ("wrong", 401),
        ("ci:wrong", 401),
        ("ci:", 401),
        (":secret", 401),
        ("", 401),
        ("Bearer secret", 401),
    ] {
        for path in ["/a", "/pub/a"] {
            assert_eq!(
                status(&handler, ask("GET", path).with(NAME, value)).await,
                expected,
                "{path} {value}"
            );
        }
    }
}

#[tokio::test]
async fn the_header_has_no_effect_unless_the_rules_enable_it() {
    let disabled = RULES.replace("token_header = \"X-Signpost-Token\"", "");
    let handler = handler(&disabled).await;
    assert_eq!(status(&handler, ask("GET", "/a").with(NAME, "secret")).await, 401);
    assert_eq!(status(&handler, ask("GET", "/pub/a").with(NAME, "wrong")).await, 307);
}

#[tokio::test]
async fn the_header_and_another_credential_are_two_credentials() {
    let keys = ("SIGNPOST_KEYS", "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    let handler = handler_with(&[("SIGNPOST_RULES", RULES), keys], credentials(None, None)).await;
    let own = |path: &str| ask("GET", path).with(NAME, "secret");
    for second in [
        own("/pub/a").with("authorization", "Bearer secret"),
        own("/pub/a").with("authorization", "AWS4-HMAC-SHA256 x"),
        own("/pub/a").with(NAME, "secret"),
        own("/pub/a").with("cookie", "__Host-signpost=x"),
    ] {
        assert_eq!(status(&handler, second).await, 401);
    }
    let share = ApiRequest {
        body: r#"{"key": "a"}"#.into(),
        ..ask("POST", "/-/share")
            .with(NAME, "secret")
            .with("accept", "application/json")
    };
    let shared = handler.handle(&share, now()).await;
    assert_eq!(shared.status(), 200, "{}", body(&shared));
    let url = json(&shared)["url"].as_str().unwrap().to_owned();
    let link = url.strip_prefix("https://files.example.com").unwrap();
    assert_eq!(status(&handler, ask("GET", link)).await, 307);
    assert_eq!(status(&handler, own(link)).await, 401);
}

#[tokio::test]
async fn the_header_and_a_caller_of_the_gateway_are_two_credentials() {
    let rules = format!(
        "{RULES}[[issuer]]\nname = \"idp\"\niss = \"i\"\nvia = \"gateway\"\n\
         [[rule]]\nid = \"idp\"\nwho = [\"issuer:idp\"]\ncan = [\"read\"]\non = [\"a\"]\n"
    );
    let handler = handler(&rules).await;
    let verified = |request: ApiRequest| ApiRequest {
        gateway: Some(GatewayIdentity {
            authorizer: GatewayAuthorizer::Jwt,
            claims: [("iss", "i"), ("sub", "alice")]
                .map(|(name, text)| (name.to_owned(), text.into()))
                .into(),
        }),
        ..request
    };
    let request = || ask("GET", "/a");
    assert_eq!(status(&handler, verified(request())).await, 307);
    let header = request().with("authorization", "Bearer of-the-gateway");
    assert_eq!(status(&handler, verified(header)).await, 307);
    assert_eq!(status(&handler, verified(request().with(NAME, "secret"))).await, 401);
    assert_eq!(status(&handler, request().with(NAME, "secret")).await, 307);
}

#[tokio::test]
async fn the_header_is_never_signed_or_part_of_an_instruction() {
    let handler = handler(RULES).await;
    for request in [
        ask("GET", "/a"),
        ask("PUT", "/a").sized(5),
        ask("PUT", "/a?url"),
        ask("PUT", "/a").with("accept", "application/json"),
        ask("GET", "/-/presign/a?method=PUT"),
    ] {
        let response = handler.handle(&request.with(NAME, "secret"), now()).await;
        assert!(response.status().as_u16() < 400, "{}", body(&response));
        let text = format!("{}{}", header(&response, "location"), body(&response));
        assert!(
            !text.to_lowercase().contains("signpost-token") && !text.contains("secret"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_page_of_another_origin_may_send_the_header() {
    let env = [
        ("SIGNPOST_RULES", RULES),
        ("SIGNPOST_CORS_ORIGINS", "https://app.example.com"),
    ];
    let handler = handler_with(&env, credentials(None, None)).await;
    let preflight = ask("OPTIONS", "/a")
        .with("origin", "https://app.example.com")
        .with("access-control-request-method", "PUT")
        .with("access-control-request-headers", NAME);
    let response = handler.handle(&preflight, now()).await;
    assert_eq!(header(&response, "access-control-allow-headers"), NAME);
}

#[tokio::test]
async fn a_cached_redirect_depends_on_the_header() {
    let rules = format!("{RULES}reuse_url_for = \"2m\"\n");
    for (rules, expected) in [
        (rules.clone(), true),
        (rules.replace("token_header = \"X-Signpost-Token\"", ""), false),
    ] {
        let response = handler(&rules).await.handle(&ask("GET", "/pub/a"), now()).await;
        assert!(
            header(&response, "cache-control").starts_with("private"),
            "{}",
            body(&response)
        );
        assert_eq!(header(&response, "vary").contains(NAME), expected);
    }
}

#[test]
fn the_name_must_not_have_another_meaning() {
    for (name, is_valid) in [
        ("X-Signpost-Token", true),
        ("x-files-key", true),
        ("X-Api-Key", true),
        ("", false),
        ("X-", false),
        ("Token", false),
        ("Authorization", false),
        ("Cookie", false),
        ("Host", false),
        ("Content-Type", false),
        ("Range", false),
        ("Sec-Fetch-Mode", false),
        ("X-Amz-Security-Token", false),
        ("X-Amzn-Trace-Id", false),
        ("X-Forwarded-For", false),
        ("X-HTTP-Method-Override", false),
        ("X-Requested-With", false),
        ("X-Moz", false),
        ("X-Purpose", false),
        ("X Token", false),
        ("X-Tökén", false),
        ("X-A\\nB", false),
    ] {
        let rules = RULES.replace("X-Signpost-Token", name);
        assert_eq!(Policy::parse(&rules).is_ok(), is_valid, "{name}");
    }
    assert!(Policy::parse(&RULES.replace("id = \"own\"", "id = \"own\"\ntoken_header = \"X-A\"")).is_err());
}
