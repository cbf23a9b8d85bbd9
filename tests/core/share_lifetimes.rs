//! The lifetimes of share links, and the identities to which they are bound.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use signpost::request::{ApiRequest, GatewayAuthorizer, GatewayIdentity};
use signpost::service::handler::Handler;

use crate::share::{KEYS, RULES, link, serve, share, status};
use crate::support::{With as _, ask, body, header, json, now, parameter};

/// The response status to each request with a link, at a time after `now`.
async fn statuses(handler: &Handler, link: &str, seconds: u64) -> Vec<u16> {
    let mut statuses = Vec::new();
    for (method, path) in [
        ("GET", "/a/x?"),
        ("HEAD", "/a/x?"),
        ("PUT", "/a/x?"),
        ("DELETE", "/a/x?"),
        ("POST", "/a/x?uploads&"),
        ("PUT", "/a/x?partNumber=1&uploadId=u&"),
        ("POST", "/a/x?uploadId=u&"),
        ("GET", "/-/presign/a/x?method=GET&"),
        ("GET", "/a/x?form&"),
    ] {
        let request = ask(method, &format!("{path}share={link}")).sized(5);
        let request = if path.contains("form") || path.contains("presign") {
            request_without_length(request)
        } else {
            request
        };
        let response = handler.handle(&request, now() + Duration::from_secs(seconds)).await;
        statuses.push(response.status().as_u16());
    }
    let item = json!([{"method": "GET", "key": "a/x", "query": {"share": link}}]);
    let bulk = ApiRequest {
        body: Bytes::from(item.to_string()),
        ..ask("POST", "/-/sign")
    };
    let response = handler.handle(&bulk, now() + Duration::from_secs(seconds)).await;
    let item = &json(&response)[0];
    statuses.push(
        item["error"]["status"]
            .as_u64()
            .map_or(200, |status| status.try_into().unwrap()),
    );
    statuses
}

fn request_without_length(request: ApiRequest) -> ApiRequest {
    ApiRequest {
        length: signpost::request::BodyLength::Unknown,
        ..request
    }
}

/// Rules with one rule for everything below `a/`, and these additional lines.
fn rules_for_a(more: &str) -> String {
    format!(
        "version = 1\n[[token]]\nid = \"ann\"\n\
         sha256 = \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"\n\
         [[rule]]\nid = \"a\"\nwho = [\"token:ann\"]\ncan = [\"read\", \"write\", \"delete\"]\non = [\"a/**\"]\n\
         share = [\"read\", \"write\", \"delete\"]\noverwrite = true\n{more}\n"
    )
}

const EVERYTHING: &str = r#"{"prefix": "a/", "methods": ["GET", "HEAD", "PUT", "DELETE"], "expires": "100h"}"#;

#[tokio::test]
async fn a_shortened_share_expires_applies_to_existing_links_for_every_method() {
    let wanted = || serde_json::from_str(EVERYTHING).unwrap();
    let handler = serve(&rules_for_a(""), KEYS).await;
    let link = link(&handler, wanted()).await;
    let valid = statuses(&handler, &link, 3600).await;
    // A link never replaces an object, which a form cannot prevent.
    assert_eq!(valid, [307, 307, 307, 307, 307, 307, 307, 200, 403, 200]);
    for shorter in [
        rules_for_a("share_expires = \"1h\""),
        rules_for_a("").replace("[[token]]", "[defaults]\nshare_expires = \"1h\"\n[[token]]"),
    ] {
        let handler = serve(&shorter, KEYS).await;
        assert_eq!(statuses(&handler, &link, 3599).await, valid);
        let expired = statuses(&handler, &link, 3600).await;
        assert!(expired.iter().all(|status| *status == 401), "{expired:?}");
        let response = handler
            .handle(
                &ask("GET", &format!("/a/x?share={link}")),
                now() + Duration::from_secs(3590),
            )
            .await;
        let remaining = parameter(header(&response, "location"), "X-Amz-Expires");
        assert_eq!(remaining.as_deref(), Some("10"), "no URL outlives the link");
    }
    // A longer `share_expires` does not extend a link.
    let handler = serve(&rules_for_a("share_expires = \"8000h\""), KEYS).await;
    assert_eq!(statuses(&handler, &link, 100 * 3600 - 1).await, valid);
    assert_eq!(statuses(&handler, &link, 100 * 3600).await[0], 401);
}

