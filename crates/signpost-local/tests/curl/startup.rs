//! Start, failed starts and shutdown of the server.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::helpers::wait_until;
use crate::support::{LocalServer, command, curl};

/// Runs a server that must fail to start. Returns its exit code and its output.
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
fn a_start_error_names_the_option_or_variable() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let free = ["--listen", "127.0.0.1:0"];
    let with = |args: &[&'static str]| [&free, args].concat();
    for (args, env, response) in [
        (
            vec!["--listen", &taken],
            vec![],
            "Address already in use (os error 98); use another port, or port 0",
        ),
        (
            vec!["--listen", "127.0.0.1:0", "--s3-listen", &taken],
            vec![],
            "the embedded S3 cannot listen on 127.0.0.1:",
        ),
        (
            vec!["--listen", "127.0.0.1:0", "--s3-listen", &taken],
            vec![],
            "Address already in use (os error 98); use another port, or port 0",
        ),
        (vec!["--listen", "0.0.0.0:0"], vec![], "not a loopback address"),
        (with(&["--s3-listen", "0.0.0.0:0"]), vec![], "--s3-listen: 0.0.0.0:0"),
        (
            with(&["--rules", "none.toml"]),
            vec![],
            "--rules: failed to read none.toml: No such file",
        ),
        (with(&["--rules", "bad.toml"]), vec![], "--rules: TOML parse error"),
        (
            with(&["--data", "bad.toml"]),
            vec![],
            "cannot use the data directory bad.toml",
        ),
        (
            with(&[]),
            vec![("SIGNPOST_RULES", "version = 2")],
            "SIGNPOST_RULES: unknown version 2",
        ),
        (
            with(&[]),
            vec![("SIGNPOST_RULES_SOURCE", "ssm:/signpost/rules")],
            "SIGNPOST_RULES_SOURCE: not supported with the embedded S3",
        ),
        (
            with(&[]),
            vec![("SIGNPOST_TABLE", "signpost")],
            "SIGNPOST_TABLE: with the embedded S3",
        ),
        (with(&[]), vec![("SIGNPOST_BUKET", "x")], "SIGNPOST_BUKET is unknown"),
        (
            with(&["--s3-access-key-id", "local"]),
            vec![],
            "--s3-access-key-id, --s3-secret-access-key: specify both",
        ),
        (
            with(&["--bucket", "No"]),
            vec![("AWS_REGION", "eu-west-1")],
            "--bucket: \"No\" is not a bucket name",
        ),
    ] {
        let (code, stderr) = failure(&args, &env);
        assert!(
            stderr.starts_with("signpost: ") && stderr.contains(response),
            "{response}: {stderr}"
        );
        assert_eq!(code, Some(1), "{stderr}");
    }
}

#[test]
fn a_usage_error_exits_with_2() {
    assert_eq!(failure(&["--fronts", "rest"], &[]).0, Some(2));
    assert_eq!(failure(&["--front", "edge"], &[]).0, Some(2));
    assert_eq!(failure(&["--bucket", "files", "--data", "d"], &[]).0, Some(2));
}

