//! Tokens with several secrets: all of them identify the same user, and each secret ends its own sessions and share links.

use bytes::Bytes;
use serde_json::json;
use sha2::Digest as _;
use signpost::request::{ApiRequest, GatewayAuthorizer, GatewayIdentity};
use signpost::service::handler::Handler;

use crate::secrecy::Log;
use crate::support::{With as _, ask, body, credentials, handler_with, header, json, now};

const KEYS: &str = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A handler whose rules contain these secrets of the token `ci`.
async fn serve(secrets: &[&str]) -> Handler {
    let hex = |secret: &str| {
        let digest = sha2::Sha256::digest(secret);
        digest
            .iter()
            .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    };
    let digests: Vec<_> = secrets.iter().map(|secret| hex(secret)).collect();
    let digests = match digests.as_slice() {
        [only] => format!("{only:?}"),
        several => format!("{several:?}"),
    };
    let rules = format!(
        "version = 1\n[defaults]\ntoken_header = \"X-Files-Token\"\n[[token]]\nid = \"ci\"\nsha256 = {digests}\n\
         [[token]]\nid = \"second\"\nsha256 = {:?}\n[[issuer]]\nname = \"idp\"\niss = \"i\"\nvia = \"gateway\"\n\
         [[rule]]\nid = \"own\"\nwho = [\"token:ci\"]\ncan = [\"read\"]\non = [\"homes/{{user_id}}/**\", \"docs/**\"]\n",
        hex("of another token")
    );
    let env = [("SIGNPOST_RULES", rules.as_str()), ("SIGNPOST_KEYS", KEYS)];
    handler_with(&env, credentials(None, None)).await
}

fn by(secret: &str, request: ApiRequest) -> ApiRequest {
    request.with("authorization", &format!("Bearer {secret}"))
}

async fn status(handler: &Handler, request: ApiRequest) -> u16 {
    handler.handle(&request, now()).await.status().as_u16()
}

/// The value of `?share` in a new link that the secret creates.
async fn link(handler: &Handler, request: ApiRequest) -> String {
    let request = ApiRequest {
        body: Bytes::from(json!({"key": "docs/a"}).to_string()),
        ..request
    };
    let response = handler.handle(&request.with("accept", "application/json"), now()).await;
    assert_eq!(response.status(), 200, "{}", body(&response));
    let url = json(&response)["url"].as_str().unwrap().to_owned();
    url.split_once("?share=").unwrap().1.to_owned()
}

/// The cookie of a session that starts with the secret.
async fn session(handler: &Handler, secret: &str) -> String {
    let request = ApiRequest {
        body: Bytes::from(format!("token={secret}&next=/")),
        ..ask("POST", "/-/login")
    };
    let request = request
        .with("content-type", "application/x-www-form-urlencoded")
        .with("sec-fetch-site", "same-origin");
    let response = handler.handle(&request, now()).await;
    let cookie = header(&response, "set-cookie");
    assert!(
        cookie.starts_with("__Host-signpost="),
        "{} {}",
        response.status(),
        body(&response)
    );
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn every_secret_of_a_token_identifies_the_same_user() {
    let handler = serve(&["new", "old"]).await;
    for secret in ["new", "old"] {
        assert_eq!(
            status(&handler, by(secret, ask("GET", "/docs/a"))).await,
            307,
            "{secret}"
        );
        let user_id = "65575cb282e643d132d5b6516a6b67fd";
        let own = by(secret, ask("GET", &format!("/homes/{user_id}/a")));
        assert_eq!(status(&handler, own).await, 307, "{secret}");
    }
    assert_eq!(status(&handler, by("other", ask("GET", "/docs/a"))).await, 401);
    assert_eq!(
        status(&serve(&["new"]).await, by("old", ask("GET", "/docs/a"))).await,
        401
    );
}

#[tokio::test]
async fn removing_a_secret_ends_the_sessions_and_links_that_it_created_and_no_others() {
    let both = serve(&["new", "old"]).await;
    let links = [
        link(&both, by("new", ask("POST", "/-/share"))).await,
        link(&both, by("old", ask("POST", "/-/share"))).await,
    ];
    let sessions = [session(&both, "new").await, session(&both, "old").await];
    for (secrets, expected) in [
        (&["new", "old"][..], [true, true]),
        (&["newest", "new", "old"], [true, true]),
        (&["old", "new"], [true, true]),
        (&["new"], [true, false]),
        (&["old"], [false, true]),
        (&["other"], [false, false]),
    ] {
        let handler = serve(secrets).await;
        for ((link, cookie), works) in links.iter().zip(&sessions).zip(expected) {
            let status_of_link = status(&handler, ask("GET", &format!("/docs/a?share={link}"))).await;
            assert_eq!(status_of_link, if works { 307 } else { 401 }, "{secrets:?}");
            let status_of_session = status(&handler, ask("GET", "/docs/a").with("cookie", cookie)).await;
            assert_eq!(status_of_session, if works { 307 } else { 401 }, "{secrets:?}");
        }
    }
}

/// A session is bound to the secret that started it, and so are the links that it creates.
#[tokio::test]
async fn a_link_of_a_session_ends_with_the_secret_that_started_the_session() {
    let both = serve(&["new", "old"]).await;
    for (secret, works) in [("new", true), ("old", false)] {
        let cookie = session(&both, secret).await;
        let request = ask("POST", "/-/share")
            .with("cookie", &cookie)
            .with("sec-fetch-site", "same-origin");
        let link = link(&both, request).await;
        let shared = format!("/docs/a?share={link}");
        assert_eq!(status(&both, ask("GET", &shared)).await, 307, "{secret}");
        let status = status(&serve(&["new"]).await, ask("GET", &shared)).await;
        assert_eq!(status, if works { 307 } else { 401 }, "{secret}");
    }
}

#[tokio::test]
async fn the_log_marks_exactly_the_requests_with_an_older_secret() {
    let both = serve(&["new", "old"]).await;
    let marked = async |handler: &Handler, request: ApiRequest| {
        let log = Log::default();
        let listening = log.listen();
        status(handler, request).await;
        drop(listening);
        assert!(log.text().contains("\"status\":"), "{}", log.text());
        log.text().contains("\"older_secret\":true")
    };
    for (secret, is_older) in [("new", false), ("old", true), ("other", false)] {
        let header = ask("GET", "/docs/a").with("x-files-token", secret);
        assert_eq!(marked(&both, header).await, is_older, "{secret}");
        assert_eq!(
            marked(&both, by(secret, ask("GET", "/docs/a"))).await,
            is_older,
            "{secret}"
        );
    }
    for (secret, is_older) in [("new", false), ("old", true)] {
        let cookie = session(&both, secret).await;
        let request = ask("GET", "/docs/a").with("cookie", &cookie);
        assert_eq!(marked(&both, request).await, is_older, "{secret}");
    }
    assert!(!marked(&both, ask("GET", "/docs/a")).await);
    assert!(!marked(&both, by("of another token", ask("GET", "/docs/a"))).await);
    let of_the_gateway = ApiRequest {
        gateway: Some(GatewayIdentity {
            authorizer: GatewayAuthorizer::Jwt,
            claims: [("iss".to_owned(), "i".into()), ("sub".to_owned(), "ci".into())].into(),
        }),
        ..ask("GET", "/docs/a")
    };
    assert!(!marked(&both, of_the_gateway).await, "a user with the name of a token");
    assert!(!marked(&serve(&["old"]).await, by("old", ask("GET", "/docs/a"))).await);
}
