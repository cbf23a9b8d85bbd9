//! The exit status and the message of commands that fail.

use crate::proxy::{FaultProxy, ProxyAction, answer, s3_error};
use crate::support::LocalServer;

#[test]
fn usage_errors_are_reported_before_a_request_is_sent() {
    let local = LocalServer::start();
    let file = local.file("f", b"");
    for (arguments, words) in [
        (&["cat", "folder/"][..], "a folder and not an object"),
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
        .signpost(&["get", &local.url("/k"), "-o", "out", "--json"])
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
        .signpost(&["get", "k", "-o", "out", "--json"])
        .through(&denied)
        .fails(4, "AccessDenied");
    let shared = local
        .signpost(&["get", &local.url("/k?share=s3cret"), "-o", "out", "--json"])
        .said();
    for said in [said, refused, shared] {
        let all = format!("{}{}", said.text(), said.notes);
        assert!(
            !all.contains("Signature") && !all.contains("s3cret") && !all.contains('\x1b'),
            "{all}"
        );
    }
}

/// The secret of the token is `secret`.
const SHARING_RULES: &str = r#"
version = 1
[[token]]
id = "ci"
sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
[[rule]]
id = "own"
who = ["token:ci"]
can = ["read", "list"]
on = ["p/**"]
share = ["read"]
[[rule]]
id = "all"
who = ["anyone"]
can = ["read", "write", "delete", "list"]
allow_anonymous_write = true
on = ["**"]
"#;

/// A command line for each subcommand that writes to standard output.
const WRITING: [&[&str]; 24] = [
    &["cat", "p/k"],
    &["completions", "bash"],
    &["doctor"],
    &["doctor", "--json"],
    &["get", "p/k", "-o", "out", "--json"],
    &["get", "p/k", "-o", "-"],
    &["key", "new"],
    &["lfs"],
    &["ls", "p/"],
    &["ls", "--json", "p/"],
    &["man", "get"],
    &["put", "file", "p/", "--json"],
    &["rm", "p/none", "--json"],
    &["rules", "check", "rules.toml"],
    &["rules", "explain", "rules.toml", "--as", "anyone", "GET", "k"],
    &["share", "p/k"],
    &["stat", "p/k"],
    &["token", "new", "ci"],
    &["token", "rotate", "ci", "rules.toml"],
    &["uploads", ""],
    &["whoami"],
    &["--help"],
    &["help", "put"],
    &["--version"],
];

const LFS_REQUEST: &[u8] = br#"{"event":"init","operation":"download","remote":"origin","concurrent":false}"#;

/// These subcommands write only to standard error.
const SILENT: [&str; 2] = ["login", "logout"];

/// The names in the list of subcommands.
fn subcommands(help: &str) -> impl Iterator<Item = &str> {
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    list.lines()
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty())
}

#[test]
fn output_that_cannot_be_written_is_a_failure_of_every_subcommand() {
    let local = LocalServer::start_sharing(SHARING_RULES);
    local.holds("p/k", b"1");
    local.file("file", b"1");
    local
        .in_shell("curl -fsSLX POST \"$SIGNPOST_URL/pending?uploads\"", &[])
        .succeeds();
    for name in subcommands(local.signpost(&["--help"]).succeeds().text()) {
        let is_tested = WRITING.iter().any(|arguments| arguments[0] == name);
        assert!(is_tested != SILENT.contains(&name), "{name}");
    }
    for arguments in WRITING {
        let full = std::fs::File::create("/dev/full").unwrap();
        let output = local
            .signpost(arguments)
            .with("SIGNPOST_TOKEN", "secret")
            .reading(if arguments == ["lfs"] { LFS_REQUEST } else { b"" })
            .writing(full.into());
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        let notes = String::from_utf8_lossy(&output.stderr);
        assert!(
            notes.contains("failed to write to standard output"),
            "{arguments:?}: {notes}"
        );
    }
}
