//! The formats of listings: the format that each client gets, complete listings, and the size limits of the fronts.

use signpost::request::ApiRequest;
use signpost::response::ApiResponse;

use crate::fake::{Fake, FakeResponse, ReceivedRequest};
use crate::support::{With as _, ask, body, credentials, handler_with, header, json, now, parameter};

const RULES: &str = "version = 1\n[[rule]]\nid = \"all\"\nwho = [\"anyone\"]\ncan = [\"list\", \"read\", \"write\"]\non = [\"**\"]\n\
    allow_anonymous_write = true\n";

/// A page of the embedded objects, as S3 returns it: `count` keys that `key` names, sorted, `max-keys` per page.
fn s3_page(request: &ReceivedRequest, count: usize, key: impl Fn(usize) -> String) -> FakeResponse {
    let number = |name| parameter(&request.path, name).and_then(|text| text.parse::<usize>().ok());
    let start = number("continuation-token").unwrap_or(0);
    let end = count.min(start + number("max-keys").unwrap());
    let entry = |index| {
        let key = percent_encoding::utf8_percent_encode(&key(index), percent_encoding::NON_ALPHANUMERIC).to_string();
        format!(
            "<Contents><Key>{key}</Key><LastModified>2026-11-25T18:00:00.000Z</LastModified><Size>7</Size></Contents>"
        )
    };
    let entries: String = (start..end).map(entry).collect();
    let more = if end < count {
        format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{end}</NextContinuationToken>")
    } else {
        String::new()
    };
    (
        200,
        Vec::new(),
        format!("<ListBucketResult>{more}{entries}</ListBucketResult>"),
    )
}

/// The response to `request` with `count` objects in S3, and the number of requests to S3.
async fn listed(count: usize, key: fn(usize) -> String, request: ApiRequest) -> (ApiResponse, usize) {
    let s3 = Fake::start(move |request| s3_page(request, count, key)).await;
    let env = [("SIGNPOST_RULES", RULES), ("SIGNPOST_ENDPOINT", s3.endpoint.as_str())];
    let handler = handler_with(&env, credentials(None, None)).await;
    let response = handler.handle(&request, now()).await;
    (response, s3.requests().len())
}

fn short_key(index: usize) -> String {
    format!("in/{index:05}")
}

/// A key of 1,024 bytes, most of which each format escapes.
fn long_key(index: usize) -> String {
    format!("in/{index:05}{}", "\"".repeat(1016))
}

fn navigate(path: &str) -> ApiRequest {
    ask("GET", path)
        .with("accept", "text/html,*/*;q=0.8")
        .with("sec-fetch-mode", "navigate")
}

fn curl(path: &str) -> ApiRequest {
    ask("GET", path).with("user-agent", "curl/8.11.0")
}

/// The `href` attributes of all links.
fn links(page: &str) -> Vec<&str> {
    let found = page.split("<a ").skip(1);
    found
        .map(|rest| rest.split("href=\"").nth(1).unwrap().split('"').next().unwrap())
        .collect()
}