#[tokio::test]
async fn each_use_of_a_prefix_link_checks_the_share_expires_of_the_rule_for_its_key() {
    let rules = r#"
version = 1
[[token]]
id = "ann"
sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
[[rule]]
id = "secret"
who = ["token:ann"]
can = ["read"]
on = ["a/secret/**"]
share_expires = "1h"
[[rule]]
id = "a"
who = ["token:ann"]
can = ["read"]
on = ["a/**"]
share_expires = "8000h"
"#;
    let handler = serve(rules, KEYS).await;
    let response = handler
        .handle(&share(&json!({"key": "a/secret/x", "expires": "100h"})), now())
        .await;
    assert_eq!(response.status(), 400);
    let link = link(&handler, json!({"prefix": "a/", "expires": "4000h"})).await;
    for (path, seconds, expected) in [
        ("/a/secret/x", 3599, 307),
        ("/a/secret/x", 3600, 401),
        ("/a/x", 3600, 307),
        ("/a/x", 4000 * 3600 - 1, 307),
        ("/a/x", 4000 * 3600, 401),
    ] {
        let request = ask("GET", &format!("{path}?share={link}"));
        let response = handler.handle(&request, now() + Duration::from_secs(seconds)).await;
        assert_eq!(response.status(), expected, "{path} {seconds}");
    }
}

/// Signs in with the token in the form, and returns the cookie.
async fn session(handler: &Handler) -> String {
    let request = ApiRequest {
        body: Bytes::from_static(b"token=secret&next=%2F"),
        ..ask("POST", "/-/login").with("origin", "https://files.example.com")
    };
    let response = handler.handle(&request, now()).await;
    assert_eq!(response.status(), 200);
    header(&response, "set-cookie").split(';').next().unwrap().to_owned()
}

/// A request for a link, in a session.
fn share_in_session(cookie: &str, wanted: &Value) -> ApiRequest {
    ApiRequest {
        body: Bytes::from(wanted.to_string()),
        ..ask("POST", "/-/share")
    }
    .with("cookie", cookie)
    .with("sec-fetch-site", "same-origin")
    .with("accept", "application/json")
}

#[tokio::test]
async fn a_new_secret_of_the_token_ends_its_links_and_those_of_its_sessions() {
    let handler = serve(RULES, KEYS).await;
    let cookie = session(&handler).await;
    let wanted = json!({"key": "docs/a"});
    let response = handler.handle(&share_in_session(&cookie, &wanted), now()).await;
    let in_session = json(&response)["url"].as_str().unwrap().to_owned();
    let links = [
        link(&handler, wanted).await,
        in_session.split_once("?share=").unwrap().1.to_owned(),
    ];
    let rotated = RULES.replace("2bb80d53", "3bb80d53");
    let regrouped = RULES.replace("\"staff\"", "\"other\"");
    for link in links {
        for (rules, expected) in [(RULES, 307), (&rotated, 401), (&regrouped, 307)] {
            let handler = serve(rules, KEYS).await;
            assert_eq!(status(&handler, "GET", "/docs/a", &link).await, expected);
        }
    }
}

#[tokio::test]
async fn a_link_of_a_session_lives_at_most_for_temporary_share_expires() {
    let in_session = async |more: &str, expires: Value| {
        let handler = serve(&rules_for_a(more), KEYS).await;
        let cookie = session(&handler).await;
        let wanted = json!({"prefix": "a/", "expires": expires, "methods": ["GET", "HEAD", "PUT", "DELETE"]});
        let response = handler.handle(&share_in_session(&cookie, &wanted), now()).await;
        (response.status().as_u16(), body(&response).to_owned())
    };
    let long = "share_expires = \"8000h\"";
    for (more, expires, expected) in [
        (long, "7d", 200),
        (long, "604801s", 400),
        ("temporary_share_expires = \"1h\"", "1h", 200),
        ("temporary_share_expires = \"1h\"", "3601s", 400),
        ("temporary_share_expires = \"7d\"", "7d", 200),
        ("share_expires = \"1h\"", "3601s", 400),
        ("temporary_share_expires = \"30d\"\nshare_expires = \"1h\"", "2h", 400),
    ] {
        let (status, told) = in_session(more, json!(expires)).await;
        assert_eq!(status, expected, "{more} {expires} {told}");
    }
    let (_, told) = in_session(long, json!("604801s")).await;
    assert!(told.contains("7days"), "{told}");
    // The limit is checked at each use; the token itself may create longer links.
    let (_, told) = in_session(long, json!("7d")).await;
    let told: Value = serde_json::from_str(&told).unwrap();
    let link_of_session = told["url"].as_str().unwrap().split_once("?share=").unwrap().1;
    let shorter = serve(&rules_for_a("temporary_share_expires = \"1h\""), KEYS).await;
    let expired = statuses(&shorter, link_of_session, 3600).await;
    assert!(expired.iter().all(|status| *status == 401), "{expired:?}");
    assert_eq!(statuses(&shorter, link_of_session, 3599).await[0], 307);
    let of_token = link(&shorter, serde_json::from_str(EVERYTHING).unwrap()).await;
    assert_eq!(statuses(&shorter, &of_token, 3600).await[0], 307);
}

