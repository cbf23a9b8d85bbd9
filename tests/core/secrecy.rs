//! No secret appears outside the response for which it is meant. The tests handle the requests of the whole suite, and
//! requests with every kind of secret, with the most verbose log, and search everything that was written.

use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, LazyLock, Mutex};

use bytes::Bytes;
use serde_json::{Value, json};
use signpost::auth::KeySet;
use signpost::config::Settings;
use signpost::decide::decide;
use signpost::lambda::respond;
use signpost::policy::Policy;
use signpost::request::ApiRequest;
use signpost::service::handler::Handler;
use tracing::Dispatch;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::issuer::{Server, SigningKey, jwks};
use crate::support::{
    SECRET_KEY, SESSION_TOKEN, With as _, ask, body, credentials, handler_with, header, now, parameter, settings,
};

const TOKEN: &str = "the-token-that-must-stay-secret";
const DIGEST: &str = "5ac4628ab475df8c1a3b6bae4c8a3fca3cdc5dd16fbda2864741a0e579c2cfe9";
const KEY: &str = "QUtleVRoYXROb2JvZHlNYXlTZWVBdEFsbEV2ZXJPaG8";
const CLIENT_SECRET: &str = "the-client-secret-that-must-stay-secret";
const CODE: &str = "the-code-that-must-stay-secret";
const OWN: &str = "https://files.example.com";

/// The log of the function, with all its own events.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    pub(crate) fn listen(&self) -> tracing::subscriber::DefaultGuard {
        // With a single subscriber in the process, a thread without it can disable an event for all threads.
        static OTHER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(tracing_subscriber::registry()));
        LazyLock::force(&OTHER);
        let writer = self.clone();
        let lines = tracing_subscriber::fmt::layer()
            .json()
            .with_writer(move || writer.clone());
        let ours = Targets::new()
            .with_default(LevelFilter::ERROR)
            .with_target("signpost", LevelFilter::TRACE);
        tracing::subscriber::set_default(tracing_subscriber::registry().with(lines).with(ours))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn rules(iss: &str) -> String {
    format!(
        r#"version = 1
[[issuer]]
name = "idp"
iss = "{iss}"
aud = ["files"]
alg = ["RS256"]
client_id = "files"

[[token]]
id = "ci"
sha256 = "{DIGEST}"

[[rule]]
id = "open"
who = ["authenticated"]
can = ["read", "write", "delete"]
on = ["**"]
share = ["read", "write"]
"#
    )
}

struct Bench {
    server: Server,
    key: SigningKey,
    handler: Handler,
    settings: Settings,
    policy: Policy,
    log: Log,
    /// The secrets, which must not appear elsewhere.
    secrets: Vec<String>,
    /// The printed text in addition to the log.
    printed: String,
}

impl Bench {
    async fn new(log: Log) -> Self {
        let (server, key) = (Server::start().await, SigningKey::rsa("k"));
        server.publish(&[&key]);
        let rules = rules(&server.origin);
        let keyring = format!("k1:{KEY}");
        let env = [
            ("SIGNPOST_RULES", rules.as_str()),
            ("SIGNPOST_KEYS", &keyring),
            ("SIGNPOST_CLIENT_SECRET", CLIENT_SECRET),
        ];
        let handler = handler_with(&env, credentials(Some(SESSION_TOKEN), None)).await;
        let mut policy = Policy::parse(&rules).unwrap();
        policy.authenticators.keys = keyring.parse().unwrap();
        let fixed = [TOKEN, DIGEST, KEY, CLIENT_SECRET, CODE, SECRET_KEY, SESSION_TOKEN];
        Self {
            settings: settings(&env[1..]),
            handler,
            policy,
            server,
            key,
            log,
            secrets: fixed.map(str::to_owned).to_vec(),
            printed: String::new(),
        }
    }

    fn jwt(&self, more: &Value) -> String {
        let mut claims = json!({"iss": self.server.origin, "sub": "alice", "aud": "files", "exp": 9_999_999_999_u64});
        claims
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        self.key.token("RS256", &claims)
    }

