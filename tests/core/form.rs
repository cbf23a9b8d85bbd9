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
        page.contains("value=\"https://files.example.com/a%20%22b/?form&#38;expires=60\""),
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
         img-src 'self'; form-action https://example-bucket.s3.eu-central-1.amazonaws.com https://files.example.com"
    );
}

#[tokio::test]
async fn the_form_page_shows_the_uploaded_key() {
    let handler = handler(OPEN_RULES).await;
    let back = "/in/?form&bucket=b&key=in/<script>alert(1)</script>&etag=%22e%22";
    let response = handler.handle(&ask("GET", back), now()).await;
    assert!(
        body(&response).contains("Uploaded: <code>in/&#60;script&#62;alert(1)"),
        "{}",
        body(&response)
    );
    assert!(!body(&response).contains("etag="), "the way back does not grow");
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
}
