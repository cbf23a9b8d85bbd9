//! The exit status and the message of commands that fail.

use crate::proxy::{FaultProxy, ProxyAction, answer, s3_error};
use crate::support::LocalServer;

#[test]
fn usage_errors_are_reported_before_a_request_is_sent() {
    let local = LocalServer::start();
    let file = local.file("f", b"");
    for (arguments, words) in [
        (&["cat", "folder/"][..], "is not an object"),
        (&["cat", "http://h/a/../b"], "`..`"),
        (&["cat", "http://user:pw@127.0.0.1/a"], "no user"),
        (&["cat", "a", "http://127.0.0.1:1/b"], "different services"),
        (&["put", "-", "folder/"], "no file name"),
        (&["put", ".", "folder"], "not a file"),
        (&["put", &file, "k", "--metadata", "x"], "NAME=VALUE"),
    ] {
        local.signpost(arguments).fails(2, words);
    }
    local
        .signpost(&["cat", "key"])
        .with("SIGNPOST_URL", "")
        .fails(2, "SIGNPOST_URL");
}

#[test]
fn an_existing_object_is_not_replaced() {
    let local = LocalServer::start();
    let file = local.file("f", b"2");
    local.holds("k", b"1");
    local.signpost(&["put", &file, "k"]).fails(5, "Delete the object first");
    local.signpost(&["put", &file, "k", "--no-clobber"]).fails(5, "exists");
    assert_eq!(local.object("k"), b"1");
    local
        .signpost(&["get", "k", "-o", "f", "--no-clobber"])
        .fails(5, "exists");
    assert_eq!(std::fs::read(&file).unwrap(), b"2");
}

#[test]
fn an_object_is_replaced_if_the_rules_allow_it_and_no_clobber_is_not_set() {
    let rules = "version = 1\n[[rule]]\nid = \"all\"\nwho = [\"anyone\"]\ncan = [\"read\", \"write\"]\non = [\"**\"]\n\
                 overwrite = true\nallow_anonymous_write = true\n";
    let local = LocalServer::start_with(Some(rules));
    local.holds("k", b"1");
    local.holds("k", b"2");
    local
        .signpost(&["put", "-", "k", "--no-clobber"])
        .reading(b"3")
        .fails(5, "exists");
    assert_eq!(local.object("k"), b"2");
    local.signpost(&["rm", "k"]).fails(4, "no rule allows");
}

#[test]
fn an_unreachable_service_is_a_temporary_failure() {
    let local = LocalServer::start();
    let said = local.signpost(&["cat", "http://127.0.0.1:1/k"]).fails(7, "127.0.0.1");
    assert!(said.notes.contains("efused"), "{}", said.notes);
}

#[test]
fn a_response_of_another_server_is_reported() {
    let local = LocalServer::start();
    for fate in [
        answer("200 OK", "", "<html>"),
        answer("302 Found", "Location: https://elsewhere/\r\n", ""),
        answer("200 OK", "", "{\"method\":\"GET\"}"),
    ] {
        let proxy = FaultProxy::start(move |_, _| fate.clone());
        local
            .signpost(&["cat", "k"])
            .through(&proxy)
            .fails(1, "is it a Signpost server?");
        assert_eq!(proxy.seen().len(), 1, "no redirect is followed");
    }
}

#[test]
fn an_instruction_for_another_key_is_not_sent() {
    let local = LocalServer::start();
    let body =
        "{\"method\":\"DELETE\",\"url\":\"http://127.0.0.1:1/a\",\"headers\":{},\"key\":\"a\",\"expires_in\":300}";
    let fate = answer("200 OK", "Content-Type: application/json\r\n", body);
    let proxy = FaultProxy::start(move |_, _| fate.clone());
    local.signpost(&["rm", "a?b"]).through(&proxy).fails(1, "another key");
    assert_eq!(proxy.seen().len(), 1);
}

#[test]
fn output_never_contains_presigned_urls_share_tokens_or_escape_codes() {
    let local = LocalServer::start();
    let s3 = local.address().to_owned();
    let proxy = FaultProxy::start(move |seen, _| {
        if seen.host == s3 {
            ProxyAction::Pass
        } else {
            ProxyAction::Drop
        }
    });
    let said = local
        .signpost(&["cat", &local.url("/k"), "--json"])
        .through(&proxy)
        .fails(7, "no response from");
    let denied = FaultProxy::start({
        let service = local.address().to_owned();
        move |seen, _| {
            if seen.host == service {
                ProxyAction::Pass
            } else {
                s3_error("403 Forbidden", "AccessDenied")
            }
        }
    });
    let refused = local
        .signpost(&["cat", "k", "--json"])
        .through(&denied)
        .fails(4, "AccessDenied");
    let shared = local.signpost(&["cat", &local.url("/k?share=s3cret"), "--json"]).said();
    for said in [said, refused, shared] {
        let all = format!("{}{}", said.text(), said.notes);
        assert!(
            !all.contains("Signature") && !all.contains("s3cret") && !all.contains('\x1b'),
            "{all}"
        );
    }
}

#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let local = LocalServer::start();
    local.holds("p/k", b"1");
    for arguments in [
        &["stat", "p/k"][..],
        &["ls", "p/"],
        &["get", "p/k", "-o", "out", "--json"],
        &["cat", "p/k"],
        &["doctor"],
        &["completions", "bash"],
        &["key", "new"],
        &["--help"],
        &["help", "put"],
        &["--version"],
    ] {
        let full = std::fs::File::create("/dev/full").unwrap();
        let output = local.signpost(arguments).writing(full.into());
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        let notes = String::from_utf8_lossy(&output.stderr);
        assert!(
            notes.contains("failed to write to standard output"),
            "{arguments:?}: {notes}"
        );
    }
}