#[tokio::test]
async fn each_client_gets_the_format_that_it_reads() {
    let html = "text/html; charset=utf-8";
    let text = "text/plain; charset=utf-8";
    for (client, accept, agent, expected) in [
        ("rclone", "", "rclone/v1.75.0", html),
        ("wget, lftp", "*/*", "Wget/1.21.3", html),
        (
            "pip",
            "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01",
            "pip/25.0",
            html,
        ),
        ("uv", "text/html", "uv/0.9", html),
        (
            "wget2",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "wget2/1.99",
            html,
        ),
        (
            "Java",
            "text/html, image/gif, image/jpeg, *; q=0.2, */*; q=0.2",
            "Java/17",
            html,
        ),
        (
            "npm",
            "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*",
            "npm/11",
            html,
        ),
        ("a client without a type on offer", "image/png", "", html),
        ("curl", "*/*", "curl/8.11.0", text),
        ("curl without Accept", "", "curl/7.88.1", text),
        ("curl that requests HTML", "text/html", "curl/8.11.0", html),
        (
            "curl that requests JSON",
            "application/json",
            "curl/8.11.0",
            "application/json",
        ),
        (
            "a client that only claims to be like curl",
            "*/*",
            "libcurl-agent/1.0 curl/8",
            html,
        ),
        ("cargo", "text/plain", "cargo/1.91.0", text),
        (
            "axios, Angular",
            "application/json, text/plain, */*",
            "axios/1.21",
            "application/json",
        ),
        (
            "HTTPie",
            "application/json, */*;q=0.5",
            "HTTPie/3.2",
            "application/json",
        ),
        ("got, ky", "application/json", "got", "application/json"),
        (
            "jQuery",
            "application/json, text/javascript, */*; q=0.01",
            "Mozilla/5.0",
            "application/json",
        ),
    ] {
        let mut request = ask("GET", "/in/");
        for (name, value) in [("accept", accept), ("user-agent", agent)] {
            if !value.is_empty() {
                request = request.with(name, value);
            }
        }
        let (response, _) = listed(3, short_key, request).await;
        assert_eq!(
            (response.status().as_u16(), header(&response, "content-type")),
            (200, expected),
            "{client}"
        );
        if expected == html {
            assert_eq!(links(body(&response)), ["00000", "00001", "00002"], "{client}");
        }
    }
    for (path, accept, expected) in [
        ("/in/?json", "text/html", "application/json"),
        ("/in/?simple", "application/json", text),
        ("/in/?json&simple", "*/*", "application/problem+json"),
        ("/in/?json=1", "*/*", "application/problem+json"),
    ] {
        let (response, _) = listed(3, short_key, ask("GET", path).with("accept", accept)).await;
        assert_eq!(header(&response, "content-type"), expected, "{path}");
    }
}

#[tokio::test]
async fn a_list_of_links_has_only_the_links_to_its_entries() {
    for (name, link) in [
        ("plain.txt", "plain.txt"),
        ("a:b", "a%3Ab"),
        ("http://evil.example", "http%3A//evil.example"),
        ("?view", "%3Fview"),
        ("#x", "%23x"),
        ("/x", ".//x"),
        ("//evil.example", ".///evil.example"),
        (" leading", "%20leading"),
        ("a&amp;b\"c<d>", "a%26amp%3Bb%22c%3Cd%3E"),
        ("100%25", "100%2525"),
        ("é🦀", "%C3%A9%F0%9F%A6%80"),
        ("...", "..."),
    ] {
        let key = format!("in/{name}");
        let s3 = Fake::start(move |request| s3_page(request, 1, |_| key.clone())).await;
        let env = [("SIGNPOST_RULES", RULES), ("SIGNPOST_ENDPOINT", s3.endpoint.as_str())];
        let handler = handler_with(&env, credentials(None, None)).await;
        let list = handler.handle(&ask("GET", "/in/?recursive&sort=size"), now()).await;
        assert_eq!(links(body(&list)), [link], "{name}");
        let loaded = ["<link", "<script", "<form", "<base", " src=", "<meta http-equiv"];
        assert!(
            loaded.iter().all(|markup| !body(&list).contains(markup)),
            "{}",
            body(&list)
        );
        let page = handler.handle(&navigate("/in/?recursive"), now()).await;
        let rows = body(&page)
            .split("<tbody")
            .nth(1)
            .unwrap()
            .split("</tbody>")
            .next()
            .unwrap();
        assert_eq!(links(rows)[0], link, "the first link of a row");
    }
}

#[tokio::test]
async fn an_entry_has_its_time_and_its_exact_size() {
    let (response, _) = listed(1, short_key, ask("GET", "/in/")).await;
    let line = "<a href=\"00000\">00000</a>  25-Nov-2026 18:00  7\n";
    assert!(body(&response).contains(line), "{}", body(&response));
}

#[tokio::test]
async fn a_key_that_no_request_can_address_has_no_link() {
    for key in ["in/a\u{1b}[31m", "in/b/../c", "in/."] {
        let s3 = Fake::start(move |request| s3_page(request, 1, |_| key.to_owned())).await;
        let env = [("SIGNPOST_RULES", RULES), ("SIGNPOST_ENDPOINT", s3.endpoint.as_str())];
        let handler = handler_with(&env, credentials(None, None)).await;
        let list = handler.handle(&ask("GET", "/in/?recursive"), now()).await;
        assert_eq!(links(body(&list)), [""; 0], "{key}");
        assert!(body(&list).contains("  25-Nov-2026 18:00  7\n") && !body(&list).contains('\u{1b}'));
    }
}

