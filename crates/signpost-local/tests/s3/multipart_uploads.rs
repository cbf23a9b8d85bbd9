//! Multipart uploads.

use std::fmt::Write;

use crate::helpers::random_bytes;
use crate::support::{S3TestServer, SignedRequest, TestResponse};

const PART: usize = 5 * 1024 * 1024;

fn begin(server: &S3TestServer, key: &str, headers: &[(&str, &str)]) -> String {
    let request = SignedRequest {
        headers: headers.to_vec(),
        ..SignedRequest::new("POST", key).query("uploads")
    };
    let response = server.send(&request, b"");
    assert_eq!(response.status, 200, "{}", response.text());
    response.element("UploadId")
}

fn put_part(server: &S3TestServer, key: &str, id: &str, number: usize, body: &[u8]) -> String {
    let query = format!("partNumber={number}&uploadId={id}");
    let response = server.send(&SignedRequest::new("PUT", key).query(&query), body);
    assert_eq!(response.status, 200, "{}", response.text());
    response.header("etag").to_owned()
}

fn complete(server: &S3TestServer, key: &str, query: &str, parts: &[(usize, &str)]) -> TestResponse {
    let mut body = String::from("<CompleteMultipartUpload>");
    for (number, etag) in parts {
        let _ = write!(
            body,
            "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
        );
    }
    body.push_str("</CompleteMultipartUpload>");
    server.send(&SignedRequest::new("POST", key).query(query), body.as_bytes())
}

/// Returns the bytes of a first part and of a last part with this length.
fn two_parts(last_length: usize) -> (Vec<u8>, Vec<u8>) {
    let mut first = random_bytes(PART + last_length);
    let last = first.split_off(PART);
    (first, last)
}

#[test]
fn parts_are_combined_to_one_object() {
    let server = S3TestServer::start();
    let (one, two) = two_parts(1000);
    let id = begin(&server, "k", &[("content-type", "text/x-test"), ("x-amz-meta-a", "b")]);
    let replaced = put_part(&server, "k", &id, 1, &two);
    let first = put_part(&server, "k", &id, 1, &one);
    let last = put_part(&server, "k", &id, 7, &two);
    put_part(&server, "k", &id, 9, b"left out");

    let query = format!("uploadId={id}");
    let listed = server.send(&SignedRequest::new("GET", "k").query(&query), b"");
    assert_eq!(listed.elements("PartNumber"), ["1", "7", "9"]);
    let uploads = SignedRequest {
        bucket_only: true,
        query: "uploads&prefix=k",
        ..SignedRequest::new("GET", "")
    };
    assert_eq!(
        server.send(&uploads, b"").elements("UploadId"),
        std::slice::from_ref(&id)
    );
    server.get("k").expect(404, "NoSuchKey");

    complete(&server, "k", &query, &[(1, &replaced), (7, &last)]).expect(400, "InvalidPart");
    complete(&server, "k", &query, &[(7, &last), (1, &first)]).expect(400, "InvalidPartOrder");
    complete(&server, "k", &query, &[(1, &first), (2, &last)]).expect(400, "InvalidPart");
    complete(&server, "k", &query, &[]).expect(400, "InvalidRequest");
    let done = complete(&server, "k", &query, &[(1, &first), (7, &last)]);
    assert_eq!(done.status, 200, "{}", done.text());
    assert!(done.element("ETag").contains("-2"), "{}", done.text());

    let read = server.get("k");
    assert!(read.body == [one.clone(), two.clone()].concat());
    assert_eq!(
        (read.header("content-type"), read.header("x-amz-meta-a")),
        ("text/x-test", "b")
    );
    let across = server.send_raw(
        "GET",
        &SignedRequest::new("GET", "k").presign(server.address),
        &[("range", "bytes=5242879-5242880")],
        b"",
    );
    assert_eq!((across.status, across.body), (206, vec![one[PART - 1], two[0]]));
    let part = server.send(&SignedRequest::new("GET", "k").query("partNumber=2"), b"");
    assert_eq!((part.status, part.header("x-amz-mp-parts-count")), (206, "2"));
    assert!(part.body == two);
    complete(&server, "k", &query, &[(1, &first)]).expect(404, "NoSuchUpload");
    let repeated = complete(&server, "k", &query, &[(1, &first), (7, &last)]);
    assert_eq!(
        (repeated.status, repeated.element("ETag")),
        (200, done.element("ETag")),
        "{}",
        repeated.text()
    );
    assert_eq!(server.blob_count(), 2);
}

