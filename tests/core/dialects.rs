//! Turborepo and Nx: their paths, the keys of their artifacts, and the rules that decide.

use signpost::policy::Policy;
use signpost::request::ApiRequest;
use signpost::response::ApiResponse;

use crate::fake::Fake;
use crate::support::{With as _, ask, body, credentials, handler, handler_with, header, json, now, parameter};

/// The secret of the token is `secret`.
pub(crate) const TOKEN: &str = r#"
[[token]]
id = "ann"
sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
"#;

const TABLES: &str = r#"
[turborepo]
at = "turbo/"
[nx]
at = "nx/"
[lfs]
at = "lfs/"
"#;

fn rules(tables: &str, on: &str, overwrite: bool) -> String {
    format!(
        r#"version = 1
{tables}{TOKEN}
[[rule]]
id = "ci"
who = ["token:ann"]
can = ["read", "write"]
on = ["{on}"]
overwrite = {overwrite}
"#
    )
}

fn by_ann(request: ApiRequest) -> ApiRequest {
    request.with("authorization", "Bearer secret")
}

fn preflight(path: &str, method: &str) -> ApiRequest {
    by_ann(ask("OPTIONS", path)).with("access-control-request-method", method)
}

/// The path of the object in S3 to which a response leads.
fn target(response: &ApiResponse) -> &str {
    let location = header(response, "location");
    let rest = location.split_once(".amazonaws.com").map_or("", |(_, rest)| rest);
    rest.split('?').next().unwrap_or_default()
}

#[tokio::test]
async fn a_preflight_request_of_turborepo_returns_the_presigned_url_and_no_permission_for_the_credential() {
    let handler = handler(&rules(TABLES, "turbo/acme/**", true)).await;
    for (method, query) in [
        ("GET", "slug=acme"),
        ("HEAD", "slug=acme&teamId=team_1"),
        ("PUT", "teamId=acme"),
    ] {
        let path = format!("/-/turbo/v8/artifacts/0123abcd?{query}");
        let response = handler.handle(&preflight(&path, method), now()).await;
        assert_eq!(response.status(), 204, "{}", body(&response));
        assert_eq!(target(&response), "/turbo/acme/0123abcd");
        assert!(parameter(header(&response, "location"), "X-Amz-Signature").is_some());
        let allowed = header(&response, "access-control-allow-headers").to_ascii_lowercase();
        assert!(
            !allowed.contains("authorization") && !allowed.contains("x-artifact-tag"),
            "{allowed}"
        );
        let direct = handler.handle(&by_ann(ask(method, &path)).sized(5), now()).await;
        assert_eq!(
            (direct.status().as_u16(), target(&direct)),
            (307, "/turbo/acme/0123abcd")
        );
    }
}

#[tokio::test]
async fn a_preflight_request_of_a_browser_returns_no_url() {
    let handler = handler(&rules(TABLES, "**", true)).await;
    let path = "/-/turbo/v8/artifacts/0123abcd";
    let requests = [
        ask("OPTIONS", path).with("access-control-request-method", "PUT"),
        preflight(path, "PUT").with("origin", "https://pages.example.com"),
        by_ann(ask("OPTIONS", path)),
    ];
    for request in requests {
        let response = handler.handle(&request, now()).await;
        assert_eq!((response.status().as_u16(), header(&response, "location")), (204, ""));
        assert_eq!(header(&response, "allow"), "GET, HEAD, PUT, OPTIONS");
    }
}

#[tokio::test]
async fn a_team_cannot_use_the_artifacts_of_another_team() {
    let handler = handler(&rules(TABLES, "turbo/acme/**", true)).await;
    for query in [
        "",
        "?slug=other",
        "?teamId=other",
        "?slug=other&teamId=acme",
        "?slug=&teamId=",
    ] {
        for method in ["GET", "PUT"] {
            let path = format!("/-/turbo/v8/artifacts/0123abcd{query}");
            for request in [by_ann(ask(method, &path)).sized(5), preflight(&path, method)] {
                let response = handler.handle(&request, now()).await;
                assert_eq!((response.status().as_u16(), header(&response, "location")), (403, ""));
                assert_eq!(json(&response)["error"]["code"], "AccessDenied");
            }
        }
    }
}