#[tokio::test]
async fn a_rule_cannot_exceed_the_share_lifetimes_of_the_defaults() {
    for field in ["share_expires", "temporary_share_expires"] {
        let rules = rules_for_a(&format!("{field} = \"3h\""));
        let rules = rules.replace("[[token]]", &format!("[defaults]\n{field} = \"2h\"\n[[token]]"));
        let error = signpost::policy::Policy::parse(&rules).unwrap_err().to_string();
        assert!(
            error.contains(&format!("{field}: 3h is above the maximum of 2h")),
            "{error}"
        );
        let deny = rules_for_a(&format!(
            "[[rule]]\nid = \"d\"\neffect = \"deny\"\nwho = [\"anyone\"]\ncan = [\"read\"]\non = [\"a\"]\n{field} = \"1h\""
        ));
        assert!(signpost::policy::Policy::parse(&deny).is_err(), "{field}");
    }
}

#[tokio::test]
async fn a_link_of_an_issuers_user_is_temporary_and_bound_to_the_issuer() {
    let rules = |iss: &str, via: &str| {
        format!(
            "version = 1\n[[issuer]]\nname = \"idp\"\niss = \"{iss}\"\nvia = \"{via}\"\n\
             [[rule]]\nid = \"a\"\nwho = [\"issuer:idp\"]\ncan = [\"read\"]\non = [\"a/**\"]\n\
             share_expires = \"8000h\"\n"
        )
    };
    let handler = serve(&rules("i", "gateway"), KEYS).await;
    let create = async |expires: &str| {
        let wanted = json!({"key": "a/x", "expires": expires});
        let claims = [("iss", "i"), ("sub", "alice")];
        let request = ApiRequest {
            body: Bytes::from(wanted.to_string()),
            gateway: Some(GatewayIdentity {
                authorizer: GatewayAuthorizer::Jwt,
                claims: claims.map(|(name, text)| (name.to_owned(), text.into())).into(),
            }),
            ..ask("POST", "/-/share").with("accept", "application/json")
        };
        handler.handle(&request, now()).await
    };
    assert_eq!(create("604801s").await.status(), 400);
    let response = create("7d").await;
    assert_eq!(response.status(), 200, "{}", body(&response));
    let told = json(&response);
    let link = told["url"]
        .as_str()
        .unwrap()
        .split_once("?share=")
        .unwrap()
        .1
        .to_owned();
    for (rules, expected) in [
        (rules("i", "gateway"), 307),
        (rules("j", "gateway"), 401),
        (rules("i", "gateway-lambda"), 401),
        (rules("i", "gateway").replace("idp", "other"), 401),
    ] {
        let handler = serve(&rules, KEYS).await;
        assert_eq!(status(&handler, "GET", "/a/x", &link).await, expected, "{rules}");
    }
}

#[tokio::test]
async fn the_error_for_a_long_lifetime_names_the_field_that_limits_it() {
    let long = "share_expires = \"2h\"\ntemporary_share_expires = \"1h\"";
    for (more, is_session, field, limit) in [
        (long, true, "temporary_share_expires", "1h"),
        (long, false, "share_expires", "2h"),
        (
            "share_expires = \"1h\"\ntemporary_share_expires = \"2h\"",
            true,
            "share_expires",
            "1h",
        ),
        (
            "share_expires = \"1h\"\ntemporary_share_expires = \"1h\"",
            true,
            "share_expires",
            "1h",
        ),
    ] {
        let handler = serve(&rules_for_a(more), KEYS).await;
        let wanted = json!({"prefix": "a/", "expires": "3h", "methods": ["GET"]});
        let request = if is_session {
            share_in_session(&session(&handler).await, &wanted)
        } else {
            share(&wanted)
        };
        let response = handler.handle(&request, now()).await;
        let expected = format!("allows at most {limit} (`{field}`)");
        assert!(
            body(&response).contains(&expected),
            "{more} {is_session}: {}",
            body(&response)
        );
    }
}

#[tokio::test]
async fn a_link_for_several_methods_has_the_shortest_lifetime_of_their_rules() {
    let rule = |id: &str, can: &str, expires: &str| {
        format!(
            "[[rule]]\nid = \"{id}\"\nwho = [\"token:ann\"]\ncan = [\"{can}\"]\non = [\"a/**\"]\nshare = [\"{can}\"]\n\
             share_expires = \"{expires}\"\n"
        )
    };
    for (read, write) in [("1h", "2h"), ("2h", "1h")] {
        let head = rules_for_a("");
        let head = &head[..head.find("[[rule]]").unwrap()];
        let rules = format!("{head}{}{}", rule("r", "read", read), rule("w", "write", write));
        let handler = serve(&rules, KEYS).await;
        for (methods, expires, expected) in [
            (json!(["GET", "PUT"]), "60m", 200),
            (json!(["GET", "PUT"]), "61m", 400),
            (json!(["PUT", "GET"]), "61m", 400),
        ] {
            let wanted = json!({"prefix": "a/", "expires": expires, "methods": methods});
            let response = handler.handle(&share(&wanted), now()).await;
            assert_eq!(
                response.status(),
                expected,
                "{read} {write} {methods}: {}",
                body(&response)
            );
        }
    }
}
