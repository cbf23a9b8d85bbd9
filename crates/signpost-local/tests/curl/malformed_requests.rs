//! Malformed requests.

use crate::support::LocalServer;

fn requests() -> Vec<Vec<u8>> {
    let long = "a".repeat(100_000);
    let many = "x: y\r\n".repeat(5_000);
    let texts = [
        "\r\n\r\n".to_owned(),
        "GET\r\n\r\n".into(),
        "GET / HTTP/9.9\r\n\r\n".into(),
        "GET / HTTP/1.0\r\n\r\n".into(),
        "GET /a HTTP/1.1\r\n\r\n".into(),
        "GET /a HTTP/1.1\r\nHost:\r\n\r\n".into(),
        "GET /a HTTP/1.1\r\nHost: a b\"<>^`{}|\\\r\n\r\n".into(),
        "GET /a HTTP/1.1\r\nHost: [::1\r\nHost: other\r\n\r\n".into(),
        "GET /a HTTP/1.1\r\nHost: $(id)';\r\n\r\n".into(),
        "GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
        "GET /% HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
        "GET /%ff%fe HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
        "GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
        "GET /a/../../b HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
        "GET /%2e%2e/b HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
        "GET // HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
        "GET a HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
        "GET /a\"<>{}|^` HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
        "GET /a?b=\"<>{}|^`%zz&&=&% HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
        "GET /a?%ff=%ff HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
        "GET http://other/a HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
        "CONNECT other:443 HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
        "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
        "BREW /pot HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
        "PUT /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n".into(),
        "PUT /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n".into(),
        "PUT /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd".into(),
        "PUT /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc".into(),
        "PUT /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".into(),
        "PUT /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
            .into(),
        "PUT /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n".into(),
        "PUT /a HTTP/1.1\r\nHost: localhost\r\nExpect: 200-maybe\r\nContent-Length: 1\r\n\r\nx".into(),
        "GET /a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic !!!\r\nAccept: ,;q=,*/*;q=x\r\n\r\n".into(),
        "GET /a HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: a\r\nX-Amz-Meta-: b\r\nCookie: ;;=\r\n\r\n".into(),
        format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        format!("GET /a HTTP/1.1\r\nHost: localhost\r\nlong: {long}{long}{long}{long}{long}\r\n\r\n"),
        format!("GET /a HTTP/1.1\r\nHost: localhost\r\n{many}\r\n"),
        format!("{long} /a HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ];
    let bytes: [&[u8]; 7] = [
        b"",
        b"\0\xff\xfe\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /\xf0\x9f\x98\x80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: \xff\xfe\r\nX: \xff\r\n\r\n",
        b"GET /a?\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ];
    texts
        .into_iter()
        .map(String::into_bytes)
        .chain(bytes.map(<[u8]>::to_vec))
        .collect()
}

#[test]
fn malformed_requests_never_cause_a_server_error() {
    for front in ["rest", "http-api", "function-url", "alb", "alb-multi-value"] {
        let Some(mut server) = LocalServer::start(&["--front", front]) else {
            return;
        };
        for request in requests() {
            let response = server.send_raw(&request);
            let excerpt = String::from_utf8_lossy(&request[..request.len().min(80)]).into_owned();
            let status = response.get(9..12).map(String::from_utf8_lossy).unwrap_or_default();
            assert!(
                !status.starts_with('5'),
                "{front} {excerpt:?}: {}",
                String::from_utf8_lossy(&response)
            );
        }
        assert!(server.runs(), "{front}");
        assert_eq!(server.curl(&["-f"], "/-/health").status, 200, "{front}");
        assert!(!server.log().contains("panicked"), "{front} {}", server.log());
    }
}

#[test]
fn malformed_requests_are_client_errors() {
    let long = format!(
        "GET /a HTTP/1.1\r\nHost: localhost\r\nlong: {}\r\n\r\n",
        "a".repeat(300_000)
    );
    for front in ["rest", "http-api", "function-url", "alb", "alb-multi-value"] {
        let Some(server) = LocalServer::start(&["--front", front]) else {
            return;
        };
        for (request, status) in [
            ("garbage\r\n\r\n", 400),
            ("GET /a HTTP/1.1\r\n\r\n", 307),
            ("GET /a HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: other\r\n\r\n", 400),
            ("GET /a HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: 127.0.0.1\r\n\r\n", 400),
            ("GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
            ("GET /%ff HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
            ("GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
            ("GET /a/%2e%2e/b HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
            ("BREW /pot HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
            ("CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
            (
                "PUT /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc",
                400,
            ),
            (&long, 431),
        ] {
            let response = server.send_raw(request.as_bytes());
            let response = String::from_utf8_lossy(&response);
            let excerpt = &request[..request.len().min(80)];
            assert!(
                response.starts_with(&format!("HTTP/1.1 {status}")),
                "{front} {excerpt:?}: {response}"
            );
        }
    }
}

#[test]
fn a_forged_host_is_not_part_of_a_command() {
    let rules = "version = 1\n[[rule]]\nid = \"r\"\nwho = [\"anyone\"]\ncan = [\"delete\"]\non = [\"**\"]\nallow_anonymous_write = true\n";
    let Some(server) = LocalServer::start_with(&["--front", "function-url"], &[("SIGNPOST_RULES", rules)]) else {
        return;
    };
    let response = server.send_raw(b"DELETE /a HTTP/1.1\r\nHost: $(id)';\r\nConnection: close\r\n\r\n");
    let response = String::from_utf8_lossy(&response).into_owned();
    assert!(response.starts_with("HTTP/1.1 307"), "{response}");
    assert!(!response.contains("$(id)"), "{response}");
}
