//! Forms by which browsers upload: what is signed of them, and what the rules hold of them.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use signpost::key::ObjectKey;
use signpost::outbound::aws::Presigner;
use signpost::plan::{PostFormKey, PostPolicyPlan};
use signpost::policy::GrantScope;
use signpost::request::ApiRequest;

use crate::support::{
    OPEN_RULES, SESSION_TOKEN, With as _, ask, body, credentials, handler, handler_with, header, json, now, settings,
};

const RULES: &str = r#"
version = 1
[[rule]]
id = "images"
who = ["anyone"]
can = ["write"]
on = ["images/**"]
allow_anonymous_write = true
overwrite = true
max_bytes = 1000
content_types = ["image/*", "video/mp4"]
metadata = { origin = "form" }

[[rule]]
id = "new"
who = ["anyone"]
can = ["write"]
on = ["new/**"]
allow_anonymous_write = true
content_types = ["text/plain"]

[[rule]]
id = "no"
effect = "deny"
who = ["anyone"]
can = ["write"]
on = ["images/closed/**"]
"#;

fn form(path_and_query: &str) -> ApiRequest {
    ask("GET", path_and_query).with("accept", "application/json")
}

async fn told(rules: &str, request: ApiRequest) -> Value {
    let response = handler(rules).await.handle(&request, now()).await;
    assert_eq!(response.status(), 200, "{}", body(&response));
    json(&response)
}

fn policy(told: &Value) -> Value {
    let policy = BASE64_STANDARD
        .decode(told["fields"]["policy"].as_str().unwrap())
        .unwrap();
    serde_json::from_slice(&policy).unwrap()
}

/// The signatures are those of `generate_presigned_post` of boto3 1.43 for the same input, conditions in this order.
#[tokio::test]
async fn policy_and_signature_are_boto3s() {
    let rules = format!("{OPEN_RULES}\noverwrite = true\ncontent_types = [\"image/png\"]");
    let path = "/a%20%C3%A9%E2%98%83%F0%9F%A6%80%22/b?form";
    for (token, signature) in [
        (None, "5a4c5bf89d009f5d70fcb23f06255bc085645587978f5da7349a88de05d8e240"),
        (
            Some(SESSION_TOKEN),
            "78d8f47c5b9abb197a1b43b8ce8bb5315d687d62ca819bec9e3c0acda2eadfa7",
        ),
    ] {
        let handler = handler_with(&[("SIGNPOST_RULES", &rules)], credentials(token, None)).await;
        let asked = form(&format!(
            "{path}&meta-a=b&contentType=image/png&success_action_status=201&content-length-range=1,10"
        ));
        let told = json(&handler.handle(&asked, now()).await);
        assert_eq!(told["url"], "https://example-bucket.s3.eu-central-1.amazonaws.com/");
        assert_eq!(told["fields"]["key"], "a é☃🦀\"/b");
        assert_eq!(told["fields"]["x-amz-signature"], signature, "{}", policy(&told));
    }
}

#[tokio::test]
async fn the_policy_contains_the_limits_of_the_rule() {
    let told = told(RULES, form("/images/a.png?form&contentType=image/png")).await;
    let policy = policy(&told);
    assert_eq!(policy["expiration"], "2026-07-10T19:24:04Z");
    for condition in [
        json!({"x-amz-meta-origin": "form"}),
        json!({"Content-Type": "image/png"}),
        json!(["content-length-range", 0, 1000]),
        json!({"bucket": "example-bucket"}),
        json!({"key": "images/a.png"}),
    ] {
        assert!(
            policy["conditions"].as_array().unwrap().contains(&condition),
            "{condition}"
        );
    }
    assert_eq!(told["fields"]["x-amz-meta-origin"], "form");
    assert_eq!(told["expires_in"], 300);
}

#[tokio::test]
async fn below_a_prefix_each_form_has_its_own_folder() {
    let told = told(RULES, form("/new/?form")).await;
    let key = told["fields"]["key"].as_str().unwrap();
    let folder = key.strip_suffix("${filename}").unwrap();
    assert_eq!((&folder[..4], folder.len(), &folder[30..]), ("new/", 31, "/"));
    let conditions = policy(&told)["conditions"].clone();
    assert!(
        conditions
            .as_array()
            .unwrap()
            .contains(&json!(["starts-with", "$key", folder]))
    );
    assert_eq!(
        told["fields"]["Content-Type"], "text/plain",
        "the only one that the rule takes"
    );
}

