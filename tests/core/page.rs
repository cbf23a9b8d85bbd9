//! HTML pages: the actions that they offer, escaping of names, and links.

use signpost::encoding::is_invisible;
use signpost::request::ApiRequest;
use signpost::response::ApiResponse;

use crate::s3::{FakeS3, answer};
use crate::support::{With as _, ask, body, credentials, handler, handler_with, header, now, parameter};

const OPEN: &str = "version = 1\n[[rule]]\nid = \"all\"\nwho = [\"anyone\"]\ncan = [\"list\", \"read\", \"write\", \"delete\"]\n\
    on = [\"**\"]\nallow_anonymous_write = true\n";

fn html(method: &str, path: &str) -> ApiRequest {
    ask(method, path)
        .with("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
        .with("sec-fetch-mode", "navigate")
}

fn escaped(key: &str) -> String {
    percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// The page of `path` with these objects in S3, by their keys.
async fn folder(path: &str, keys: &[&str]) -> String {
    let contents = keys.iter().map(|key| {
        format!(
            "<Contents><Key>{}</Key><LastModified>2026-11-25T18:00:00.000Z</LastModified><Size>1234567</Size></Contents>",
            escaped(key)
        )
    });
    let xml = format!("<ListBucketResult>{}</ListBucketResult>", contents.collect::<String>());
    let s3 = FakeS3::start(&[answer("200 OK", &xml)]).await;
    let response = s3.handler(OPEN).await.handle(&html("GET", path), now()).await;
    assert_eq!(response.status(), 200, "{}", body(&response));
    assert_eq!(header(&response, "content-type"), "text/html; charset=utf-8");
    body(&response).to_owned()
}

/// The value of every attribute of this name.
fn attributes(page: &str, name: &str) -> Vec<String> {
    let begin = format!(" {name}=\"");
    let found = page.split(&begin).skip(1);
    found
        .map(|rest| rest.split('"').next().unwrap().replace("&#38;", "&"))
        .collect()
}

#[tokio::test]
async fn rows_link_to_their_objects_and_escape_names() {
    for name in [
        "\"><img src=x onerror=alert(1)>",
        "javascript:alert(1)",
        "'\"`$(id);&<script>",
        "a b+c%2F?d#e",
        "//evil.example",
        "🦀é",
        "&#60;b&#62;",
        "{{ 7*7 }}{% raw %}",
    ] {
        let key = format!("d/{name}");
        let page = folder("/d/", &[&key]).await;
        let rows = page.split("<tbody").nth(1).unwrap().split("</tbody>").next().unwrap();
        let links = attributes(rows, "href");
        assert_eq!(
            links[1..],
            [format!("{}?view", links[0]), format!("{}?download", links[0])]
        );
        let path = links[0].strip_prefix("./").unwrap_or(&links[0]);
        let decoded = percent_encoding::percent_decode_str(path).decode_utf8().unwrap();
        assert_eq!(decoded, name);
        assert!(
            path.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._~/%".contains(&byte)),
            "{path}"
        );
        for markup in ["<img", "<script", "<b>", "onerror=alert(1)>"] {
            assert!(!rows.contains(markup), "{rows}");
        }
        assert!(page.contains("1 MB") || page.contains("1.2 MB"), "{rows}");
        assert!(rows.contains("<time>2026-11-25 18:00:00Z</time>"), "{rows}");
    }
}

#[tokio::test]
async fn invisible_characters_are_escaped_and_invalid_keys_have_no_link() {
    let page = folder("/", &["\u{202e}fdp.exe", "a\u{1b}[31m", "b/../c"]).await;
    assert!(page.contains(">\\u202efdp.exe</a>"), "{page}");
    assert!(page.contains("<span>a\\u001b[31m</span>"), "{page}");
    assert!(page.contains("<span>b/../c</span>"), "{page}");
    assert!(!page.contains('\u{202e}') && !page.contains('\u{1b}'));
}

#[tokio::test]
async fn links_are_relative_to_the_path_in_the_browser() {
    for (path, root) in [
        ("/", "./"),
        ("/a/", "../"),
        ("/a/b/", "../../"),
        ("/a//b/", "../../../"),
        ("//a/", "../../"),
        ("/a%2Fb/", "../"),
    ] {
        let page = folder(path, &["x"]).await;
        assert_eq!(attributes(&page, "data-api"), [root], "{path}");
        let absolute = |url: &&String| url.starts_with('/') || url.contains(':');
        for name in ["href", "src", "action"] {
            let urls = attributes(&page, name);
            assert_eq!(urls.iter().find(absolute), None, "{path}");
        }
    }
    let crumbs = folder("/a//b/", &[]).await;
    let crumbs = crumbs
        .split("<ol>")
        .nth(1)
        .unwrap()
        .split("</ol>")
        .next()
        .unwrap()
        .to_owned();
    assert_eq!(
        attributes(&crumbs, "href"),
        ["../../../", "../../../a/", "../../../a//", "../../../a//b/"]
    );
}

#[tokio::test]
async fn a_root_without_a_slash_redirects_to_the_slash() {
    let mut request = html("GET", "?q=x");
    request.base_url = "https://id.execute-api.eu-central-1.amazonaws.com/live".into();
    let s3 = FakeS3::start(&[answer("200 OK", "<ListBucketResult/>")]).await;
    let response = s3.handler(OPEN).await.handle(&request, now()).await;
    assert_eq!(
        (response.status().as_u16(), header(&response, "location")),
        (307, "./live/?q=x")
    );
}

#[tokio::test]
async fn a_page_may_load_the_script_the_style_and_what_s3_holds_and_nothing_else() {
    let s3 = FakeS3::start(&[answer("200 OK", "<ListBucketResult/>")]).await;
    let handler = s3.handler(OPEN).await;
    let response = handler.handle(&html("GET", "/"), now()).await;
    let policy = header(&response, "content-security-policy");
    let origin = &s3.endpoint;
    for directive in [
        "default-src 'none'".to_owned(),
        "script-src 'self'".to_owned(),
        "style-src 'self'".to_owned(),
        format!("connect-src 'self' {origin}"),
        format!("img-src 'self' {origin}"),
        format!("form-action 'self' {origin}"),
        "frame-ancestors 'none'".to_owned(),
        "base-uri 'none'".to_owned(),
    ] {
        assert!(
            policy.split("; ").any(|found| found == directive),
            "{directive} in {policy}"
        );
    }
    assert!(
        !policy.contains("unsafe") && !policy.contains('*') && !policy.contains("data:"),
        "{policy}"
    );
    assert_eq!(header(&response, "referrer-policy"), "no-referrer");
    let page = body(&response);
    assert!(!page.contains(" style=") && !page.contains("<style") && !page.contains(" onclick"));
    assert_eq!(page.matches("<script").count(), 1);
    let loaded = attributes(page, "src").into_iter().chain(attributes(page, "href"));
    let assets: Vec<_> = loaded.filter(|url| url.contains("-/assets/")).collect();
    assert_eq!(assets.len(), 3, "{assets:?}");
    for asset in assets {
        let response = handler.handle(&ask("GET", asset.trim_start_matches('.')), now()).await;
        assert_eq!(response.status(), 200, "{asset}");
        assert_eq!(
            header(&response, "cache-control"),
            "public, max-age=31536000, immutable"
        );
        assert_eq!(header(&response, "x-content-type-options"), "nosniff");
        let media_type = header(&response, "content-type");
        assert!(
            media_type.starts_with("text/") || media_type == "image/svg+xml",
            "{media_type}"
        );
        assert!(!response.body().is_empty());
    }
    for (method, path, status) in [
        ("GET", "/-/assets/0123", 404),
        ("POST", "/-/assets/0123", 405),
        ("GET", "/-/assets/", 404),
    ] {
        assert_eq!(
            handler.handle(&ask(method, path), now()).await.status(),
            status,
            "{method} {path}"
        );
    }
}

/// The response under `rules` to a request with the `Accept` of a browser.
async fn shown(rules: &str, request: ApiRequest) -> ApiResponse {
    handler(rules).await.handle(&request, now()).await
}

#[tokio::test]
async fn a_preview_uses_a_media_type_that_runs_no_script() {
    for (key, element, media_type, disposition) in [
        ("a.PNG", "<img", "image/png", "attachment"),
        ("a.svg", "<img", "image/svg+xml", "attachment"),
        ("a.mp3", "<audio controls", "audio/mpeg", "attachment"),
        ("a.mp4", "<video controls", "video/mp4", "attachment"),
        ("a.pdf", "<iframe", "application/pdf", "inline"),
        ("a.js", "<iframe sandbox", "text/plain; charset=utf-8", "inline"),
        ("a.xml", "<iframe sandbox", "text/plain; charset=utf-8", "inline"),
    ] {
        let response = shown(OPEN, html("GET", &format!("/d/{key}?view"))).await;
        assert_eq!(response.status(), 200, "{}", body(&response));
        let page = body(&response);
        let element = page.split(element).nth(1).unwrap_or_else(|| panic!("{key}: {page}"));
        let url = attributes(element, "src").remove(0);
        assert!(
            url.starts_with("https://example-bucket.s3.eu-central-1.amazonaws.com/d/a."),
            "{url}"
        );
        assert_eq!(
            parameter(&url, "response-content-type").as_deref(),
            Some(media_type),
            "{key}"
        );
        assert_eq!(
            parameter(&url, "response-content-disposition").as_deref(),
            Some(disposition),
            "{key}"
        );
        assert_eq!(attributes(page, "data-key"), [format!("d/{key}")]);
    }
    for key in ["a.html", "a.htm", "a.xhtml", "a.exe", "a", "pdf", "a.svgz"] {
        let response = shown(OPEN, html("GET", &format!("/d/{key}?view"))).await;
        let page = body(&response);
        assert!(
            page.contains("not available") && !page.contains("X-Amz-"),
            "{key}: {page}"
        );
        assert_eq!(
            attributes(page, "href")
                .iter()
                .filter(|href| href.ends_with(&format!("../d/{key}?download")))
                .count(),
            1
        );
    }
}

/// Rules for a user who may only read, and a user who may only delete.
const PARTS: &str = r#"
version = 1
[[token]]
id = "reader"
sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
[[rule]]
id = "read"
who = ["token:reader"]
can = ["read", "list"]
on = ["r/**"]
[[rule]]
id = "delete"
who = ["token:reader"]
can = ["delete"]
on = ["d/**"]
"#;

#[tokio::test]
async fn a_page_offers_only_actions_that_the_rules_allow() {
    let as_reader = |method: &str, path: &str| html(method, path).with("authorization", "Bearer secret");
    let page = shown(PARTS, as_reader("GET", "/r/a.txt?view")).await;
    assert_eq!(attributes(body(&page), "data-can"), ["list read"]);
    assert!(!body(&page).contains("?delete"));
    let page = shown(PARTS, as_reader("GET", "/d/a?delete")).await;
    assert!(
        body(&page).contains("<form method=\"post\">") && body(&page).contains("d/a"),
        "{}",
        body(&page)
    );
    for (request, status) in [
        (as_reader("GET", "/d/a?view"), 403),
        (as_reader("GET", "/r/a?delete"), 403),
        (html("GET", "/r/a?view"), 401),
        (html("GET", "/d/a?delete"), 401),
        (as_reader("PUT", "/r/a?view"), 405),
        (as_reader("DELETE", "/d/a?delete"), 405),
        (as_reader("GET", "/r/a?view=1"), 400),
        (as_reader("GET", "/r/a?view&expires=5"), 400),
        (as_reader("GET", "/r/a?view&view"), 400),
        (as_reader("GET", "/r/a?view&delete"), 400),
    ] {
        let response = shown(PARTS, request.clone()).await;
        assert_eq!(
            response.status(),
            status,
            "{} {} {:?}",
            request.method,
            request.path,
            request.query
        );
        assert!(
            body(&response).contains("data-page=\"error\"") && body(&response).contains("-/assets/"),
            "{}",
            body(&response)
        );
        assert!(header(&response, "content-security-policy").starts_with("default-src 'none'"));
    }
}

#[tokio::test]
async fn the_delete_form_deletes_the_object_and_redirects_to_its_folder() {
    let s3 = FakeS3::start(&[answer("204 No Content", "")]).await;
    let request = html("POST", "/d/e/a%20b?delete").with("sec-fetch-site", "same-origin");
    let response = s3.handler(OPEN).await.handle(&request, now()).await;
    assert_eq!(
        (response.status().as_u16(), header(&response, "location")),
        (303, "../../d/e/")
    );
    assert_eq!(s3.methods(), ["DELETE"]);
    let asked = &s3.requests()[0];
    assert!(
        asked.starts_with("/example-bucket/d/e/a%20b?") && parameter(asked, "X-Amz-Signature").is_some(),
        "{asked}"
    );
}

#[tokio::test]
async fn another_site_cannot_delete_an_object() {
    let post = || html("POST", "/d/a?delete");
    for request in [
        post(),
        post().with("sec-fetch-site", "cross-site"),
        post().with("sec-fetch-site", "same-site"),
        post().with("sec-fetch-site", "none"),
        post()
            .with("sec-fetch-site", "cross-site")
            .with("origin", "https://files.example.com"),
        post().with("origin", "https://evil.example"),
        post().with("origin", "null"),
        html("POST", "/d/a?delete&view").with("sec-fetch-site", "same-origin"),
    ] {
        let s3 = FakeS3::start(&[]).await;
        let response = s3.handler(OPEN).await.handle(&request, now()).await;
        assert!(
            [400, 403].contains(&response.status().as_u16()),
            "{:?}",
            request.headers
        );
        assert!(s3.requests().is_empty(), "{:?}", request.headers);
    }
}

#[tokio::test]
async fn a_delete_that_s3_refuses_is_an_opaque_failure() {
    let refusal = answer(
        "403 Forbidden",
        "<Error><Code>AccessDenied</Code><Message>of-the-signer</Message></Error>",
    );
    let s3 = FakeS3::start(&[refusal]).await;
    let request = html("POST", "/d/a?delete").with("sec-fetch-site", "same-origin");
    let response = s3.handler(OPEN).await.handle(&request, now()).await;
    assert_eq!(response.status(), 500);
    assert!(!body(&response).contains("of-the-signer"), "{}", body(&response));
}

#[tokio::test]
async fn empty_folders_and_searches_show_a_message() {
    assert!(folder("/d/", &[]).await.contains("This folder is empty."));
    assert!(
        folder("/d/?q=x", &["d/a"])
            .await
            .contains("No file or folder on this page matches the filter.")
    );
}

#[tokio::test]
async fn column_headers_sort_the_page_and_show_the_order() {
    let page = folder("/d/?q=a&sort=size", &["d/a"]).await;
    let head = page.split("<thead>").nth(1).unwrap().split("</thead>").next().unwrap();
    assert_eq!(
        attributes(head, "href"),
        [
            "?q=a&sort=name&order=asc",
            "?q=a&sort=size&order=desc",
            "?q=a&sort=modified&order=asc"
        ]
    );
    assert_eq!(attributes(head, "aria-sort"), ["ascending"]);
    assert_eq!(head.matches("scope=\"col\"").count(), 4);
}

#[tokio::test]
async fn sign_in_and_sign_out_are_offered_if_enabled() {
    let keys = "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE";
    let env = [("SIGNPOST_RULES", PARTS), ("SIGNPOST_KEYS", keys)];
    let handler = handler_with(&env, credentials(None, None)).await;
    let page = handler
        .handle(&html("GET", "/r/a?view").with("authorization", "Bearer secret"), now())
        .await;
    assert!(
        body(&page).contains("data-login=") && body(&page).contains("action=\"../-/logout\""),
        "{}",
        body(&page)
    );
    let page = shown(PARTS, html("GET", "/r/a?view").with("authorization", "Bearer secret")).await;
    assert!(
        !body(&page).contains("data-login") && !body(&page).contains("logout"),
        "{}",
        body(&page)
    );
}

/// The ranges of a character class of JavaScript with escapes only.
fn class_ranges(class: &str) -> Vec<(u32, u32)> {
    let escapes = class.replace("\\u{", "\\u").replace('}', "").replace("\\x", "\\u");
    let code = |text: &str| u32::from_str_radix(text.trim_start_matches("\\u"), 16).unwrap();
    let mut parts: Vec<&str> = Vec::new();
    let mut rest = escapes.as_str();
    while !rest.is_empty() {
        let end = rest[1..].find('\\').map_or(rest.len(), |end| end + 1);
        let (part, tail) = rest.split_at(end);
        if part.ends_with('-') || !parts.last().is_some_and(|last| last.ends_with('-')) {
            parts.push(part);
        } else {
            let start = parts.pop().unwrap();
            parts.push(&escapes[escapes.len() - rest.len() - start.len()..escapes.len() - tail.len()]);
        }
        rest = tail;
    }
    let ranges = parts
        .iter()
        .map(|part| part.split_once('-').map_or((*part, *part), |pair| pair));
    ranges.map(|(first, last)| (code(first), code(last))).collect()
}

#[test]
fn the_page_the_texts_and_the_command_escape_the_same_characters() {
    let script = include_str!("../../src/response/page/page.js");
    let class = script.split_once("/[\\p{Cc}").unwrap().1.split_once("]/gu").unwrap().0;
    let ranges = class_ranges(class);
    for char in '\0'..=char::MAX {
        let in_script = char.is_control()
            || ranges
                .iter()
                .any(|(first, last)| (*first..=*last).contains(&u32::from(char)));
        assert_eq!(in_script, is_invisible(char), "{}", char.escape_unicode());
    }
}

/// Anonymous callers may only upload below `drop/partner/`, and may list `public/`.
const UPLOAD_ONLY: &str = "version = 1\n[[rule]]\nid = \"drop\"\nwho = [\"anyone\"]\ncan = [\"write\"]\n\
    on = [\"drop/partner/**\"]\nallow_anonymous_write = true\n[[rule]]\nid = \"public\"\nwho = [\"anyone\"]\n\
    can = [\"list\"]\non = [\"public/**\"]\n";

#[tokio::test]
async fn a_caller_who_may_only_upload_gets_a_page_with_the_upload() {
    let page = shown(UPLOAD_ONLY, html("GET", "/drop/partner/")).await;
    assert_eq!(page.status(), 200, "{}", body(&page));
    let text = body(&page);
    for part in [
        "You can upload files to this folder",
        "href=\"?form\"",
        "data-action=\"upload-files\"",
        "data-can=\"write\"",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for part in ["<table", "class=\"filter\"", "This folder is empty", "curl -f 'https"] {
        assert!(!text.contains(part), "{part}: {text}");
    }
    let form = shown(UPLOAD_ONLY, html("GET", "/drop/partner/?form")).await;
    assert!(body(&form).contains("Back to the folder"), "{}", body(&form));
}

#[tokio::test]
async fn a_page_leads_to_the_folders_for_uploads() {
    let root = shown(UPLOAD_ONLY, html("GET", "/")).await;
    assert!(
        body(&root).contains("href=\"drop/\"") && body(&root).contains("href=\"public/\""),
        "{}",
        body(&root)
    );
    let way = shown(UPLOAD_ONLY, html("GET", "/drop/")).await;
    assert!(
        body(&way).contains("href=\"partner/\"") && body(&way).contains("You can open these folders"),
        "{}",
        body(&way)
    );
    assert_eq!(shown(UPLOAD_ONLY, html("GET", "/other/")).await.status(), 403);
}

#[tokio::test]
async fn a_permission_to_upload_does_not_show_names_to_programs_or_below_a_deny() {
    for accept in ["application/json", "text/plain", "*/*"] {
        let request = ask("GET", "/drop/partner/").with("accept", accept);
        assert_eq!(shown(UPLOAD_ONLY, request).await.status(), 403, "{accept}");
        let root = shown(UPLOAD_ONLY, ask("GET", "/").with("accept", accept)).await;
        assert!(!body(&root).contains("drop"), "{accept}: {}", body(&root));
    }
    let denied = format!(
        "{UPLOAD_ONLY}[[rule]]\nid = \"no\"\neffect = \"deny\"\nwho = [\"anyone\"]\ncan = [\"write\"]\non = [\"drop/**\"]\n"
    );
    assert_eq!(shown(&denied, html("GET", "/drop/partner/")).await.status(), 403);
    assert!(!body(&shown(&denied, html("GET", "/")).await).contains("drop/"));
    let uploads = shown(UPLOAD_ONLY, html("GET", "/drop/partner/?uploads")).await;
    assert_eq!(uploads.status(), 403);
}

#[tokio::test]
async fn the_folders_for_uploads_obey_the_search_and_appear_once() {
    let rules = "version = 1\n[[rule]]\nid = \"all\"\nwho = [\"anyone\"]\ncan = [\"write\"]\non = [\"drop/**\", \"public/new/**\"]\n\
        allow_anonymous_write = true\n[[rule]]\nid = \"public\"\nwho = [\"anyone\"]\ncan = [\"list\"]\non = [\"public/**\"]\n";
    let links = |page: &str, folder: &str| page.matches(&format!("href=\"{folder}/\"")).count();
    let root = shown(rules, html("GET", "/")).await;
    assert_eq!(
        (links(body(&root), "drop"), links(body(&root), "public")),
        (1, 1),
        "{}",
        body(&root)
    );
    let search = shown(rules, html("GET", "/?q=pub")).await;
    assert_eq!(
        (links(body(&search), "drop"), links(body(&search), "public")),
        (0, 1),
        "{}",
        body(&search)
    );
    // The listing of S3 shows the folders of a prefix that the caller may list.
    let xml = "<ListBucketResult></ListBucketResult>";
    let s3 = FakeS3::start(&[answer("200 OK", xml)]).await;
    let listed = s3.handler(rules).await.handle(&html("GET", "/public/"), now()).await;
    assert_eq!(links(body(&listed), "new"), 0, "{}", body(&listed));
}
