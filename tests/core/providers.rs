//! The keys of issuers: fetched once, rotated without a restart, and used for a limited time while the issuer is
//! unavailable.

use std::time::{Duration, SystemTime};

use serde_json::json;
use signpost::service::handler::Handler;

use crate::issuer::{Server, SigningKey, jwks};
use crate::support::{With as _, ask, handler, header, now};

const DESCRIPTION: &str = "/.well-known/openid-configuration";

fn rules(iss: &str) -> String {
    format!(
        "version = 1\n[[issuer]]\nname = \"idp\"\niss = \"{iss}\"\naud = [\"signpost\"]\nalg = [\"RS256\", \"ES256\"]\n\
         [[token]]\nid = \"ci\"\nsha256 = \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"\n\
         [[rule]]\nid = \"r\"\nwho = [\"anyone\"]\ncan = [\"read\"]\non = [\"public/**\"]\n\
         [[rule]]\nid = \"m\"\nwho = [\"authenticated\"]\ncan = [\"read\"]\non = [\"a\"]\n"
    )
}

struct Bench {
    server: Server,
    handler: Handler,
}

impl Bench {
    async fn new(keys: &[&SigningKey]) -> Self {
        let server = Server::start().await;
        server.publish(keys);
        let handler = handler(&rules(&server.origin)).await;
        Self { server, handler }
    }

    fn token(&self, key: &SigningKey) -> String {
        let algorithm = if key.jwk()["kty"] == "EC" { "ES256" } else { "RS256" };
        let claims = json!({"iss": self.server.origin, "sub": "a", "aud": "signpost", "exp": 9_999_999_999_u64});
        key.token(algorithm, &claims)
    }

    async fn status(&self, token: &str, at: SystemTime) -> u16 {
        let request = ask("GET", "/a").with("authorization", &format!("Bearer {token}"));
        self.handler.handle(&request, at).await.status().as_u16()
    }
}

fn after(seconds: u64) -> SystemTime {
    now() + Duration::from_secs(seconds)
}

#[tokio::test]
async fn keys_are_requested_once_and_only_for_tokens_of_the_issuer() {
    let key = SigningKey::rsa("k");
    let bench = Bench::new(&[&key]).await;
    assert_eq!(
        bench.handler.handle(&ask("GET", "/public/a"), now()).await.status(),
        307
    );
    assert_eq!(bench.status("secret", now()).await, 307);
    assert_eq!(bench.status("wrong", now()).await, 401);
    let foreign = key.token("RS256", &json!({"iss": "https://evil.example.com", "sub": "a"}));
    assert_eq!(bench.status(&foreign, now()).await, 401);
    assert_eq!(bench.server.seen(), [""; 0]);
    for _ in 0..3 {
        assert_eq!(bench.status(&bench.token(&key), now()).await, 307);
    }
    assert_eq!(bench.server.seen(), [DESCRIPTION, "/jwks"]);
}

#[tokio::test]
async fn a_new_key_is_found_without_a_restart_and_unknown_keys_do_not_cause_many_requests() {
    let (old, new) = (SigningKey::rsa("old"), SigningKey::p256("new"));
    let bench = Bench::new(&[&old]).await;
    assert_eq!(bench.status(&bench.token(&old), now()).await, 307);
    bench.server.publish(&[&old, &new]);
    bench.server.seen();
    for _ in 0..20 {
        assert_eq!(bench.status(&bench.token(&new), after(29)).await, 401);
    }
    assert_eq!(bench.server.seen(), [""; 0]);
    assert_eq!(bench.status(&bench.token(&new), after(30)).await, 307);
    assert_eq!(bench.status(&bench.token(&old), after(30)).await, 307);
    let stranger = SigningKey::rsa("stranger");
    for second in 30..60 {
        assert_eq!(bench.status(&bench.token(&stranger), after(second)).await, 401);
    }
    assert_eq!(bench.server.seen(), [DESCRIPTION, "/jwks"]);
}

#[tokio::test]
async fn a_revoked_key_is_accepted_for_at_most_ten_minutes() {
    let (old, new) = (SigningKey::rsa("old"), SigningKey::p256("new"));
    let bench = Bench::new(&[&old]).await;
    assert_eq!(bench.status(&bench.token(&old), now()).await, 307);
    bench.server.publish(&[&new]);
    assert_eq!(bench.status(&bench.token(&old), after(599)).await, 307);
    assert_eq!(bench.status(&bench.token(&old), after(600)).await, 401);
}