#[tokio::test]
async fn a_range_of_media_types_is_a_condition() {
    let ranged = told(RULES, form("/images/?form&contentType=image/*")).await;
    let conditions = policy(&ranged)["conditions"].clone();
    assert!(
        conditions
            .as_array()
            .unwrap()
            .contains(&json!(["starts-with", "$Content-Type", "image/"]))
    );
    assert!(ranged["fields"].get("Content-Type").is_none());
    let any = told(OPEN_RULES, form("/x/?form&contentType=*/*")).await;
    let conditions = policy(&any)["conditions"].clone();
    assert!(
        conditions
            .as_array()
            .unwrap()
            .contains(&json!(["starts-with", "$Content-Type", ""]))
    );
}

#[tokio::test]
async fn a_range_of_media_types_requires_that_browsers_save_the_file() {
    let rule = |id: &str, can: &str, on: &str, more: &str| {
        let write = if can.contains("write") {
            "allow_anonymous_write = true"
        } else {
            ""
        };
        format!("[[rule]]\nid = \"{id}\"\nwho = [\"anyone\"]\ncan = [{can}]\non = [\"{on}\"]\n{write}\n{more}\n")
    };
    let drop = rule(
        "drop",
        "\"write\"",
        "in/**",
        "content_types = [\"video/*\", \"image/png\"]",
    );
    let home = |on: &str| rule("show", "\"read\"", on, "disposition = \"inline\"").replace("anyone", "authenticated");
    for (more, status) in [
        (String::new(), 200),
        (home("{user_id}/**"), 400),
        (home("{user_id}"), 200),
        (home("{user_id}/{user_id}/x/**"), 200),
        (rule("show", "\"read\"", "in/**", ""), 200),
        (rule("show", "\"read\"", "in/**", "disposition = \"inline\""), 400),
        (rule("show", "\"read\"", "**", "disposition = \"inline\""), 400),
        (rule("show", "\"read\"", "out/**", "disposition = \"inline\""), 200),
        (rule("show", "\"read\"", "in", "disposition = \"inline\""), 200),
        (rule("show", "\"list\"", "in/**", "disposition = \"inline\""), 200),
        (
            rule(
                "show",
                "\"read\"",
                "in/**",
                "client_may_set = [\"response-content-disposition\"]",
            ),
            400,
        ),
        (
            rule(
                "show",
                "\"read\"",
                "x/**",
                "rewrite = \"in/{rest}\"\ndisposition = \"inline\"",
            ),
            400,
        ),
    ] {
        let handler = handler(&format!("version = 1\n{drop}{more}")).await;
        let response = handler.handle(&form("/in/?form&contentType=video/*"), now()).await;
        assert_eq!(response.status(), status, "{more}: {}", body(&response));
        let problem = json(&response);
        assert!(
            status == 200 || problem["detail"].as_str().unwrap().contains("inline"),
            "{problem}"
        );
        let single = handler.handle(&form("/in/?form&contentType=video/mp4"), now()).await;
        assert_eq!(
            single.status(),
            200,
            "one media type is always possible: {}",
            body(&single)
        );
    }
    let own = rule(
        "own",
        "\"read\", \"write\"",
        "v/**",
        "content_types = [\"video/*\"]\ndisposition = \"inline\"",
    );
    let handler = handler(&format!("version = 1\n{own}")).await;
    for path in ["/v/?form", "/v/?form&contentType=video/*"] {
        let response = handler.handle(&form(path), now()).await;
        assert_eq!(response.status(), 400, "{path}: {}", body(&response));
    }
}

