//! A service, or an S3, that is broken or means harm: it has no more done than was asked for, and breaks nothing here.

use crate::proxy::{Fate, Proxy, answer};
use crate::support::Local;

fn json(body: &str) -> Fate {
    answer("200 OK", "Content-Type: application/json\r\n", body)
}

#[test]
fn only_the_method_that_was_asked_for_is_sent() {
    let local = Local::start();
    let harm = r#"{"method":"DELETE","url":"http://127.0.0.1:1/b/k","key":"k","expires_in":300}"#;
    for (arguments, told) in [
        (&["get", "k", "-o", "out"][..], harm.to_owned()),
        (&["cat", "k"], harm.to_owned()),
        (&["put", "-", "k"], harm.to_owned()),
        (&["stat", "k"], format!("[{harm}]")),
    ] {
        let proxy = Proxy::start(move |_, _| json(&told));
        local.signpost(arguments).through(&proxy).fails(1, "another method");
        assert_eq!(proxy.seen().len(), 1, "{arguments:?}");
    }
}

#[test]
fn pages_that_come_round_again_end() {
    let local = Local::start();
    for arguments in [
        &["ls", "p/"][..],
        &["ls", "-r", "p/"],
        &["get", "-r", "p/", "-o", "out"],
        &["uploads", "p/"],
    ] {
        let proxy = Proxy::start(|seen, before| {
            let entries = if seen.head.contains("uploads") {
                r#""uploads":[]"#
            } else {
                r#""folders":[],"objects":[]"#
            };
            // Two that take turns; with an end, so that this test has one.
            let next = match before.len() {
                20.. => "null",
                even if even % 2 == 0 => "\"a\"",
                _ => "\"b\"",
            };
            json(&format!(r#"{{"prefix":"p/",{entries},"next":{next}}}"#))
        });
        local.signpost(arguments).through(&proxy).fails(1, "leads back");
        assert_eq!(proxy.seen().len(), 3, "{arguments:?}");
    }
}

#[test]
fn an_object_that_is_longer_than_any_is_refused() {
    let local = Local::start();
    local.holds("k", b"1");
    for arguments in [&["get", "k", "-o", "out"][..], &["cat", "k"]] {
        let service = local.address().to_owned();
        let proxy = Proxy::start(move |seen, _| {
            if seen.host == service {
                return Fate::Pass;
            }
            let head = "HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: 100000000000000000\r\n\r\n";
            Fate::Answer(head.to_owned())
        });
        local
            .signpost(arguments)
            .through(&proxy)
            .fails(1, "no object is so long");
    }
    assert!(!local.path("out").exists());
}
