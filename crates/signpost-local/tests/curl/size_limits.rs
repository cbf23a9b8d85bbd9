//! Size limits of the fronts, and responses that name a working command.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use crate::helpers::random_bytes;
use crate::support::{LocalServer, curl};

/// A front and a body length slightly above its limit.
const LIMITS: [(&str, usize); 5] = [
    ("rest", 5_000_000),
    ("http-api", 5_000_000),
    ("function-url", 5_000_000),
    ("alb", 1_100_000),
    ("alb-multi-value", 1_100_000),
];

#[test]
fn a_body_above_the_limit_gets_413_with_a_working_command() {
    for (front, length) in LIMITS {
        let Some(server) = LocalServer::start(&["--front", front]) else {
            return;
        };
        let file = server.file(&random_bytes(length));
        for expect in ["Expect: 100-continue", "Expect:"] {
            let response = server.curl(&["-L", "-H", expect, "-T", &file], "/a%20b");
            assert_eq!(
                (response.status, response.exit),
                (413, 0),
                "{front} {expect} {}",
                response.text()
            );
            assert!(
                response.text().contains("EntityTooLarge"),
                "{front} {}",
                response.text()
            );
            assert!(
                response.text().contains(&server.url("/a%20b?url")),
                "{front} {}",
                response.text()
            );
        }
        assert_eq!(
            curl(&["-f", "-T", &file], &server.signed_put("/a%20b")).status,
            200,
            "{front}"
        );
    }
}

#[test]
fn a_body_below_the_limit_is_accepted() {
    for (front, length) in [
        ("rest", 4_600_000),
        ("http-api", 4_600_000),
        ("function-url", 4_600_000),
        ("alb", 1_000_000),
    ] {
        let Some(server) = LocalServer::start(&["--front", front]) else {
            return;
        };
        let bytes = random_bytes(length);
        assert_eq!(server.put("/a", &bytes).status, 200, "{front}");
        assert!(server.curl(&["-fL"], "/a").body == bytes, "{front}");
    }
}

#[test]
fn a_body_far_above_the_limit_gets_a_response_and_no_reset() {
    let Some(server) = LocalServer::start(&[]) else { return };
    let file = server.path("sparse");
    std::fs::File::create(&file).unwrap().set_len(200_000_000).unwrap();
    for expect in ["Expect: 100-continue", "Expect:"] {
        let response = server.curl(&["-H", expect, "-T", file.to_str().unwrap()], "/a");
        assert_eq!((response.status, response.exit), (413, 0), "{expect}");
        let chunked = [
            "-H",
            expect,
            "-H",
            "Transfer-Encoding: chunked",
            "-T",
            file.to_str().unwrap(),
        ];
        let response = server.curl(&chunked, "/a");
        assert_eq!((response.status, response.exit), (413, 0), "chunked, {expect}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_body_far_above_the_limit_is_not_buffered() {
    let Some(server) = LocalServer::start(&[]) else { return };
    let file = server.path("sparse");
    std::fs::File::create(&file).unwrap().set_len(400_000_000).unwrap();
    server.curl(&["-H", "Expect:", "-T", file.to_str().unwrap()], "/a");
    server.curl(
        &["-H", "Transfer-Encoding: chunked", "-T", file.to_str().unwrap()],
        "/a",
    );
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kilobytes < 150_000, "{kilobytes} kB at the peak");
}

#[test]
fn a_client_that_waits_for_100_continue_receives_it() {
    let Some(server) = LocalServer::start(&[]) else { return };
    let head = b"PUT /a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n";
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(head).unwrap();
    let mut response = [0; 25];
    stream.read_exact(&mut response).unwrap();
    assert_eq!(&response, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"x").unwrap();
    stream.read_exact(&mut response).unwrap();
    assert!(response.starts_with(b"HTTP/1.1 307"));
}

#[test]
fn a_chunked_upload_gets_411_if_the_front_reports_it() {
    for front in ["http-api", "function-url", "alb", "alb-multi-value"] {
        let Some(server) = LocalServer::start(&["--front", front]) else {
            return;
        };
        let response = server.curl(
            &["-L", "-H", "Transfer-Encoding: chunked", "-T", &server.file(b"hello")],
            "/a",
        );
        assert_eq!(response.status, 411, "{front}");
        assert!(
            response.text().contains(&server.url("/a?url")),
            "{front} {}",
            response.text()
        );
    }
}

#[test]
fn a_chunked_upload_on_a_rest_api_stores_all_or_nothing() {
    let Some(server) = LocalServer::start(&[]) else { return };
    let response = server.curl(
        &["-fL", "-H", "Transfer-Encoding: chunked", "-T", &server.file(b"hello")],
        "/a",
    );
    let stored = server.curl(&["-fL"], "/a");
    match response.status {
        200 => assert_eq!(stored.text(), "hello"),
        status => assert!(status >= 400 && stored.status == 404, "{response:?} {stored:?}"),
    }
}

#[test]
fn curl_fails_for_a_pipe_because_it_cannot_resend_it() {
    for front in ["rest", "function-url"] {
        let Some(server) = LocalServer::start(&["--front", front]) else {
            return;
        };
        let mut pipe = Command::new("curl")
            .args(["-q", "-sS", "--noproxy", "*", "-fL", "-T", "-", &server.url("/piped")])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        pipe.stdin.take().unwrap().write_all(b"from a pipe").unwrap();
        let code = pipe.wait().unwrap().code();
        assert!(matches!(code, Some(22 | 65)), "{front}: {code:?}");
        assert_eq!(server.curl(&["-fL"], "/piped").status, 404, "{front}");
    }
}
