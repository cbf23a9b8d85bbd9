//! Reused URLs: a URL stays the same for some time, so that caches recognize it.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use signpost::policy::Policy;
use signpost::request::ApiRequest;

use crate::support::{With as _, ask, credentials, handler, handler_with, header, json, now, parameter};

const RULES: &str = r#"
version = 1
[[token]]
id = "ci"
sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
[[rule]]
id = "videos"
who = ["anyone"]
can = ["read", "write"]
on = ["videos/**"]
allow_anonymous_write = true
expires = "15m"
reuse_url_for = "5m"
cache_control = "private, max-age=300"
client_may_set = ["response-cache-control"]
"#;

/// Seconds since the start of a window of five minutes.
fn at(seconds: u64) -> SystemTime {
    let now = now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    SystemTime::UNIX_EPOCH + Duration::from_secs(now - now % 300 + seconds)
}

fn named(request: ApiRequest, id: &str) -> ApiRequest {
    ApiRequest {
        request_id: id.into(),
        ..request
    }
}

#[tokio::test]
async fn the_url_changes_only_with_the_window() {
    let handler = handler(RULES).await;
    let mut urls = Vec::new();
    for (id, seconds) in [("a", 0), ("b", 1), ("c", 299), ("d", 300), ("e", 599)] {
        let response = handler
            .handle(&named(ask("GET", "/videos/a.mp4"), id), at(seconds))
            .await;
        urls.push(header(&response, "location").to_owned());
    }
    assert!(urls[0] == urls[1] && urls[1] == urls[2] && urls[2] != urls[3] && urls[3] == urls[4]);
    let audit: BTreeSet<_> = urls.iter().filter_map(|url| parameter(url, "x-signpost")).collect();
    assert_eq!(
        audit,
        BTreeSet::from(["-.-.videos".to_owned()]),
        "it names no single request"
    );
    assert_eq!(
        parameter(&urls[0], "response-cache-control").as_deref(),
        Some("private, max-age=300")
    );
}

#[tokio::test]
async fn a_redirect_is_cached_until_the_end_of_its_window() {
    // The offset in the window, and how long the redirect may be cached.
    for (seconds, kept) in [(0, 300), (1, 299), (299, 1)] {
        let response = handler(RULES).await.handle(&ask("GET", "/videos/a"), at(seconds)).await;
        assert_eq!(header(&response, "cache-control"), format!("private, max-age={kept}"));
        assert!(header(&response, "vary").contains("Authorization, Cookie"));
    }
}

#[tokio::test]
async fn the_reported_expiry_equals_the_signed_expiry() {
    let request = ask("GET", "/videos/a").with("accept", "application/vnd.signpost+json, application/json");
    let told = json(&handler(RULES).await.handle(&request, at(200)).await);
    assert_eq!(told["expires_in"], 700, "900 s from the beginning of the window");
    assert_eq!(
        told["expires_at"],
        humantime::format_rfc3339_seconds(at(900)).to_string()
    );
    assert_eq!(
        parameter(told["url"].as_str().unwrap(), "X-Amz-Expires").as_deref(),
        Some("900")
    );
}

#[tokio::test]
async fn credentials_that_expire_first_shorten_the_lifetime_and_the_caching() {
    let credentials = credentials(Some("token"), Some(at(330)));
    let handler = handler_with(&[("SIGNPOST_RULES", RULES)], credentials).await;
    let response = handler.handle(&ask("GET", "/videos/a"), at(100)).await;
    assert_eq!(
        parameter(header(&response, "location"), "X-Amz-Expires").as_deref(),
        Some("330")
    );
    assert_eq!(
        header(&response, "cache-control"),
        "private, max-age=170",
        "a minute before the end"
    );
    let response = handler.handle(&ask("GET", "/videos/a"), at(269)).await;
    assert_eq!(
        (response.status().as_u16(), header(&response, "cache-control")),
        (307, "private, max-age=1")
    );
    let response = handler.handle(&ask("GET", "/videos/a"), at(271)).await;
    assert_eq!(response.status().as_u16(), 503, "less than a minute is left");
}

#[tokio::test]
async fn only_reads_reuse_urls_and_only_if_the_lifetime_exceeds_the_window() {
    let handler = handler(RULES).await;
    for request in [ask("PUT", "/videos/a").sized(5), ask("GET", "/videos/a?expires=359")] {
        let one = handler.handle(&named(request.clone(), "a"), at(0)).await;
        let other = handler.handle(&named(request, "b"), at(1)).await;
        assert_ne!(header(&one, "location"), header(&other, "location"));
        assert_eq!(header(&one, "cache-control"), "no-store");
    }
    let request = ask("GET", "/videos/a?expires=360");
    let one = handler.handle(&named(request.clone(), "a"), at(0)).await;
    let other = handler.handle(&named(request, "b"), at(1)).await;
    assert_eq!(header(&one, "location"), header(&other, "location"));
}

#[tokio::test]
async fn a_parameter_of_the_client_overrides_cache_control_of_the_rule() {
    let request = ask("GET", "/videos/a?response-cache-control=no-cache");
    let response = handler(RULES).await.handle(&request, at(0)).await;
    assert_eq!(
        parameter(header(&response, "location"), "response-cache-control").as_deref(),
        Some("no-cache")
    );
}

#[test]
fn a_window_within_a_minute_of_the_lifetime_is_rejected_at_startup() {
    let rules = |stable: &str, expires: &str| {
        RULES
            .replace("reuse_url_for = \"5m\"", &format!("reuse_url_for = {stable:?}"))
            .replace("expires = \"15m\"", &format!("expires = {expires:?}"))
    };
    for (stable, expires, good) in [
        ("14m", "15m", true),
        ("14m 1s", "15m", false),
        ("4m", "5m", true),
        ("5m", "5m", false),
        ("0s", "5m", false),
    ] {
        let parsed = Policy::parse(&rules(stable, expires));
        assert_eq!(parsed.is_ok(), good, "{stable} of {expires}: {parsed:?}");
        if let Err(error) = parsed {
            assert!(error.to_string().contains("reuse_url_for: "), "{error}");
        }
    }
}
