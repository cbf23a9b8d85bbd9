//! Uploads, downloads and deletions through the redirect.

use crate::helpers::random_bytes;
use crate::support::{LocalServer, curl};

#[test]
fn an_uploaded_object_can_be_downloaded_until_it_is_deleted() {
    let Some(server) = LocalServer::start(&[]) else { return };
    let bytes = random_bytes(100_000);
    assert_eq!(server.put("/2026/report.pdf", &bytes).status, 200);
    assert_eq!(server.curl(&["-fL"], "/2026/report.pdf").body, bytes);
    let head = server.curl(&["-fLI"], "/2026/report.pdf");
    assert!(
        head.text().to_lowercase().contains("content-length: 100000\r\n"),
        "{}",
        head.text()
    );
    assert_eq!(server.curl(&["-fL", "-X", "DELETE"], "/2026/report.pdf").status, 204);
    let gone = server.curl(&["-fL"], "/2026/report.pdf");
    assert_eq!((gone.status, gone.exit), (404, 22));
}

#[test]
fn an_empty_file_is_an_object() {
    let Some(server) = LocalServer::start(&[]) else { return };
    assert_eq!(server.put("/empty", b"").status, 200);
    let got = server.curl(&["-fL"], "/empty");
    assert_eq!((got.status, got.body.len()), (200, 0));
}

#[test]
fn ranges_and_conditions_reach_s3() {
    let Some(server) = LocalServer::start(&[]) else { return };
    server.put("/a", b"0123456789");
    let range = server.curl(&["-fL", "-r", "2-5"], "/a");
    assert_eq!((range.status, range.text().as_str()), (206, "2345"));
    let head = server.curl(&["-fLI"], "/a").text();
    let etag = head.lines().find_map(|line| {
        line.to_lowercase()
            .strip_prefix("etag:")
            .map(|etag| etag.trim().to_owned())
    });
    let condition = format!("If-None-Match: {}", etag.expect("the response of S3 has an ETag"));
    assert_eq!(server.curl(&["-fL", "-H", &condition], "/a").status, 304);
}

#[test]
fn an_existing_object_is_not_overwritten() {
    let Some(server) = LocalServer::start(&[]) else { return };
    assert_eq!(server.put("/a", b"first").status, 200);
    let second = server.put("/a", b"second");
    assert_eq!((second.status, second.exit), (412, 22));
    let in_two_steps = curl(&["-f", "-T", &server.file(b"third")], &server.signed_put("/a"));
    assert_eq!(in_two_steps.status, 412);
    assert_eq!(server.curl(&["-fL"], "/a").text(), "first");
}

#[test]
fn a_three_megabyte_upload_follows_the_redirect() {
    let bytes = random_bytes(3_000_000);
    for front in ["rest", "http-api", "function-url"] {
        let Some(server) = LocalServer::start(&["--front", front]) else {
            return;
        };
        assert_eq!(server.put("/big", &bytes).status, 200, "{front}");
        assert!(server.curl(&["-fL"], "/big").body == bytes, "{front}");
    }
}

#[test]
fn an_upload_in_two_steps_has_no_size_limit() {
    upload_in_two_steps(20_000_000);
}

#[test]
#[ignore = "moves 300 MB twice"]
fn an_upload_in_two_steps_transfers_300_megabytes() {
    upload_in_two_steps(300_000_000);
}

fn upload_in_two_steps(length: usize) {
    let Some(server) = LocalServer::start(&[]) else { return };
    let bytes = random_bytes(length);
    let url = server.signed_put("/huge");
    assert_eq!(curl(&["-f", "-T", &server.file(&bytes)], &url).status, 200);
    assert!(server.curl(&["-fL"], "/huge").body == bytes);
}

#[test]
fn the_redirect_warns_that_nothing_is_stored_yet() {
    let Some(server) = LocalServer::start(&[]) else { return };
    let response = server.curl(&["-T", &server.file(b"x")], "/a%20b");
    assert_eq!(response.status, 307);
    assert!(
        response.text().contains("Nothing has been stored yet"),
        "{}",
        response.text()
    );
    assert!(
        response.text().contains(&server.url("/a%20b?url&contentLength=")),
        "{}",
        response.text()
    );
    assert_eq!(server.curl(&["-fL"], "/a%20b").status, 404);
}

#[test]
fn the_log_contains_every_request_and_no_secret() {
    let Some(server) = LocalServer::start(&[]) else { return };
    server.put("/dir/a%20b", b"x");
    server.curl(&["-fL", "-u", "someone:hunter2"], "/dir/a%20b");
    server.curl(&["-f"], "/dir/a%20b?url");
    let url = server.signed_put("/dir/c");
    curl(&["-f", "-T", &server.file(b"x")], &url);
    let log = server.log_with("dir/c");
    let log = log
        .split_once("tr -d ' '))\"\n")
        .expect("the welcome text ends with the two-step upload")
        .1;
    assert!(log.contains("307 PUT"), "{log}");
    assert!(log.contains("dir/a b"), "{log}");
    for secret in ["X-Amz", "x-amz", "Signature", "hunter2", "?url", "Authorization"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

#[test]
fn a_one_time_link_works_once_also_after_a_restart() {
    let rules = "version = 1\n[[token]]\nid = \"ann\"\n\
        sha256 = \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"\n\
        [[rule]]\nid = \"all\"\nwho = [\"token:ann\"]\ncan = [\"read\", \"write\"]\non = [\"**\"]\n";
    let keys = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let data = tempfile::TempDir::new().unwrap();
    let data = data.path().to_str().unwrap();
    let env = [("SIGNPOST_RULES", rules), ("SIGNPOST_KEYS", keys)];
    let start = || LocalServer::start_with(&["--data", data], &env);
    let Some(server) = start() else { return };
    let stored = server.curl(&["-fL", "-u", "ann:secret", "-T", &server.file(b"once")], "/a");
    assert_eq!(stored.status, 200, "{}", stored.text());
    let share_request = r#"{"key": "a", "uses": 1}"#;
    let link = server
        .curl(&["-f", "-u", "ann:secret", "-d", share_request], "/-/share")
        .text();
    let path = link.trim().strip_prefix(&server.url("")).unwrap().to_owned();
    let clicks: Vec<_> = std::thread::scope(|scope| {
        let clicks: Vec<_> = (0..20).map(|_| scope.spawn(|| server.curl(&["-L"], &path))).collect();
        clicks.into_iter().map(|click| click.join().unwrap()).collect()
    });
    let successful: Vec<_> = clicks.iter().filter(|click| click.status == 200).collect();
    assert_eq!(successful.len(), 1);
    assert_eq!(successful[0].text(), "once");
    assert!(clicks.iter().all(|click| [200, 401].contains(&click.status)));
    drop(server);
    let server = start().unwrap();
    assert_eq!(server.curl(&["-L"], &path).status, 401);
}