#[tokio::test]
async fn a_list_of_links_at_a_root_without_a_slash_redirects_to_the_slash() {
    let mut request = ask("GET", "?recursive");
    request.base_url = "https://id.execute-api.eu-central-1.amazonaws.com/live".into();
    let (response, _) = listed(1, short_key, request).await;
    assert_eq!(
        (response.status().as_u16(), header(&response, "location")),
        (307, "./live/?recursive=")
    );
}

#[tokio::test]
async fn a_listing_for_a_program_is_complete() {
    for count in [1000, 1001, 10_000] {
        let (html, calls) = listed(count, short_key, ask("GET", "/in/")).await;
        assert_eq!(html.status(), 200, "{count}");
        assert_eq!(calls, count.div_ceil(1000), "{count}");
        let last = format!("{:05}", count - 1);
        let found = links(body(&html));
        assert_eq!(
            (found.len(), found[0], *found.last().unwrap()),
            (count, "00000", last.as_str())
        );
        assert_eq!(header(&html, "link"), "");
        for path in ["/in/", "/in/?simple"] {
            let (lines, _) = listed(count, short_key, curl(path)).await;
            assert_eq!(body(&lines).lines().count(), count, "{path}");
            assert!(body(&lines).trim_end().ends_with(&last));
        }
    }
    let (found, _) = listed(2345, short_key, ask("GET", "/in/?q=0234&sort=name&order=desc")).await;
    assert_eq!(
        links(body(&found)),
        ["02344", "02343", "02342", "02341", "02340", "00234"]
    );
}

#[tokio::test]
async fn a_listing_for_a_program_that_would_be_incomplete_is_an_error() {
    for request in [
        ask("GET", "/in/"),
        curl("/in/"),
        ask("GET", "/in/?simple"),
        ask("GET", "/in/").with("accept", "text/plain"),
        // Node sends this header, and a script of a browser reads the list as a program does.
        ask("GET", "/in/").with("sec-fetch-mode", "cors"),
    ] {
        let (response, calls) = listed(10_001, short_key, request).await;
        assert_eq!((response.status().as_u16(), calls), (400, 11));
        assert!(body(&response).len() < 1000, "{}", body(&response));
        for text in [
            "more than 10,000 entries",
            "https://files.example.com/in/?max-keys=1000",
            "Link",
        ] {
            let found = body(&response).replace("10000", "10,000");
            assert!(found.contains(text), "{text}: {found}");
        }
        assert_eq!(header(&response, "retry-after"), "");
    }
    let (head, _) = listed(10_001, short_key, ask("HEAD", "/in/")).await;
    assert_eq!(head.status(), 400, "like GET");
    let (found, _) = listed(12_000, short_key, ask("GET", "/in/?q=0999")).await;
    assert_eq!(links(body(&found)).len(), 12, "only the entries in the response count");
}

#[tokio::test]
async fn browsers_json_and_explicit_pages_get_one_page_that_says_that_there_is_more() {
    for (request, text) in [
        (navigate("/in/"), "This page does not contain all entries."),
        (
            navigate("/in/").with("x-requested-with", "com.example.app"),
            "This page does not contain all entries.",
        ),
        (
            ask("GET", "/in/")
                .with("accept", "text/html")
                .with("upgrade-insecure-requests", "1"),
            "This page does not contain all entries.",
        ),
        (
            ask("GET", "/in/")
                .with("accept", "text/html")
                .with("sec-fetch-mode", "cors")
                .with("x-requested-with", "signpost-page"),
            "This page does not contain all entries.",
        ),
        (ask("GET", "/in/?json"), "\"next\":\""),
        (
            ask("GET", "/in/?max-keys=1000"),
            "There are more entries: <a rel=\"next\" href=\"?max-keys=1000&#38;next=",
        ),
        (curl("/in/?max-keys=1000"), "00999"),
        (curl("/in/?simple&max-keys=1000"), "00999"),
    ] {
        let (response, calls) = listed(10_001, short_key, request).await;
        assert_eq!((response.status().as_u16(), calls), (200, 1), "{text}");
        assert!(body(&response).contains(text), "{text}");
        assert!(
            body(&response).contains("00999") && !body(&response).contains("01000"),
            "{text}"
        );
        assert!(header(&response, "link").ends_with("rel=\"next\""), "{text}");
    }
}

