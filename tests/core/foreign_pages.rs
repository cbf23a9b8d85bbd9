//! Requests that pages of other sites make a browser send, with any credential that the browser adds.

use bytes::Bytes;
use signpost::request::ApiRequest;
use signpost::service::handler::Handler;

use crate::support::{OPEN_RULES, With as _, ask, body, credentials, handler_with};

const APP: &str = "https://app.example.com";

/// The secret of the token is `secret`.
const TOKEN: &str = r#"
[[token]]
id = "ci"
sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
"#;

async fn serve(origins: &str) -> Handler {
    let rules = format!("{OPEN_RULES}overwrite = true\n{TOKEN}");
    let env = [
        ("SIGNPOST_RULES", rules.as_str()),
        ("SIGNPOST_CORS_ORIGINS", origins),
        ("SIGNPOST_KEYS", "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    ];
    handler_with(&env, credentials(None, None)).await
}

/// Every kind of request that changes something.
fn changes() -> Vec<ApiRequest> {
    let sign = ApiRequest {
        body: Bytes::from_static(b"[]"),
        ..ask("POST", "/-/sign")
    };
    let share = ApiRequest {
        body: Bytes::from_static(br#"{"key": "k"}"#),
        ..ask("POST", "/-/share")
    };
    vec![
        ask("POST", "/k?uploads"),
        ask("POST", "/k?uploadId=u&mp-object-size=1"),
        ask("POST", "/in/").sized(1),
        ask("PUT", "/k").sized(1),
        ask("PUT", "/k?partNumber=1&uploadId=u").sized(1),
        ask("DELETE", "/k"),
        ask("DELETE", "/k?uploadId=u"),
        sign,
        share,
    ]
}

async fn is_refused(handler: &Handler, request: &ApiRequest) -> bool {
    let response = handler.handle(request, crate::support::now()).await;
    let is_refused = body(&response).starts_with("CrossSiteRequest:");
    assert_eq!(response.status() == 403, is_refused, "{request:?}: {}", body(&response));
    is_refused
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing_whatever_the_credential() {
    let handler = serve("").await;
    let credentials = [None, Some("Basic Y2k6c2VjcmV0"), Some("Bearer secret")];
    for site in ["cross-site", "same-site", "unknown"] {
        for (change, credential) in changes()
            .iter()
            .flat_map(|change| credentials.map(|credential| (change, credential)))
        {
            let with_credential = match credential {
                None => change.clone(),
                Some(credential) => change.clone().with("authorization", credential),
            };
            for mode in ["no-cors", "navigate", "cors"] {
                let request = with_credential
                    .clone()
                    .with("sec-fetch-site", site)
                    .with("sec-fetch-mode", mode);
                assert!(is_refused(&handler, &request).await, "{site} {mode} {request:?}");
                let request = request.with("origin", "https://evil.example.com");
                assert!(is_refused(&handler, &request).await, "{site} {mode} {request:?}");
            }
        }
    }
}

#[tokio::test]
async fn requests_of_our_own_pages_of_users_and_of_other_clients_are_unaffected() {
    let handler = serve("").await;
    for change in changes() {
        let with_token = change.with("authorization", "Basic Y2k6c2VjcmV0");
        assert!(!is_refused(&handler, &with_token).await);
        for site in ["same-origin", "none"] {
            assert!(
                !is_refused(&handler, &with_token.clone().with("sec-fetch-site", site)).await,
                "{site}"
            );
        }
    }
    for read in [
        ask("GET", "/k"),
        ask("HEAD", "/k"),
        ask("GET", "/k?view"),
        ask("OPTIONS", "/k"),
    ] {
        let read = read
            .with("sec-fetch-site", "cross-site")
            .with("sec-fetch-mode", "navigate");
        assert!(
            !is_refused(&handler, &read).await,
            "a link of another site opens an object: {read:?}"
        );
    }
}

#[tokio::test]
async fn two_headers_cannot_hide_another_site() {
    let handler = serve("").await;
    for sites in [
        ["same-origin", "cross-site"],
        ["cross-site", "same-origin"],
        ["none", "same-site"],
    ] {
        let request = ask("POST", "/k?uploads")
            .with("sec-fetch-site", sites[0])
            .with("sec-fetch-site", sites[1]);
        assert!(is_refused(&handler, &request).await, "{sites:?}");
    }
}

#[tokio::test]
async fn pages_of_the_cors_origins_can_change_objects() {
    let listed = serve(APP).await;
    let any = serve("*").await;
    for (site, mode, origin, by_listed, by_any) in [
        ("cross-site", "cors", Some(APP), true, true),
        ("same-site", "cors", Some(APP), true, true),
        ("cross-site", "cors", Some("https://evil.example.com"), false, true),
        ("cross-site", "cors", Some("null"), false, true),
        ("cross-site", "cors", None, false, false),
        ("cross-site", "no-cors", Some("https://evil.example.com"), false, false),
        ("cross-site", "navigate", Some("https://evil.example.com"), false, false),
        ("cross-site", "navigate", Some("null"), false, false),
    ] {
        for change in changes() {
            let mut request = change.with("sec-fetch-site", site).with("sec-fetch-mode", mode);
            if let Some(origin) = origin {
                request = request.with("origin", origin);
            }
            // Only a user can create a share link.
            if request.path == "/-/share" {
                request = request.with("authorization", "Bearer secret");
            }
            assert_eq!(
                !is_refused(&listed, &request).await,
                by_listed,
                "{site} {mode} {origin:?}"
            );
            assert_eq!(!is_refused(&any, &request).await, by_any, "{site} {mode} {origin:?}");
        }
    }
}
