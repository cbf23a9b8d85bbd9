//! Sign-in for the page with a token in the form, and requests that start no session.

mod code;
mod session;

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use signpost::outbound::aws::CredentialSource;
use signpost::request::ApiRequest;
use signpost::response::ApiResponse;
use signpost::service::handler::Handler;

use crate::support::{With as _, ask, body, credentials, handler_with, header, now, settings};

const KEYS: &str = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const OTHER_KEYS: &str = "k2:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE";
const OWN: &str = "https://files.example.com";

/// The secret is `secret`.
const TOKEN: &str = r#"
[[token]]
id = "ci"
sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
groups = ["deployers"]
"#;

const RULES: &str = r#"
[[rule]]
id = "public"
who = ["anyone"]
can = ["read"]
on = ["public/**"]

[[rule]]
id = "own"
who = ["token:ci"]
can = ["read", "write", "delete"]
on = ["ci/**"]
share = ["read"]

[[rule]]
id = "group"
who = ["group:deployers"]
can = ["read"]
on = ["releases/**"]
"#;

fn token_rules() -> String {
    format!("version = 1\n{TOKEN}{RULES}")
}

async fn serve(rules: &str, keys: &str) -> Handler {
    let env = [
        ("SIGNPOST_RULES", rules),
        ("SIGNPOST_KEYS", keys),
        ("SIGNPOST_CORS_ORIGINS", "https://app.example.com"),
    ];
    handler_with(&env, credentials(None, None)).await
}

fn after(seconds: u64) -> SystemTime {
    now() + Duration::from_secs(seconds)
}

/// The cookies that a response sets, with their attributes.
fn cookies(response: &ApiResponse) -> Vec<&str> {
    let cookies = response.headers().get_all("set-cookie").iter();
    cookies.map(|cookie| cookie.to_str().unwrap()).collect()
}

/// `NAME=VALUE` of a cookie that a response sets.
fn cookie(response: &ApiResponse, name: &str) -> String {
    let found = cookies(response)
        .into_iter()
        .find(|cookie| cookie.starts_with(&format!("{name}=")));
    let found = found.unwrap_or_else(|| panic!("no {name} in {response:?}"));
    found.split(';').next().unwrap().to_owned()
}

fn post(path: &str, form: &str) -> ApiRequest {
    let mut request = ask("POST", path);
    request.body = Bytes::copy_from_slice(form.as_bytes());
    request
}

async fn sign_in(handler: &Handler) -> String {
    let request = post("/-/login", "token=secret&next=%2Fci%2F").with("origin", OWN);
    let response = handler.handle(&request, now()).await;
    assert_eq!(response.status(), 200, "{}", body(&response));
    cookie(&response, "__Host-signpost")
}

async fn status(handler: &Handler, request: &ApiRequest, at: SystemTime) -> u16 {
    handler.handle(request, at).await.status().as_u16()
}

#[tokio::test]
async fn a_form_accepts_a_token_and_starts_a_session() {
    let handler = serve(&token_rules(), KEYS).await;
    let page = handler
        .handle(&ask("GET", "/-/login?next=%2Fci%2Fa%20b%3Fx"), now())
        .await;
    assert_eq!(page.status(), 400);
    let page = handler.handle(&ask("GET", "/-/login?next=/ci/%22x"), now()).await;
    assert_eq!(page.status(), 200);
    let html = body(&page);
    assert!(
        html.contains("action=\"https://files.example.com/-/login\"") && html.contains("value=\"/ci/%22x\""),
        "{html}"
    );
    assert!(cookies(&page).is_empty());
    assert!(header(&page, "content-security-policy").contains("frame-ancestors 'none'"));
    let request = post("/-/login", "next=%2Fci%2F&token=+secret%20").with("origin", OWN);
    let begun = handler.handle(&request, now()).await;
    assert_eq!(begun.status(), 200);
    assert_eq!(header(&begun, "cache-control"), "no-store");
    assert!(
        body(&begun).contains("url=https://files.example.com/ci/\""),
        "{}",
        body(&begun)
    );
    let session = cookies(&begun)[0];
    assert!(
        session.starts_with("__Host-signpost=k1.")
            && session.ends_with("; Path=/; Max-Age=3600; Secure; HttpOnly; SameSite=Lax"),
        "{session}"
    );
    let session = cookie(&begun, "__Host-signpost");
    for (path, expected) in [
        ("/ci/a", 307),
        ("/releases/a", 307),
        ("/public/a", 307),
        ("/other", 403),
    ] {
        let request = ask("GET", path).with("cookie", &format!("theme=dark; {session}"));
        assert_eq!(status(&handler, &request, now()).await, expected, "{path}");
    }
    assert_eq!(status(&handler, &ask("GET", "/ci/a"), now()).await, 401);
}

