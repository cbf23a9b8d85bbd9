//! Sign-in with an issuer, by authorization code and PKCE.

use std::time::SystemTime;

use serde_json::{Value, json};
use signpost::response::ApiResponse;
use signpost::service::handler::Handler;

use crate::fake::Fake;
use crate::issuer::{Server, SigningKey};
use crate::support::{With as _, ask, body, credentials, handler_with, header, now, parameter};

use super::{KEYS, OWN, TOKEN, after, cookie, cookies, serve, status};

/// A service whose users sign in with an issuer.
struct Bench {
    server: Server,
    key: SigningKey,
    handler: Handler,
}

/// A sign-in attempt: the cookie of the browser, and the authorization request.
struct Attempt {
    cookie: String,
    url: String,
}

impl Attempt {
    fn parameter(&self, name: &str) -> String {
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
            "iss": self.server.origin, "sub": "alice", "aud": "files", "exp": exp, "nonce": attempt.parameter("nonce"),
            "team": "blue", "email": "alice@example.com", "groups": ["admins", "others"],
        });
        claims
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        claims
    }

    /// Sets the response of the issuer's token endpoint.
    fn answer(&self, claims: &Value) {
        let id_token = self.key.token("RS256", claims);
        let answer = json!({"id_token": id_token, "access_token": "a", "token_type": "Bearer"});
        self.server.say("/token", "200 OK", &answer.to_string());
    }

    async fn come_back(&self, attempt: &Attempt, at: SystemTime) -> ApiResponse {
        let callback = format!("/-/callback?code=the-code&state={}", attempt.parameter("state"));
        self.handler
            .handle(&ask("GET", &callback).with("cookie", &attempt.cookie), at)
            .await
    }
}

