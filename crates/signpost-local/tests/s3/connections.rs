//! HTTP connections: `100 Continue`, incomplete bodies and browsers.

use std::io::{Read, Write};
use std::net::Shutdown;

use crate::helpers::wait_until;
use crate::support::{S3TestServer, SignedRequest, TestResponse};

#[test]
fn a_rejection_does_not_wait_for_the_body() {
    let server = S3TestServer::start();
    server.put("k", b"there");
    let forged = SignedRequest::new("PUT", "k")
        .presign(server.address)
        .replace("/bucket/k?", "/bucket/x?");
    let taken = SignedRequest::new("PUT", "k")
        .query("If-None-Match=%2A")
        .presign(server.address);
    for (target, status) in [(forged, 403), (taken, 412)] {
        let mut stream = server.connect();
        let headers = [("content-length", "1000000000"), ("expect", "100-continue")];
        stream
            .write_all(&server.request_head("PUT", &target, &headers, 0))
            .expect("written");
        assert_eq!(TestResponse::read(&mut stream, "PUT").status, status);
    }
}

#[test]
fn a_client_that_waits_for_100_continue_receives_it() {
    let server = S3TestServer::start();
    let target = SignedRequest::new("PUT", "k").presign(server.address);
    let mut stream = server.connect();
    let headers = [("content-length", "5"), ("expect", "100-continue")];
    stream
        .write_all(&server.request_head("PUT", &target, &headers, 0))
        .expect("written");
    assert_eq!(TestResponse::read(&mut stream, "PUT").status, 100);
    stream.write_all(b"hello").expect("written");
    assert_eq!(TestResponse::read(&mut stream, "PUT").status, 200);
    assert_eq!(server.get("k").text(), "hello");
}

#[test]
fn a_rejection_reaches_a_client_that_does_not_wait() {
    let server = S3TestServer::start();
    let body = vec![7; 20 * 1024 * 1024];
    let mut stream = server.connect();
    stream
        .write_all(&server.request_head("PUT", "/bucket/k", &[], body.len()))
        .expect("written");
    stream.write_all(&body).expect("the server reads the whole body");
    TestResponse::read(&mut stream, "PUT").expect(403, "AccessDenied");
}

#[test]
fn a_connection_can_be_reused() {
    let server = S3TestServer::start();
    let mut stream = server.connect();
    for n in 0..5 {
        let target = SignedRequest::new("PUT", "k").presign(server.address);
        let head = String::from_utf8(server.request_head("PUT", &target, &[], 1))
            .expect("text")
            .replace("connection: close\r\n", "");
        stream.write_all(head.as_bytes()).expect("written");
        stream.write_all(&[b'0' + n]).expect("written");
        assert_eq!(TestResponse::read(&mut stream, "PUT").status, 200);
        // The connection remains usable after a rejected request.
        let head = head.replace("/bucket/k?", "/bucket/x?");
        stream.write_all(head.as_bytes()).expect("written");
        stream.write_all(b"x").expect("written");
        assert_eq!(TestResponse::read(&mut stream, "PUT").status, 403);
    }
    assert_eq!(server.get("k").text(), "4");
}

#[test]
fn a_short_body_stores_nothing() {
    let server = S3TestServer::start();
    server.put("k", b"before");
    let request = SignedRequest::new("PUT", "k").header("content-length", "10");
    let mut stream = server.connect();
    stream
        .write_all(&server.request_head("PUT", &request.presign(server.address), &request.headers, 0))
        .expect("written");
    stream.write_all(b"short").expect("written");
    stream.shutdown(Shutdown::Write).expect("closed");
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(!String::from_utf8_lossy(&rest).starts_with("HTTP/1.1 200"));
    assert_eq!(server.get("k").text(), "before");
    wait_until("the incomplete blob is removed", || server.blob_count() == 1);
}

#[test]
fn a_length_other_than_the_signed_one_is_rejected() {
    let server = S3TestServer::start();
    let target = SignedRequest::new("PUT", "k")
        .header("content-length", "10")
        .presign(server.address);
    for body in [b"short".as_slice(), b"much longer"] {
        server
            .send_raw("PUT", &target, &[], body)
            .expect(403, "SignatureDoesNotMatch");
    }
    assert_eq!(server.send_raw("PUT", &target, &[], b"exactly 10").status, 200);
}