#[tokio::test]
async fn a_failure_on_a_later_page_is_an_error_and_not_an_incomplete_listing() {
    let s3 = Fake::start(|request| match parameter(&request.path, "continuation-token") {
        None => s3_page(request, 2000, short_key),
        Some(_) => (503, Vec::new(), "<Error><Code>SlowDown</Code></Error>".to_owned()),
    })
    .await;
    let env = [("SIGNPOST_RULES", RULES), ("SIGNPOST_ENDPOINT", s3.endpoint.as_str())];
    let handler = handler_with(&env, credentials(None, None)).await;
    for path in ["/in/", "/in/?simple"] {
        let response = handler.handle(&ask("GET", path), now()).await;
        assert_eq!(response.status(), 503, "{path}");
    }
}

#[tokio::test]
async fn a_listing_that_takes_too_long_is_an_error() {
    let s3 = Fake::start(|request| s3_page(request, 9000, short_key)).await;
    s3.delay(std::time::Duration::from_secs(2));
    let env = [("SIGNPOST_RULES", RULES), ("SIGNPOST_ENDPOINT", s3.endpoint.as_str())];
    let handler = handler_with(&env, credentials(None, None)).await;
    let response = handler.handle(&ask("GET", "/in/"), now()).await;
    assert_eq!(response.status(), 400, "{}", body(&response));
    assert!(body(&response).contains("takes too long") && body(&response).contains("max-keys"));
}

#[tokio::test]
async fn a_page_that_exceeds_the_limit_of_the_front_has_fewer_entries() {
    for limit in [1 << 18, 6 << 18] {
        for request in [
            navigate("/in/?max-keys=250"),
            ask("GET", "/in/?json&max-keys=250"),
            ask("GET", "/in/?json&max-keys=249"),
            ask("GET", "/in/?max-keys=250"),
            ask("GET", "/in/?recursive&simple&max-keys=250"),
        ] {
            let request = ApiRequest {
                max_response_bytes: limit,
                ..request
            };
            let (response, calls) = listed(250, long_key, request.clone()).await;
            assert_eq!(response.status(), 200, "{:?}", request.query);
            let size = serde_json::to_string(body(&response)).unwrap().len();
            assert!(size < limit, "{size} > {limit}");
            let is_cut = header(&response, "link").contains("next");
            assert_eq!(is_cut, calls > 1, "{calls} {:?}", request.query);
            assert!(calls <= 3, "{calls} calls");
            assert!(!is_cut || size > limit / 2, "the page has {size} of {limit} bytes");
        }
    }
    let request = ApiRequest {
        max_response_bytes: 1 << 18,
        ..ask("GET", "/in/?json")
    };
    let (response, _) = listed(1000, long_key, request).await;
    let page = json(&response);
    assert!(page["next"].is_string() && page["objects"].as_array().unwrap().len() > 25);
}

#[tokio::test]
async fn a_complete_listing_that_exceeds_the_limit_of_the_front_is_an_error() {
    for (limit, count, status, max_calls) in [
        (1 << 17, 12, 200, 1),
        (1 << 17, 125, 400, 1),
        (6 << 17, 125, 200, 1),
        (6 << 17, 1125, 400, 2),
        (1 << 17, 9000, 400, 2),
    ] {
        for request in [
            ask("GET", "/in/?simple"),
            ask("GET", "/in/").with("accept", "text/plain"),
        ] {
            let request = ApiRequest {
                max_response_bytes: limit,
                ..request
            };
            let (response, calls) = listed(count, long_key, request).await;
            assert_eq!(response.status(), status, "{limit} {count}");
            assert!(calls <= max_calls, "reading stops early: {calls}");
            if status == 400 {
                assert!(body(&response).contains("larger than this front can return"));
                assert!(body(&response).contains("max-keys"));
            }
        }
    }
}

#[tokio::test]
async fn compression_makes_room_for_more_entries() {
    let request = ApiRequest {
        max_response_bytes: 1 << 20,
        ..ask("GET", "/in/?simple").with("accept-encoding", "gzip")
    };
    let (response, _) = listed(1000, long_key, request).await;
    assert_eq!(
        (response.status().as_u16(), header(&response, "content-encoding")),
        (200, "gzip")
    );
}