#[tokio::test]
async fn invalid_hashes_and_teams_are_rejected() {
    let handler = handler(&rules(TABLES, "**", true)).await;
    let long = "a".repeat(129);
    let names = ["..", "%2e%2e", "a%2fb", "a b", "%00", "\u{e9}", long.as_str(), "."];
    let turbo = names.map(|name| format!("/-/turbo/v8/artifacts/{name}"));
    let nx = names.map(|name| format!("/-/nx/v1/cache/{name}"));
    let teams =
        [".", "..", "a/b", "a b", "\u{e9}", long.as_str()].map(|team| format!("/-/turbo/v8/artifacts/a?slug={team}"));
    for path in turbo.iter().chain(&nx).chain(&teams) {
        let response = handler.handle(&by_ann(ask("GET", path)), now()).await;
        assert_eq!(response.status(), 400, "{path}: {}", body(&response));
    }
    let repeated = by_ann(ask("GET", "/-/turbo/v8/artifacts/a?slug=a&slug=b"));
    assert_eq!(handler.handle(&repeated, now()).await.status(), 400);
    for path in [
        "/-/turbo/v8/artifacts/",
        "/-/turbo/v8/artifacts",
        "/-/turbo/",
        "/-/turbo/v2/user",
        "/-/nx/v1/cache/",
        "/-/nx/v1/cache",
        "/-/nx/",
    ] {
        let response = handler.handle(&by_ann(ask("GET", path)), now()).await;
        assert!([400, 404].contains(&response.status().as_u16()), "{path}");
    }
}

