//! How the server starts, refuses to start, and ends.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::{Local, command, curl, wait_until};

/// Starts a server that must not start, and returns its exit code and what it said.
fn failure(args: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String) {
    let folder = TempDir::new().unwrap();
    std::fs::write(
        folder.path().join("bad.toml"),
        "version = 1\n[[rule]]\nid = \"x\"\nwhom = []\n",
    )
    .unwrap();
    let mut command = command(folder.path(), args);
    let output = command.envs(env.iter().copied()).output().unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn what_stops_the_start_is_told_in_terms_of_what_was_typed() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let free = ["--listen", "127.0.0.1:0"];
    let with = |args: &[&'static str]| [&free, args].concat();
    for (args, env, told) in [
        (
            vec!["--listen", &taken],
            vec![],
            "--listen: cannot listen on 127.0.0.1:",
        ),
        (vec!["--listen", "0.0.0.0:0"], vec![], "not a loopback address"),
        (with(&["--s3-listen", "0.0.0.0:0"]), vec![], "--s3-listen: 0.0.0.0:0"),
        (
            with(&["--rules", "none.toml"]),
            vec![],
            "--rules: \"none.toml\": No such file",
        ),
        (with(&["--rules", "bad.toml"]), vec![], "--rules: TOML parse error"),
        (
            with(&["--data", "bad.toml"]),
            vec![],
            "cannot use the data folder bad.toml",
        ),
        (
            with(&[]),
            vec![("SIGNPOST_RULES", "version = 2")],
            "SIGNPOST_RULES: version 2",
        ),
        (
            with(&[]),
            vec![("SIGNPOST_RULES_SOURCE", "ssm:/signpost/rules")],
            "SIGNPOST_RULES_SOURCE: the embedded S3 keeps no rules",
        ),
        (
            with(&[]),
            vec![("SIGNPOST_TABLE", "signpost")],
            "SIGNPOST_TABLE: beside the embedded S3",
        ),
        (
            with(&[]),
            vec![("SIGNPOST_BUKET", "x")],
            "SIGNPOST_BUKET is not a setting",
        ),
        (
            with(&["--bucket", "No"]),
            vec![("AWS_REGION", "eu-west-1")],
            "--bucket: \"No\" is not a bucket name",
        ),
    ] {
        let (code, stderr) = failure(&args, &env);
        assert!(
            stderr.starts_with("signpost: ") && stderr.contains(told),
            "{told}: {stderr}"
        );
        assert_eq!(code, Some(1), "{stderr}");
    }
}

#[test]
fn a_usage_error_is_2() {
    assert_eq!(failure(&["--fronts", "rest"], &[]).0, Some(2));
    assert_eq!(failure(&["--front", "edge"], &[]).0, Some(2));
    assert_eq!(failure(&["--bucket", "files", "--data", "d"], &[]).0, Some(2));
}

#[test]
fn a_data_folder_has_one_server() {
    let Some(local) = Local::start(&[]) else { return };
    let data = local.path("signpost-data");
    let (code, stderr) = failure(&["--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()], &[]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("in use by another server"), "{stderr}");
}

#[test]
fn it_says_once_where_it_listens_and_that_anyone_may_do_everything() {
    let Some(local) = Local::start(&[]) else { return };
    local.curl(&["-f"], "/-/health");
    let log = local.log();
    assert_eq!(log.matches("signpost: listening on http://").count(), 1, "{log}");
    assert!(log.contains("ANYONE"), "{log}");
    assert!(log.contains(&local.url("/FILE?url")), "{log}");
}

#[test]
fn rules_close_it() {
    let folder = TempDir::new().unwrap();
    let rules = folder.path().join("rules.toml");
    let text = "version = 1\n[[rule]]\nid = \"r\"\nwho = [\"anyone\"]\ncan = [\"read\"]\non = [\"pub/**\"]\n";
    std::fs::write(&rules, text).unwrap();
    let Some(local) = Local::start(&["--rules", rules.to_str().unwrap()]) else {
        return;
    };
    assert!(!local.log().contains("ANYONE"));
    assert_eq!(local.curl(&[], "/pub/a").status, 307);
    assert_eq!(local.curl(&[], "/private").status, 403);
    assert_eq!(local.put("/pub/a", b"x").status, 403);
}

#[test]
fn pages_of_named_origins_only_may_use_it() {
    let preflight = ["-i", "-X", "OPTIONS", "-H", "Origin: https://app.example.com"];
    for (origins, allowed) in [
        ("", false),
        ("https://other.example.com", false),
        ("https://app.example.com", true),
    ] {
        let Some(local) = Local::start_with(&[], &[("SIGNPOST_CORS_ORIGINS", origins)]) else {
            return;
        };
        let answer = local.curl(&preflight, "/a").text();
        assert_eq!(
            answer.contains("access-control-allow-origin: https://app.example.com\r\n"),
            allowed,
            "{answer}"
        );
    }
}

#[test]
fn another_s3_server_can_stand_behind_it() {
    let folder = TempDir::new().unwrap();
    let Some(local) = Local::start(&["--s3-listen", "127.0.0.1:0"]) else {
        return;
    };
    let signed = local.signed_put("/x");
    let origin = signed.split("/signpost/").next().unwrap();
    let args = [
        "--listen",
        "127.0.0.1:0",
        "--bucket",
        "signpost",
        "--endpoint",
        origin,
        "--region",
        "us-east-1",
    ];
    let mut in_front = command(folder.path(), &args);
    in_front.envs([
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ]);
    let mut in_front = in_front.spawn().unwrap();
    let mut told = String::new();
    while !told.contains("signpost: listening on ") || !told.ends_with('\n') {
        let mut byte = [0];
        assert_eq!(in_front.stderr.as_mut().unwrap().read(&mut byte).unwrap(), 1, "{told}");
        told.push(char::from(byte[0]));
    }
    let url = told.trim().rsplit(' ').next().unwrap();
    let location = curl(&["-f"], &format!("{url}/a?url")).text();
    let _ = in_front.kill();
    let _ = in_front.wait();
    assert!(location.starts_with(&format!("{origin}/signpost/a?")), "{location}");
    assert!(location.contains("AKIDEXAMPLE"), "{location}");
}

#[test]
#[cfg(unix)]
fn the_first_signal_lets_a_request_finish_and_the_second_does_not() {
    let Some(mut local) = Local::start(&[]) else { return };
    let half = b"PUT /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\na";
    let mut stream = TcpStream::connect(local.address()).unwrap();
    stream.write_all(half).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    signal(&local, "TERM");
    wait_until(|| TcpStream::connect(local.address()).is_err());
    assert!(local.runs());
    stream.write_all(b"b").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 307"), "{answer}");
    assert_eq!(local.exit_code(), Some(0));

    let Some(mut local) = Local::start(&[]) else { return };
    let mut stream = TcpStream::connect(local.address()).unwrap();
    stream.write_all(half).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    signal(&local, "INT");
    wait_until(|| TcpStream::connect(local.address()).is_err());
    signal(&local, "INT");
    assert_eq!(local.exit_code(), Some(130));
}

fn signal(local: &Local, name: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &local.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// A web site whose name leads to this machine must not use what only the people at this machine may.
#[test]
fn without_rules_no_other_name_leads_here() {
    let Some(local) = Local::start(&[]) else { return };
    assert_eq!(local.put("/a", b"a").status, 200);
    let port = local.address().rsplit_once(':').unwrap().1;
    for host in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example.",
    ] {
        let told = local.curl(&["-H", &format!("Host: {host}:{port}")], "/a");
        assert_eq!(told.status, 421, "{host}: {}", told.text());
        let deleted = local.curl(&["-X", "DELETE", "-H", &format!("Host: {host}")], "/a");
        assert_eq!(deleted.status, 421, "{host}");
    }
    for host in ["localhost", "files.localhost", "127.0.0.1", "[::1]", "LOCALHOST"] {
        let told = local.curl(&["-H", &format!("Host: {host}:{port}")], "/a");
        assert_eq!(told.status, 307, "{host}: {}", told.text());
    }
    let rules = local.file(b"version = 1\n[[rule]]\nid = \"r\"\nwho = [\"anyone\"]\ncan = [\"read\"]\non = [\"**\"]\n");
    let Some(closed) = Local::start(&["--rules", &rules]) else {
        return;
    };
    let told = closed.curl(&["-H", "Host: files.example.com"], "/a");
    assert_eq!(told.status, 307, "{}", told.text());
}

#[test]
fn the_lines_to_paste_have_the_base_path() {
    for (front, base) in [("function-url", "/files"), ("rest", "")] {
        let env = [("SIGNPOST_BASE_PATH", "/files")];
        let Some(local) = Local::start_with(&["--front", front], &env) else {
            return;
        };
        let line = format!("curl -fL -T FILE {}/FILE", local.url(base));
        assert!(local.log_with(&line).contains(&line));
    }
}
