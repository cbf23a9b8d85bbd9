//! Rules that store objects under ids: the storage key is independent of the public key, and never changes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use signpost::auth::{Issuer, User};
use signpost::config::{IdTableLocation, Settings};
use signpost::key::ObjectKey;
use signpost::outbound::aws::CredentialSource;
use signpost::plan::IdLookup;
use signpost::rejection::Rejection;
use signpost::request::ApiRequest;
use signpost::response::ApiResponse;
use signpost::service::handler::Handler;

use crate::sts::{Answer, FakeSts};
use crate::support::{With as _, ask, body, credentials, handler_with, header, json, now, parameter, settings};

/// The secrets of the tokens are their names.
pub(crate) const RULES: &str = r#"
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
can = ["read", "write", "delete"]
on = ["docs/**"]
rewrite = "objects/{id}"
overwrite = true
share = ["read"]

[[rule]]
id = "mine"
who = ["authenticated"]
can = ["read", "write"]
on = ["mine/**"]
rewrite = "tenants/{user_id}/{id}"

[[rule]]
id = "stable"
who = ["authenticated"]
can = ["read", "write"]
on = ["stable/**"]
rewrite = "stable-objects/{id}"
expires = "5m"
reuse_url_for = "4m"

[[rule]]
id = "plain"
who = ["authenticated"]
can = ["read", "write", "list"]
on = ["plain/**"]

[[rule]]
id = "locked"
effect = "deny"
who = ["token:b"]
can = ["delete"]
on = ["objects/**"]
"#;