#[tokio::test]
async fn settings_that_a_form_cannot_have_are_rejected() {
    let handler = handler(RULES).await;
    for (path, status, code) in [
        ("/new/a?form", 403, "AccessDenied"),
        ("/images/closed/?form&contentType=image/png", 403, "AccessDenied"),
        ("/other/?form", 403, "AccessDenied"),
        ("/images/?form", 415, "UnsupportedMediaType"),
        ("/images/?form&contentType=text/html", 415, "UnsupportedMediaType"),
        ("/images/?form&contentType=text/*", 415, "UnsupportedMediaType"),
        ("/images/?form&contentType=*/*", 415, "UnsupportedMediaType"),
        ("/new/?form&contentType=text/*", 415, "UnsupportedMediaType"),
        ("/new/?form=1", 400, "InvalidArgument"),
        ("/new/?form&form", 400, "InvalidArgument"),
        ("/new/?form&nope=1", 400, "InvalidArgument"),
        ("/new/?form&contentLength=5", 400, "InvalidArgument"),
        ("/new/?form&checksum-sha256=x", 400, "InvalidArgument"),
        ("/new/?form&ifMatch=x", 400, "InvalidArgument"),
        ("/new/?form&storage-class=GLACIER", 403, "AccessDenied"),
        (
            "/images/?form&contentType=image/png&meta-origin=me",
            400,
            "InvalidArgument",
        ),
        (
            "/images/?form&contentType=image/png&content-length-range=0,1001",
            413,
            "EntityTooLarge",
        ),
        ("/new/?form&content-length-range=5,1", 400, "InvalidArgument"),
        ("/new/?form&content-length-range=6,5", 400, "InvalidArgument"),
        ("/new/?form&content-length-range=-1", 400, "InvalidArgument"),
        (
            "/new/?form&success_action_redirect=javascript:alert(1)",
            400,
            "InvalidArgument",
        ),
        ("/new/?form&success_action_redirect=https://a b", 400, "InvalidArgument"),
        ("/new/?form&success_action_redirect=https://", 400, "InvalidArgument"),
        ("/new/?form&success_action_redirect=https:///a", 400, "InvalidArgument"),
        (
            "/new/?form&success_action_redirect=https://a/\r\nb",
            400,
            "InvalidArgument",
        ),
        ("/new/?form&success_action_redirect=https://a/é", 400, "InvalidArgument"),
        ("/new/?form&success_action_status=302", 400, "InvalidArgument"),
        (
            "/new/?form&success_action_status=200&success_action_redirect=https://a",
            400,
            "InvalidArgument",
        ),
        ("/new/?form&expires=1h", 400, "InvalidArgument"),
        ("/images/?form&contentType=image/png\r\nX: y", 400, "InvalidArgument"),
        ("/images/?form&contentType=image/pñg", 400, "InvalidArgument"),
        ("/new/?form&contentType=", 400, "InvalidArgument"),
        ("/new/?form&meta-a=b\r\nc", 400, "InvalidArgument"),
        ("/new/?form&meta-a\r\nb=c", 400, "InvalidArgument"),
        ("/new/?form&meta-a\">=c", 400, "InvalidArgument"),
        ("/new/?form&meta-=c", 400, "InvalidArgument"),
        ("/new/?form&meta-a=1&meta-A=2", 400, "InvalidArgument"),
        ("/new/?form&meta-a=${filename}", 400, "InvalidArgument"),
        (
            "/new/?form&success_action_redirect=https://a/${filename}",
            400,
            "InvalidArgument",
        ),
        ("/new/?form&x-amz-acl=public-read", 400, "InvalidArgument"),
        ("/new/?form&acl=public-read", 400, "InvalidArgument"),
        ("/new/?form&tagging=a=b", 400, "InvalidArgument"),
        ("/new/${filename}/?form", 400, "InvalidArgument"),
        ("/images/${filename}?form", 400, "InvalidArgument"),
        ("/-/share?form", 405, "MethodNotAllowed"),
        ("/-/presign/new/a?form", 400, "InvalidArgument"),
    ] {
        let response = handler.handle(&form(path), now()).await;
        let told = (
            response.status().as_u16(),
            json(&response)["code"].as_str().unwrap_or_default().to_owned(),
        );
        assert_eq!(told, (status, code.to_owned()), "{path}: {}", body(&response));
    }
    let with_range = ask("GET", "/images/?form&contentType=image/*");
    assert_eq!(
        handler.handle(&with_range, now()).await.status(),
        400,
        "a page can't choose"
    );
}

