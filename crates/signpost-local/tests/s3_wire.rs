//! What happens on the connection: waiting clients, broken ones, browsers.

mod s3_support;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use s3_support::{Reply, Server, Signing};

#[test]
fn a_refusal_does_not_wait_for_the_body() {
    let server = Server::start();
    server.put("k", b"there");
    let forged = Signing::new("PUT", "k")
        .presign(server.address)
        .replace("/bucket/k?", "/bucket/x?");
    let taken = Signing::new("PUT", "k")
        .query("If-None-Match=%2A")
        .presign(server.address);
    for (target, status) in [(forged, 403), (taken, 412)] {
        let mut stream = server.connect();
        let headers = [("content-length", "1000000000"), ("expect", "100-continue")];
        stream
            .write_all(&server.head("PUT", &target, &headers, 0))
            .expect("written");
        assert_eq!(Reply::read(&mut stream, "PUT").status, status);
    }
}

#[test]
fn a_client_that_waits_is_told_to_continue() {
    let server = Server::start();
    let target = Signing::new("PUT", "k").presign(server.address);
    let mut stream = server.connect();
    let headers = [("content-length", "5"), ("expect", "100-continue")];
    stream
        .write_all(&server.head("PUT", &target, &headers, 0))
        .expect("written");
    assert_eq!(Reply::read(&mut stream, "PUT").status, 100);
    stream.write_all(b"hello").expect("written");
    assert_eq!(Reply::read(&mut stream, "PUT").status, 200);
    assert_eq!(server.get("k").text(), "hello");
}

#[test]
fn a_refusal_reaches_a_client_that_sends_at_once() {
    let server = Server::start();
    let body = vec![7; 20 * 1024 * 1024];
    let mut stream = server.connect();
    stream
        .write_all(&server.head("PUT", "/bucket/k", &[], body.len()))
        .expect("written");
    stream.write_all(&body).expect("the whole body is taken");
    Reply::read(&mut stream, "PUT").expect(403, "AccessDenied");
}

#[test]
fn a_connection_serves_many_requests() {
    let server = Server::start();
    let mut stream = server.connect();
    for n in 0..5 {
        let target = Signing::new("PUT", "k").presign(server.address);
        let head = String::from_utf8(server.head("PUT", &target, &[], 1))
            .expect("text")
            .replace("connection: close\r\n", "");
        stream.write_all(head.as_bytes()).expect("written");
        stream.write_all(&[b'0' + n]).expect("written");
        assert_eq!(Reply::read(&mut stream, "PUT").status, 200);
        // A refused request does not spoil the connection for the next.
        let head = head.replace("/bucket/k?", "/bucket/x?");
        stream.write_all(head.as_bytes()).expect("written");
        stream.write_all(b"x").expect("written");
        assert_eq!(Reply::read(&mut stream, "PUT").status, 403);
    }
    assert_eq!(server.get("k").text(), "4");
}

#[test]
fn a_short_body_stores_nothing() {
    let server = Server::start();
    server.put("k", b"before");
    let signing = Signing::new("PUT", "k").header("content-length", "10");
    let mut stream = server.connect();
    stream
        .write_all(&server.head("PUT", &signing.presign(server.address), &signing.headers, 0))
        .expect("written");
    stream.write_all(b"short").expect("written");
    stream.shutdown(Shutdown::Write).expect("closed");
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(!String::from_utf8_lossy(&rest).starts_with("HTTP/1.1 200"));
    assert_eq!(server.get("k").text(), "before");
    assert_eq!(wait_for_blobs(&server, 1), 1);
}

#[test]
fn another_length_than_the_signed_one_is_refused() {
    let server = Server::start();
    let target = Signing::new("PUT", "k")
        .header("content-length", "10")
        .presign(server.address);
    for body in [b"short".as_slice(), b"much longer"] {
        server
            .raw("PUT", &target, &[], body)
            .expect(403, "SignatureDoesNotMatch");
    }
    assert_eq!(server.raw("PUT", &target, &[], b"exactly 10").status, 200);
}

