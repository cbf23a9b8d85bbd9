//! Debug output and origins contain no secrets.

use signpost::auth::TokenDigest;
use signpost::key::ObjectKey;
use signpost::operation::Operation;
use signpost::outbound::aws::Presigner;
use signpost::plan::{PresignPlan, PresignedUrl};
use signpost::policy::GrantScope;
use signpost::request::{BodyLength, ObjectRequest, ResponseFormat};

use crate::support::{
    OPEN_RULES, SECRET_KEY, SESSION_TOKEN, With as _, ask, body, credentials, handler_with, now, settings,
};

#[tokio::test]
async fn debug_output_redacts_urls_and_credentials() {
    let credentials = credentials(Some(SESSION_TOKEN), None);
    let plan = PresignPlan {
        operation: Operation::GetObject,
        key: ObjectKey::new("k").unwrap(),
        public_key: ObjectKey::new("k").unwrap(),
        headers: Vec::new(),
        query: Vec::new(),
        reuse_url_for: None,
        expires: std::time::Duration::from_mins(1),
        scope: GrantScope::default(),
        link_use: None,
    };
    let signer = Presigner::resolve(&settings(&[])).await.unwrap();
    let instruction = signer.sign(plan, &credentials, now()).unwrap();
    let handler = handler_with(&[("SIGNPOST_RULES", OPEN_RULES)], credentials).await;
    let printed = format!(
        "{instruction:?} {signer:?} {handler:?} {:?}",
        TokenDigest::of(b"secret")
    );
    for secret in ["X-Amz-Signature", SECRET_KEY, SESSION_TOKEN] {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
    for redacted in ["PresignedUrl(redacted)", "TokenDigest(redacted)"] {
        assert!(printed.contains(redacted), "{printed}");
    }
}

#[test]
fn debug_output_of_a_request_has_the_names_of_parameters_and_headers_without_values() {
    let request = ask("GET", "/k?X-Amz-Signature=secret-1").with("authorization", "Bearer secret-2");
    let printed = format!("{request:?}");
    for part in [
        "ApiRequest",
        "\"X-Amz-Signature\"",
        "\"authorization\"",
        "method: \"GET\"",
    ] {
        assert!(printed.contains(part), "{part} in {printed}");
    }
    assert!(!printed.contains("secret-"), "{printed}");
}

#[tokio::test]
async fn an_error_repeats_no_credential() {
    let handler = handler_with(&[("SIGNPOST_RULES", OPEN_RULES)], credentials(None, None)).await;
    for credential in ["Bearer very-secret", "Basic dmVyeS1zZWNyZXQ=", "very-secret"] {
        for accept in ["*/*", "application/json", "application/vnd.signpost+json", "text/html"] {
            let request = ask("GET", "/k")
                .with("authorization", credential)
                .with("accept", accept);
            let response = handler.handle(&request, now()).await;
            assert_eq!(response.status(), 401);
            assert!(!body(&response).contains("very-secret") && !body(&response).contains("dmVyeS"));
        }
    }
}

#[test]
fn the_origin_of_a_presigned_url_ends_before_its_path_and_query() {
    for (url, origin) in [
        ("https://s3.example/k?X-Amz-Signature=a", "https://s3.example"),
        ("https://s3.example?X-Amz-Signature=a/b", "https://s3.example"),
        ("http://127.0.0.1:9000/bucket/k", "http://127.0.0.1:9000"),
        ("https://s3.example", "https://s3.example"),
        ("https://s3/bucket/k", "https://s3"),
    ] {
        assert_eq!(PresignedUrl::new(url.to_owned()).origin(), origin, "{url}");
    }
}

#[tokio::test]
async fn debug_output_of_a_request_for_an_object_redacts_the_share_link() {
    let request = ask("GET", "/k?share=very-secret");
    let key = ObjectKey::new("k").unwrap();
    let read = ObjectRequest::with_headers(
        &request,
        Operation::GetObject,
        key,
        ResponseFormat::Redirect,
        BodyLength::Missing,
    );
    let printed = format!("{:?}", read.unwrap());
    assert!(
        printed.contains("ShareToken(redacted)") && !printed.contains("very-secret"),
        "{printed}"
    );
}