#[tokio::test]
async fn the_form_page_requires_no_script_and_returns_to_itself() {
    let handler = handler(OPEN_RULES).await;
    let response = handler.handle(&ask("GET", "/a%20%22b/?form&expires=60"), now()).await;
    let page = body(&response);
    assert_eq!(header(&response, "content-type"), "text/html; charset=utf-8");
    assert!(
        page.contains("action=\"https://example-bucket.s3.eu-central-1.amazonaws.com/\""),
        "{page}"
    );
    assert!(
        page.contains("value=\"https://files.example.com/a%20%22b/?form&#38;expires=60&#38;stored="),
        "{page}"
    );
    assert!(!page.contains("<script"), "{page}");
    assert!(!page.contains("a \"b"), "{page}");
    let file = page.find("type=\"file\"").unwrap();
    assert!(
        page.rfind("type=\"hidden\"").unwrap() < file,
        "S3 ignores fields after the file"
    );
    assert_eq!(
        header(&response, "content-security-policy"),
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
         img-src 'self'; form-action 'self' https://example-bucket.s3.eu-central-1.amazonaws.com https://files.example.com"
    );
}

/// The redirect of a form page after an upload, as a request of the browser. S3 adds `key`.
fn redirect_of(page: &str, key: &str) -> ApiRequest {
    let (_, url) = page
        .split_once("value=\"https://files.example.com")
        .expect("the page contains the redirect");
    let url = url.split_once('"').unwrap().0.replace("&#38;", "&");
    let mut request = ask("GET", &url);
    for (name, value) in [("bucket", "b"), ("key", key), ("etag", "\"e\"")] {
        request.query.push((name.to_owned(), value.to_owned()));
    }
    request
}

fn folder_of(page: &str) -> String {
    let (folder, _) = page.split_once("${filename}").unwrap();
    folder.rsplit_once('"').unwrap().1.to_owned()
}

#[tokio::test]
async fn the_form_page_shows_the_uploaded_key() {
    let handler = handler(OPEN_RULES).await;
    let first = handler.handle(&ask("GET", "/in/?form"), now()).await;
    let folder = folder_of(body(&first));
    let back = redirect_of(body(&first), &format!("{folder}<script>alert(1)<script>"));
    let response = handler.handle(&back, now()).await;
    assert!(
        body(&response).contains(&format!("Uploaded: <code>{folder}&#60;script&#62;alert(1)")),
        "{}",
        body(&response)
    );
    assert!(!body(&response).contains("etag="), "the way back does not grow");
    assert_eq!(
        body(&response).matches("stored=").count(),
        1,
        "the way back does not grow"
    );
}

#[tokio::test]
async fn the_form_page_shows_only_keys_that_it_has_signed() {
    let handler = handler(OPEN_RULES).await;
    let shows = async |request: &ApiRequest| body(&handler.handle(request, now()).await).contains("Uploaded:");
    let first = handler.handle(&ask("GET", "/in/?form"), now()).await;
    let folder = folder_of(body(&first));
    assert!(shows(&redirect_of(body(&first), &format!("{folder}a"))).await);
    for key in [
        "Your account is locked, call 555",
        "in/a",
        &folder,
        &format!("{folder}a/b"),
        &format!("x{folder}a"),
    ] {
        assert!(!shows(&redirect_of(body(&first), key)).await, "{key}");
    }
    for forged in [
        "/in/?form&key=in/Your account is locked",
        "/?form&key=Your account is locked",
        "/in/?form&key=in/a&stored=",
        "/in/?form&key=in/a&stored=own.eyJ1c2VyX2lkIjoiLSIsInB1YmxpYyI6ImEifQ.AAAA",
    ] {
        assert!(!shows(&ask("GET", forged)).await, "{forged}");
    }
    let mut altered = redirect_of(body(&first), &format!("{folder}a"));
    let stored = altered.query.iter_mut().find(|(name, _)| name == "stored").unwrap();
    stored.1 = stored.1.replacen('.', ".a", 1);
    assert!(!shows(&altered).await);
    let cursor = signpost::auth::Keyring::from_secret("another secret");
    let foreign = cursor.sign(
        signpost::auth::keyring::Purpose::UploadedFile,
        &json!({"user_id": "-", "public": "x", "folder": null}),
    );
    let request = ask("GET", &format!("/in/?form&key=x&stored={}", foreign.unwrap().expose()));
    assert!(!shows(&request).await);
}

