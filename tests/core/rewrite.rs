//! Rules that rewrite keys: the storage key that is signed for each user, and attempts to escape from it.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;
use signpost::auth::{Issuer, Principal, User};
use signpost::key::ObjectKey;
use signpost::mount::Mount;
use signpost::operation::Action;
use signpost::policy::{Policy, StorageKey};
use signpost::request::ApiRequest;
use signpost::service::handler::Handler;

use crate::sts::{Answer, FakeSts};
use crate::support::{With as _, ask, body, credentials, handler_with, header, json, now};

/// The secrets of the tokens are their names.
const RULES: &str = r#"
version = 1
[[token]]
id = "a"
sha256 = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
[[token]]
id = "b"
sha256 = "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"

[[rule]]
id = "mine"
who = ["authenticated"]
can = ["read", "write", "delete"]
on = ["mine/**"]
rewrite = "tenants/{user_id}/{rest}"
overwrite = true
share = ["read"]

[[rule]]
id = "news"
who = ["anyone"]
can = ["read"]
on = ["news", "news/**"]
rewrite = "public/2026/{key}"

[[rule]]
id = "frozen"
effect = "deny"
who = ["anyone"]
can = ["write", "delete"]
on = ["public/**"]

[[rule]]
id = "secret"
effect = "deny"
who = ["anyone"]
can = ["read"]
on = ["public/2026/news/draft"]

[[rule]]
id = "drop"
who = ["token:a"]
can = ["write"]
on = ["drop/**"]
rewrite = "public/{key}"
"#;

const KEYS: (&str, &str) = ("SIGNPOST_KEYS", "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");

async fn serve() -> Handler {
    handler_with(&[("SIGNPOST_RULES", RULES), KEYS], credentials(None, None)).await
}

fn user_id(token: &str) -> String {
    member(token).user_id().to_owned()
}

fn member(token: &str) -> Principal {
    Principal::User(User::new(Issuer::Token, token.to_owned(), Vec::new()))
}

fn by(token: &str, request: ApiRequest) -> ApiRequest {
    request.with("authorization", &format!("Bearer {token}"))
}

/// The path in S3 of the redirect.
async fn signed(handler: &Handler, request: ApiRequest) -> Result<String, u16> {
    let answer = handler.handle(&request, now()).await;
    let location = header(&answer, "location");
    match location.strip_prefix("https://example-bucket.s3.eu-central-1.amazonaws.com") {
        Some(path) => Ok(path.split_once('?').unwrap().0.to_owned()),
        None => Err(answer.status().as_u16()),
    }
}

#[tokio::test]
async fn rules_match_the_public_key_and_the_storage_key_is_signed() {
    let handler = serve().await;
    let (a, b) = (user_id("a"), user_id("b"));
    for (token, method, path, expected) in [
        ("a", "GET", "/mine/x", format!("/tenants/{a}/x")),
        ("b", "GET", "/mine/x", format!("/tenants/{b}/x")),
        ("a", "HEAD", "/mine/x", format!("/tenants/{a}/x")),
        ("a", "PUT", "/mine/deep/x", format!("/tenants/{a}/deep/x")),
        ("a", "DELETE", "/mine/x", format!("/tenants/{a}/x")),
        ("a", "POST", "/mine/x?uploads", format!("/tenants/{a}/x")),
        ("a", "PUT", "/mine/x?partNumber=1&uploadId=u", format!("/tenants/{a}/x")),
        ("a", "DELETE", "/mine/x?uploadId=u", format!("/tenants/{a}/x")),
        ("a", "GET", "/mine//x", format!("/tenants/{a}//x")),
        ("a", "GET", "/news", "/public/2026/news".to_owned()),
        ("a", "GET", "/news/a%20b", "/public/2026/news/a%20b".to_owned()),
    ] {
        let request = by(token, ask(method, path).sized(5));
        assert_eq!(signed(&handler, request).await, Ok(expected), "{method} {path}");
    }
    let nobody = signed(&handler, ask("GET", "/news/x")).await;
    assert_eq!(nobody, Ok("/public/2026/news/x".to_owned()));
}

