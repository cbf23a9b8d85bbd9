//! Requests that an SDK sends: signed in the `Authorization` header, with a body in signed or unsigned chunks.

mod s3_support;

use s3_support::{Reply, Server, Signing};

const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
const TRAILER: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

fn send(server: &Server, signing: &Signing<'_>, payload: &str, body: &[u8]) -> Reply {
    let headers = signing.authorize(server.address, payload);
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    server.raw(signing.method, &format!("/bucket/{}", signing.key), &headers, body)
}

fn in_chunks(server: &Server, length: &str, checksum: &str) -> Reply {
    let signing = Signing::new("PUT", "k")
        .header("x-amz-decoded-content-length", length)
        .header("x-amz-trailer", "x-amz-checksum-crc32")
        .header("content-encoding", "aws-chunked");
    let body = format!("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:{checksum}\r\n\r\n");
    send(server, &signing, TRAILER, body.as_bytes())
}

#[test]
fn the_hash_of_the_body_is_part_of_the_signature() {
    let server = Server::start();
    assert_eq!(send(&server, &Signing::new("PUT", "k"), HELLO, b"hello").status, 200);
    send(&server, &Signing::new("PUT", "k"), HELLO, b"hellO").expect(400, "XAmzContentSHA256Mismatch");
    assert_eq!(
        send(&server, &Signing::new("GET", "k"), "UNSIGNED-PAYLOAD", b"").text(),
        "hello"
    );
}

#[test]
fn chunks_are_joined_and_their_trailing_checksum_verified() {
    let server = Server::start();
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
fn chunks_of_another_length_than_declared_store_nothing() {
    let server = Server::start();
    for length in ["4", "6"] {
        in_chunks(&server, length, "NhCmhg==").expect(400, "IncompleteBody");
    }
    assert_eq!(server.blobs(), 0);
}

#[test]
fn an_old_request_is_refused() {
    let server = Server::start();
    let time = std::time::SystemTime::now() - std::time::Duration::from_mins(16);
    let signing = Signing {
        time,
        ..Signing::new("GET", "k")
    };
    send(&server, &signing, "UNSIGNED-PAYLOAD", b"").expect(403, "RequestTimeTooSkewed");
}