    /// Registers a secret with every part of it that could be reused.
    fn keep(&mut self, secret: &str) {
        self.secrets.push(secret.to_owned());
        self.secrets
            .extend(secret.split('.').filter(|part| part.len() > 16).map(str::to_owned));
    }

    /// Handles a request. Error responses and printed values are searched later; other responses may contain secrets of
    /// their caller.
    async fn answer(&mut self, request: &ApiRequest) -> signpost::response::ApiResponse {
        let response = self.handler.handle(request, now()).await;
        let location = header(&response, "location");
        for text in [location, body(&response)] {
            for signature in text.split("X-Amz-Signature=").skip(1) {
                self.secrets.push(signature[..64].to_owned());
            }
        }
        if response.status().as_u16() >= 400 {
            self.printed += body(&response);
        }
        let keys = KeySet::parse(jwks(&[&self.key]).to_string().as_bytes()).unwrap();
        let decided = decide(&self.policy, request, Some(&keys), now());
        let keys = self.policy.authenticators.required_keys(request);
        write!(self.printed, "{request:?} {decided:?} {keys:?}").unwrap();
        if let Err(refused) = &decided {
            self.printed += &refused.rejection.to_string();
            self.printed += &refused.rejection.remedy(&request.curl_target());
        }
        response
    }

    fn assert_no_secret_leaked(&self) {
        let log = self.log.text();
        let printed = format!(
            "{} {:?} {:?} {:?}",
            self.printed, self.handler, self.settings, self.policy
        );
        for secret in &self.secrets {
            assert!(!log.contains(secret), "{secret} in the log");
            assert!(!printed.contains(secret), "{secret} in what was printed");
        }
    }
}

/// The value of a cookie that a response sets.
fn cookie(response: &signpost::response::ApiResponse) -> String {
    let cookie = header(response, "set-cookie");
    cookie.split(';').next().unwrap().split_once('=').unwrap().1.to_owned()
}