#[tokio::test]
async fn no_key_escapes_the_folder_or_a_deny_rule() {
    let handler = serve().await;
    let b = user_id("b");
    let long = format!("/mine/{}", "x".repeat(1000));
    let its_own = format!("/tenants/{}/x", user_id("a"));
    let theirs = format!("/tenants/{b}/x");
    for (token, method, path, expected) in [
        ("a", "GET", "/mine/../x", 400),
        ("a", "GET", "/mine/%2e%2e/x", 400),
        ("a", "GET", "/mine/..%2f..%2ftenants/x", 400),
        ("a", "GET", "/mine/.%2fx", 400),
        ("a", "GET", "/mine", 403),
        ("a", "GET", long.as_str(), 400),
        ("a", "GET", theirs.as_str(), 403),
        ("a", "GET", its_own.as_str(), 403),
        ("a", "GET", "/news/draft", 403),
        ("a", "PUT", "/drop/x", 403),
        ("a", "GET", "/public/2026/news", 403),
        ("a", "GET", "/mine/?uploads", 403),
        ("a", "GET", "/mine/", 403),
        ("", "GET", "/mine/x", 401),
    ] {
        let request = ask(method, path).sized(5);
        let request = if token.is_empty() { request } else { by(token, request) };
        assert_eq!(signed(&handler, request).await, Err(expected), "{method} {path}");
    }
    // A path like the folder of another user is a name in the own folder.
    let named = signed(&handler, by("a", ask("GET", &format!("/mine/{b}/x")))).await;
    assert_eq!(named, Ok(format!("/tenants/{}/{b}/x", user_id("a"))));
}

#[tokio::test]
async fn responses_contain_the_public_key() {
    let handler = serve().await;
    let a = user_id("a");
    let request = by("a", ask("GET", "/mine/x")).with("accept", "application/vnd.signpost+json, application/json");
    let told = json(&handler.handle(&request, now()).await);
    assert_eq!(told["key"], "mine/x");
    assert!(told["url"].as_str().unwrap().contains(&format!("/tenants/{a}/x?")));
    let each = ApiRequest {
        body: Bytes::from(json!([{"method": "GET", "key": "mine/y"}]).to_string()),
        ..ask("POST", "/-/sign")
    };
    let told = json(&handler.handle(&by("a", each), now()).await);
    assert_eq!(told[0]["key"], "mine/y");
    assert!(told[0]["url"].as_str().unwrap().contains(&format!("/tenants/{a}/y?")));
    let generated = handler.handle(&by("a", ask("POST", "/mine/")), now()).await;
    let (key, url) = body(&generated).split_once('\n').unwrap();
    let name = key.strip_prefix("mine/").unwrap();
    assert!(url.contains(&format!("/tenants/{a}/{name}?")), "{url}");
    let file = handler
        .handle(&by("a", ask("GET", "/mine/report.pdf?download&url")), now())
        .await;
    assert!(body(&file).contains("filename%3D%22report.pdf%22"), "{}", body(&file));
}

#[tokio::test]
async fn forms_upload_to_the_storage_key() {
    let handler = serve().await;
    let a = user_id("a");
    let form = async |path: &str| {
        let request = by("a", ask("GET", path)).with("accept", "application/vnd.signpost+json, application/json");
        json(&handler.handle(&request, now()).await)["fields"]["key"].clone()
    };
    assert_eq!(form("/mine/x?form").await, format!("tenants/{a}/x"));
    let below = form("/mine/?form").await;
    let below = below.as_str().unwrap();
    assert!(
        below.starts_with(&format!("tenants/{a}/")) && below.ends_with("/${filename}"),
        "{below}"
    );
}