const SHARING: (&str, &str) = ("SIGNPOST_KEYS", "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

/// A service with an id table in a new folder of this name.
async fn serve(name: &str) -> Handler {
    serve_in(&folder(name), RULES, &[]).await
}

async fn serve_in(folder: &Path, rules: &str, more: &[(&str, &str)]) -> Handler {
    let env = [&[("SIGNPOST_RULES", rules), SHARING], more].concat();
    let settings = Settings {
        table: Some(IdTableLocation::Folder(folder.to_owned())),
        ..settings(&env)
    };
    Handler::start(settings, CredentialSource::from_provider(credentials(None, None)))
        .await
        .unwrap()
}

pub(crate) fn by(token: &str, request: ApiRequest) -> ApiRequest {
    request.with("authorization", &format!("Bearer {token}"))
}

/// The path in S3 of the redirect, or the status and the code of the rejection.
pub(crate) async fn signed(handler: &Handler, request: ApiRequest) -> Result<String, (u16, String)> {
    let answer = handler.handle(&request, now()).await;
    path_in(&answer)
}

fn path_in(answer: &ApiResponse) -> Result<String, (u16, String)> {
    let location = header(answer, "location");
    match location.strip_prefix("https://example-bucket.s3.eu-central-1.amazonaws.com") {
        Some(path) => Ok(path.split_once('?').unwrap().0.to_owned()),
        None => Err((
            answer.status().as_u16(),
            body(answer).split(':').next().unwrap().to_owned(),
        )),
    }
}

fn refusal(status: u16, code: &str) -> Result<String, (u16, String)> {
    Err((status, code.to_owned()))
}

async fn each(handler: &Handler, token: &str, wanted: &Value) -> Value {
    let request = ApiRequest {
        body: Bytes::from(wanted.to_string()),
        ..ask("POST", "/-/sign")
    };
    let answer = handler.handle(&by(token, request), now()).await;
    assert_eq!(answer.status(), 200, "{}", body(&answer));
    json(&answer)
}

fn put(path: &str) -> ApiRequest {
    ask("PUT", path).sized(5)
}

fn is_id(text: &str) -> bool {
    text.len() == 26
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[tokio::test]
async fn an_object_is_stored_under_an_id_from_its_first_upload() {
    let handler = serve("ids-kept").await;
    let kept = handler.handle(&by("a", put("/docs/annual-report.pdf")), now()).await;
    assert!(
        !header(&kept, "location").contains("report"),
        "{}",
        header(&kept, "location")
    );
    let kept = path_in(&kept).unwrap();
    assert!(is_id(kept.strip_prefix("/objects/").unwrap()), "{kept}");
    for (token, method, query) in [
        ("a", "GET", ""),
        ("b", "GET", ""),
        ("a", "HEAD", ""),
        ("a", "PUT", ""),
        ("a", "POST", "?uploads"),
        ("a", "PUT", "?partNumber=1&uploadId=u"),
        ("a", "GET", "?uploadId=u"),
        ("a", "POST", "?uploadId=u"),
        ("a", "DELETE", "?uploadId=u"),
        ("a", "DELETE", ""),
        // A client need not follow the redirect of its DELETE, so the id remains.
        ("a", "GET", ""),
        ("a", "PUT", ""),
    ] {
        let request = by(token, ask(method, &format!("/docs/annual-report.pdf{query}")).sized(5));
        assert_eq!(signed(&handler, request).await, Ok(kept.clone()), "{method} {query}");
    }
    let other = signed(&handler, by("a", put("/docs/annual-report.pd"))).await.unwrap();
    assert!(other.starts_with("/objects/") && other != kept);
}

#[tokio::test]
async fn the_steps_of_a_multipart_upload_use_one_id() {
    let handler = serve("ids-parts").await;
    let part = || by("a", put("/docs/big?partNumber=1&uploadId=u"));
    for (method, query) in [("PUT", "partNumber=1&"), ("GET", ""), ("POST", ""), ("DELETE", "")] {
        let early = by("a", ask(method, &format!("/docs/big?{query}uploadId=u")).sized(5));
        assert_eq!(signed(&handler, early).await, refusal(404, "NoSuchUpload"), "{method}");
    }
    let begun = signed(&handler, by("a", ask("POST", "/docs/big?uploads"))).await;
    assert!(begun.is_ok());
    assert_eq!(signed(&handler, part()).await, begun);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_first_uploads_use_one_storage_key() {
    let folder = folder("ids-at-once");
    let handler = serve_in(&folder, RULES, &[]).await;
    let uploads = (0..50).map(|_| {
        let handler = handler.clone();
        tokio::spawn(async move { signed(&handler, by("a", put("/docs/x"))).await.unwrap() })
    });
    let mut keys = Vec::new();
    for upload in uploads.collect::<Vec<_>>() {
        keys.push(upload.await.unwrap());
    }
    keys.dedup();
    assert_eq!(keys.len(), 1, "{keys:?}");
    let files = files(&folder);
    assert!(files.len() == 1 && files[0].starts_with("key."), "{files:?}");
    let entry = std::fs::read_to_string(folder.join(&files[0])).unwrap();
    assert_eq!(
        entry,
        format!("{}\nkey:objects/{{id}}:docs/x\n", &keys[0]["/objects/".len()..])
    );
}

#[tokio::test]
async fn a_request_for_a_missing_object_creates_no_id() {
    let place = folder("ids-missing");
    let handler = serve_in(&place, RULES, &[]).await;
    // The response to HEAD has no body, and so no code.
    for (method, code) in [("GET", "NoSuchKey"), ("HEAD", ""), ("DELETE", "NoSuchKey")] {
        let missing = signed(&handler, by("a", ask(method, "/docs/never"))).await;
        assert_eq!(missing, refusal(404, code), "{method}");
    }
    let wanted = json!([
        {"method": "GET", "key": "docs/never"}, {"method": "GET", "key": "plain/x"}, {"method": "DELETE", "key": "docs/never"}
    ]);
    let told = each(&handler, "a", &wanted).await;
    assert_eq!(
        (&told[0]["error"]["status"], &told[0]["error"]["code"]),
        (&json!(404), &json!("NoSuchKey"))
    );
    assert!(told[1]["url"].is_string());
    assert_eq!(told[2]["error"]["status"], 404);
    let told = handler
        .handle(
            &by(
                "a",
                ask("GET", "/docs/never").with("accept", "application/vnd.signpost+json, application/json"),
            ),
            now(),
        )
        .await;
    assert_eq!(header(&told, "content-type"), "application/problem+json");
    for page in ["/docs/never.png?view", "/-/presign/docs/never?method=GET"] {
        let answer = handler.handle(&by("a", ask("GET", page)), now()).await;
        assert_eq!(answer.status(), 404, "{page}: {}", body(&answer));
    }
    assert!(files(&place).is_empty());
}

#[tokio::test]
async fn with_scoped_sessions_only_callers_who_may_list_learn_that_an_object_is_missing() {
    let sts = FakeSts::start(Answer::SessionUntil(now() + Duration::from_hours(1))).await;
    let rules = format!(
        "{RULES}\n[[rule]]\nid = \"lists\"\nwho = [\"token:b\"]\ncan = [\"list\"]\non = [\"docs/listed/**\"]\n"
    );
    let member = [
        ("SIGNPOST_SIGNER_ROLE_ARN", "arn:aws:iam::123456789012:role/signer"),
        ("SIGNPOST_SIGNING_MODE", "scoped"),
        ("AWS_ENDPOINT_URL_STS", sts.endpoint.as_str()),
    ];
    let handler = serve_in(&folder("ids-told"), &rules, &member).await;
    for (token, path, expected) in [
        ("a", "/docs/listed/never", (403, "AccessDenied")),
        ("b", "/docs/listed/never", (404, "NoSuchKey")),
        ("b", "/docs/never", (403, "AccessDenied")),
    ] {
        for (method, code) in [("GET", expected.1), ("HEAD", "")] {
            let told = signed(&handler, by(token, ask(method, path))).await;
            assert_eq!(told, refusal(expected.0, code), "{token} {method} {path}");
        }
    }
    assert!(sts.calls().is_empty(), "nothing was there to sign for");
    signed(&handler, by("a", put("/mine/x"))).await.unwrap();
    let policy: Value = serde_json::from_str(&sts.calls()[0]["Policy"]).unwrap();
    let user_id = User::new(Issuer::Token, "a".to_owned(), Vec::new())
        .user_id()
        .to_owned();
    let own = format!("arn:aws:s3:::example-bucket/tenants/{user_id}/*");
    assert_eq!(policy["Statement"][0]["Resource"], json!([own]));
}

#[tokio::test]
async fn the_same_name_in_two_folders_is_two_independent_objects() {
    let handler = serve("ids-folders").await;
    let a = signed(&handler, by("a", put("/mine/x"))).await.unwrap();
    assert_eq!(
        signed(&handler, by("b", ask("GET", "/mine/x"))).await,
        refusal(404, "NoSuchKey")
    );
    let b = signed(&handler, by("b", put("/mine/x"))).await.unwrap();
    assert_ne!(a.rsplit('/').next(), b.rsplit('/').next());
}

#[tokio::test]
async fn the_key_in_s3_is_no_name() {
    let everything = RULES.replace("on = [\"plain/**\"]", "on = [\"plain/**\", \"objects/seen/**\"]");
    let handler = serve_in(&folder("ids-no-name"), &everything, &[]).await;
    let kept = signed(&handler, by("a", put("/docs/x"))).await.unwrap();
    let id = kept.strip_prefix("/objects/").unwrap().to_owned();
    for path in [
        kept.clone(),
        format!("/docs/{id}"),
        format!("/docs/{kept}"),
        format!("/docs/../objects/{id}"),
    ] {
        for method in ["GET", "PUT", "DELETE"] {
            let reached = signed(&handler, by("a", ask(method, &path).sized(5))).await;
            assert!(reached.as_ref() != Ok(&kept), "{method} {path} reaches the object");
        }
    }
    // A storage key is also a valid public key, with its own id.
    let all = RULES.replace("on = [\"docs/**\"]", "on = [\"**\"]");
    let handler = serve_in(&folder("ids-all"), &all, &[]).await;
    let kept = signed(&handler, by("a", put("/x"))).await.unwrap();
    assert_eq!(
        signed(&handler, by("a", ask("GET", &kept))).await,
        refusal(404, "NoSuchKey")
    );
    let other = signed(&handler, by("a", put(&kept))).await.unwrap();
    assert_ne!(other, kept);
}

#[tokio::test]
async fn a_deny_rule_matches_the_public_key_the_folder_and_the_id() {
    let place = folder("ids-denied");
    let handler = serve_in(&place, RULES, &[]).await;
    let kept = signed(&handler, by("a", put("/docs/x"))).await.unwrap();
    assert_eq!(
        signed(&handler, by("b", ask("DELETE", "/docs/x"))).await,
        refusal(403, "AccessDenied")
    );
    assert_eq!(signed(&handler, by("b", ask("GET", "/docs/x"))).await, Ok(kept.clone()));
    let deny = |on: &str| {
        format!(
            "{RULES}\n[[rule]]\nid = \"no\"\neffect = \"deny\"\nwho = [\"token:b\"]\ncan = [\"read\"]\non = [\"{on}\"]\n"
        )
    };
    for (on, denied) in [
        ("docs/x", true),
        (&kept[1..], true),
        ("objects/**", true),
        ("objects/01ARZ3NDEKTSV4RRFFQ69G5FAV", false),
        (&format!("{}/**", &kept[1..]), false),
        ("objects", false),
        ("object/**", false),
    ] {
        let handler = serve_in(&place, &deny(on), &[]).await;
        let expected = if denied {
            refusal(403, "AccessDenied")
        } else {
            Ok(kept.clone())
        };
        assert_eq!(signed(&handler, by("b", ask("GET", "/docs/x"))).await, expected, "{on}");
        assert_eq!(
            signed(&handler, by("a", ask("GET", "/docs/x"))).await,
            Ok(kept.clone()),
            "{on}"
        );
    }
}

#[tokio::test]
async fn responses_contain_the_id_in_the_url_only() {
    let handler = serve("ids-told-names").await;
    let kept = signed(&handler, by("a", put("/docs/r%C3%A9sum%C3%A9.pdf")))
        .await
        .unwrap();
    let id = kept.strip_prefix("/objects/").unwrap();
    let told = handler
        .handle(
            &by(
                "a",
                ask("GET", "/docs/r%C3%A9sum%C3%A9.pdf")
                    .with("accept", "application/vnd.signpost+json, application/json"),
            ),
            now(),
        )
        .await;
    let told = json(&told);
    assert_eq!(told["key"], "docs/résumé.pdf");
    assert!(told["url"].as_str().unwrap().contains(&kept));
    for (query, expected) in [
        (
            "?url",
            "attachment; filename=\"r_sum_.pdf\"; filename*=UTF-8''r%C3%A9sum%C3%A9.pdf",
        ),
        (
            "?url&download",
            "attachment; filename=\"r_sum_.pdf\"; filename*=UTF-8''r%C3%A9sum%C3%A9.pdf",
        ),
        (
            "?url&download=x.pdf",
            "attachment; filename=\"x.pdf\"; filename*=UTF-8''x.pdf",
        ),
    ] {
        let url = handler
            .handle(
                &by("a", ask("GET", &format!("/docs/r%C3%A9sum%C3%A9.pdf{query}"))),
                now(),
            )
            .await;
        let named = parameter(body(&url).trim(), "response-content-disposition");
        assert_eq!(named.as_deref(), Some(expected), "{query}");
    }
    // If the storage key equals the public key, the default of S3 is the same.
    let plain = handler.handle(&by("a", ask("GET", "/plain/x?url")), now()).await;
    let named = parameter(body(&plain).trim(), "response-content-disposition");
    assert_eq!(named.as_deref(), Some("attachment"));
    let view = handler
        .handle(
            &by(
                "a",
                ask("GET", "/docs/r%C3%A9sum%C3%A9.pdf?view").with("accept", "text/html"),
            ),
            now(),
        )
        .await;
    assert_eq!(view.status(), 200);
    assert_eq!(
        body(&view).matches(id).count(),
        body(&view).matches(&kept).count(),
        "the id alone is told"
    );
}

#[tokio::test]
async fn a_generated_key_has_its_own_id() {
    let handler = serve("ids-generated").await;
    let told = handler.handle(&by("a", ask("POST", "/docs/?ext=mp4")), now()).await;
    let (name, url) = body(&told).split_once('\n').unwrap();
    let generated = name.strip_prefix("docs/").unwrap().strip_suffix(".mp4").unwrap();
    let kept = url.split_once(".com/objects/").unwrap().1.split('?').next().unwrap();
    assert!(is_id(generated) && is_id(kept) && generated != kept);
    let found = signed(&handler, by("a", ask("GET", &format!("/{name}")))).await;
    assert_eq!(found, Ok(format!("/objects/{kept}")));
}

#[tokio::test]
async fn a_form_uploads_under_the_id_of_its_key_and_folders_have_no_form() {
    let handler = serve("ids-forms").await;
    let form = async |path: &str| {
        let request = by("a", ask("GET", path)).with("accept", "application/vnd.signpost+json, application/json");
        handler.handle(&request, now()).await
    };
    let told = json(&form("/docs/x?form").await);
    let kept = signed(&handler, by("a", ask("GET", "/docs/x"))).await.unwrap();
    assert_eq!(told["fields"]["key"], kept[1..]);
    let page = async |query: &str| {
        let request = by("a", ask("GET", &format!("/docs/x?form{query}"))).with("accept", "text/html");
        handler.handle(&request, now()).await
    };
    let first = page("").await;
    let (_, proof) = body(&first).split_once("stored=").unwrap();
    let (proof, _) = proof.split_once('"').unwrap();
    let page = page(&format!(
        "&stored={proof}&bucket=example-bucket&key=objects/told-by-s3&etag=e"
    ))
    .await;
    assert!(
        body(&page).contains("<h1>Upload to <code>docs/x</code></h1>"),
        "{}",
        body(&page)
    );
    assert!(body(&page).contains("Uploaded: <code>docs/x</code>") && !body(&page).contains("told-by-s3"));
    let refused = form("/docs/?form").await;
    assert_eq!(refused.status(), 400);
    assert!(body(&refused).contains("its own id"), "{}", body(&refused));
    // Storage keys that clients cannot name are not listed either.
    for path in ["/docs/", "/docs/?uploads"] {
        assert_eq!(form(path).await.status(), 403, "{path}");
    }
}

#[tokio::test]
async fn a_share_link_grants_the_object_by_its_public_key() {
    let handler = serve("ids-shared").await;
    let kept = signed(&handler, by("a", put("/docs/x"))).await.unwrap();
    let link = async |wanted: Value, id: &str| {
        let request = ApiRequest {
            body: Bytes::from(wanted.to_string()),
            request_id: id.to_owned(),
            ..ask("POST", "/-/share")
        };
        let told = handler.handle(&by("a", request), now()).await;
        body(&told)
            .trim()
            .strip_prefix("https://files.example.com")
            .unwrap()
            .to_owned()
    };
    let whole = link(json!({"prefix": "docs/"}), "1").await;
    let whole = whole.split_once('?').unwrap().1;
    let once = link(json!({"key": "docs/never", "uses": 1}), "2").await;
    for (path, expected) in [
        (format!("/docs/x?{whole}"), Ok(kept.clone())),
        (format!("/docs/never?{whole}"), refusal(404, "NoSuchKey")),
        (format!("{kept}?{whole}"), refusal(403, "AccessDenied")),
        (once.clone(), refusal(404, "NoSuchKey")),
    ] {
        assert_eq!(signed(&handler, ask("GET", &path)).await, expected, "{path}");
    }
    // A request for a missing object consumed no use.
    let stored = signed(&handler, by("a", put("/docs/never"))).await;
    assert_eq!(signed(&handler, ask("GET", &once)).await, stored);
    assert_eq!(
        signed(&handler, ask("GET", &once)).await,
        refusal(401, "InvalidCredential")
    );
}

#[tokio::test]
async fn a_reused_url_does_not_change() {
    let handler = serve("ids-stable").await;
    signed(&handler, by("a", put("/stable/x"))).await.unwrap();
    let url = async |id: &str| {
        let request = ApiRequest {
            request_id: id.to_owned(),
            ..by("a", ask("GET", "/stable/x"))
        };
        header(&handler.handle(&request, now()).await, "location").to_owned()
    };
    assert_eq!(url("1").await, url("2").await);
}

#[tokio::test]
async fn public_key_and_storage_key_may_each_have_the_maximum_length() {
    let long = format!("/docs/{}", "x".repeat(1024 - "docs/".len()));
    let handler = serve("ids-long").await;
    assert!(signed(&handler, by("a", put(&long))).await.is_ok());
    for (length, expected) in [(1024 - 27, true), (1024 - 26, false)] {
        let place = folder("ids-long-folder");
        let rules = RULES.replace("\"objects/{id}\"", &format!("\"{}/{{id}}\"", "f".repeat(length)));
        let handler = serve_in(&place, &rules, &[]).await;
        let reached = signed(&handler, by("a", put("/docs/x"))).await;
        assert_eq!(reached.is_ok(), expected, "{length}: {reached:?}");
        assert_eq!(
            files(&place).len(),
            usize::from(expected),
            "no id that could not be used is made"
        );
    }
}

#[tokio::test]
async fn a_damaged_entry_is_not_treated_as_missing() {
    let place = folder("ids-damaged");
    let handler = serve_in(&place, RULES, &[]).await;
    let kept = signed(&handler, by("a", put("/docs/x"))).await.unwrap();
    // A process that is killed leaves this entry.
    std::fs::write(place.join("new.01ARZ3NDEKTSV4RRFFQ69G5FAV"), "01ARZ3").unwrap();
    assert_eq!(signed(&handler, by("a", put("/docs/x"))).await, Ok(kept));
    let entry = files(&place).into_iter().find(|name| name.starts_with("key.")).unwrap();
    for damage in ["", "no id\n"] {
        std::fs::write(place.join(&entry), damage).unwrap();
        for request in [put("/docs/x"), ask("GET", "/docs/x")] {
            assert_eq!(
                signed(&handler, by("a", request)).await,
                refusal(503, "ServiceUnavailable")
            );
        }
    }
}

#[tokio::test]
async fn rules_with_ids_require_a_table() {
    let source = || CredentialSource::from_provider(credentials(None, None));
    let error = Handler::start(settings(&[("SIGNPOST_RULES", RULES)]), source())
        .await
        .unwrap_err();
    assert_eq!(error.var, "SIGNPOST_TABLE");
    assert!(
        error.problem.contains("\"docs\"") && error.problem.contains("DynamoDB"),
        "{error}"
    );
    let without: Vec<_> = RULES.split("[[rule]]").filter(|rule| !rule.contains("{id}")).collect();
    handler_with(
        &[("SIGNPOST_RULES", &without.join("[[rule]]"))],
        credentials(None, None),
    )
    .await;
}

fn entry(folder: &str, name: &str) -> IdLookup {
    IdLookup {
        folder: folder.to_owned(),
        public_key: ObjectKey::new(name).unwrap(),
        create: false,
        missing: Rejection::NoSuchKey,
        denied_keys: Vec::new(),
        denial: Rejection::NoSuchKey,
    }
}

proptest! {
    /// Folders contain no braces. Names may contain the separator.
    #[test]
    fn table_keys_are_unique(
        segments in prop::collection::vec("[ab:]{1,2}|\\{id\\}:?[ab]", 3..6),
        cuts in prop::array::uniform2(1..3_usize),
    ) {
        let folders = cuts.map(|cut| segments[..cut].join("/") + "/");
        prop_assume!(folders.iter().all(|folder| !folder.contains('{')));
        let texts = [0, 1].map(|index| entry(&folders[index], &segments[cuts[index]..].join("/")).table_key());
        prop_assert_eq!(texts[0] == texts[1], cuts[0] == cuts[1]);
    }
}

#[tokio::test]
async fn a_deny_rule_above_the_folder_of_the_ids_applies() {
    let rules = |on: &str| {
        format!(
            "version = 1\n[[rule]]\nid = \"docs\"\nwho = [\"anyone\"]\ncan = [\"read\", \"write\"]\non = [\"docs/**\"]\n\
             rewrite = \"kept/sub/{{id}}\"\nallow_anonymous_write = true\n\
             [[rule]]\nid = \"no\"\neffect = \"deny\"\nwho = [\"anyone\"]\ncan = [\"read\", \"write\"]\non = [\"{on}\"]\n"
        )
    };
    for (on, denied) in [
        ("**", true),
        ("kept/**", true),
        ("kept/sub/**", true),
        ("kept/sub", false),
        ("kept/su/**", false),
        ("kept/sub/x/**", false),
        ("sub/**", false),
    ] {
        let handler = serve_in(&folder("ids-above"), &rules(on), &[]).await;
        for request in [put("/docs/x"), ask("GET", "/docs/x")] {
            let reached = signed(&handler, request).await;
            // Without credentials in the rules, a denied anonymous caller gets 403.
            assert_eq!(reached == refusal(403, "AccessDenied"), denied, "{on} {reached:?}");
        }
    }
}
