//! Signing in for the page: what a session opens, what it never does, and everything that does not begin one.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde_json::{Value, json};
use signpost::adapters::aws::CredentialSource;
use signpost::adapters::handler::Handler;
use signpost::adapters::lambda::respond;
use signpost::auth::Keyring;
use signpost::auth::keyring::Purpose;
use signpost::request::{ApiRequest, GatewayAuthorizer, GatewayIdentity};
use signpost::response::ApiResponse;

use crate::issuer::{Server, SigningKey};
use crate::support::{With as _, ask, body, credentials, handler_with, header, now, parameter, settings};

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

/// The cookies that an answer sets, with their attributes.
fn cookies(response: &ApiResponse) -> Vec<&str> {
    let cookies = response.headers().get_all("set-cookie").iter();
    cookies.map(|cookie| cookie.to_str().unwrap()).collect()
}

/// `NAME=VALUE` of a cookie that an answer sets.
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
async fn a_form_takes_a_token_and_begins_a_session() {
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
async fn no_wrong_token_and_no_other_site_begins_a_session() {
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
        assert!(!body(&response).contains("secret"), "{request:?}");
    }
    let wrong = handler.handle(&own("token=wrong&next=/ci/"), now()).await;
    assert!(body(&wrong).contains("the token is unknown") && body(&wrong).contains("value=\"/ci/\""));
    let fetched = login("token=secret")
        .with("origin", "null")
        .with("sec-fetch-site", "same-origin");
    assert_eq!(status(&handler, &fetched, now()).await, 200);
}

#[tokio::test]
async fn nobody_is_sent_to_another_site() {
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
    long.query = vec![("next".into(), format!("/{}", "a".repeat(2048)))];
    assert_eq!(status(&handler, &long, now()).await, 400);
}

#[tokio::test]
async fn a_session_ends_with_its_time() {
    let handler = serve(&token_rules(), KEYS).await;
    let request = ask("GET", "/ci/a").with("cookie", &sign_in(&handler).await);
    assert_eq!(status(&handler, &request, after(3599)).await, 307);
    assert_eq!(status(&handler, &request, after(3600)).await, 401);
    let public = ask("GET", "/public/a").with("cookie", &sign_in(&handler).await);
    assert_eq!(status(&handler, &public, after(3600)).await, 401);
    let login = ask("GET", "/-/login").with("cookie", &sign_in(&handler).await);
    let alive = handler.handle(&login, after(3599)).await;
    assert!(cookies(&alive).is_empty());
    let dead = handler.handle(&login, after(3600)).await;
    assert_eq!(
        cookies(&dead),
        ["__Host-signpost=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"]
    );
}

#[tokio::test]
async fn a_session_ends_with_its_key_and_with_whoever_has_signed_in() {
    let handler = serve(&token_rules(), KEYS).await;
    let request = ask("GET", "/ci/a").with("cookie", &sign_in(&handler).await);
    let both = format!("{OTHER_KEYS},{KEYS}");
    let new_secret = token_rules().replace("2bb80d53", "3bb80d53");
    let renamed = token_rules()
        .replace("id = \"ci\"", "id = \"cd\"")
        .replace("token:ci", "token:cd");
    let fewer_groups = token_rules().replace("[\"deployers\"]", "[]");
    for (name, rules, keys, expected) in [
        ("as it was", token_rules(), KEYS, 307),
        ("a new key before the old", token_rules(), both.as_str(), 307),
        ("another key", token_rules(), OTHER_KEYS, 401),
        (
            "another key of the same id",
            token_rules(),
            "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE",
            401,
        ),
        ("no key", token_rules(), "", 401),
        ("another secret", new_secret, KEYS, 401),
        ("another token", renamed, KEYS, 401),
    ] {
        let handler = serve(&rules, keys).await;
        assert_eq!(status(&handler, &request, now()).await, expected, "{name}");
    }
    let released = ask("GET", "/releases/a").with("cookie", &sign_in(&handler).await);
    assert_eq!(status(&serve(&fewer_groups, KEYS).await, &released, now()).await, 403);
}