#[tokio::test]
async fn a_share_link_grants_the_object_of_its_creator() {
    let handler = serve().await;
    let wanted = ApiRequest {
        body: Bytes::from(json!({"key": "mine/x"}).to_string()),
        ..ask("POST", "/-/share")
    };
    let link = handler.handle(&by("a", wanted), now()).await;
    let link = body(&link)
        .trim()
        .strip_prefix("https://files.example.com")
        .unwrap()
        .to_owned();
    assert!(link.starts_with("/mine/x?share="));
    assert_eq!(
        signed(&handler, ask("GET", &link)).await,
        Ok(format!("/tenants/{}/x", user_id("a")))
    );
    for (other, refused) in [
        (link.replace("/mine/x", "/mine/y"), 403),
        (link.replace("/mine/x", &format!("/tenants/{}/x", user_id("a"))), 403),
    ] {
        assert_eq!(signed(&handler, ask("GET", &other)).await, Err(refused), "{other}");
    }
}

#[tokio::test]
async fn the_session_of_a_user_allows_its_folder_only() {
    let sts = FakeSts::start(Answer::SessionUntil(now() + Duration::from_hours(1))).await;
    let env = [
        ("SIGNPOST_RULES", RULES),
        ("SIGNPOST_SIGNER_ROLE_ARN", "arn:aws:iam::123456789012:role/signer"),
        ("SIGNPOST_SIGNING_MODE", "scoped"),
        ("AWS_ENDPOINT_URL_STS", &sts.endpoint),
    ];
    let handler = handler_with(&env, credentials(None, None)).await;
    for path in ["/mine/x", "/news/x"] {
        assert!(signed(&handler, by("a", ask("GET", path))).await.is_ok());
    }
    let calls = sts.calls();
    let resources = |number: usize| {
        let policy: serde_json::Value = serde_json::from_str(&calls[number]["Policy"]).unwrap();
        policy["Statement"][0]["Resource"].clone()
    };
    assert_eq!(
        resources(0),
        json!([format!("arn:aws:s3:::example-bucket/tenants/{}/*", user_id("a"))])
    );
    let news = [
        "arn:aws:s3:::example-bucket/public/2026/news",
        "arn:aws:s3:::example-bucket/public/2026/news/*",
    ];
    assert_eq!(resources(1), json!(news));
}

#[test]
fn invalid_rewriting_prevents_startup() {
    let rules = |on: &str, more: &str| {
        format!("version = 1\n[[rule]]\nid = \"r\"\nwho = [\"authenticated\"]\ncan = [\"read\"]\non = [{on}]\n{more}\n")
    };
    for (on, rewrite, fits) in [
        ("\"a/**\"", "x/{key}", true),
        ("\"a/**\", \"b/**\"", "x/{user_id}/y/{rest}", true),
        ("\"a\"", "x/{key}", true),
        ("\"a\"", "x/{rest}", false),
        ("\"a/**\"", "{key}", false),
        ("\"a/**\"", "/{key}", false),
        ("\"a/**\"", "{rest}", false),
        ("\"a/**\"", "x", false),
        ("\"a/**\"", "x{key}", false),
        ("\"a/**\"", "x/{key}/y", false),
        ("\"a/**\"", "{key}/{rest}", false),
        ("\"a/**\"", "x/{id}", true),
        ("\"a\"", "x/{user_id}/{id}", true),
        ("\"a/**\"", "{id}", false),
        ("\"a/**\"", "x/{id}/y", false),
        ("\"a/**\"", "x/{id}/{key}", false),
        ("\"a/**\"", "x-{id}", false),
        ("\"a/**\"", "x/**/{key}", false),
        ("\"a/**\"", "../{key}", false),
        ("\"a/**\"", "x-{user_id}/{key}", false),
        // No issuer of this rule provides the claim.
        ("\"a/**\"", "{email}/{key}", false),
    ] {
        let parsed = Policy::parse(&rules(on, &format!("rewrite = {rewrite:?}")));
        assert_eq!(parsed.is_ok(), fits, "{on} {rewrite}: {:?}", parsed.err());
    }
    let lists = rules("\"a/**\"", "rewrite = \"x/{key}\"").replace("\"read\"", "\"read\", \"list\"");
    assert!(Policy::parse(&lists).unwrap_err().to_string().contains("list"));
    assert!(Policy::parse(&rules("\"a/**\"", "effect = \"deny\"\nrewrite = \"x/{key}\"")).is_err());
}

