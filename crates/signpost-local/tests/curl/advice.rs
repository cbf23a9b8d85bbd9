//! The commands in messages work when a user runs them, also under rules that limit the size of uploads.

use std::process::Command;

use crate::support::{CurlResponse, LocalServer, curl};

const RULES: &str = r#"version = 1
[[token]]
id = "ann"
sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"

[[rule]]
id = "limited"
who = ["anyone"]
can = ["read", "write"]
on = ["a b/**"]
max_bytes = "20MB"
allow_anonymous_write = true

[[rule]]
id = "share"
who = ["token:ann"]
can = ["read"]
on = ["**"]
share = []
client_may_set = ["response-content-disposition"]

[[rule]]
id = "worm"
effect = "deny"
who = ["token:ann"]
can = ["write"]
on = ["archive/**"]
"#;

fn start() -> Option<LocalServer> {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.toml");
    std::fs::write(&rules, RULES).unwrap();
    LocalServer::start(&["--front", "function-url", "--rules", rules.to_str().unwrap()])
}

/// The upload in two steps that a text contains, with the path of the file.
fn two_steps_in(text: &str, file: &str) -> String {
    let (_, command) = text.split_once("curl -fT FILE ").expect(text);
    let (command, _) = command.split_once("))\"").expect(text);
    format!("curl -q -sS --noproxy '*' -fT FILE {command}))\"").replace("FILE", &format!("'{file}'"))
}

fn run(command: &str) {
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    assert!(output.status.success(), "{command}\n{output:?}");
}

type Case<'a> = (&'a str, &'a [u8], u16, &'a [&'a str], &'a str);

#[test]
fn the_two_steps_in_every_message_store_the_file() {
    let Some(server) = start() else { return };
    let large = vec![b'x'; 11_000_000];
    let small = b"hello".to_vec();
    let cases: [Case<'_>; 6] = [
        ("too large for the front", &large, 413, &["-L"], ""),
        ("chunked", &small, 411, &["-H", "Transfer-Encoding: chunked"], ""),
        ("without following the redirect", &small, 307, &[], ""),
        ("an instruction with a body", &small, 400, &[], "?url"),
        ("an instruction without a length", &[], 411, &["-X", "PUT"], "?url"),
        ("JSON without a length", &[], 411, &["-X", "PUT"], "?json"),
    ];
    for (number, (case, bytes, status, arguments, query)) in cases.into_iter().enumerate() {
        let path = format!("/a%20b/{number}");
        let file = server.file(if bytes.is_empty() { b"hello" } else { bytes });
        let upload: &[&str] = if bytes.is_empty() { &[] } else { &["-T", &file] };
        let response: CurlResponse = server.curl(&[arguments, upload].concat(), &format!("{path}{query}"));
        assert_eq!(response.status, status, "{case}: {}", response.text());
        let text = response.text().replace("\\\"", "\"");
        run(&two_steps_in(&text, &file));
        let stored = server.curl(&["-fL"], &path);
        assert!(stored.body == std::fs::read(&file).unwrap(), "{case}");
    }
}

#[test]
fn the_two_steps_in_the_welcome_text_store_the_file() {
    let Some(server) = start() else { return };
    let file = server.file(b"hello");
    let welcome = server
        .log_with("tr -d ' '))\"")
        .replace("/FILE?url", "/a%20b/welcome?url")
        .replace("ID:SECRET", "ann:secret");
    run(&two_steps_in(&welcome, &file));
    assert_eq!(server.curl(&["-fL"], "/a%20b/welcome").body, b"hello");
}