#[test]
fn two_servers_cannot_share_a_data_directory() {
    let Some(server) = LocalServer::start(&[]) else { return };
    let data = server.path("signpost-data");
    let (code, stderr) = failure(&["--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()], &[]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("in use by another server"), "{stderr}");
}

#[test]
fn the_welcome_text_reports_the_address_once_and_warns_about_missing_rules() {
    let Some(server) = LocalServer::start(&[]) else { return };
    server.curl(&["-f"], "/-/health");
    let log = server.log();
    assert_eq!(log.matches("signpost: listening on http://").count(), 1, "{log}");
    assert!(log.contains("ANYONE"), "{log}");
    assert!(log.contains(&server.url("/FILE?url")), "{log}");
}

#[test]
fn the_welcome_text_leads_to_the_page_and_to_a_download_with_a_token() {
    let rules = "version = 1\n[[token]]\nid = \"ann\"\n\
        sha256 = \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"\n\
        [[rule]]\nid = \"r\"\nwho = [\"token:ann\"]\ncan = [\"read\", \"write\", \"list\"]\non = [\"**\"]\n";
    let Some(server) = LocalServer::start_with(&["--front", "function-url"], &[("SIGNPOST_RULES", rules)]) else {
        return;
    };
    let log = server.log_with("  up to 5 GiB");
    let page = log
        .lines()
        .find_map(|line| line.strip_prefix("  page        "))
        .expect("the page");
    let browser = [
        "-u",
        "ann:secret",
        "-H",
        "Sec-Fetch-Mode: navigate",
        "-H",
        "Accept: text/html",
    ];
    let response = curl(&browser, page);
    assert_eq!(response.status, 200);
    assert!(response.text().contains("upload-files"), "{}", response.text());

    let command = log
        .lines()
        .find_map(|line| line.strip_prefix("  download    curl "))
        .expect("a command");
    let words: Vec<_> = command.split_whitespace().map(|word| word.trim_matches('\'')).collect();
    let (url, options) = words.split_last().expect("a URL");
    let options: Vec<_> = options
        .iter()
        .filter(|option| **option != "-O")
        .map(|option| option.replace("ID:SECRET", "ann:secret"))
        .collect();
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    assert_eq!(
        curl(&[&options[..], &["-T", &server.file(b"x")]].concat(), url).status,
        200
    );
    let download = curl(&options, url);
    assert_eq!((download.status, download.text().as_str()), (200, "x"));
    assert_eq!(curl(&["-L"], url).status, 401);
}

#[test]
fn rules_restrict_access() {
    let folder = TempDir::new().unwrap();
    let rules = folder.path().join("rules.toml");
    let text = "version = 1\n[[rule]]\nid = \"r\"\nwho = [\"anyone\"]\ncan = [\"read\"]\non = [\"pub/**\"]\n";
    std::fs::write(&rules, text).unwrap();
    let Some(server) = LocalServer::start(&["--rules", rules.to_str().unwrap()]) else {
        return;
    };
    assert!(!server.log().contains("ANYONE"));
    assert_eq!(server.curl(&[], "/pub/a").status, 307);
    assert_eq!(server.curl(&[], "/private").status, 403);
    assert_eq!(server.put("/pub/a", b"x").status, 403);
}

#[test]
fn only_configured_cors_origins_are_allowed() {
    let preflight = ["-i", "-X", "OPTIONS", "-H", "Origin: https://app.example.com"];
    for (origins, allowed) in [
        ("", false),
        ("https://other.example.com", false),
        ("https://app.example.com", true),
    ] {
        let Some(server) = LocalServer::start_with(&[], &[("SIGNPOST_CORS_ORIGINS", origins)]) else {
            return;
        };
        let response = server.curl(&preflight, "/a").text();
        assert_eq!(
            response.contains("access-control-allow-origin: https://app.example.com\r\n"),
            allowed,
            "{response}"
        );
    }
}

#[test]
fn another_s3_server_can_be_used() {
    let folder = TempDir::new().unwrap();
    let Some(server) = LocalServer::start(&["--s3-listen", "127.0.0.1:0"]) else {
        return;
    };
    let signed = server.signed_put("/x");
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
    let mut response = String::new();
    while !response.contains("signpost: listening on ") || !response.ends_with('\n') {
        let mut byte = [0];
        assert_eq!(
            in_front.stderr.as_mut().unwrap().read(&mut byte).unwrap(),
            1,
            "{response}"
        );
        response.push(char::from(byte[0]));
    }
    let url = response.trim().rsplit(' ').next().unwrap();
    let location = curl(&["-f"], &format!("{url}/a?url")).text();
    let _ = in_front.kill();
    let _ = in_front.wait();
    assert!(location.starts_with(&format!("{origin}/signpost/a?")), "{location}");
    assert!(location.contains("AKIDEXAMPLE"), "{location}");
}

#[test]
#[cfg(unix)]
fn the_first_signal_waits_for_requests_and_the_second_stops_immediately() {
    let Some(mut server) = LocalServer::start(&[]) else {
        return;
    };
    let half = b"PUT /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\na";
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(half).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    signal(&server, "TERM");
    wait_until("the server accepts no connections", || {
        TcpStream::connect(server.address()).is_err()
    });
    assert!(server.runs());
    stream.write_all(b"b").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 307"), "{response}");
    assert_eq!(server.exit_code(), Some(0));

    let Some(mut server) = LocalServer::start(&[]) else {
        return;
    };
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(half).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    signal(&server, "INT");
    wait_until("the server accepts no connections", || {
        TcpStream::connect(server.address()).is_err()
    });
    signal(&server, "INT");
    assert_eq!(server.exit_code(), Some(130));
}

fn signal(server: &LocalServer, name: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &server.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// A website whose name resolves to this machine must not be able to use the server (DNS rebinding).
#[test]
fn without_rules_other_host_names_are_rejected() {
    let Some(server) = LocalServer::start(&[]) else { return };
    assert_eq!(server.put("/a", b"a").status, 200);
    let port = server.address().rsplit_once(':').unwrap().1;
    for host in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example.",
    ] {
        let response = server.curl(&["-H", &format!("Host: {host}:{port}")], "/a");
        assert_eq!(response.status, 421, "{host}: {}", response.text());
        let deleted = server.curl(&["-X", "DELETE", "-H", &format!("Host: {host}")], "/a");
        assert_eq!(deleted.status, 421, "{host}");
    }
    for host in ["localhost", "files.localhost", "127.0.0.1", "[::1]", "LOCALHOST"] {
        let response = server.curl(&["-H", &format!("Host: {host}:{port}")], "/a");
        assert_eq!(response.status, 307, "{host}: {}", response.text());
    }
    let rules =
        server.file(b"version = 1\n[[rule]]\nid = \"r\"\nwho = [\"anyone\"]\ncan = [\"read\"]\non = [\"**\"]\n");
    let Some(closed) = LocalServer::start(&["--rules", &rules]) else {
        return;
    };
    let response = closed.curl(&["-H", "Host: files.example.com"], "/a");
    assert_eq!(response.status, 307, "{}", response.text());
}

#[test]
fn the_commands_of_the_welcome_text_contain_the_base_path() {
    for (front, base) in [("function-url", "/files"), ("rest", "")] {
        let env = [("SIGNPOST_BASE_PATH", "/files")];
        let Some(server) = LocalServer::start_with(&["--front", front], &env) else {
            return;
        };
        let line = format!("curl -fL -T FILE '{}/FILE'", server.url(base));
        assert!(server.log_with(&line).contains(&line));
    }
}

#[test]
fn a_given_key_pair_opens_the_embedded_s3_and_is_not_printed() {
    let env = [
        ("SIGNPOST_LOCAL_S3_ACCESS_KEY_ID", "local"),
        ("SIGNPOST_LOCAL_S3_SECRET_ACCESS_KEY", "a-password"),
    ];
    let Some(server) = LocalServer::start_with(&[], &env) else {
        return;
    };
    let log = server.log_with("  up to 5 GiB");
    assert!(!log.contains("a-password"), "{log}");
    let usage = log
        .lines()
        .find(|line| line.starts_with("  S3 "))
        .expect("a line about S3");
    assert!(
        usage.contains("AWS_ACCESS_KEY_ID=local ") && usage.ends_with(" s3 ls s3://signpost"),
        "{usage}"
    );
    let endpoint = usage
        .split("--endpoint-url ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    let list = |pair: &str| {
        let hash = "x-amz-content-sha256: UNSIGNED-PAYLOAD";
        let signed = ["-f", "--aws-sigv4", "aws:amz:us-east-1:s3", "-u", pair, "-H", hash];
        curl(&signed, &format!("{endpoint}/signpost?list-type=2")).status
    };
    assert_eq!(list("local:a-password"), 200);
    assert_eq!(list("local:another"), 403);
    assert_eq!(list("signpost-local:a-password"), 403);
}

#[test]
fn without_a_key_pair_the_server_says_how_to_give_one() {
    let Some(server) = LocalServer::start(&[]) else {
        return;
    };
    assert!(server.log_with("  up to 5 GiB").contains("--s3-access-key-id"));
}

#[test]
fn help_and_version_that_cannot_be_written_are_a_failure() {
    for argument in ["--help", "-h", "--version"] {
        let full = std::fs::File::create("/dev/full").unwrap();
        let program = env!("CARGO_BIN_EXE_signpost-local");
        let output = std::process::Command::new(program)
            .arg(argument)
            .stdout(full)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{argument}");
        let notes = String::from_utf8(output.stderr).unwrap();
        assert!(
            notes.contains("failed to write to standard output"),
            "{argument}: {notes}"
        );
    }
}

#[test]
fn the_bucket_allows_the_origins_that_may_use_the_api() {
    let listed = "https://app.example.com, https://other.example.com";
    for (origins, origin, expected) in [
        ("*", "null", true),
        ("*", "https://any.example.net", true),
        (listed, "https://app.example.com", true),
        (listed, "https://other.example.com", true),
        (listed, "https://any.example.net", false),
        (listed, "null", false),
        ("", "null", false),
        ("", "https://app.example.com", false),
    ] {
        let Some(server) = LocalServer::start_with(&[], &[("SIGNPOST_CORS_ORIGINS", origins)]) else {
            return;
        };
        let url = server.signed_put("/a");
        let preflight = [
            "-i",
            "-X",
            "OPTIONS",
            "-H",
            &format!("Origin: {origin}"),
            "-H",
            "Access-Control-Request-Method: PUT",
        ];
        let response = curl(&preflight, &url);
        let is_allowed = response.text().to_lowercase().contains("access-control-allow-origin: ");
        assert_eq!(is_allowed, expected, "{origins} {origin}: {}", response.text());
    }
}

/// Rules that allow everyone to read below this prefix.
fn readable(prefix: &str) -> String {
    format!(
        "version = 1\n[[rule]]\nid = \"r-{prefix}\"\nwho = [\"anyone\"]\ncan = [\"read\"]\non = [\"{prefix}/**\"]\n"
    )
}

#[test]
fn the_variables_of_the_command_do_not_prevent_the_start() {
    let variables = [("SIGNPOST_URL", "http://127.0.0.1:8080"), ("SIGNPOST_TOKEN", "hush")];
    let Some(server) = LocalServer::start_with(&[], &variables) else {
        return;
    };
    server.curl(&["-f"], "/-/health");
    assert!(!server.log().contains("hush"));
}

#[test]
fn the_welcome_text_summarizes_the_rules_links_and_sign_in() {
    let folder = TempDir::new().unwrap();
    let rules = folder.path().join("rules.toml");
    std::fs::write(&rules, readable("a")).unwrap();
    let Some(server) = LocalServer::start(&["--rules", rules.to_str().unwrap()]) else {
        return;
    };
    let log = server.log_with("up to 5 GiB");
    for line in [
        "rules.toml: 1 rule, 0 tokens, 0 issuers; changes take effect at once",
        "links       off: the rules contain no [[token]]",
        "sign-in     off: the rules contain no [[token]]",
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
}

#[test]
fn changed_rules_apply_to_the_next_request_and_invalid_ones_to_none() {
    let folder = TempDir::new().unwrap();
    let rules = folder.path().join("rules.toml");
    std::fs::write(&rules, readable("a")).unwrap();
    let Some(server) = LocalServer::start(&["--rules", rules.to_str().unwrap()]) else {
        return;
    };
    let statuses = || ["/a/k", "/b/k"].map(|path| server.curl(&[], path).status);
    assert_eq!(statuses(), [307, 403]);
    // The length is the same, and the time of modification can be.
    std::fs::write(&rules, readable("b")).unwrap();
    assert_eq!(statuses(), [403, 307]);
    server.log_with("rules.toml again: 1 rule, 0 tokens, 0 issuers");
    let replacement = folder.path().join("rules.new");
    std::fs::write(&replacement, readable("a")).unwrap();
    std::fs::rename(&replacement, &rules).unwrap();
    assert_eq!(statuses(), [307, 403]);
    for invalid in [&readable("b").replace("can =", "may ="), "", "\u{0}"] {
        std::fs::write(&rules, invalid).unwrap();
        assert_eq!(statuses(), [307, 403], "{invalid}");
    }
    let log = server.log_with("the previous rules stay in effect");
    assert!(log.contains("line 5"), "{log}");
    std::fs::remove_file(&rules).unwrap();
    assert_eq!(statuses(), [307, 403]);
    std::fs::write(&rules, readable("b")).unwrap();
    assert_eq!(statuses(), [403, 307]);
}

#[test]
fn a_change_is_logged_without_a_request() {
    let folder = TempDir::new().unwrap();
    let rules = folder.path().join("rules.toml");
    std::fs::write(&rules, readable("a")).unwrap();
    let Some(server) = LocalServer::start(&["--rules", rules.to_str().unwrap()]) else {
        return;
    };
    std::fs::write(
        &rules,
        format!("{}{}", readable("a"), readable("b").replace("version = 1\n", "")),
    )
    .unwrap();
    server.log_with("rules.toml again: 2 rules");
}

#[test]
fn a_log_line_contains_the_caller_and_the_rule() {
    let folder = TempDir::new().unwrap();
    let rules = folder.path().join("rules.toml");
    // The secret of the token is `secret`.
    let token =
        "[[token]]\nid = \"ci\"\nsha256 = \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"\n";
    let deny =
        "[[rule]]\nid = \"nobody-deletes\"\neffect = \"deny\"\nwho = [\"anyone\"]\ncan = [\"delete\"]\non = [\"**\"]\n";
    std::fs::write(&rules, format!("{}{token}{deny}", readable("a"))).unwrap();
    let Some(server) = LocalServer::start(&["--rules", rules.to_str().unwrap()]) else {
        return;
    };
    server.curl(&[], "/a/k?url");
    server.curl(&["-u", "ci:secret", "-X", "DELETE"], "/a/k");
    server.log_with("a/k  caller=anyone  rule=r-a\n");
    let log = server.log_with("a/k  caller=token:ci  rule=nobody-deletes  code=AccessDenied");
    assert!(!log.contains("ci:secret"), "{log}");
}