proptest! {
    #[test]
    fn whatever_is_granted_lies_below_the_folder(key in "(mine|news|drop|tenants|public)(/[a-z0-9./{}*]{0,12}){0,3}") {
        let policy = Policy::parse(RULES).unwrap();
        let principal = member("a");
        if let Ok(key) = ObjectKey::new(key) {
            for action in [Action::Read, Action::Write, Action::Delete] {
                if let Ok(grant) = policy.decide(&principal, action, &key) {
                    let StorageKey::Key(object) = grant.storage_key(&principal, &key, &Mount::default()).unwrap() else {
                        panic!("no rule keeps objects under ids");
                    };
                    let folder = match grant.rule {
                        "mine" => format!("tenants/{}/", user_id("a")),
                        "news" => "public/2026/news".to_owned(),
                        rule => panic!("{rule} grants {action:?} of {key}"),
                    };
                    prop_assert!(object.as_str().starts_with(&folder), "{} for {}", object, key);
                }
            }
        }
    }
}

/// Two rules that store the same objects, one that reaches them by their storage keys, and a deny rule.
fn aliases(deny: &str) -> String {
    format!(
        "{}\n[[rule]]\nid = \"no\"\neffect = \"deny\"\n{deny}\n",
        r#"
version = 1
[[token]]
id = "a"
sha256 = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
[[token]]
id = "b"
sha256 = "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"
[[rule]]
id = "docs"
who = ["authenticated"]
can = ["read", "write"]
on = ["docs/**", "papers/**"]
rewrite = "store/{rest}"
[[rule]]
id = "docs2"
who = ["token:a"]
can = ["read", "write"]
on = ["docs2/**"]
rewrite = "store/{rest}"
[[rule]]
id = "whole"
who = ["token:a"]
can = ["read"]
on = ["reports/**"]
rewrite = "store/{key}"
[[rule]]
id = "mine"
who = ["authenticated"]
can = ["read"]
on = ["mine/**"]
rewrite = "tenants/{user_id}/{rest}"
[[rule]]
id = "direct"
who = ["token:a"]
can = ["read", "list"]
on = ["store/**", "tenants/**"]
"#
    )
}

#[tokio::test]
async fn a_deny_rule_protects_an_object_under_all_its_keys() {
    let read = "who = [\"anyone\"]\ncan = [\"read\"]\n";
    let (a, b) = (user_id("a"), user_id("b"));
    let own = format!("/tenants/{a}/secret");
    let other = format!("/tenants/{b}/secret");
    let cases = [
        ("docs/secret", "/docs/secret", false),
        ("docs/secret", "/docs2/secret", false),
        ("docs/secret", "/papers/secret", false),
        ("docs/secret", "/store/secret", false),
        ("docs/secret", "/store/other", true),
        ("docs/secret", "/docs2/secret/x", true),
        ("docs/secret", "/docs2/x/secret", true),
        ("docs/deep/**", "/store/deep/x", false),
        ("docs/deep/**", "/store/deep", true),
        ("docs/**", "/store/x", false),
        ("reports/r", "/reports/r", false),
        ("reports/r", "/store/reports/r", false),
        ("reports/r", "/docs/reports/r", false),
        ("reports/r", "/store/r", true),
        ("store/reports/r", "/reports/r", false),
        ("mine/secret", "/mine/secret", false),
        ("mine/secret", own.as_str(), false),
        ("mine/secret", other.as_str(), false),
        ("mine/secret", "/tenants/a%20b/secret", true),
        ("mine/secret", "/store/secret", true),
        ("mine/{user_id}/x", "/tenants/0/x", true),
    ];
    for (on, path, expected) in cases {
        let rules = aliases(&format!("{read}on = [\"{on}\"]"));
        let handler = handler_with(&[("SIGNPOST_RULES", &rules)], credentials(None, None)).await;
        let reached = signed(&handler, by("a", ask("GET", path))).await;
        assert_eq!(reached.is_ok(), expected, "{on} {path} {reached:?}");
        let written = by("a", ask("PUT", path).sized(5));
        if path.starts_with("/docs") {
            assert!(
                signed(&handler, written).await.is_ok(),
                "only reading is denied: {on} {path}"
            );
        }
    }
    // The deny rule applies only to its own callers.
    let rules = aliases("who = [\"token:b\"]\ncan = [\"read\"]\non = [\"docs2/secret\"]");
    let handler = handler_with(&[("SIGNPOST_RULES", &rules)], credentials(None, None)).await;
    assert!(signed(&handler, by("a", ask("GET", "/store/secret"))).await.is_ok());
    assert_eq!(signed(&handler, by("b", ask("GET", "/docs/secret"))).await, Err(403));
}

