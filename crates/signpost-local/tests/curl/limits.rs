//! What the fronts refuse, and that the refusal says what works.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use crate::support::{Local, curl, noise};

/// A front, and a body that just does not fit.
const LIMITS: [(&str, usize); 5] = [
    ("rest", 5_000_000),
    ("http-api", 5_000_000),
    ("function-url", 5_000_000),
    ("alb", 1_100_000),
    ("alb-multi-value", 1_100_000),
];

#[test]
fn a_body_above_the_limit_is_413_with_a_command_that_works() {
    for (front, length) in LIMITS {
        let Some(local) = Local::start(&["--front", front]) else {
            return;
        };
        let file = local.file(&noise(length));
        for expect in ["Expect: 100-continue", "Expect:"] {
            let answer = local.curl(&["-L", "-H", expect, "-T", &file], "/a%20b");
            assert_eq!(
                (answer.status, answer.exit),
                (413, 0),
                "{front} {expect} {}",
                answer.text()
            );
            assert!(answer.text().contains("EntityTooLarge"), "{front} {}", answer.text());
            assert!(
                answer.text().contains(&local.url("/a%20b?url")),
                "{front} {}",
                answer.text()
            );
        }
        assert_eq!(
            curl(&["-f", "-T", &file], &local.signed_put("/a%20b")).status,
            200,
            "{front}"
        );
    }
}

#[test]
fn a_body_below_the_limit_fits() {
    for (front, length) in [
        ("rest", 4_600_000),
        ("http-api", 4_600_000),
        ("function-url", 4_600_000),
        ("alb", 1_000_000),
    ] {
        let Some(local) = Local::start(&["--front", front]) else {
            return;
        };
        let bytes = noise(length);
        assert_eq!(local.put("/a", &bytes).status, 200, "{front}");
        assert!(local.curl(&["-fL"], "/a").body == bytes, "{front}");
    }
}

#[test]
fn a_body_far_above_the_limit_is_answered_and_not_reset() {
    let Some(local) = Local::start(&[]) else { return };
    let file = local.path("sparse");
    std::fs::File::create(&file).unwrap().set_len(200_000_000).unwrap();
    for expect in ["Expect: 100-continue", "Expect:"] {
        let answer = local.curl(&["-H", expect, "-T", file.to_str().unwrap()], "/a");
        assert_eq!((answer.status, answer.exit), (413, 0), "{expect}");
        let chunked = [
            "-H",
            expect,
            "-H",
            "Transfer-Encoding: chunked",
            "-T",
            file.to_str().unwrap(),
        ];
        let answer = local.curl(&chunked, "/a");
        assert_eq!((answer.status, answer.exit), (413, 0), "chunked, {expect}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_body_far_above_the_limit_does_not_grow_the_process() {
    let Some(local) = Local::start(&[]) else { return };
    let file = local.path("sparse");
    std::fs::File::create(&file).unwrap().set_len(400_000_000).unwrap();
    local.curl(&["-H", "Expect:", "-T", file.to_str().unwrap()], "/a");
    local.curl(
        &["-H", "Transfer-Encoding: chunked", "-T", file.to_str().unwrap()],
        "/a",
    );
    let status = std::fs::read_to_string(format!("/proc/{}/status", local.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kilobytes < 150_000, "{kilobytes} kB at the peak");
}

#[test]
fn a_client_that_waits_to_be_told_to_go_on_is_told() {
    let Some(local) = Local::start(&[]) else { return };
    let head = b"PUT /a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n";
    let mut stream = TcpStream::connect(local.address()).unwrap();
    stream.write_all(head).unwrap();
    let mut told = [0; 25];
    stream.read_exact(&mut told).unwrap();
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"x").unwrap();
    stream.read_exact(&mut told).unwrap();
    assert!(told.starts_with(b"HTTP/1.1 307"));
}

#[test]
fn a_chunked_upload_is_411_where_the_front_can_tell() {
    for front in ["http-api", "function-url", "alb", "alb-multi-value"] {
        let Some(local) = Local::start(&["--front", front]) else {
            return;
        };
        let answer = local.curl(
            &["-L", "-H", "Transfer-Encoding: chunked", "-T", &local.file(b"hello")],
            "/a",
        );
        assert_eq!(answer.status, 411, "{front}");
        assert!(
            answer.text().contains(&local.url("/a?url")),
            "{front} {}",
            answer.text()
        );
    }
}

#[test]
fn a_chunked_upload_on_a_rest_api_stores_all_or_nothing() {
    let Some(local) = Local::start(&[]) else { return };
    let answer = local.curl(
        &["-fL", "-H", "Transfer-Encoding: chunked", "-T", &local.file(b"hello")],
        "/a",
    );
    let stored = local.curl(&["-fL"], "/a");
    match answer.status {
        200 => assert_eq!(stored.text(), "hello"),
        status => assert!(status >= 400 && stored.status == 404, "{answer:?} {stored:?}"),
    }
}

#[test]
fn curl_cannot_send_a_pipe_again_and_says_so() {
    for front in ["rest", "function-url"] {
        let Some(local) = Local::start(&["--front", front]) else {
            return;
        };
        let mut pipe = Command::new("curl")
            .args(["-q", "-sS", "--noproxy", "*", "-fL", "-T", "-", &local.url("/piped")])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        pipe.stdin.take().unwrap().write_all(b"from a pipe").unwrap();
        let code = pipe.wait().unwrap().code();
        assert!(matches!(code, Some(22 | 65)), "{front}: {code:?}");
        assert_eq!(local.curl(&["-fL"], "/piped").status, 404, "{front}");
    }
}