#[tokio::test]
async fn every_kind_of_secret_appears_only_where_it_belongs() {
    let log = Log::default();
    let _listening = log.listen();
    let mut bench = Bench::new(log).await;
    assert_eq!(signpost::auth::TokenDigest::of(TOKEN.as_bytes()).to_hex(), DIGEST);

    let basic = "Basic Y2k6dGhlLXRva2VuLXRoYXQtbXVzdC1zdGF5LXNlY3JldA==";
    let (jwt, stale) = (bench.jwt(&json!({})), bench.jwt(&json!({"exp": 1})));
    for secret in [&jwt, &stale, &basic.to_owned()] {
        bench.keep(secret);
    }
    let bearer = format!("Bearer {TOKEN}");
    let mut link = ask("POST", "/-/share").with("authorization", &bearer);
    link.body = Bytes::from_static(br#"{"key": "k", "methods": ["GET", "PUT"]}"#);
    let answer = bench.answer(&link).await;
    let link = parameter(body(&answer).trim(), "share").expect("a link");
    bench.keep(&link);

    let begun = bench.answer(&ask("GET", "/-/login")).await;
    let (attempt, authorization) = (cookie(&begun), header(&begun, "location").to_owned());
    bench.keep(&attempt);
    for name in ["state", "nonce"] {
        bench.keep(&parameter(&authorization, name).expect(name));
    }
    let id_token = bench.jwt(&json!({"nonce": parameter(&authorization, "nonce")}));
    bench.keep(&id_token);
    let callback = format!(
        "/-/callback?code={CODE}&state={}",
        parameter(&authorization, "state").unwrap()
    );
    let callback = ask("GET", &callback).with("cookie", &format!("__Host-signpost-login={attempt}"));
    for (status, body) in [
        (
            "400 Bad Request",
            json!({"error": "invalid_grant", "error_description": CODE}),
        ),
        (
            "401 Unauthorized",
            json!({"error": "invalid_client", "error_description": CLIENT_SECRET}),
        ),
        ("500 Oops", json!(CODE)),
        ("200 OK", json!({"id_token": stale})),
        ("200 OK", json!({"id_token": id_token})),
    ] {
        bench.server.say("/token", status, &body.to_string());
        bench.answer(&callback).await;
    }
    let begun = bench.answer(&callback).await;
    assert_eq!(begun.status(), 200, "{}", body(&begun));
    let session = cookie(&begun);
    bench.keep(&session);

    let altered = |text: &str| format!("{}A", &text[..text.len() - 1]);
    let headers = [
        ("authorization", bearer.clone()),
        ("authorization", basic.to_owned()),
        ("authorization", format!("Bearer {jwt}")),
        ("authorization", format!("Bearer {stale}")),
        ("authorization", format!("Bearer {}", altered(&jwt))),
        ("authorization", format!("Digest {TOKEN}")),
        ("authorization", TOKEN.to_owned()),
        ("cookie", format!("__Host-signpost={session}")),
        ("cookie", format!("__Host-signpost={}", altered(&session))),
        (
            "cookie",
            format!("__Host-signpost={session}; __Host-signpost={session}"),
        ),
        ("cookie", format!("__Host-signpost-login={attempt}")),
        ("x-amz-security-token", SESSION_TOKEN.to_owned()),
    ];
    let paths = [
        "/k",
        "/k?url",
        "/k?form",
        "/k?uploads",
        "/",
        "/-/presign/k?method=PUT",
        "/-/login",
        "/-/nothing",
        "/k?x=y",
    ];
    for (name, value) in &headers {
        for path in paths {
            for (method, accept) in [
                ("GET", "*/*"),
                ("PUT", "application/vnd.signpost+json"),
                ("POST", "text/html"),
                ("DELETE", "text/plain"),
            ] {
                let request = ask(method, path)
                    .with("accept", accept)
                    .with(name, value)
                    .with("origin", OWN);
                bench.answer(&request).await;
                bench.answer(&request.with("authorization", &bearer)).await;
            }
        }
    }
    for text in [link.clone(), altered(&link), session.clone()] {
        for method in ["GET", "PUT", "DELETE"] {
            for path in ["/k", "/other", "/-/presign/k"] {
                bench.answer(&ask(method, &format!("{path}?share={text}"))).await;
            }
        }
    }
    for form in [
        format!("token={TOKEN}"),
        format!("token={TOKEN}A"),
        format!("token={TOKEN}&token={TOKEN}"),
    ] {
        let mut request = ask("POST", "/-/login").with("origin", OWN);
        request.body = form.into();
        bench.answer(&request).await;
    }
    assert!(bench.secrets.len() > 80, "{} signed", bench.secrets.len());
    assert!(
        bench.log.text().contains("\"signed\"")
            && bench.log.text().contains("failed to exchange an authorization code")
    );
    bench.assert_no_secret_leaked();
}

#[tokio::test]
async fn the_requests_of_the_whole_suite_leave_no_credential_and_no_url_in_the_log() {
    let log = Log::default();
    let _listening = log.listen();
    let mut bench = Bench::new(log).await;
    let jwt = bench.jwt(&json!({}));
    bench.keep(&jwt);
    let mut answered = 0;
    for file in std::fs::read_dir("events").unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let event: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for credential in [
            format!("Bearer {TOKEN}"),
            format!("Bearer {jwt}"),
            format!("Bearer {jwt}A"),
        ] {
            let mut event = event.clone();
            if let Some(headers) = event["headers"].as_object_mut() {
                headers.retain(|name, _| !name.eq_ignore_ascii_case("authorization"));
                headers.insert("authorization".into(), credential.as_str().into());
            }
            if let Some(headers) = event["multiValueHeaders"].as_object_mut() {
                headers.retain(|name, _| !name.eq_ignore_ascii_case("authorization"));
                headers.insert("authorization".into(), json!([credential]));
            }
            let answer = respond(&bench.handler, &event.to_string(), "i", now()).await;
            for signature in answer.split("X-Amz-Signature=").skip(1) {
                bench.secrets.push(signature[..64].to_owned());
            }
            answered += 1;
        }
    }
    assert!(
        answered > 900 && bench.secrets.len() > 300,
        "{answered} {}",
        bench.secrets.len()
    );
    assert!(!bench.log.text().contains("X-Amz-"), "a signed URL in the log");
    bench.assert_no_secret_leaked();
}