#[tokio::test]
async fn no_change_of_a_session_is_overlooked() {
    let handler = serve(&token_rules(), KEYS).await;
    let session = sign_in(&handler).await;
    let (name, value) = session.split_once('=').unwrap();
    for at in 0..value.len() {
        for byte in *b"AB_9.k" {
            let mut altered = value.as_bytes().to_vec();
            if altered[at] != byte {
                altered[at] = byte;
                let altered = String::from_utf8(altered).unwrap();
                let request = ask("GET", "/ci/a").with("cookie", &format!("{name}={altered}"));
                assert_eq!(status(&handler, &request, now()).await, 401, "byte {at} as {byte}");
            }
        }
    }
    for value in [
        "",
        ".",
        "..",
        "k1..",
        "k1.e30.",
        &format!("{value}A"),
        &value[1..],
        &format!("\"{value}\""),
    ] {
        let request = ask("GET", "/public/a").with("cookie", &format!("{name}={value}"));
        assert_eq!(status(&handler, &request, now()).await, 401, "{value}");
    }
}

#[tokio::test]
async fn what_is_sealed_for_one_purpose_opens_for_no_other() {
    let handler = serve(&token_rules(), KEYS).await;
    let session = sign_in(&handler).await;
    let sealed = session.split_once('=').unwrap().1;
    let link = post("/-/share", r#"{"key": "ci/a"}"#).with("authorization", "Bearer secret");
    let link = handler.handle(&link, now()).await;
    let link = parameter(body(&link).trim(), "share").unwrap();
    assert_eq!(
        status(&handler, &ask("GET", &format!("/ci/a?share={link}")), now()).await,
        307
    );
    assert_eq!(
        status(&handler, &ask("GET", &format!("/ci/a?share={sealed}")), now()).await,
        401
    );
    let request = ask("GET", "/ci/a").with("cookie", &format!("__Host-signpost={link}"));
    assert_eq!(status(&handler, &request, now()).await, 401);
}

#[test]
fn a_seal_holds_for_its_purpose_even_where_statements_look_alike() {
    let keys: Keyring = KEYS.parse().unwrap();
    let purposes = [Purpose::ShareLink, Purpose::Session, Purpose::SignIn];
    for sealed_for in purposes {
        let sealed = keys.seal(sealed_for, &"statement").unwrap();
        for opened_for in purposes {
            let opened: Option<String> = keys.open(opened_for, sealed.expose());
            assert_eq!(
                opened.is_some(),
                sealed_for == opened_for,
                "{sealed_for:?} {opened_for:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_session_is_the_one_credential_of_its_request() {
    let rules = format!(
        "{}[[issuer]]\nname = \"g\"\niss = \"i\"\nvia = \"gateway\"\n",
        token_rules()
    );
    let handler = serve(&rules, KEYS).await;
    let session = sign_in(&handler).await;
    let with = || ask("GET", "/ci/a").with("cookie", &session);
    let mut verified = with();
    verified.gateway = Some(GatewayIdentity {
        authorizer: GatewayAuthorizer::Jwt,
        claims: [("iss".to_owned(), "i".to_owned()), ("sub".to_owned(), "s".to_owned())].into(),
    });
    for (name, request, expected) in [
        ("alone", with(), 307),
        ("beside a token", with().with("authorization", "Bearer secret"), 401),
        (
            "beside a wrong token",
            with().with("authorization", "Bearer wrong"),
            401,
        ),
        ("beside what the gateway verified", verified, 401),
        (
            "twice",
            ask("GET", "/ci/a").with("cookie", &format!("{session}; {session}")),
            401,
        ),
        ("in two headers", with().with("cookie", &session), 401),
        ("with a wrong one", with().with("cookie", "__Host-signpost=x"), 401),
        (
            "in another name",
            ask("GET", "/ci/a").with("cookie", &session.replace("__Host-", "")),
            401,
        ),
        ("as a parameter", ask("GET", &format!("/ci/a?{session}")), 400),
    ] {
        assert_eq!(status(&handler, &request, now()).await, expected, "{name}");
    }
    let link = post("/-/share", r#"{"key": "ci/a"}"#).with("authorization", "Bearer secret");
    let link = handler.handle(&link, now()).await;
    let link = body(&link).trim().strip_prefix(OWN).unwrap().to_owned();
    // A browser adds the cookie by itself to a link that somebody was sent; the link alone counts.
    for cookie in [session.as_str(), "__Host-signpost=ended"] {
        assert_eq!(
            status(&handler, &ask("GET", &link).with("cookie", cookie), now()).await,
            307
        );
    }
}

#[tokio::test]
async fn under_a_session_only_a_page_of_our_own_changes_anything() {
    let handler = serve(&token_rules(), KEYS).await;
    let session = sign_in(&handler).await;
    let mut share = post("/-/share", r#"{"key": "ci/a"}"#);
    share.headers.clear();
    let changes = [
        ask("PUT", "/ci/a").sized(1),
        ask("DELETE", "/ci/a"),
        ask("POST", "/ci/a?uploads"),
        ask("POST", "/ci/"),
        share,
        post("/-/sign", r#"[{"method": "GET", "key": "ci/a"}]"#),
    ];
    for change in changes {
        let with = |headers: &[(&str, &str)]| {
            let request = change.clone().with("cookie", &session);
            headers
                .iter()
                .fold(request, |request, (name, value)| request.with(name, value))
        };
        for (headers, allowed) in [
            (&[][..], false),
            (&[("origin", "https://evil.example.com")], false),
            (&[("origin", "https://app.example.com")], false),
            (&[("origin", "null")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", OWN)], false),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("referer", "https://files.example.com/")], false),
            (&[("origin", OWN)], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "same-origin"), ("origin", "null")], true),
        ] {
            let response = handler.handle(&with(headers), now()).await;
            let done = response.status() == 200 || response.status() == 307;
            assert_eq!(
                done,
                allowed,
                "{} {} {headers:?}: {}",
                change.method,
                change.path,
                body(&response)
            );
            assert!(done || response.status() == 403, "{headers:?}");
        }
    }
    let reading = ask("GET", "/-/presign/ci/a?method=PUT").with("cookie", &session);
    let response = handler
        .handle(&reading.with("origin", "https://app.example.com"), now())
        .await;
    assert_eq!(response.status(), 200);
    assert!(response.headers().get("access-control-allow-credentials").is_none());
}

#[tokio::test]
async fn signing_out_takes_the_cookie_away() {
    let handler = serve(&token_rules(), KEYS).await;
    let session = sign_in(&handler).await;
    let out = ask("POST", "/-/logout").with("cookie", &session);
    assert_eq!(status(&handler, &out, now()).await, 403);
    let out = handler.handle(&out.with("origin", OWN), now()).await;
    assert_eq!(out.status(), 200);
    assert_eq!(
        cookies(&out),
        ["__Host-signpost=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"]
    );
}

#[tokio::test]
async fn where_one_can_sign_in_a_page_that_is_refused_says_where() {
    let handler = serve(&token_rules(), KEYS).await;
    let html = |path: &str| ask("GET", path).with("accept", "text/html");
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

#[tokio::test]
async fn cookies_come_and_go_as_each_front_wants_them() {
    let handler = serve(&token_rules(), KEYS).await;
    let session = sign_in(&handler).await;
    let form = "token=secret";
    let headers = |more: Value| {
        let mut headers = json!({"host": "files.example.com", "origin": OWN, "content-length": "12"});
        headers
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        headers
    };
    let many = |headers: Value| {
        let headers = headers.as_object().unwrap().clone();
        Value::Object(
            headers
                .into_iter()
                .map(|(name, value)| (name, json!([value])))
                .collect(),
        )
    };
    let payload2 = |method: &str, path: &str, domain: &str, cookies: Value, more: Value| {
        json!({"version": "2.0", "rawPath": path, "rawQueryString": "", "headers": headers(more), "cookies": cookies,
               "body": form, "requestContext": {"domainName": domain, "stage": "$default", "http": {"method": method}}})
    };
    let rest = |method: &str, path: &str, more: Value| {
        json!({"httpMethod": method, "path": path, "pathParameters": {"proxy": &path[1..]}, "body": form,
               "multiValueHeaders": many(headers(more)), "requestContext": {"resourceId": "r", "path": path}})
    };
    let alb = |method: &str, path: &str, name: &str, told: Value| json!({"httpMethod": method, "path": path, name: told, "body": form, "requestContext": {"elb": {}}});
    let (http, url) = (
        "x.execute-api.eu-central-1.amazonaws.com",
        "x.lambda-url.eu-central-1.on.aws",
    );
    let told = json!({"cookie": session});
    let cases = [
        (
            "HTTP API",
            payload2("POST", "/-/login", http, Value::Null, json!({})),
            payload2("GET", "/ci/a", http, json!(["a=b", session]), json!({})),
        ),
        (
            "function URL",
            payload2("POST", "/-/login", url, Value::Null, json!({})),
            payload2("GET", "/ci/a", url, json!([session]), told.clone()),
        ),
        (
            "REST API",
            rest("POST", "/-/login", json!({})),
            rest("GET", "/ci/a", told.clone()),
        ),
        (
            "ALB",
            alb("POST", "/-/login", "headers", headers(json!({}))),
            alb("GET", "/ci/a", "headers", headers(told.clone())),
        ),
        (
            "ALB, many values",
            alb("POST", "/-/login", "multiValueHeaders", many(headers(json!({})))),
            alb("GET", "/ci/a", "multiValueHeaders", many(headers(told))),
        ),
    ];
    for (front, login, get) in cases {
        let answer: Value = serde_json::from_str(&respond(&handler, &login.to_string(), "i", now()).await).unwrap();
        assert_eq!(answer["statusCode"], 200, "{front}: {answer}");
        let set: Vec<&str> = match front {
            "HTTP API" | "function URL" => {
                assert!(answer["headers"].get("set-cookie").is_none(), "{front}");
                answer["cookies"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|cookie| cookie.as_str().unwrap())
                    .collect()
            }
            "ALB" => vec![answer["headers"]["set-cookie"].as_str().unwrap()],
            _ => answer["multiValueHeaders"]["set-cookie"]
                .as_array()
                .unwrap()
                .iter()
                .map(|cookie| cookie.as_str().unwrap())
                .collect(),
        };
        assert!(set[0].starts_with("__Host-signpost=k1."), "{front}: {set:?}");
        assert_eq!(set.len(), if front == "ALB" { 1 } else { 2 }, "{front}");
        let answer: Value = serde_json::from_str(&respond(&handler, &get.to_string(), "i", now()).await).unwrap();
        assert_eq!(answer["statusCode"], 307, "{front}: {answer}");
    }
}

/// A service whose users sign in at an issuer's.
struct Bench {
    server: Server,
    key: SigningKey,
    handler: Handler,
}

/// An attempt: the cookie of the browser, and what the issuer was asked.
struct Attempt {
    cookie: String,
    url: String,
}

impl Attempt {
    fn asked(&self, name: &str) -> String {
        parameter(&self.url, name).unwrap_or_else(|| panic!("no {name} in {}", self.url))
    }
}

fn issuer_rules(iss: &str) -> String {
    format!(
        "version = 1\n[[issuer]]\nname = \"idp\"\niss = \"{iss}\"\nalg = [\"RS256\"]\nclient_id = \"files\"\n\
         scopes = [\"openid\", \"groups\"]\ngroups = \"groups\"\n{TOKEN}\
         [[rule]]\nid = \"own\"\nwho = [\"issuer:idp\"]\ncan = [\"read\"]\non = [\"users/{{sub}}/**\", \"teams/{{team}}/**\"]\n\
         [[rule]]\nid = \"admins\"\nwho = [\"group:idp/admins\"]\ncan = [\"read\"]\non = [\"admin/**\"]\n"
    )
}

impl Bench {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    async fn with(env: &[(&str, &str)]) -> Self {
        let server = Server::start().await;
        let key = SigningKey::rsa("k");
        server.publish(&[&key]);
        let rules = issuer_rules(&server.origin);
        let base = [("SIGNPOST_RULES", rules.as_str()), ("SIGNPOST_KEYS", KEYS)];
        let env: Vec<_> = base.iter().chain(env).copied().collect();
        let handler = handler_with(&env, credentials(None, None)).await;
        Self { server, key, handler }
    }

    async fn begin(&self) -> Attempt {
        self.begin_as("request-1").await
    }

    async fn begin_as(&self, request_id: &str) -> Attempt {
        let mut request = ask("GET", "/-/login?next=/users/alice/");
        request.request_id = request_id.into();
        let response = self.handler.handle(&request, now()).await;
        assert_eq!(response.status(), 303, "{}", body(&response));
        Attempt {
            cookie: cookie(&response, "__Host-signpost-login"),
            url: header(&response, "location").to_owned(),
        }
    }

    fn claims(&self, attempt: &Attempt, more: &Value) -> Value {
        let exp = 1_783_711_144 + 300;
        let mut claims = json!({
            "iss": self.server.origin, "sub": "alice", "aud": "files", "exp": exp, "nonce": attempt.asked("nonce"),
            "team": "blue", "email": "alice@example.com", "groups": ["admins", "others"],
        });
        claims
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        claims
    }

    /// The issuer's answer to the code.
    fn answer(&self, claims: &Value) {
        let id_token = self.key.token("RS256", claims);
        let answer = json!({"id_token": id_token, "access_token": "a", "token_type": "Bearer"});
        self.server.say("/token", "200 OK", &answer.to_string());
    }

    async fn come_back(&self, attempt: &Attempt, at: SystemTime) -> ApiResponse {
        let callback = format!("/-/callback?code=the-code&state={}", attempt.asked("state"));
        self.handler
            .handle(&ask("GET", &callback).with("cookie", &attempt.cookie), at)
            .await
    }
}

#[tokio::test]
async fn an_issuer_signs_one_in_by_code_and_pkce() {
    let bench = Bench::new().await;
    let attempt = bench.begin().await;
    assert!(
        attempt.url.starts_with(&format!("{}/authorize?", bench.server.origin)),
        "{}",
        attempt.url
    );
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "files"),
        ("redirect_uri", "https://files.example.com/-/callback"),
        ("scope", "openid groups"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(attempt.asked(name), value);
    }
    bench.answer(&bench.claims(&attempt, &json!({})));
    let response = bench.come_back(&attempt, now()).await;
    assert_eq!(response.status(), 200, "{}", body(&response));
    assert!(body(&response).contains("url=https://files.example.com/users/alice/\""));
    let sent = bench.server.sent();
    let verifier = parameter(&format!("?{}", sent.rsplit("\r\n").next().unwrap()), "code_verifier").unwrap();
    let challenge = ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes());
    assert_eq!(
        crate::issuer::encode(challenge.as_ref()),
        attempt.asked("code_challenge")
    );
    assert!(
        sent.starts_with("POST /token ") && sent.contains("grant_type=authorization_code&code=the-code"),
        "{sent}"
    );
    assert!(
        sent.contains("client_id=files") && !sent.contains("authorization:"),
        "{sent}"
    );
    let session = cookie(&response, "__Host-signpost");
    assert!(
        cookies(&response)[0].contains("Max-Age=300;"),
        "{:?}",
        cookies(&response)
    );
    for (path, expected) in [
        ("/users/alice/a", 307),
        ("/users/bob/a", 403),
        ("/teams/blue/a", 307),
        ("/teams/red/a", 403),
        ("/admin/a", 307),
    ] {
        assert_eq!(
            status(&bench.handler, &ask("GET", path).with("cookie", &session), now()).await,
            expected,
            "{path}"
        );
    }
    let request = ask("GET", "/users/alice/a").with("cookie", &session);
    assert_eq!(status(&bench.handler, &request, after(299)).await, 307);
    assert_eq!(status(&bench.handler, &request, after(300)).await, 401);
    let without = issuer_rules(&bench.server.origin).replace("client_id = \"files\"", "aud = [\"x\"]");
    let without = without.replace("scopes = [\"openid\", \"groups\"]\n", "");
    assert_eq!(status(&serve(&without, KEYS).await, &request, now()).await, 401);
}

#[tokio::test]
async fn a_session_keeps_of_its_member_what_the_rules_ask_for_and_no_more() {
    use base64::Engine as _;
    let bench = Bench::new().await;
    let attempt = bench.begin().await;
    bench.answer(&bench.claims(&attempt, &json!({})));
    let session = cookie(&bench.come_back(&attempt, now()).await, "__Host-signpost");
    let statement = session.split('.').nth(1).unwrap();
    let statement = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(statement).unwrap();
    let statement = String::from_utf8(statement).unwrap();
    assert!(
        statement.contains("blue") && statement.contains("idp/admins"),
        "{statement}"
    );
    assert!(
        !statement.contains("example.com") && !statement.contains("others"),
        "{statement}"
    );
    bench.answer(&bench.claims(&attempt, &json!({"team": "x".repeat(5000)})));
    assert_eq!(bench.come_back(&attempt, now()).await.status(), 401);
}

#[tokio::test]
async fn a_session_by_an_issuer_lives_for_an_hour_at_most() {
    let bench = Bench::new().await;
    let attempt = bench.begin().await;
    bench.answer(&bench.claims(&attempt, &json!({"exp": 9_999_999_999_u64})));
    let response = bench.come_back(&attempt, now()).await;
    assert!(
        cookies(&response)[0].contains("Max-Age=3600;"),
        "{:?}",
        cookies(&response)
    );
}

#[tokio::test]
async fn what_is_not_the_answer_to_this_attempt_begins_no_session() {
    let bench = Bench::new().await;
    let attempt = bench.begin().await;
    let other = bench.begin_as("request-2").await;
    assert_ne!(attempt.asked("state"), other.asked("state"));
    for (name, more) in [
        ("another nonce", json!({"nonce": other.asked("nonce")})),
        ("no nonce", json!({"nonce": null})),
        ("another audience", json!({"aud": "signpost"})),
        ("no audience", json!({"aud": null})),
        ("another party", json!({"azp": "evil"})),
        ("many audiences, no party", json!({"aud": ["files", "evil"]})),
        ("another issuer", json!({"iss": "https://evil.example.com"})),
        ("expired", json!({"exp": 1_783_711_144 - 60})),
        ("no subject", json!({"sub": ""})),
    ] {
        bench.answer(&bench.claims(&attempt, &more));
        let response = bench.come_back(&attempt, now()).await;
        assert_eq!(response.status(), 401, "{name}");
        assert!(cookies(&response).is_empty(), "{name}");
    }
    bench.answer(&bench.claims(&attempt, &json!({"aud": ["files", "other"], "azp": "files"})));
    assert_eq!(bench.come_back(&attempt, now()).await.status(), 200);
    let forged = SigningKey::other_rsa("k").token("RS256", &bench.claims(&attempt, &json!({})));
    bench
        .server
        .say("/token", "200 OK", &json!({"id_token": forged}).to_string());
    assert_eq!(bench.come_back(&attempt, now()).await.status(), 401);
}

#[tokio::test]
async fn only_the_browser_that_was_sent_comes_back() {
    let bench = Bench::new().await;
    let (attempt, other) = (bench.begin().await, bench.begin_as("request-2").await);
    bench.answer(&bench.claims(&attempt, &json!({})));
    bench.server.seen();
    let state = attempt.asked("state");
    let back = |query: &str, cookie: &str| ask("GET", &format!("/-/callback?{query}")).with("cookie", cookie);
    let good = format!("code=c&state={state}");
    let altered = format!("{}A", attempt.cookie);
    let session = attempt.cookie.replace("-login", "");
    for (name, request, at, expected) in [
        ("no cookie", ask("GET", &format!("/-/callback?{good}")), now(), 401),
        ("another browser", back(&good, &other.cookie), now(), 401),
        ("an altered cookie", back(&good, &altered), now(), 401),
        (
            "two cookies",
            back(&good, &format!("{}; {}", attempt.cookie, other.cookie)),
            now(),
            401,
        ),
        (
            "another state",
            back(&format!("code=c&state={}", other.asked("state")), &attempt.cookie),
            now(),
            401,
        ),
        ("no state", back("code=c", &attempt.cookie), now(), 400),
        ("no code", back(&format!("state={state}"), &attempt.cookie), now(), 400),
        (
            "two states",
            back(&format!("{good}&state={state}"), &attempt.cookie),
            now(),
            400,
        ),
        (
            "refused by the issuer",
            back(&format!("error=access_denied&state={state}"), &attempt.cookie),
            now(),
            401,
        ),
        ("too late", back(&good, &attempt.cookie), after(600), 401),
        (
            "an attempt for a session",
            ask("GET", "/users/alice/a").with("cookie", &session),
            now(),
            401,
        ),
    ] {
        let response = bench.handler.handle(&request, at).await;
        assert_eq!(response.status(), expected, "{name}: {}", body(&response));
        assert!(cookies(&response).is_empty(), "{name}");
    }
    assert_eq!(bench.server.seen(), [""; 0], "the issuer was asked");
    assert_eq!(
        status(&bench.handler, &back(&good, &attempt.cookie), after(299)).await,
        200
    );
    for method in ["POST", "PUT"] {
        assert_eq!(
            status(&bench.handler, &ask(method, "/-/login").with("origin", OWN), now()).await,
            405
        );
    }
}

#[tokio::test]
async fn an_issuer_that_fails_is_told_from_one_that_refuses() {
    let bench = Bench::new().await;
    let attempt = bench.begin().await;
    for (status, answer, expected) in [
        ("400 Bad Request", r#"{"error":"invalid_grant"}"#, 401),
        ("401 Unauthorized", r#"{"error":"invalid_client"}"#, 503),
        ("500 Oops", "", 503),
        ("302 Found", r#"{"id_token":"x"}"#, 503),
        ("200 OK", "{}", 503),
        ("200 OK", r#"{"id_token":"x"}"#, 401),
    ] {
        bench.server.say("/token", status, answer);
        let response = bench.come_back(&attempt, now()).await;
        assert_eq!(response.status(), expected, "{status} {answer}");
        assert!(cookies(&response).is_empty());
    }
}

#[tokio::test]
async fn a_client_with_a_secret_proves_itself_as_its_issuer_wants_it() {
    let bench = Bench::with(&[("SIGNPOST_CLIENT_SECRET", "s:e/cret")]).await;
    let attempt = bench.begin().await;
    bench.answer(&bench.claims(&attempt, &json!({})));
    assert_eq!(bench.come_back(&attempt, now()).await.status(), 200);
    let sent = bench.server.sent();
    // `files:s%3Ae%2Fcret`
    assert!(
        sent.contains("authorization: Basic ZmlsZXM6cyUzQWUlMkZjcmV0\r\n") && !sent.contains("client_secret"),
        "{sent}"
    );
    let description = json!({
        "issuer": bench.server.origin, "jwks_uri": format!("{}/jwks", bench.server.origin),
        "authorization_endpoint": format!("{}/authorize?tenant=1", bench.server.origin),
        "token_endpoint": format!("{}/token", bench.server.origin),
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
    });
    bench
        .server
        .say("/.well-known/openid-configuration", "200 OK", &description.to_string());
    let response = bench.handler.handle(&ask("GET", "/-/login"), after(601)).await;
    assert!(header(&response, "location").contains("/authorize?tenant=1&response_type=code&"));
    let attempt = Attempt {
        cookie: cookie(&response, "__Host-signpost-login"),
        url: header(&response, "location").to_owned(),
    };
    bench.answer(&bench.claims(&attempt, &json!({"exp": 1_783_711_144 + 900})));
    assert_eq!(bench.come_back(&attempt, after(601)).await.status(), 200);
    let sent = bench.server.sent();
    assert!(
        sent.ends_with("&client_id=files&client_secret=s%3Ae%2Fcret") && !sent.contains("authorization:"),
        "{sent}"
    );
}

#[tokio::test]
async fn contradictory_sign_ins_stop_the_start_up() {
    let issuer = |name: &str, more: &str| format!("[[issuer]]\nname = \"{name}\"\niss = \"https://{name}\"\n{more}\n");
    let good = "alg = [\"RS256\"]\nclient_id = \"c\"";
    for (rules, keys, expected) in [
        (issuer("a", good), "", "SIGNPOST_KEYS"),
        (issuer("a", good) + &issuer("b", good), KEYS, "only one has it"),
        (
            issuer("a", "alg = [\"RS256\"]\naud = [\"x\"]\nscopes = [\"openid\"]"),
            KEYS,
            "go with a client_id",
        ),
        (issuer("a", &format!("{good}\nscopes = [\"email\"]")), KEYS, "`openid`"),
        (
            issuer("a", "alg = [\"RS256\"]\nclient_id = \"\""),
            KEYS,
            "an empty text",
        ),
        (
            issuer("a", "via = \"gateway\"\nclient_id = \"c\""),
            KEYS,
            "the gateway checks",
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
