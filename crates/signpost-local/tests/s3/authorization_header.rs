//! Requests of SDKs: signed in the `Authorization` header, with a plain body or with chunks.

use crate::support::{S3TestServer, SignedRequest, TestResponse};

const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
const TRAILER: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

fn send(server: &S3TestServer, request: &SignedRequest<'_>, payload: &str, body: &[u8]) -> TestResponse {
    let headers = request.authorize(server.address, payload);
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    server.send_raw(request.method, &format!("/bucket/{}", request.key), &headers, body)
}

fn in_chunks(server: &S3TestServer, length: &str, checksum: &str) -> TestResponse {
    let request = SignedRequest::new("PUT", "k")
        .header("x-amz-decoded-content-length", length)
        .header("x-amz-trailer", "x-amz-checksum-crc32")
        .header("content-encoding", "aws-chunked");
    let body = format!("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:{checksum}\r\n\r\n");
    send(server, &request, TRAILER, body.as_bytes())
}

#[test]
fn the_signed_hash_of_the_body_is_verified() {
    let server = S3TestServer::start();
    assert_eq!(
        send(&server, &SignedRequest::new("PUT", "k"), HELLO, b"hello").status,
        200
    );
    send(&server, &SignedRequest::new("PUT", "k"), HELLO, b"hellO").expect(400, "XAmzContentSHA256Mismatch");
    assert_eq!(
        send(&server, &SignedRequest::new("GET", "k"), "UNSIGNED-PAYLOAD", b"").text(),
        "hello"
    );
}

#[test]
fn chunks_are_combined_and_their_trailing_checksum_is_verified() {
    let server = S3TestServer::start();
    let stored = in_chunks(&server, "5", "NhCmhg==");
    assert_eq!(
        (stored.status, stored.header("x-amz-checksum-crc32")),
        (200, "NhCmhg=="),
        "{}",
        stored.text()
    );
    let read = server.get("k");
    assert_eq!((read.text().as_str(), read.header("content-encoding")), ("hello", ""));
    in_chunks(&server, "5", "AAAAAA==").expect(400, "BadDigest");
}

#[test]
fn chunks_with_a_wrong_declared_length_store_nothing() {
    let server = S3TestServer::start();
    for length in ["4", "6"] {
        in_chunks(&server, length, "NhCmhg==").expect(400, "IncompleteBody");
    }
    assert_eq!(server.blob_count(), 0);
}

#[test]
fn an_old_request_is_rejected() {
    let server = S3TestServer::start();
    let time = std::time::SystemTime::now() - std::time::Duration::from_mins(16);
    let request = SignedRequest {
        time,
        ..SignedRequest::new("GET", "k")
    };
    send(&server, &request, "UNSIGNED-PAYLOAD", b"").expect(403, "RequestTimeTooSkewed");
}