#[test]
fn a_claim_in_the_folder_of_a_rewrite_names_the_segment_of_the_public_key() {
    let rules = r#"
version = 1
[[rule]]
id = "homes"
who = ["authenticated"]
can = ["read"]
on = ["homes/{user_id}/**"]
rewrite = "u/{user_id}/{rest}"
[[rule]]
id = "all"
who = ["authenticated"]
can = ["read"]
on = ["u/**"]
[[rule]]
id = "no"
effect = "deny"
who = ["anyone"]
can = ["read"]
on = ["homes/blocked/**"]
"#;
    let policy = Policy::parse(rules).unwrap();
    for (key, expected) in [("u/blocked/x", false), ("u/other/x", true), ("u/blocked", true)] {
        let key = ObjectKey::new(key).unwrap();
        let decided = policy.decide(&member("a"), Action::Read, &key);
        assert_eq!(decided.is_ok(), expected, "{key:?}");
    }
}

#[test]
fn a_listing_of_storage_keys_hides_objects_with_a_denied_public_key() {
    let list = "who = [\"anyone\"]\ncan = [\"list\"]\n";
    let policy = Policy::parse(&aliases(&format!("{list}on = [\"docs/secret\", \"docs/deep/**\"]"))).unwrap();
    let a = member("a");
    for (key, expected) in [
        ("store/secret", false),
        ("store/deep/x", false),
        ("store/other", true),
        ("store/deep", true),
    ] {
        assert_eq!(policy.allows(&a, Action::List, key), expected, "{key}");
    }
    for (prefix, denied) in [
        ("store/deep/", true),
        ("store/deep/er/", true),
        ("store/", false),
        ("store/secret/", false),
        ("", false),
    ] {
        assert_eq!(policy.denies_below(&a, Action::List, prefix), denied, "{prefix}");
        let listed = policy.list_access(&a, Action::List, prefix);
        assert_eq!(listed.is_err(), denied, "{prefix}");
    }
    let policy = Policy::parse(&aliases(&format!("{list}on = [\"docs/**\"]"))).unwrap();
    assert!(policy.denies_below(&a, Action::List, "store/"));
}

#[tokio::test]
async fn a_claim_has_the_same_value_in_all_segments_of_a_name() {
    for (rewrite, path, on, expected) in [
        ("store/{rest}", "/docs/x", "t/t/x", false),
        ("store/{rest}", "/docs/x", "t/a/x", true),
        ("store/{rest}", "/docs/x", "t/{user_id}/x", true),
        ("store/{key}", "/docs/t/t/x", "t/t/x", false),
        ("store/{key}", "/docs/t/a/x", "t/a/x", true),
        ("store/{user_id}/{rest}", "/docs/t/x", "t/t/x", false),
        ("store/{user_id}/{rest}", "/docs/a/x", "t/t/x", true),
    ] {
        let pairs = format!(
            "[[rule]]\nid = \"pairs\"\nwho = [\"token:b\"]\ncan = [\"read\"]\non = [\"{{user_id}}/{{user_id}}/**\"]\n\
             rewrite = \"{rewrite}\"\n"
        );
        let deny = format!("who = [\"anyone\"]\ncan = [\"read\"]\non = [\"{on}\"]\n{pairs}");
        let handler = handler_with(&[("SIGNPOST_RULES", &aliases(&deny))], credentials(None, None)).await;
        let reached = signed(&handler, by("a", ask("GET", path))).await;
        assert_eq!(reached.is_ok(), expected, "{rewrite} {path} {on} {reached:?}");
    }
}