#[tokio::test]
async fn the_last_keys_are_used_for_hours_while_the_issuer_is_unavailable() {
    let key = SigningKey::rsa("k");
    let bench = Bench::new(&[&key]).await;
    let token = bench.token(&key);
    assert_eq!(bench.status(&token, now()).await, 307);
    bench.server.fail();
    bench.server.seen();
    let hours = 6 * 60 * 60;
    for (at, status, requests) in [
        (600, 307, 1),
        (604, 307, 0),
        (605, 307, 1),
        (hours - 1, 307, 1),
        (hours, 503, 0),
        (hours + 4, 503, 1),
    ] {
        assert_eq!(bench.status(&token, after(at)).await, status, "{at}");
        assert_eq!(bench.server.seen().len(), requests, "{at}");
    }
    bench.server.publish(&[&key]);
    assert_eq!(bench.status(&token, after(hours + 9)).await, 307);
}

#[tokio::test]
async fn an_unavailable_issuer_without_known_keys_is_a_server_error() {
    let key = SigningKey::rsa("k");
    let bench = Bench::new(&[&key]).await;
    bench.server.fail();
    let request = ask("GET", "/a").with("authorization", &format!("Bearer {}", bench.token(&key)));
    let response = bench.handler.handle(&request, now()).await;
    assert_eq!(response.status(), 503);
    assert_eq!(header(&response, "retry-after"), "5");
    let text = String::from_utf8(response.body().to_vec()).unwrap();
    assert!(
        !text.contains("127.0.0.1") && !text.contains(&bench.token(&key)),
        "{text}"
    );
    bench.server.publish(&[&key]);
    assert_eq!(bench.status(&bench.token(&key), after(4)).await, 503);
    assert_eq!(bench.status(&bench.token(&key), after(5)).await, 307);
}

#[tokio::test]
async fn only_valid_metadata_of_the_issuer_itself_is_accepted() {
    let key = SigningKey::rsa("k");
    let server = Server::start().await;
    let origin = server.origin.clone();
    let description = |issuer: &str, jwks: &str| json!({"issuer": issuer, "jwks_uri": jwks}).to_string();
    let good = description(&origin, &format!("{origin}/jwks"));
    let set = jwks(&[&key]).to_string();
    let huge = format!("{set}{}", " ".repeat(600_000));
    let many = json!({"keys": vec![key.jwk(); 101]}).to_string();
    let ok = "200 OK";
    let cases = [
        (
            "another issuer",
            (ok, description("https://evil.example.com", &format!("{origin}/jwks"))),
            (ok, set.clone()),
        ),
        (
            "a slash more",
            (ok, description(&format!("{origin}/"), &format!("{origin}/jwks"))),
            (ok, set.clone()),
        ),
        (
            "keys over http",
            (ok, description(&origin, "http://192.0.2.1/jwks")),
            (ok, set.clone()),
        ),
        (
            "keys in a file",
            (ok, description(&origin, "file:///etc/passwd")),
            (ok, set.clone()),
        ),
        ("no description", (ok, "[]".into()), (ok, set.clone())),
        ("a redirect", ("302 Found", good.clone()), (ok, set.clone())),
        ("a redirect to keys", (ok, good.clone()), ("302 Found", set.clone())),
        ("no keys", (ok, good.clone()), (ok, "{}".into())),
        ("an error", (ok, good.clone()), ("500 Oops", set.clone())),
        ("too much", (ok, good.clone()), (ok, huge)),
        ("too many", (ok, good.clone()), (ok, many)),
        ("all as it should be", (ok, good.clone()), (ok, set)),
    ];
    for (name, (description_status, description), (keys_status, keys)) in cases {
        server.say(DESCRIPTION, description_status, &description);
        server.say("/jwks", keys_status, &keys);
        let bench = Bench {
            server: server.clone(),
            handler: handler(&rules(&origin)).await,
        };
        let expected = if name == "all as it should be" { 307 } else { 503 };
        assert_eq!(bench.status(&bench.token(&key), now()).await, expected, "{name}");
    }
    assert!(!server.seen().contains(&"/elsewhere".to_owned()));
}

#[tokio::test]
async fn a_request_does_not_wait_for_a_silent_issuer() {
    let key = SigningKey::rsa("k");
    let bench = Bench::new(&[&key]).await;
    bench.server.fall_silent();
    let token = bench.token(&key);
    let began = std::time::Instant::now();
    let (first, second) = tokio::join!(bench.status(&token, now()), bench.status(&token, now()));
    assert_eq!((first, second), (503, 503));
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    assert_eq!(bench.server.seen(), [DESCRIPTION]);
}