#[tokio::test]
async fn a_user_signs_in_with_an_issuer_by_code_and_pkce() {
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
        assert_eq!(attempt.parameter(name), value);
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
        attempt.parameter("code_challenge")
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
async fn a_session_stores_only_the_claims_and_groups_that_the_rules_use() {
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
async fn a_session_of_an_issuer_lasts_at_most_an_hour() {
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
async fn an_id_token_of_another_attempt_starts_no_session() {
    let bench = Bench::new().await;
    let attempt = bench.begin().await;
    let other = bench.begin_as("request-2").await;
    assert_ne!(attempt.parameter("state"), other.parameter("state"));
    for (name, more) in [
        ("another nonce", json!({"nonce": other.parameter("nonce")})),
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
async fn only_the_browser_that_started_the_attempt_can_resume_it() {
    let bench = Bench::new().await;
    let (attempt, other) = (bench.begin().await, bench.begin_as("request-2").await);
    bench.answer(&bench.claims(&attempt, &json!({})));
    bench.server.seen();
    let state = attempt.parameter("state");
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
            back(&format!("code=c&state={}", other.parameter("state")), &attempt.cookie),
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
    assert_eq!(bench.server.seen(), [""; 0], "the issuer got a request");
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
async fn an_issuer_failure_is_distinguished_from_a_rejection() {
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
async fn the_client_secret_can_be_stored_outside_the_function() {
    let ssm = Fake::start(|_| {
        let output = json!({"Parameter": {"Version": 1, "Value": "s:e/cret"}});
        (200, Vec::new(), output.to_string())
    })
    .await;
    let env = [
        ("SIGNPOST_CLIENT_SECRET", "ssm:/signpost/client"),
        ("AWS_ENDPOINT_URL_SSM", &ssm.endpoint),
    ];
    let bench = Bench::with(&env).await;
    for _ in 0..2 {
        let attempt = bench.begin().await;
        bench.answer(&bench.claims(&attempt, &json!({})));
        assert_eq!(bench.come_back(&attempt, now()).await.status(), 200);
        assert!(
            bench
                .server
                .sent()
                .contains("authorization: Basic ZmlsZXM6cyUzQWUlMkZjcmV0\r\n")
        );
    }
    assert_eq!(
        ssm.requests().len(),
        1,
        "the secret is read once, and only for the exchange of a code"
    );
}

#[tokio::test]
async fn without_its_client_secret_the_service_starts_no_session() {
    let ssm = Fake::start(|_| (400, Vec::new(), String::new())).await;
    let env = [
        ("SIGNPOST_CLIENT_SECRET", "ssm:/signpost/client"),
        ("AWS_ENDPOINT_URL_SSM", &ssm.endpoint),
    ];
    let bench = Bench::with(&env).await;
    let attempt = bench.begin().await;
    bench.answer(&bench.claims(&attempt, &json!({})));
    let response = bench.come_back(&attempt, now()).await;
    assert_eq!(response.status(), 503, "{}", body(&response));
    assert!(cookies(&response).is_empty());
}

#[tokio::test]
async fn a_client_with_a_secret_authenticates_as_its_issuer_requires() {
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

/// Rules that allow everything to users of the issuer, and deny it to one group.
fn group_rules(iss: &str, denied: &str) -> String {
    format!(
        "{}[[rule]]\nid = \"all\"\nwho = [\"issuer:idp\"]\ncan = [\"read\"]\non = [\"**\"]\n\
         [[rule]]\nid = \"no\"\neffect = \"deny\"\nwho = [\"group:idp/{denied}\"]\ncan = [\"read\"]\non = [\"docs/**\"]\n",
        issuer_rules(iss)
    )
}

#[tokio::test]
async fn a_deny_rule_for_a_group_applies_to_sessions_and_their_links() {
    let mut bench = Bench::new().await;
    let rules = group_rules(&bench.server.origin, "blocked");
    bench.handler = serve(&rules, KEYS).await;
    let other_group = group_rules(&bench.server.origin, "others");
    for (id, groups, expected) in [
        ("one", json!(["admins", "eng"]), 307),
        ("two", json!(["blocked"]), 403),
        ("three", json!("[eng blocked]"), 403),
        ("four", json!({"blocked": true}), 403),
        ("five", Value::Null, 307),
    ] {
        let attempt = bench.begin_as(id).await;
        bench.answer(&bench.claims(&attempt, &json!({"groups": groups})));
        let session = cookie(&bench.come_back(&attempt, now()).await, "__Host-signpost");
        let read = |path: &str| ask("GET", path).with("cookie", &session);
        assert_eq!(
            status(&bench.handler, &read("/docs/a"), now()).await,
            expected,
            "{groups}"
        );
        assert_eq!(status(&bench.handler, &read("/free/a"), now()).await, 307, "{groups}");
        // The session does not say whether the user is in a group that the rules did not name before.
        let changed = serve(&other_group, KEYS).await;
        assert_eq!(status(&changed, &read("/docs/a"), now()).await, 403, "{groups}");
        let mut share = ask("POST", "/-/share")
            .with("cookie", &session)
            .with("sec-fetch-site", "same-origin")
            .with("accept", "application/json");
        share.body = bytes::Bytes::from_static(b"{\"key\": \"docs/a\"}");
        let response = bench.handler.handle(&share, now()).await;
        assert_eq!(response.status() == 200, expected == 307, "{groups}");
        if expected == 307 {
            let told: Value = serde_json::from_str(body(&response)).unwrap();
            let token = told["url"]
                .as_str()
                .unwrap()
                .split_once("?share=")
                .unwrap()
                .1
                .to_owned();
            let link = ask("GET", &format!("/docs/a?share={token}"));
            assert_eq!(status(&bench.handler, &link, now()).await, 307);
            assert_eq!(status(&changed, &link, now()).await, 403, "{groups}");
        }
    }
}

#[tokio::test]
async fn a_session_ends_if_its_issuer_gets_another_identifier() {
    let bench = Bench::new().await;
    let attempt = bench.begin().await;
    bench.answer(&bench.claims(&attempt, &json!({})));
    let session = cookie(&bench.come_back(&attempt, now()).await, "__Host-signpost");
    let request = ask("GET", "/users/alice/a").with("cookie", &session);
    let other = serve(&issuer_rules("https://other.example.com"), KEYS).await;
    assert_eq!(status(&bench.handler, &request, now()).await, 307);
    assert_eq!(status(&other, &request, now()).await, 401);
}