#[test]
fn a_chunked_upload_or_one_without_a_length_is_rejected() {
    let server = S3TestServer::start();
    let target = SignedRequest::new("PUT", "k").presign(server.address);
    let chunked = [("transfer-encoding", "chunked")];
    server
        .send_raw("PUT", &target, &chunked, b"5\r\nhello\r\n0\r\n\r\n")
        .expect(501, "NotImplemented");
    let mut stream = server.connect();
    let head = format!("PUT {target} HTTP/1.1\r\nhost: {}\r\n\r\n", server.address);
    stream.write_all(head.as_bytes()).expect("written");
    TestResponse::read(&mut stream, "PUT").expect(411, "MissingContentLength");
    server.get("k").expect(404, "NoSuchKey");
}

#[test]
fn an_unsigned_hash_of_the_body_is_verified() {
    let server = S3TestServer::start();
    let target = SignedRequest::new("PUT", "k").presign(server.address);
    let hash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let headers = [("x-amz-content-sha256", hash)];
    assert_eq!(server.send_raw("PUT", &target, &headers, b"hello").status, 200);
    server
        .send_raw("PUT", &target, &headers, b"hellO")
        .expect(400, "XAmzContentSHA256Mismatch");
    assert_eq!(server.get("k").text(), "hello");
}

#[test]
fn every_error_contains_a_message_and_its_request_id() {
    let server = S3TestServer::start();
    let target = SignedRequest::new("GET", "k").presign(server.address);
    for target in [
        target.clone(),
        target.replace("/bucket/k", "/bucket/x<>&"),
        "/bucket/k".into(),
    ] {
        let response = server.send_raw("GET", &target.replace("<>", "%3C%3E"), &[], b"");
        assert_eq!(response.header("content-type"), "application/xml");
        assert!(!response.element("Message").is_empty(), "{}", response.text());
        assert_eq!(response.element("RequestId"), response.header("x-amz-request-id"));
    }
}

#[test]
fn a_loopback_origin_is_allowed_by_default() {
    let server = S3TestServer::start();
    let origin = ("origin", "http://localhost:3000");
    let preflight_headers = [
        origin,
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "content-type"),
    ];
    let preflight = server.send_raw("OPTIONS", "/bucket/k?any=query", &preflight_headers, b"");
    assert_eq!(
        (preflight.status, preflight.header("access-control-allow-origin")),
        (200, origin.1)
    );
    assert_eq!(preflight.header("access-control-allow-headers"), "content-type");
    let put = server.send_raw(
        "PUT",
        &SignedRequest::new("PUT", "k").presign(server.address),
        &[origin],
        b"x",
    );
    assert_eq!((put.status, put.header("access-control-allow-origin")), (200, origin.1));
    assert!(put.header("access-control-expose-headers").contains("ETag"));
    let rejected = server.send_raw("GET", "/bucket/k", &[origin], b"");
    assert_eq!(
        (rejected.status, rejected.header("access-control-allow-origin")),
        (403, origin.1)
    );

    let foreign = [
        ("origin", "https://example.com"),
        ("access-control-request-method", "PUT"),
    ];
    server
        .send_raw("OPTIONS", "/bucket/k", &foreign, b"")
        .expect(403, "AccessForbidden");
    server
        .send_raw("OPTIONS", "/bucket/k", &[], b"")
        .expect(400, "BadRequest");
}

#[test]
fn the_cors_configuration_of_the_bucket_replaces_the_default() {
    let server = S3TestServer::start();
    let cors = |method| SignedRequest {
        bucket_only: true,
        query: "cors",
        ..SignedRequest::new(method, "")
    };
    server.send(&cors("GET"), b"").expect(404, "NoSuchCORSConfiguration");
    let rules = b"<CORSConfiguration><CORSRule><AllowedOrigin>https://example.com</AllowedOrigin>\
        <AllowedMethod>GET</AllowedMethod><ExposeHeader>ETag</ExposeHeader></CORSRule></CORSConfiguration>";
    let response = server.send(&cors("PUT"), rules);
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(
        server.send(&cors("GET"), b"").element("AllowedOrigin"),
        "https://example.com"
    );
    let preflight_headers = [
        ("origin", "https://example.com"),
        ("access-control-request-method", "GET"),
    ];
    assert_eq!(
        server
            .send_raw("OPTIONS", "/bucket/k", &preflight_headers, b"")
            .header("access-control-expose-headers"),
        "ETag"
    );
    let preflight_headers = [("origin", "http://localhost"), ("access-control-request-method", "GET")];
    server
        .send_raw("OPTIONS", "/bucket/k", &preflight_headers, b"")
        .expect(403, "AccessForbidden");
}

#[test]
fn a_second_host_header_is_rejected() {
    let server = S3TestServer::start();
    server.put("k", b"content");
    let target = SignedRequest::new("GET", "k").presign(server.address);
    for method in ["GET", "OPTIONS"] {
        let response = server.send_raw(method, &target, &[("host", "other")], b"");
        response.expect(400, "InvalidRequest");
    }
}
