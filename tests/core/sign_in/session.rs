//! Sessions: when they end, what they allow, and what they never do.

use serde_json::{Value, json};
use signpost::auth::Keyring;
use signpost::auth::keyring::Purpose;
use signpost::lambda::respond;
use signpost::request::{GatewayAuthorizer, GatewayIdentity};

use crate::support::{With as _, ask, body, now, parameter};

use super::{KEYS, OTHER_KEYS, OWN, after, cookies, post, serve, sign_in, status, token_rules};

#[tokio::test]
async fn a_session_expires() {
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
async fn a_session_ends_if_its_key_or_its_user_is_removed() {
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
async fn every_change_of_a_session_cookie_is_detected() {
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
async fn a_token_signed_for_one_purpose_is_invalid_for_every_other_purpose() {
    let handler = serve(&token_rules(), KEYS).await;
    let session = sign_in(&handler).await;
    let token = session.split_once('=').unwrap().1;
    let link = post("/-/share", r#"{"key": "ci/a"}"#).with("authorization", "Bearer secret");
    let link = handler.handle(&link, now()).await;
    let link = parameter(body(&link).trim(), "share").unwrap();
    assert_eq!(
        status(&handler, &ask("GET", &format!("/ci/a?share={link}")), now()).await,
        307
    );
    assert_eq!(
        status(&handler, &ask("GET", &format!("/ci/a?share={token}")), now()).await,
        401
    );
    let request = ask("GET", "/ci/a").with("cookie", &format!("__Host-signpost={link}"));
    assert_eq!(status(&handler, &request, now()).await, 401);
}

#[test]
fn a_signature_is_bound_to_its_purpose_even_for_equal_payloads() {
    let keys: Keyring = KEYS.parse().unwrap();
    let purposes = [Purpose::ShareLink, Purpose::Session, Purpose::SignIn];
    for signed_for in purposes {
        let token = keys.sign(signed_for, &"statement").unwrap();
        for verified_for in purposes {
            let payload: Option<String> = keys.verify(verified_for, token.expose());
            assert_eq!(
                payload.is_some(),
                signed_for == verified_for,
                "{signed_for:?} {verified_for:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_session_must_be_the_only_credential_of_a_request() {
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
        claims: [("iss".to_owned(), "i".into()), ("sub".to_owned(), "s".into())].into(),
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
        (
            "beside what is no text",
            ask("GET", "/ci/a").with("cookie", &format!("n=\u{e9}; {session}")),
            307,
        ),
        (
            "a wrong one beside what is no text, where anyone may read",
            ask("GET", "/public/a").with("cookie", "__Host-signpost=x; n=\u{e9}"),
            401,
        ),
        (
            "one that is no text",
            ask("GET", "/public/a").with("cookie", "__Host-signpost=\u{e9}"),
            401,
        ),
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
    // A browser adds the cookie automatically when a user opens a share link; only the link is the credential.
    for cookie in [session.as_str(), "__Host-signpost=ended"] {
        assert_eq!(
            status(&handler, &ask("GET", &link).with("cookie", cookie), now()).await,
            307
        );
    }
}

#[tokio::test]
async fn with_a_session_only_our_own_pages_can_change_objects() {
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
async fn signing_out_deletes_the_cookie() {
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
async fn cookies_are_read_and_written_in_the_format_of_each_front() {
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
        json!({"resource": "/{proxy+}", "httpMethod": method, "path": path, "pathParameters": {"proxy": &path[1..]}, "body": form,
               "multiValueHeaders": many(headers(more)), "requestContext": {"resourceId": "r", "path": path}})
    };
    let alb = |method: &str, path: &str, name: &str, headers: Value| json!({"httpMethod": method, "path": path, name: headers, "body": form, "requestContext": {"elb": {}}});
    let (http, url) = (
        "x.execute-api.eu-central-1.amazonaws.com",
        "x.lambda-url.eu-central-1.on.aws",
    );
    let cookies = json!({"cookie": session});
    let cases = [
        (
            "HTTP API",
            payload2("POST", "/-/login", http, Value::Null, json!({})),
            payload2("GET", "/ci/a", http, json!(["a=b", session]), json!({})),
        ),
        (
            "function URL",
            payload2("POST", "/-/login", url, Value::Null, json!({})),
            payload2("GET", "/ci/a", url, json!([session]), cookies.clone()),
        ),
        (
            "REST API",
            rest("POST", "/-/login", json!({})),
            rest("GET", "/ci/a", cookies.clone()),
        ),
        (
            "ALB",
            alb("POST", "/-/login", "headers", headers(json!({}))),
            alb("GET", "/ci/a", "headers", headers(cookies.clone())),
        ),
        (
            "ALB, many values",
            alb("POST", "/-/login", "multiValueHeaders", many(headers(json!({})))),
            alb("GET", "/ci/a", "multiValueHeaders", many(headers(cookies))),
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