#[test]
fn a_small_part_that_is_not_the_last_is_rejected() {
    let server = S3TestServer::start();
    let id = begin(&server, "k", &[]);
    let (one, two) = (
        put_part(&server, "k", &id, 1, b"small"),
        put_part(&server, "k", &id, 2, b"last"),
    );
    let query = format!("uploadId={id}");
    complete(&server, "k", &query, &[(1, &one), (2, &two)]).expect(400, "EntityTooSmall");
}

#[test]
fn a_create_only_completion_does_not_overwrite_and_can_be_aborted() {
    let server = S3TestServer::start();
    server.put("k", b"there");
    let id = begin(&server, "k", &[]);
    let part = put_part(&server, "k", &id, 1, b"part");
    let query = format!("If-None-Match=%2A&uploadId={id}");
    complete(&server, "k", &query, &[(1, &part)]).expect(412, "PreconditionFailed");
    assert_eq!(server.get("k").text(), "there");
    let query = format!("uploadId={id}");
    let abort = SignedRequest::new("DELETE", "k").query(&query);
    assert_eq!(server.send(&abort, b"").status, 204);
    server.send(&abort, b"").expect(404, "NoSuchUpload");
    assert_eq!(server.blob_count(), 1);
}

#[test]
fn an_upload_has_the_checksum_type_of_its_creation() {
    let server = S3TestServer::start();
    let headers = [
        ("x-amz-checksum-algorithm", "CRC32"),
        ("x-amz-checksum-type", "FULL_OBJECT"),
    ];
    let id = begin(&server, "k", &headers);
    let (one, two) = two_parts(10);
    let parts = [
        put_part(&server, "k", &id, 1, &one),
        put_part(&server, "k", &id, 2, &two),
    ];
    let done = complete(
        &server,
        "k",
        &format!("uploadId={id}"),
        &[(1, &parts[0]), (2, &parts[1])],
    );
    let whole = server.put("whole", &[one, two].concat());
    let head = |key| {
        server.send(
            &SignedRequest::new("HEAD", key).query("x-amz-checksum-mode=ENABLED"),
            b"",
        )
    };
    assert_eq!(done.element("ChecksumType"), "FULL_OBJECT", "{}", done.text());
    assert_eq!(head("k").header("x-amz-checksum-crc32"), done.element("ChecksumCRC32"));
    assert!(!whole.header("x-amz-checksum-crc64nvme").is_empty());

    let plain = begin(&server, "plain", &[]);
    let (one, two) = two_parts(10);
    let parts = [
        put_part(&server, "plain", &plain, 1, &one),
        put_part(&server, "plain", &plain, 2, &two),
    ];
    let done = complete(
        &server,
        "plain",
        &format!("uploadId={plain}"),
        &[(1, &parts[0]), (2, &parts[1])],
    );
    assert_eq!(
        done.element("ChecksumCRC64NVME"),
        whole.header("x-amz-checksum-crc64nvme")
    );

    let id = begin(&server, "c", &[("x-amz-checksum-algorithm", "SHA256")]);
    let query = format!("partNumber=1&uploadId={id}");
    server
        .send(&SignedRequest::new("PUT", "c").query(&query), b"no checksum")
        .expect(400, "InvalidRequest");
}