#[tokio::test]
async fn a_signed_artifact_is_rejected_with_the_reason() {
    let handler = handler(&rules(TABLES, "**", true)).await;
    let request = by_ann(ask("PUT", "/-/turbo/v8/artifacts/0123abcd"))
        .sized(5)
        .with("x-artifact-tag", "c2lnbmF0dXJl");
    let response = handler.handle(&request, now()).await;
    assert_eq!(response.status(), 400);
    let message = json(&response)["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("remoteCache.signature"), "{message}");
}

#[tokio::test]
async fn turborepo_receives_its_status_with_a_valid_credential_and_may_send_events_without_one() {
    let handler = handler(&rules(TABLES, "**", true)).await;
    let status = handler
        .handle(&by_ann(ask("GET", "/-/turbo/v8/artifacts/status")), now())
        .await;
    assert_eq!(
        (status.status().as_u16(), &json(&status)["status"]),
        (200, &"enabled".into())
    );
    let wrong = ask("GET", "/-/turbo/v8/artifacts/status").with("authorization", "Bearer wrong");
    assert_eq!(handler.handle(&wrong, now()).await.status(), 401);
    let events = handler
        .handle(&ask("POST", "/-/turbo/v8/artifacts/events"), now())
        .await;
    assert_eq!(events.status(), 200);
}

#[tokio::test]
async fn a_wrong_credential_is_rejected_on_every_path() {
    let handler = handler(&rules(TABLES, "**", true)).await;
    for (method, path) in [
        ("GET", "/-/turbo/v8/artifacts/a"),
        ("PUT", "/-/turbo/v8/artifacts/a"),
        ("GET", "/-/nx/v1/cache/1"),
        ("PUT", "/-/nx/v1/cache/1"),
        ("POST", "/-/lfs/game/objects/batch"),
        ("GET", "/-/lfs/game/locks"),
        ("POST", "/-/lfs/game/locks"),
        ("POST", "/-/lfs/game/locks/verify"),
        ("POST", "/-/lfs/game/locks/1/unlock"),
    ] {
        let request = ask(method, path).sized(5).with("authorization", "Bearer wrong");
        let response = handler.handle(&request, now()).await;
        assert_eq!(
            (response.status().as_u16(), header(&response, "location")),
            (401, ""),
            "{path}"
        );
    }
    let preflight = ask("OPTIONS", "/-/turbo/v8/artifacts/a")
        .with("access-control-request-method", "PUT")
        .with("authorization", "Bearer wrong");
    let response = handler.handle(&preflight, now()).await;
    assert_eq!((response.status().as_u16(), header(&response, "location")), (401, ""));
}

#[tokio::test]
async fn a_dialect_without_its_table_does_not_exist() {
    let handler = handler(&rules("", "**", true)).await;
    for (method, path, table) in [
        ("GET", "/-/turbo/v8/artifacts/a", "[turborepo]"),
        ("GET", "/-/turbo/v8/artifacts/status", "[turborepo]"),
        ("POST", "/-/turbo/v8/artifacts/events", "[turborepo]"),
        ("PUT", "/-/nx/v1/cache/1", "[nx]"),
        ("POST", "/-/lfs/game/objects/batch", "[lfs]"),
        ("GET", "/-/lfs/game/locks", "[lfs]"),
    ] {
        let response = handler.handle(&by_ann(ask(method, path)).sized(5), now()).await;
        assert_eq!(response.status(), 404);
        assert!(body(&response).contains(table), "{}", body(&response));
    }
    let preflight = handler
        .handle(&preflight("/-/turbo/v8/artifacts/a", "GET"), now())
        .await;
    assert_eq!(preflight.status(), 404);
}

#[tokio::test]
async fn other_methods_are_rejected() {
    let handler = handler(&rules(TABLES, "**", true)).await;
    for (method, path, allow) in [
        ("DELETE", "/-/turbo/v8/artifacts/a", "GET, HEAD, PUT, OPTIONS"),
        ("POST", "/-/turbo/v8/artifacts/a", "GET, HEAD, PUT, OPTIONS"),
        ("POST", "/-/turbo/v8/artifacts/status", "GET, OPTIONS"),
        ("GET", "/-/turbo/v8/artifacts/events", "POST, OPTIONS"),
        ("DELETE", "/-/nx/v1/cache/1", "GET, PUT, OPTIONS"),
        ("GET", "/-/lfs/game/objects/batch", "POST, OPTIONS"),
        ("DELETE", "/-/lfs/game/locks", "GET, POST, OPTIONS"),
    ] {
        let response = handler.handle(&by_ann(ask(method, path)), now()).await;
        assert_eq!(
            (response.status().as_u16(), header(&response, "allow")),
            (405, allow),
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_command_in_a_redirect_of_a_dialect_uses_the_object() {
    let handler = handler(&rules(TABLES, "**", true)).await;
    for (path, object) in [
        ("/-/turbo/v8/artifacts/abc?slug=team", "turbo/team/abc"),
        ("/-/turbo/v8/artifacts/abc", "turbo/-/abc"),
        ("/-/nx/v1/cache/123", "nx/123"),
    ] {
        for (method, arguments) in [("GET", "-O"), ("PUT", "-T FILE")] {
            let response = handler.handle(&by_ann(ask(method, path)).sized(5), now()).await;
            let command = format!("curl -fL -u ID:SECRET {arguments} 'https://files.example.com/{object}'\n");
            assert!(body(&response).contains(&command), "{}", body(&response));
        }
    }
}

#[tokio::test]
async fn nx_is_redirected_to_the_artifact() {
    let handler = handler(&rules(TABLES, "nx/**", true)).await;
    for request in [
        by_ann(ask("GET", "/-/nx/v1/cache/123")),
        by_ann(ask("PUT", "/-/nx/v1/cache/123")).sized(5),
    ] {
        let response = handler.handle(&request, now()).await;
        assert_eq!((response.status().as_u16(), target(&response)), (307, "/nx/123"));
    }
    let other = crate::support::handler(&rules(TABLES, "turbo/**", true)).await;
    let denied = other
        .handle(&by_ann(ask("PUT", "/-/nx/v1/cache/123")).sized(5), now())
        .await;
    // Nx rejects other media types, even with parameters.
    assert_eq!(
        (denied.status().as_u16(), header(&denied, "content-type")),
        (403, "text/plain")
    );
}

#[tokio::test]
async fn an_upload_of_nx_conflicts_with_an_existing_artifact_unless_the_rule_allows_overwriting() {
    for (stored, overwrite, status, requests) in [
        (200, false, 409, 1),
        (404, false, 307, 1),
        (403, false, 307, 1),
        (200, true, 307, 0),
        (500, false, 503, 3),
    ] {
        let s3 = Fake::start(move |_| (stored, Vec::new(), String::new())).await;
        let env = [
            ("SIGNPOST_RULES", &*rules(TABLES, "nx/**", overwrite)),
            ("SIGNPOST_ENDPOINT", &s3.endpoint),
        ];
        let handler = handler_with(&env, credentials(None, None)).await;
        let response = handler
            .handle(&by_ann(ask("PUT", "/-/nx/v1/cache/123")).sized(5), now())
            .await;
        assert_eq!(response.status(), status, "{stored} {overwrite}: {}", body(&response));
        let received = s3.requests();
        assert_eq!(received.len(), requests, "{stored} {overwrite}");
        assert!(received.iter().all(|request| request.method == "HEAD"));
    }
}

#[test]
fn invalid_tables_are_rejected() {
    for (tables, problem) in [
        ("[turborepo]\nat = \"turbo\"\n", "must be a prefix"),
        ("[turborepo]\nat = \"\"\n", "empty"),
        ("[turborepo]\nat = \"/turbo/\"\n", "must be a prefix"),
        ("[turborepo]\nat = \"a//b/\"\n", "must be a prefix"),
        ("[turborepo]\nat = \"a/../b/\"\n", "segment"),
        ("[lfs]\nat = \"-/lfs/\"\n", "reserved"),
        ("[lfs]\n", "at"),
        ("[lfs]\nat = \"lfs/\"\nbucket = \"b\"\n", "bucket"),
        (
            "[nx]\nat = \"cache/\"\n[lfs]\nat = \"cache/\"\n",
            "overlaps with the prefix of [nx]",
        ),
        (
            "[nx]\nat = \"cache/nx/\"\n[lfs]\nat = \"cache/\"\n",
            "overlaps with the prefix of [nx]",
        ),
    ] {
        let error = Policy::parse(&rules(tables, "**", false)).unwrap_err().to_string();
        assert!(error.contains(problem), "{tables}: {error}");
    }
    assert!(Policy::parse(&rules(TABLES, "**", false)).is_ok());
}
