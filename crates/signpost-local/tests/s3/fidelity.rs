//! Behavior of AWS that `s3s` alone does not have: ranges, conditions, text headers, encryption, tags and error documents.

use std::collections::BTreeSet;

use crate::support::{S3TestServer, SignedRequest, TestResponse};

fn read(server: &S3TestServer, method: &str, headers: &[(&str, &str)]) -> TestResponse {
    let target = SignedRequest::new(method, "k").presign(server.address);
    server.send_raw(method, &target, headers, b"")
}

#[test]
fn a_range_that_s3_ignores_returns_the_whole_object() {
    let server = S3TestServer::start();
    server.put("k", b"0123456789");
    for range in [
        "bytes=0-1,3-4",
        "bytes=5-2",
        "items=0-4",
        "bytes=abc",
        "bytes=-",
        "0-1",
        "bytes=0--1",
    ] {
        let response = read(&server, "GET", &[("range", range)]);
        assert_eq!(
            (response.status, response.text().as_str()),
            (200, "0123456789"),
            "{range}"
        );
    }
    let response = read(&server, "GET", &[("range", "bytes=20-30")]).expect(416, "InvalidRange");
    assert_eq!(response.element("RangeRequested"), "bytes=20-30");
    assert_eq!(response.element("ActualObjectSize"), "10");
}

#[test]
fn if_range_returns_the_whole_object_unless_the_validator_is_current() {
    let server = S3TestServer::start();
    let etag = server.put("k", b"0123456789").header("etag").to_owned();
    let date = server.get("k").header("last-modified").to_owned();
    let cases = [
        (etag.as_str(), 206),
        (date.as_str(), 206),
        ("\"stale\"", 200),
        ("W/\"weak\"", 200),
        ("Mon, 01 Jan 2001 00:00:00 GMT", 200),
        ("nonsense", 200),
    ];
    for (validator, status) in cases {
        for method in ["GET", "HEAD"] {
            let response = read(&server, method, &[("range", "bytes=6-"), ("if-range", validator)]);
            assert_eq!(response.status, status, "{method} {validator}");
        }
    }
}

#[test]
fn a_partial_head_response_has_status_206() {
    let server = S3TestServer::start();
    server.put("k", b"0123456789");
    let response = read(&server, "HEAD", &[("range", "bytes=2-3")]);
    assert_eq!(
        (response.status, response.header("content-range")),
        (206, "bytes 2-3/10")
    );
    let part = SignedRequest::new("HEAD", "k").query("partNumber=1");
    assert_eq!(server.send(&part, b"").status, 206);
    let missing = SignedRequest::new("GET", "k").query("partNumber=2");
    let response = server.send(&missing, b"").expect(416, "InvalidPartNumber");
    assert_eq!(response.element("ActualPartCount"), "1");
}

#[test]
fn write_conditions_that_s3_does_not_implement_are_rejected() {
    let server = S3TestServer::start();
    server.put("k", b"x");
    let cases = [
        ("If-Match=%2A", "If-Match"),
        ("If-None-Match=%22etag%22", "If-None-Match"),
        ("If-Match=%22etag%22&If-None-Match=%2A", "If-Match,If-None-Match"),
    ];
    for (query, header) in cases {
        let response = server.send(&SignedRequest::new("PUT", "k").query(query), b"y");
        assert_eq!(response.expect(501, "NotImplemented").element("Header"), header);
    }
    assert_eq!(server.get("k").text(), "x");
}

#[test]
fn an_upload_with_an_invalid_setting_is_rejected() {
    let server = S3TestServer::start();
    let sse = "x-amz-server-side-encryption";
    let cases: [(&[(&str, &str)], &str); 9] = [
        (&[(sse, "foo")], "InvalidArgument"),
        (&[(sse, "aes:kms")], "InvalidArgument"),
        (
            &[("x-amz-server-side-encryption-aws-kms-key-id", "k")],
            "InvalidArgument",
        ),
        (&[("x-amz-storage-class", "EXPRESS_ONEZONE")], "InvalidStorageClass"),
        (&[("x-amz-tagging", "a=1,b=2=")], "InvalidArgument"),
        (&[("x-amz-tagging", "a=1&a=2")], "InvalidArgument"),
        (&[("x-amz-tagging", "aws:x=1")], "InvalidTag"),
        (&[("x-amz-sdk-checksum-algorithm", "CRC32")], "InvalidRequest"),
        (&[("x-amz-acl", "private")], "AccessControlListNotSupported"),
    ];
    for (headers, code) in cases {
        let mut request = SignedRequest::new("PUT", "k");
        request.headers = headers.to_vec();
        let response = server.send(&request, b"x");
        assert_eq!(
            (response.status, response.element("Code").as_str()),
            (400, code),
            "{headers:?}"
        );
    }
    assert_eq!(server.blob_count(), 0);
    let kms = SignedRequest::new("PUT", "k").header(sse, "aws:kms");
    let response = server.send(&kms, b"x");
    assert_eq!(response.status, 200);
    assert!(
        response
            .header("x-amz-server-side-encryption-aws-kms-key-id")
            .starts_with("arn:aws:kms:")
    );
}