#[test]
fn the_log_line_of_a_rejected_request_contains_the_rejection_the_rule_and_the_request_id() {
    let Some(server) = start() else { return };
    let ann: &[&str] = &["-u", "ann:secret"];
    let share = ["-X", "POST", "--data", "{\"key\": \"a\"}"];
    for (arguments, path, expected) in [
        (
            [ann, &["-T", "Cargo.toml"]].concat(),
            "/archive/x",
            "rule=worm  code=AccessDenied  rejection=DeniedByRule",
        ),
        (
            [ann, &["-T", "Cargo.toml"]].concat(),
            "/other/x",
            "code=AccessDenied  rejection=AccessDenied",
        ),
        (
            [ann, &share].concat(),
            "/-/share",
            "code=NoSuchKey  rejection=SharingOff",
        ),
        (
            ann.to_vec(),
            "/b?versionId=1",
            "rule=share  code=AccessDenied  rejection=NotClientSettable",
        ),
        (
            ann.to_vec(),
            "/b?download&response-content-disposition=inline",
            "code=InvalidArgument  rejection=ExclusiveParameters",
        ),
        (
            ann.to_vec(),
            "/b?x=1",
            "code=InvalidArgument  rejection=UnknownParameter",
        ),
        (
            ann.to_vec(),
            "/b?download&download",
            "code=InvalidArgument  rejection=RepeatedParameter",
        ),
        (vec![], "/b", "code=CredentialRequired  rejection=CredentialRequired"),
    ] {
        let response = server.curl(&arguments, path);
        let text = response.text();
        let id = text
            .split_once("(request ")
            .and_then(|(_, rest)| rest.split_once(')'))
            .expect(&text)
            .0;
        let log = server.log_with(&format!("request={id}"));
        let line = log.lines().find(|line| line.contains(id)).unwrap();
        assert!(line.contains(expected), "{path}: {line}");
    }
    server.curl(&["-f"], "/-/health");
    let log = server.log_with("-/health");
    let line = log.lines().find(|line| line.contains("-/health")).unwrap();
    assert!(!line.contains("request="), "{line}");
}

#[test]
fn the_commands_in_messages_have_a_placeholder_for_the_credential() {
    let rules = "version = 1\n[[token]]\nid = \"ann\"\n\
        sha256 = \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"\n\
        [[rule]]\nid = \"all\"\nwho = [\"token:ann\"]\ncan = [\"read\", \"write\"]\non = [\"**\"]\n\
        overwrite = true\nmax_bytes = \"20MB\"\nshare = [\"read\", \"write\"]\n";
    let keys = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let env = [("SIGNPOST_RULES", rules), ("SIGNPOST_KEYS", keys)];
    let Some(server) = LocalServer::start_with(&["--front", "function-url"], &env) else {
        return;
    };
    let link = r#"{"prefix": "in/", "methods": ["PUT"]}"#;
    let link = server.curl(&["-f", "-u", "ann:secret", "-d", link], "/-/share").text();
    let (_, token) = link.trim().split_once("share=").unwrap();
    let file = server.file(b"hello");
    let chunked = ["-H", "Transfer-Encoding: chunked"];
    for (number, (status, more)) in [(307, &[][..]), (411, &chunked)].into_iter().enumerate() {
        for (options, path) in [
            (&["-u", "ann:secret"][..], format!("/in/{number}%20token")),
            (&[], format!("/in/{number}%20link?share={token}")),
        ] {
            let response = server.curl(&[options, more, &["-T", &file]].concat(), &path);
            let text = response.text();
            assert_eq!(response.status, status, "{text}");
            assert!(!text.contains(token), "{text}");
            let text = text
                .replace("ID:SECRET", "ann:secret")
                .replace("share=TOKEN", &format!("share={token}"));
            if status == 307 {
                let (_, command) = text.split_once("Follow it:  curl ").expect(&text);
                let command = command.lines().next().unwrap().replace("FILE", &format!("'{file}'"));
                run(&format!("curl -q -sS --noproxy '*' {command}"));
            } else {
                run(&two_steps_in(&text, &file));
            }
        }
    }
}

#[test]
fn an_empty_file_is_stored_under_a_limit() {
    let rules = "version = 1\n[[rule]]\nid = \"limited\"\nwho = [\"anyone\"]\ncan = [\"read\", \"write\"]\non = [\"**\"]\n\
        max_bytes = \"20MB\"\nallow_anonymous_write = true\n";
    for front in ["rest", "http-api", "function-url"] {
        let Some(server) = LocalServer::start_with(&["--front", front], &[("SIGNPOST_RULES", rules)]) else {
            return;
        };
        let stored = server.curl(&["-L", "-T", &server.file(b"")], "/a");
        assert_eq!(stored.status, 200, "{front}");
        let url = server.curl(&["-f", "-X", "PUT"], "/b?url&contentLength=0").text();
        for (content, status) in [(&b"x"[..], 403), (b"", 200)] {
            let file = server.file(content);
            assert_eq!(curl(&["-T", &file], url.trim()).status, status, "{front}");
        }
        assert_eq!(server.curl(&["-fL"], "/b").body, b"");
    }
}