#[tokio::test]
async fn debug_output_contains_no_signed_form() {
    let plan = PostPolicyPlan {
        key: PostFormKey::Exact(ObjectKey::new("k").unwrap()),
        public_key: PostFormKey::Exact(ObjectKey::new("k").unwrap()),
        fields: Vec::new(),
        conditions: Vec::new(),
        expires: Duration::from_mins(5),
        scope: GrantScope::default(),
    };
    let signer = Presigner::resolve(&settings(&[])).await.unwrap();
    let form = signer
        .sign_form(plan, &credentials(Some(SESSION_TOKEN), None), now())
        .unwrap();
    let shown = format!("{form:?}");
    for (name, value) in &form.fields {
        assert!(name == "key" || !shown.contains(value), "{name} in {shown}");
    }
}

#[tokio::test]
async fn the_form_page_does_not_redirect_to_another_site() {
    let handler = handler(RULES).await;
    for (target, status) in [
        ("https://files.example.com/thanks", 200),
        ("https://files.example.com", 400),
        ("https://files.example.com.evil.example/", 400),
        ("https://files.example.com@evil.example/", 400),
        ("https://files.example.com:8443/", 400),
        ("http://files.example.com/", 400),
        ("https://evil.example/", 400),
    ] {
        let path = format!("/new/?form&success_action_redirect={target}");
        let page = handler.handle(&ask("GET", &path), now()).await;
        assert_eq!(page.status(), status, "{target}: {}", body(&page));
        let told = handler.handle(&form(&path), now()).await;
        assert_eq!(told.status(), 200, "a program may choose {target}: {}", body(&told));
    }
    for (target, status) in [
        ("https://files.example.com/prod/thanks", 200),
        ("https://files.example.com/thanks", 400),
        ("https://files.example.com/prod", 400),
        ("https://files.example.com/product/", 400),
        ("https://files.example.com/prod/../admin", 400),
        ("https://files.example.com/prod/%2E%2e/admin", 400),
    ] {
        let mut request = ask("GET", &format!("/new/?form&success_action_redirect={target}"));
        request.base_url = "https://files.example.com/prod".to_owned();
        assert_eq!(handler.handle(&request, now()).await.status(), status, "{target}");
    }
}

#[tokio::test]
async fn a_form_for_programs_has_no_redirect_of_its_own_and_a_page_has_at_most_one() {
    let redirect = |told: &Value| told["fields"].get("success_action_redirect").cloned();
    assert_eq!(redirect(&told(RULES, form("/new/?form")).await), None);
    let chosen = "/new/?form&success_action_redirect=https://files.example.com/done";
    let requested = redirect(&told(RULES, form(chosen)).await);
    assert_eq!(requested, Some(json!("https://files.example.com/done")));
    for (path, count) in [("/new/?form", 1), (chosen, 1)] {
        let request = ask("GET", path).with("accept", "text/html");
        let response = handler(RULES).await.handle(&request, now()).await;
        let fields = body(&response).matches("name=\"success_action_redirect\"").count();
        assert_eq!(
            (response.status().as_u16(), fields),
            (200, count),
            "{path}: {}",
            body(&response)
        );
    }
}

#[tokio::test]
async fn equal_limits_of_a_form_are_a_range_and_its_own_parameter_has_no_value() {
    let exact = told(RULES, form("/new/?form&content-length-range=5,5")).await;
    let conditions = policy(&exact)["conditions"].clone();
    assert!(
        conditions
            .as_array()
            .unwrap()
            .contains(&json!(["content-length-range", 5, 5])),
        "{conditions}"
    );
    let response = handler(RULES).await.handle(&form("/new/?form=1"), now()).await;
    assert!(body(&response).contains("must not have a value"), "{}", body(&response));
}

#[tokio::test]
async fn a_form_accepts_a_range_that_is_a_part_of_a_range_of_the_rule() {
    for (allowed, requested, expected) in [
        ("\"image/*\"", "image/*", 200),
        ("\"image/*\"", "*/*", 415),
        ("\"image/*\"", "text/*", 415),
        ("\"image/png\"", "image/*", 415),
    ] {
        let rules = format!(
            "version = 1\n[[rule]]\nid = \"r\"\nwho = [\"anyone\"]\ncan = [\"write\"]\non = [\"a/**\"]\n\
             allow_anonymous_write = true\ncontent_types = [{allowed}]\n"
        );
        let request = form(&format!("/a/?form&contentType={requested}"));
        let response = handler(&rules).await.handle(&request, now()).await;
        assert_eq!(
            response.status(),
            expected,
            "{allowed} {requested}: {}",
            body(&response)
        );
    }
}
