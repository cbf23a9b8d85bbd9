//! Storing, reading and deleting objects through the redirect.

use crate::support::{Local, curl, noise};

#[test]
fn what_is_put_is_got_until_it_is_deleted() {
    let Some(local) = Local::start(&[]) else { return };
    let bytes = noise(100_000);
    assert_eq!(local.put("/2026/report.pdf", &bytes).status, 200);
    assert_eq!(local.curl(&["-fL"], "/2026/report.pdf").body, bytes);
    let head = local.curl(&["-fLI"], "/2026/report.pdf");
    assert!(
        head.text().to_lowercase().contains("content-length: 100000\r\n"),
        "{}",
        head.text()
    );
    assert_eq!(local.curl(&["-fL", "-X", "DELETE"], "/2026/report.pdf").status, 204);
    let gone = local.curl(&["-fL"], "/2026/report.pdf");
    assert_eq!((gone.status, gone.exit), (404, 22));
}

#[test]
fn an_empty_file_is_an_object() {
    let Some(local) = Local::start(&[]) else { return };
    assert_eq!(local.put("/empty", b"").status, 200);
    let got = local.curl(&["-fL"], "/empty");
    assert_eq!((got.status, got.body.len()), (200, 0));
}

#[test]
fn ranges_and_conditions_reach_s3() {
    let Some(local) = Local::start(&[]) else { return };
    local.put("/a", b"0123456789");
    let range = local.curl(&["-fL", "-r", "2-5"], "/a");
    assert_eq!((range.status, range.text().as_str()), (206, "2345"));
    let head = local.curl(&["-fLI"], "/a").text();
    let etag = head.lines().find_map(|line| {
        line.to_lowercase()
            .strip_prefix("etag:")
            .map(|etag| etag.trim().to_owned())
    });
    let condition = format!("If-None-Match: {}", etag.expect("S3 tells an ETag"));
    assert_eq!(local.curl(&["-fL", "-H", &condition], "/a").status, 304);
}

#[test]
fn an_object_is_not_replaced() {
    let Some(local) = Local::start(&[]) else { return };
    assert_eq!(local.put("/a", b"first").status, 200);
    let second = local.put("/a", b"second");
    assert_eq!((second.status, second.exit), (412, 22));
    let in_two_steps = curl(&["-f", "-T", &local.file(b"third")], &local.signed_put("/a"));
    assert_eq!(in_two_steps.status, 412);
    assert_eq!(local.curl(&["-fL"], "/a").text(), "first");
}

#[test]
fn three_megabytes_go_through_the_redirect() {
    let bytes = noise(3_000_000);
    for front in ["rest", "http-api", "function-url"] {
        let Some(local) = Local::start(&["--front", front]) else {
            return;
        };
        assert_eq!(local.put("/big", &bytes).status, 200, "{front}");
        assert!(local.curl(&["-fL"], "/big").body == bytes, "{front}");
    }
}

#[test]
fn two_steps_carry_any_size() {
    two_steps(20_000_000);
}

#[test]
#[ignore = "moves 300 MB twice"]
fn two_steps_carry_300_megabytes() {
    two_steps(300_000_000);
}

fn two_steps(length: usize) {
    let Some(local) = Local::start(&[]) else { return };
    let bytes = noise(length);
    let url = local.signed_put("/huge");
    assert_eq!(curl(&["-f", "-T", &local.file(&bytes)], &url).status, 200);
    assert!(local.curl(&["-fL"], "/huge").body == bytes);
}

#[test]
fn a_client_that_does_not_follow_is_told_that_nothing_is_stored() {
    let Some(local) = Local::start(&[]) else { return };
    let answer = local.curl(&["-T", &local.file(b"x")], "/a%20b");
    assert_eq!(answer.status, 307);
    assert!(
        answer.text().contains("Nothing has been stored yet"),
        "{}",
        answer.text()
    );
    assert!(answer.text().contains(&local.url("/a%20b?url")), "{}", answer.text());
    assert_eq!(local.curl(&["-fL"], "/a%20b").status, 404);
}

#[test]
fn the_log_names_every_request_and_no_secret() {
    let Some(local) = Local::start(&[]) else { return };
    local.put("/dir/a%20b", b"x");
    local.curl(&["-fL", "-u", "someone:hunter2"], "/dir/a%20b");
    local.curl(&["-f"], "/dir/a%20b?url");
    let url = local.signed_put("/dir/c");
    curl(&["-f", "-T", &local.file(b"x")], &url);
    let log = local.log_with("dir/c");
    let log = log
        .split_once("?url')\"\n")
        .expect("the greeting ends with the two steps")
        .1;
    assert!(log.contains("307 PUT"), "{log}");
    assert!(log.contains("dir/a b"), "{log}");
    for secret in ["X-Amz", "x-amz", "Signature", "hunter2", "?url", "Authorization"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

#[test]
fn a_one_time_link_is_had_once_and_not_again_after_a_restart() {
    let rules = "version = 1\n[[token]]\nid = \"ann\"\n\
        sha256 = \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"\n\
        [[rule]]\nid = \"all\"\nwho = [\"token:ann\"]\ncan = [\"read\", \"write\"]\non = [\"**\"]\n";
    let keys = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let data = tempfile::TempDir::new().unwrap();
    let data = data.path().to_str().unwrap();
    let env = [("SIGNPOST_RULES", rules), ("SIGNPOST_KEYS", keys)];
    let start = || Local::start_with(&["--data", data], &env);
    let Some(local) = start() else { return };
    let stored = local.curl(&["-fL", "-u", "ann:secret", "-T", &local.file(b"once")], "/a");
    assert_eq!(stored.status, 200, "{}", stored.text());
    let wanted = r#"{"key": "a", "uses": 1}"#;
    let link = local.curl(&["-f", "-u", "ann:secret", "-d", wanted], "/-/share").text();
    let path = link.trim().strip_prefix(&local.url("")).unwrap().to_owned();
    let clicks: Vec<_> = std::thread::scope(|scope| {
        let clicks: Vec<_> = (0..20).map(|_| scope.spawn(|| local.curl(&["-L"], &path))).collect();
        clicks.into_iter().map(|click| click.join().unwrap()).collect()
    });
    let served: Vec<_> = clicks.iter().filter(|click| click.status == 200).collect();
    assert_eq!(served.len(), 1);
    assert_eq!(served[0].text(), "once");
    assert!(clicks.iter().all(|click| [200, 401].contains(&click.status)));
    drop(local);
    let local = start().unwrap();
    assert_eq!(local.curl(&["-L"], &path).status, 401);
}