#[test]
fn the_content_of_an_archived_object_cannot_be_read() {
    let server = S3TestServer::start();
    for class in ["GLACIER", "DEEP_ARCHIVE"] {
        let put = SignedRequest::new("PUT", "k").header("x-amz-storage-class", class);
        assert_eq!(server.send(&put, b"x").status, 200);
        let response = server.get("k").expect(403, "InvalidObjectState");
        assert_eq!(response.element("StorageClass"), class);
        assert_eq!(read(&server, "HEAD", &[]).status, 200);
    }
}

#[test]
fn text_headers_are_stored_unchanged() {
    let server = S3TestServer::start();
    let headers = [
        ("expires", "0"),
        ("content-encoding", "deflate, gzip"),
        ("cache-control", "a  \"b\""),
        ("content-language", "de, en"),
    ];
    let mut put = SignedRequest::new("PUT", "k");
    put.headers = headers.to_vec();
    assert_eq!(server.send(&put, b"x").status, 200);
    let response = server.get("k");
    for (name, value) in headers {
        assert_eq!(response.header(name), value, "{name}");
    }
    let overridden = SignedRequest::new("GET", "k").query("response-expires=-1&response-cache-control=no-store");
    let response = server.send(&overridden, b"");
    assert_eq!(
        (response.header("expires"), response.header("cache-control")),
        ("-1", "no-store")
    );
    let not_latin1 = SignedRequest::new("GET", "k").query("response-content-disposition=%E2%80%94");
    let response = server.send(&not_latin1, b"").expect(400, "InvalidArgument");
    assert_eq!(response.element("ArgumentName"), "response-content-disposition");
}

#[test]
fn an_error_document_names_the_subject_of_the_error() {
    let server = S3TestServer::start();
    let response = server.get("missing").expect(404, "NoSuchKey");
    assert_eq!(response.element("Key"), "missing");
    assert_eq!(response.element("HostId"), response.header("x-amz-id-2"));
    let other = SignedRequest {
        bucket: "other",
        ..SignedRequest::new("GET", "k")
    };
    assert_eq!(
        server
            .send(&other, b"")
            .expect(404, "NoSuchBucket")
            .element("BucketName"),
        "other"
    );
    let upload = SignedRequest::new("GET", "k").query("uploadId=none");
    assert_eq!(
        server
            .send(&upload, b"")
            .expect(404, "NoSuchUpload")
            .element("UploadId"),
        "none"
    );
    let forged = SignedRequest::new("GET", "k")
        .presign(server.address)
        .replace("Signature=", "Signature=0");
    let response = server
        .send_raw("GET", &forged, &[], b"")
        .expect(403, "SignatureDoesNotMatch");
    for element in [
        "AWSAccessKeyId",
        "SignatureProvided",
        "StringToSignBytes",
        "CanonicalRequestBytes",
    ] {
        assert!(!response.element(element).is_empty(), "{element}");
    }
    server
        .send(&SignedRequest::new("POST", "k"), b"")
        .expect(405, "MethodNotAllowed");
}

#[test]
fn every_checksum_algorithm_is_verified() {
    let server = S3TestServer::start();
    // The checksums of "abc".
    let cases = [
        ("crc32", "NSRBwg=="),
        ("md5", "kAFQmDzST7DWlj99KOF/cg=="),
        (
            "sha512",
            "3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw==",
        ),
        ("xxhash64", "RLws9a13CZk="),
        ("xxhash3", "eK9flIkvOVA="),
        ("xxhash128", "BrBatnM6YYV4r1+UiS85UA=="),
    ];
    let mut wrong = BTreeSet::new();
    for (name, value) in cases {
        let header = format!("x-amz-checksum-{name}");
        let put = SignedRequest::new("PUT", "k").header(&header, value);
        let response = server.send(&put, b"abc");
        if response.status != 200 || server.send(&put, b"xyz").status != 400 || response.header(&header) != value {
            wrong.insert(format!("{name} {}", response.text()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