#[tokio::test]
async fn a_wrong_token_or_another_site_starts_no_session() {
    let handler = serve(&token_rules(), KEYS).await;
    let login = |form: &str| post("/-/login", form);
    let own = |form: &str| login(form).with("origin", OWN);
    for (request, expected) in [
        (own("token=wrong"), 401),
        (own("token="), 401),
        (own("next=/"), 401),
        (own("token=secret&token=secret"), 400),
        (own("token=secret&next=https://evil.example.com"), 400),
        (own("token=%ff"), 400),
        (login("token=secret"), 403),
        (login("token=secret").with("origin", "null"), 403),
        (login("token=secret").with("origin", "https://evil.example.com"), 403),
        (login("token=secret").with("origin", "http://files.example.com"), 403),
        (
            login("token=secret").with("origin", "https://files.example.com.evil.example"),
            403,
        ),
        (own("token=secret").with("sec-fetch-site", "cross-site"), 403),
        (own("token=secret").with("sec-fetch-site", "same-site"), 403),
        (own("token=secret").with("sec-fetch-site", "none"), 403),
        (ask("PUT", "/-/login"), 405),
        (ask("GET", "/-/callback?code=a&state=b"), 405),
        (ask("GET", "/-/logout"), 405),
    ] {
        let response = handler.handle(&request, now()).await;
        assert_eq!(response.status(), expected, "{request:?}");
        assert!(cookies(&response).is_empty(), "{request:?}");
        let text = body(&response).replace("the secret", "");
        assert!(!text.contains("secret"), "{request:?}");
    }
    let wrong = handler.handle(&own("token=wrong&next=/ci/"), now()).await;
    let page = body(&wrong);
    for part in [
        "The token is unknown.",
        "Check that the id and the secret",
        "value=\"/ci/\"",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let fetched = login("token=secret")
        .with("origin", "null")
        .with("sec-fetch-site", "same-origin");
    assert_eq!(status(&handler, &fetched, now()).await, 200);
}

#[tokio::test]
async fn the_form_accepts_the_secret_alone_and_with_the_id_of_its_token() {
    let handler = serve(&token_rules(), KEYS).await;
    for (token, expected) in [
        ("secret", 200),
        ("ci%3Asecret", 200),
        ("+ci%3Asecret+", 200),
        ("other%3Asecret", 401),
        ("%3Asecret", 401),
        ("ci%3A", 401),
        ("ci%3Awrong", 401),
    ] {
        let request = post("/-/login", &format!("token={token}")).with("origin", OWN);
        assert_eq!(status(&handler, &request, now()).await, expected, "{token}");
    }
}

#[tokio::test]
async fn sign_in_never_redirects_to_another_site() {
    let handler = serve(&token_rules(), KEYS).await;
    for (next, expected) in [
        ("/", 200),
        ("/ci/", 200),
        ("/ci/%C3%A9?prefix=x", 200),
        ("/https://evil.example.com", 200),
        ("https://evil.example.com", 400),
        ("//evil.example.com", 400),
        ("/\\evil.example.com", 400),
        ("\\\\evil.example.com", 400),
        ("@evil.example.com", 400),
        (".evil.example.com", 400),
        ("javascript:alert(1)", 400),
        ("/a\r\nSet-Cookie: a=b", 400),
        ("/a b", 400),
        ("/é", 400),
        ("", 400),
    ] {
        let mut request = ask("GET", "/-/login");
        request.query = vec![("next".into(), next.into())];
        let response = handler.handle(&request, now()).await;
        assert_eq!(response.status(), expected, "{next}");
    }
    let mut long = ask("GET", "/-/login");
    for (length, expected) in [(2048, 200), (2049, 400)] {
        long.query = vec![("next".into(), format!("/{}", "a".repeat(length - 1)))];
        assert_eq!(status(&handler, &long, now()).await, expected, "{length}");
    }
}

#[tokio::test]
async fn an_error_page_contains_the_sign_in_link_if_sign_in_is_enabled() {
    let handler = serve(&token_rules(), KEYS).await;
    let html = |path: &str| {
        ask("GET", path)
            .with("accept", "text/html")
            .with("sec-fetch-mode", "navigate")
    };
    let refused = handler.handle(&html("/ci/a%20b"), now()).await;
    assert_eq!(refused.status(), 401);
    assert!(
        body(&refused).contains("href=\"https://files.example.com/-/login?next=%2Fci%2Fa%2520b\""),
        "{}",
        body(&refused)
    );
    assert_eq!(header(&refused, "www-authenticate"), "Bearer realm=\"signpost\"");
    let plain = handler.handle(&ask("GET", "/ci/a"), now()).await;
    assert!(!body(&plain).contains("login") && header(&plain, "www-authenticate").starts_with("Basic"));
    let off = serve(&token_rules(), "").await;
    let refused = off.handle(&html("/ci/a"), now()).await;
    assert!(!body(&refused).contains("login") && header(&refused, "www-authenticate").starts_with("Basic"));
    for path in ["/-/login", "/-/callback", "/-/logout"] {
        assert_eq!(status(&off, &ask("GET", path), now()).await, 404, "{path}");
    }
}

type Headers<'a> = &'a [(&'a str, &'a str)];

#[tokio::test]
async fn only_programs_and_users_without_a_sign_in_page_get_a_basic_challenge() {
    let browser = (
        "accept",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    );
    let cases: [(&str, Headers<'_>, bool, bool); 11] = [
        // The headers, and if the response has a Basic challenge: with a sign-in page, without a sign-in page.
        ("curl", &[("accept", "*/*"), ("user-agent", "curl/8.11.0")], true, true),
        ("no headers", &[], true, true),
        ("wget2", &[browser, ("user-agent", "wget2/1.99")], true, true),
        (
            "Java",
            &[("accept", "text/html, image/gif, image/jpeg, *; q=0.2, */*; q=0.2")],
            true,
            true,
        ),
        ("a browser", &[browser, ("sec-fetch-mode", "navigate")], false, true),
        (
            "a browser without TLS",
            &[browser, ("upgrade-insecure-requests", "1")],
            false,
            true,
        ),
        ("fetch", &[("accept", "*/*"), ("sec-fetch-mode", "cors")], false, false),
        (
            "a script of the same origin",
            &[("sec-fetch-mode", "same-origin")],
            false,
            false,
        ),
        (
            "an image",
            &[("accept", "image/*"), ("sec-fetch-mode", "no-cors")],
            false,
            false,
        ),
        ("jQuery", &[("x-requested-with", "XMLHttpRequest")], false, false),
        (
            "a navigation by a script",
            &[
                browser,
                ("sec-fetch-mode", "navigate"),
                ("x-requested-with", "XMLHttpRequest"),
            ],
            false,
            false,
        ),
    ];
    let (with_page, without_page) = (serve(&token_rules(), KEYS).await, serve(&token_rules(), "").await);
    for (client, headers, basic_with_page, basic_without_page) in cases {
        for (handler, basic) in [(&with_page, basic_with_page), (&without_page, basic_without_page)] {
            for credential in ["", "Bearer wrong"] {
                for path in ["/ci/a", "/ci/"] {
                    let request = headers
                        .iter()
                        .fold(ask("GET", path), |request, (name, value)| request.with(name, value));
                    let request = match credential {
                        "" => request,
                        wrong => request.with("authorization", wrong),
                    };
                    let response = handler.handle(&request, now()).await;
                    assert_eq!(response.status(), 401, "{client} {path}");
                    let challenge = header(&response, "www-authenticate");
                    assert_eq!(challenge.contains("Basic"), basic, "{client} {path}");
                    assert!(challenge.contains("Bearer realm=\"signpost\""), "{client} {path}");
                }
            }
        }
    }
}

#[tokio::test]
async fn contradictory_sign_in_settings_prevent_the_start() {
    let issuer = |name: &str, more: &str| format!("[[issuer]]\nname = \"{name}\"\niss = \"https://{name}\"\n{more}\n");
    let good = "alg = [\"RS256\"]\nclient_id = \"c\"";
    for (rules, keys, expected) in [
        (issuer("a", good), "", "SIGNPOST_KEYS"),
        (
            issuer("a", good) + &issuer("b", good),
            KEYS,
            "only one issuer can have a client_id",
        ),
        (
            issuer("a", "alg = [\"RS256\"]\naud = [\"x\"]\nscopes = [\"openid\"]"),
            KEYS,
            "requires client_id",
        ),
        (issuer("a", &format!("{good}\nscopes = [\"email\"]")), KEYS, "`openid`"),
        (
            issuer("a", "alg = [\"RS256\"]\nclient_id = \"\""),
            KEYS,
            "must not contain an empty text",
        ),
        (
            issuer("a", "via = \"gateway\"\nclient_id = \"c\""),
            KEYS,
            "only for issuers without `via`",
        ),
        (issuer("a", good), KEYS, ""),
    ] {
        let rules = format!("version = 1\n{rules}");
        let env = [("SIGNPOST_RULES", rules.as_str()), ("SIGNPOST_KEYS", keys)];
        let source = CredentialSource::from_provider(credentials(None, None));
        let error = Handler::start(settings(&env), source).await.err();
        let error = error.map_or_else(String::new, |error| error.to_string());
        assert!(
            error.contains(expected) && error.is_empty() == expected.is_empty(),
            "{rules}\n{error}"
        );
    }
}

#[tokio::test]
async fn next_never_leaves_the_base_path() {
    let handler = serve(&token_rules(), KEYS).await;
    let login = |next: &str| {
        let mut request = ask("GET", "/-/login");
        request.base_url = "https://files.example.com/prod".to_owned();
        request.query = vec![("next".into(), next.into())];
        request
    };
    for dots in [
        "..",
        ".",
        "%2e%2e",
        "%2E.",
        ".%2e",
        "%2e",
        "%252e%252e",
        "%25%32%65.",
        "..%2f..",
        "a%2f..",
        "..%5c",
        "%5c..%5c",
        "a%5C%2e%2E",
    ] {
        for next in [
            format!("/{dots}/admin"),
            format!("/{dots}"),
            format!("/a/{dots}/../x"),
            format!("/a/b/{dots}?c#d"),
        ] {
            assert_eq!(status(&handler, &login(&next), now()).await, 400, "{next}");
            let form = ApiRequest {
                body: Bytes::from(format!("token=secret&next={}", next.replace('%', "%25"))),
                method: "POST".into(),
                ..login("/").with("sec-fetch-site", "same-origin")
            };
            assert_eq!(status(&handler, &form, now()).await, 400, "{next}");
        }
    }
    for next in [
        "/...",
        "/.hidden/x",
        "/a..b/",
        "/..a",
        "/a?x=/../b",
        "/a#/../b",
        "/%2E%2E%2E",
        "/100%25/",
        "/a%zz",
    ] {
        let response = handler.handle(&login(next), now()).await;
        assert_eq!(response.status(), 200, "{next}: {}", body(&response));
    }
}

#[tokio::test]
async fn an_error_page_shows_who_is_signed_in_and_offers_the_sign_out() {
    let handler = serve(&token_rules(), KEYS).await;
    let page = |path: &str| {
        ask("GET", path)
            .with("accept", "text/html")
            .with("sec-fetch-mode", "navigate")
    };
    let begun = handler
        .handle(&post("/-/login", "token=secret").with("origin", OWN), now())
        .await;
    let session = cookie(&begun, "__Host-signpost");
    for (path, expected) in [
        ("/elsewhere/", 403),
        ("/elsewhere/k", 403),
        ("/-/nothing", 404),
        ("/a?b=c", 400),
    ] {
        let response = handler.handle(&page(path).with("cookie", &session), now()).await;
        let text = body(&response);
        assert_eq!(response.status(), expected, "{path}: {text}");
        assert!(
            text.contains("Signed in as <b>ci</b>") && text.contains("data-action=\"sign-out\""),
            "{path}: {text}"
        );
        let policy = response.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("form-action 'self'"), "{policy}");
    }
    for request in [
        page("/-/nothing"),
        page("/-/nothing").with("cookie", "__Host-signpost=forged"),
    ] {
        let response = handler.handle(&request, now()).await;
        let text = body(&response);
        assert!(
            !text.contains("Signed in as") && text.contains("data-action=\"sign-in\""),
            "{text}"
        );
    }
}

#[tokio::test]
async fn the_paths_of_the_sign_in_allow_their_own_methods() {
    let issuer = "version = 1\n[[issuer]]\nname = \"idp\"\niss = \"https://idp.example\"\nalg = [\"RS256\"]\nclient_id = \"files\"\n";
    for (rules, path, allow) in [
        (&*token_rules(), "/-/login", "GET, POST, OPTIONS"),
        (&*token_rules(), "/-/callback", "GET, OPTIONS"),
        (&*token_rules(), "/-/logout", "POST, OPTIONS"),
        (issuer, "/-/login", "GET, OPTIONS"),
        (issuer, "/-/callback", "GET, OPTIONS"),
        (issuer, "/-/logout", "POST, OPTIONS"),
    ] {
        let response = serve(rules, KEYS).await.handle(&ask("PUT", path), now()).await;
        assert_eq!(
            (response.status().as_u16(), header(&response, "allow")),
            (405, allow),
            "{path}"
        );
    }
}

#[tokio::test]
async fn whoami_describes_every_kind_of_caller() {
    let handler = serve(&token_rules(), KEYS).await;
    let whoami = async |request: ApiRequest| {
        let response = handler.handle(&request, now()).await;
        assert_eq!(response.status(), 200, "{}", body(&response));
        serde_json::from_str::<serde_json::Value>(body(&response)).unwrap()
    };
    let anonymous = whoami(ask("GET", "/-/whoami")).await;
    assert_eq!(
        (&anonymous["caller"], &anonymous["user_id"]),
        (&"anyone".into(), &serde_json::Value::Null)
    );
    let token = whoami(ask("GET", "/-/whoami").with("authorization", "Bearer secret")).await;
    assert_eq!(
        (&token["caller"], &token["expires_at"]),
        (&"token:ci".into(), &serde_json::Value::Null)
    );
    let begun = handler
        .handle(&post("/-/login", "token=secret").with("origin", OWN), now())
        .await;
    let session = cookie(&begun, "__Host-signpost");
    let session = whoami(ask("GET", "/-/whoami").with("cookie", &session)).await;
    assert_eq!(
        (&session["caller"], &session["user_id"]),
        (&"token:ci".into(), &token["user_id"])
    );
    assert!(session["expires_at"].as_str().unwrap().ends_with('Z'), "{session}");
    for (request, expected) in [
        (ask("GET", "/-/whoami").with("authorization", "Bearer wrong"), 401),
        (ask("POST", "/-/whoami"), 405),
        (ask("GET", "/-/whoami?share=x"), 400),
    ] {
        assert_eq!(status(&handler, &request, now()).await, expected, "{request:?}");
    }
}
