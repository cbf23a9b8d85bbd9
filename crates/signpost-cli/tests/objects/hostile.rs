//! A faulty or malicious service or S3: the command sends no unwanted request, and local files are safe.

use crate::proxy::{FaultProxy, ProxyAction, answer};
use crate::support::LocalServer;

fn json(body: &str) -> ProxyAction {
    answer("200 OK", "Content-Type: application/json\r\n", body)
}

#[test]
fn only_the_requested_method_is_sent() {
    let local = LocalServer::start();
    let harm = r#"{"method":"DELETE","url":"http://127.0.0.1:1/b/k","key":"k","expires_in":300}"#;
    for (arguments, told) in [
        (&["get", "k", "-o", "out"][..], harm.to_owned()),
        (&["cat", "k"], harm.to_owned()),
        (&["put", "-", "k"], harm.to_owned()),
        (&["stat", "k"], format!("[{harm}]")),
    ] {
        let proxy = FaultProxy::start(move |_, _| json(&told));
        local.signpost(arguments).through(&proxy).fails(1, "another method");
        assert_eq!(proxy.seen().len(), 1, "{arguments:?}");
    }
}

#[test]
fn repeated_pages_end_the_listing() {
    let local = LocalServer::start();
    for arguments in [
        &["ls", "p/"][..],
        &["ls", "-r", "p/"],
        &["get", "-r", "p/", "-o", "out"],
        &["uploads", "p/"],
    ] {
        let proxy = FaultProxy::start(|seen, before| {
            let entries = if seen.head.contains("uploads") {
                r#""uploads":[]"#
            } else {
                r#""folders":[],"objects":[]"#
            };
            // Two pages alternate. The listing ends after 20 pages, so that a faulty command terminates.
            let next = match before.len() {
                20.. => "null",
                even if even % 2 == 0 => "\"a\"",
                _ => "\"b\"",
            };
            json(&format!(r#"{{"prefix":"p/",{entries},"next":{next}}}"#))
        });
        local.signpost(arguments).through(&proxy).fails(1, "repeats a page");
        assert_eq!(proxy.seen().len(), 3, "{arguments:?}");
    }
}

#[test]
fn an_impossible_object_length_is_rejected() {
    let local = LocalServer::start();
    local.holds("k", b"1");
    for arguments in [&["get", "k", "-o", "out"][..], &["cat", "k"]] {
        let service = local.address().to_owned();
        let proxy = FaultProxy::start(move |seen, _| {
            if seen.host == service {
                return ProxyAction::Pass;
            }
            let head = "HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: 100000000000000000\r\n\r\n";
            ProxyAction::Respond(head.to_owned())
        });
        local
            .signpost(arguments)
            .through(&proxy)
            .fails(1, "exceeds the maximum object size");
    }
    assert!(!local.path("out").exists());
}

#[test]
fn control_characters_from_servers_do_not_reach_the_terminal() {
    let local = LocalServer::start();
    local.holds("k", b"1");
    let refused =
        r#"{"code":"AccessDenied","detail":"no\u001b]0;x\u0007\u009b2J\nerror: forged","remedy":"do\u001b[2J"}"#;
    let answers = [
        (&["cat", "k"][..], answer("403 Forbidden", "", refused)),
        (&["whoami"], answer("403 Forbidden", "", refused)),
        (
            &["ls", "-l"],
            json(
                r#"{"prefix":"","objects":[{"name":"a\u001b[2J\nb","key":"a","size":1,"modified":"\u001b[2J"}],"next":null}"#,
            ),
        ),
        (
            &["uploads"],
            json(
                r#"{"prefix":"","uploads":[{"name":"a\u001b[2J\nb","key":"a","upload_id":"i","initiated":"\u001b[2J"}],"next":null}"#,
            ),
        ),
        (
            &["share", "k/"],
            json(r#"{"url":"http://h/\u001b[2J","id":"i","methods":[],"expires_at":"never"}"#),
        ),
    ];
    for (arguments, told) in answers {
        for json in [&[][..], &["--json"]] {
            let told = told.clone();
            let proxy = FaultProxy::start(move |_, _| told.clone());
            let said = local.signpost(&[arguments, json].concat()).through(&proxy);
            let said = if arguments[0] == "cat" && !json.is_empty() {
                continue;
            } else {
                said.said()
            };
            let all = format!("{}{}", said.text(), said.notes);
            assert!(
                all.len() > 5 && all.contains(if json.is_empty() { "[2J" } else { "2J" }),
                "{all:?}"
            );
            assert!(!all.chars().any(|char| char.is_control() && char != '\n'), "{all:?}");
            if arguments[0] == "cat" {
                assert_eq!(said.notes.lines().count(), 2, "{all:?}");
            } else if arguments[0] != "whoami" {
                assert_eq!(said.text().lines().count(), 1, "{all:?}");
            }
        }
    }
    let service = local.address().to_owned();
    let error = "<Error><Code>Odd</Code><Message>&#27;[2J</Message></Error>";
    let proxy = FaultProxy::start(move |seen, _| {
        if seen.host == service {
            ProxyAction::Pass
        } else {
            answer("400 Bad Request", "", error)
        }
    });
    let said = local
        .signpost(&["cat", "k"])
        .through(&proxy)
        .fails(1, "Odd: \u{fffd}[2J");
    assert!(!said.notes.contains('\x1b'), "{}", said.notes);
}

#[test]
fn an_unusable_key_does_not_affect_other_objects() {
    let local = LocalServer::start();
    local.holds("p/ok", b"1");
    let service = local.address().to_owned();
    let proxy = FaultProxy::start(move |seen, _| {
        if seen.host == service && seen.head.contains("recursive") {
            let listed = r#"{"name":"x/../y","key":"p/x/../y","size":1},{"name":"ok","key":"p/ok","size":1}"#;
            json(&format!(
                r#"{{"prefix":"p/","folders":[],"objects":[{listed}],"next":null}}"#
            ))
        } else {
            ProxyAction::Pass
        }
    });
    local
        .signpost(&["get", "-r", "p/", "-o", "out"])
        .through(&proxy)
        .fails(1, "x/../y");
    assert_eq!(std::fs::read(local.path("out/ok")).unwrap(), b"1");
}

#[test]
fn names_with_direction_marks_are_escaped() {
    let local = LocalServer::start();
    local.holds("p/safe\u{202e}txt.exe", b"1");
    for arguments in [
        &["ls", "p/"][..],
        &["ls", "-r", "p/"],
        &["ls", "--json", "p/"],
        &["stat", "p/safe\u{202e}txt.exe"],
        &["get", "p/none\u{202e}txt.exe"],
    ] {
        let output = local.signpost(arguments).said();
        let printed = format!("{}{}", output.text(), output.notes);
        assert!(printed.contains("txt.exe"), "{arguments:?}: {printed:?}");
        assert!(!printed.contains('\u{202e}'), "{arguments:?}: {printed:?}");
    }
}