#[test]
fn a_chunked_upload_is_not_implemented_and_one_without_length_refused() {
    let server = Server::start();
    let target = Signing::new("PUT", "k").presign(server.address);
    let chunked = [("transfer-encoding", "chunked")];
    server
        .raw("PUT", &target, &chunked, b"5\r\nhello\r\n0\r\n\r\n")
        .expect(501, "NotImplemented");
    let mut stream = server.connect();
    let head = format!("PUT {target} HTTP/1.1\r\nhost: {}\r\n\r\n", server.address);
    stream.write_all(head.as_bytes()).expect("written");
    Reply::read(&mut stream, "PUT").expect(411, "MissingContentLength");
    server.get("k").expect(404, "NoSuchKey");
}

#[test]
fn a_hash_of_the_body_is_verified() {
    let server = Server::start();
    let target = Signing::new("PUT", "k").presign(server.address);
    let hash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let headers = [("x-amz-content-sha256", hash)];
    assert_eq!(server.raw("PUT", &target, &headers, b"hello").status, 200);
    server
        .raw("PUT", &target, &headers, b"hellO")
        .expect(400, "XAmzContentSHA256Mismatch");
    assert_eq!(server.get("k").text(), "hello");
}

#[test]
fn every_error_names_itself_and_its_request() {
    let server = Server::start();
    let target = Signing::new("GET", "k").presign(server.address);
    for target in [
        target.clone(),
        target.replace("/bucket/k", "/bucket/x<>&"),
        "/bucket/k".into(),
    ] {
        let reply = server.raw("GET", &target.replace("<>", "%3C%3E"), &[], b"");
        assert_eq!(reply.header("content-type"), "application/xml");
        assert!(!reply.element("Message").is_empty(), "{}", reply.text());
        assert_eq!(reply.element("RequestId"), reply.header("x-amz-request-id"));
    }
}

#[test]
fn a_browser_on_this_machine_may_use_the_bucket() {
    let server = Server::start();
    let origin = ("origin", "http://localhost:3000");
    let asked = [
        origin,
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "content-type"),
    ];
    let preflight = server.raw("OPTIONS", "/bucket/k?any=query", &asked, b"");
    assert_eq!(
        (preflight.status, preflight.header("access-control-allow-origin")),
        (200, origin.1)
    );
    assert_eq!(preflight.header("access-control-allow-headers"), "content-type");
    let put = server.raw(
        "PUT",
        &Signing::new("PUT", "k").presign(server.address),
        &[origin],
        b"x",
    );
    assert_eq!((put.status, put.header("access-control-allow-origin")), (200, origin.1));
    assert!(put.header("access-control-expose-headers").contains("ETag"));
    let refused = server.raw("GET", "/bucket/k", &[origin], b"");
    assert_eq!(
        (refused.status, refused.header("access-control-allow-origin")),
        (403, origin.1)
    );

    let foreign = [
        ("origin", "https://example.com"),
        ("access-control-request-method", "PUT"),
    ];
    server
        .raw("OPTIONS", "/bucket/k", &foreign, b"")
        .expect(403, "AccessForbidden");
    server.raw("OPTIONS", "/bucket/k", &[], b"").expect(400, "BadRequest");
}

#[test]
fn the_bucket_s_own_rules_replace_the_default() {
    let server = Server::start();
    let cors = |method| Signing {
        bucket_only: true,
        query: "cors",
        ..Signing::new(method, "")
    };
    server.send(&cors("GET"), b"").expect(404, "NoSuchCORSConfiguration");
    let rules = b"<CORSConfiguration><CORSRule><AllowedOrigin>https://example.com</AllowedOrigin>\
        <AllowedMethod>GET</AllowedMethod><ExposeHeader>ETag</ExposeHeader></CORSRule></CORSConfiguration>";
    let reply = server.send(&cors("PUT"), rules);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(
        server.send(&cors("GET"), b"").element("AllowedOrigin"),
        "https://example.com"
    );
    let asked = [
        ("origin", "https://example.com"),
        ("access-control-request-method", "GET"),
    ];
    assert_eq!(
        server
            .raw("OPTIONS", "/bucket/k", &asked, b"")
            .header("access-control-expose-headers"),
        "ETag"
    );
    let asked = [("origin", "http://localhost"), ("access-control-request-method", "GET")];
    server
        .raw("OPTIONS", "/bucket/k", &asked, b"")
        .expect(403, "AccessForbidden");
}

fn wait_for_blobs(server: &Server, wanted: usize) -> usize {
    for _ in 0..100 {
        if server.blobs() == wanted {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    server.blobs()
}
