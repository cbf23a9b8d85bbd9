//! Objects: keys, bodies, metadata, conditions, ranges and checksums.

use crate::support::{S3TestServer, SignedRequest};

#[test]
fn every_key_is_a_separate_object() {
    let server = S3TestServer::start();
    let long = "é".repeat(512);
    let keys = [
        "a",
        "a/b",
        "a//b",
        "a/b/",
        "/lead",
        "//",
        "trail/",
        "sp ace",
        "pl+us",
        "per%2Fcent",
        "q?m",
        "h#sh",
        "am&p=",
        "\u{1F600}",
        "e\u{301}",
        "\u{e9}",
        "quote\"'<>",
        "back\\slash",
        "~tilde",
        "dot.",
        "new\nline",
        long.as_str(),
    ];
    for key in keys {
        assert_eq!(server.put(key, key.as_bytes()).status, 200, "{key:?}");
    }
    for key in keys {
        let response = server.get(key);
        assert_eq!(
            (response.status, response.body.as_slice()),
            (200, key.as_bytes()),
            "{key:?}"
        );
    }
    let listed = server.send(
        &SignedRequest {
            bucket_only: true,
            query: "list-type=2&encoding-type=url",
            ..SignedRequest::new("GET", "")
        },
        b"",
    );
    assert_eq!(listed.element("KeyCount"), keys.len().to_string());
    server.put(&format!("{long}x"), b"").expect(400, "KeyTooLongError");
    for key in keys {
        assert_eq!(
            server.send(&SignedRequest::new("DELETE", key), b"").status,
            204,
            "{key:?}"
        );
        server.get(key).expect(404, "NoSuchKey");
    }
    assert_eq!(server.blob_count(), 0);
}

#[test]
fn the_metadata_of_an_upload_is_returned() {
    let server = S3TestServer::start();
    let metadata = [
        ("content-type", "text/x-test"),
        ("content-disposition", "attachment; filename=\"a b\""),
        ("content-encoding", "identity"),
        ("content-language", "de"),
        ("cache-control", "max-age=5"),
        ("x-amz-meta-owner", "Ann"),
        ("x-amz-storage-class", "STANDARD_IA"),
    ];
    let put = SignedRequest {
        headers: metadata.to_vec(),
        ..SignedRequest::new("PUT", "k")
    };
    assert_eq!(
        server.send(&put, b"hello").header("etag"),
        "\"5d41402abc4b2a76b9719d911017c592\""
    );
    for method in ["GET", "HEAD"] {
        let response = server.send(&SignedRequest::new(method, "k"), b"");
        for (name, value) in metadata {
            assert_eq!(response.header(name), value, "{method}");
        }
        assert_eq!(
            (
                response.status,
                response.header("content-length"),
                response.header("accept-ranges")
            ),
            (200, "5", "bytes")
        );
        assert!(!response.header("x-amz-request-id").is_empty());
    }
}

#[test]
fn signed_parameters_set_response_headers_and_metadata() {
    let server = S3TestServer::start();
    let put = SignedRequest::new("PUT", "k").query("x-amz-meta-by=rule&x-amz-storage-class=GLACIER_IR&x-amz-tagging=a%3Db&x-amz-server-side-encryption=AES256&x-signpost=1");
    assert_eq!(server.send(&put, b"hello").status, 200);
    let get = SignedRequest::new("GET", "k")
        .query("response-content-type=text%2Fplain&response-content-disposition=attachment");
    let response = server.send(&get, b"");
    assert_eq!(response.header("x-amz-meta-by"), "rule");
    assert_eq!(response.header("x-amz-storage-class"), "GLACIER_IR");
    assert_eq!(response.header("x-amz-tagging-count"), "1");
    assert_eq!(response.header("x-amz-server-side-encryption"), "AES256");
    assert_eq!(response.header("content-type"), "text/plain");
    assert_eq!(response.header("content-disposition"), "attachment");
    let tags = server.send(&SignedRequest::new("GET", "k").query("tagging"), b"");
    assert_eq!((tags.element("Key"), tags.element("Value")), ("a".into(), "b".into()));
}

#[test]
fn failed_read_conditions_return_304_or_412() {
    let server = S3TestServer::start();
    let etag = server.put("k", b"hello").header("etag").to_owned();
    let date = server.get("k").header("last-modified").to_owned();
    let past = "Mon, 01 Jan 2001 00:00:00 GMT";
    let cases: [(&[(&str, &str)], u16); 9] = [
        (&[("if-none-match", &etag)], 304),
        (&[("if-none-match", "\"other\"")], 200),
        (&[("if-match", &etag)], 200),
        (&[("if-match", "\"other\"")], 412),
        (&[("if-modified-since", &date)], 304),
        (&[("if-modified-since", past)], 200),
        (&[("if-unmodified-since", &date)], 200),
        (&[("if-unmodified-since", past)], 412),
        (&[("if-match", &etag), ("if-unmodified-since", past)], 200),
    ];
    for (headers, status) in cases {
        for method in ["GET", "HEAD"] {
            let target = SignedRequest::new(method, "k").presign(server.address);
            let response = server.send_raw(method, &target, headers, b"");
            assert_eq!(response.status, status, "{method} {headers:?}");
            if status == 304 {
                assert_eq!((response.header("etag"), response.body.len()), (etag.as_str(), 0));
            }
        }
    }
}

#[test]
fn a_range_returns_exactly_its_bytes() {
    let server = S3TestServer::start();
    server.put("k", b"0123456789");
    server.put("empty", b"");
    let cases = [
        ("k", "bytes=0-3", 206, "0123", "bytes 0-3/10"),
        ("k", "bytes=7-", 206, "789", "bytes 7-9/10"),
        ("k", "bytes=-2", 206, "89", "bytes 8-9/10"),
        ("k", "bytes=5-99", 206, "56789", "bytes 5-9/10"),
        ("k", "bytes=0-9", 206, "0123456789", "bytes 0-9/10"),
        ("k", "bytes=10-", 416, "", "bytes */10"),
        ("empty", "bytes=0-", 416, "", "bytes */0"),
        ("empty", "bytes=-1", 416, "", "bytes */0"),
    ];
    for (key, range, status, body, content_range) in cases {
        let target = SignedRequest::new("GET", key).presign(server.address);
        let response = server.send_raw("GET", &target, &[("range", range)], b"");
        assert_eq!(
            (response.status, response.header("content-range")),
            (status, content_range),
            "{key} {range}"
        );
        if status == 206 {
            assert_eq!(response.text(), body, "{key} {range}");
        }
    }
}

#[test]
fn a_signed_create_only_upload_does_not_overwrite() {
    let server = S3TestServer::start();
    let create = SignedRequest::new("PUT", "k").query("If-None-Match=%2A");
    assert_eq!(server.send(&create, b"first").status, 200);
    server.send(&create, b"second").expect(412, "PreconditionFailed");
    assert_eq!(server.get("k").text(), "first");
    assert_eq!(server.blob_count(), 1);
}

#[test]
fn an_if_match_write_overwrites_only_the_matching_object() {
    let server = S3TestServer::start();
    let put = |etag: &str| {
        let target = SignedRequest::new("PUT", "k").presign(server.address);
        server.send_raw("PUT", &target, &[("if-match", etag)], b"next")
    };
    put("\"any\"").expect(404, "NoSuchKey");
    let etag = server.put("k", b"first").header("etag").to_owned();
    put("\"other\"").expect(412, "PreconditionFailed");
    assert_eq!(put(&etag).status, 200);
    assert_eq!(server.get("k").text(), "next");
}

#[test]
fn exactly_one_of_concurrent_creates_succeeds() {
    let server = S3TestServer::start();
    for round in 0..5 {
        let key = format!("race-{round}");
        let target = SignedRequest::new("PUT", &key)
            .query("If-None-Match=%2A")
            .presign(server.address);
        let bodies: Vec<String> = (0..8).map(|n| format!("writer {n}")).collect();
        let statuses: Vec<_> = std::thread::scope(|scope| {
            let racers: Vec<_> = bodies
                .iter()
                .map(|body| scope.spawn(|| server.send_raw("PUT", &target, &[], body.as_bytes()).status))
                .collect();
            racers.into_iter().map(|racer| racer.join().expect("a racer")).collect()
        });
        let winners: Vec<_> = (0..8).filter(|n| statuses[*n] == 200).collect();
        assert_eq!(winners.len(), 1, "{statuses:?}");
        assert!(
            statuses.iter().all(|status| [200, 412].contains(status)),
            "{statuses:?}"
        );
        assert_eq!(server.get(&key).text(), bodies[winners[0]]);
    }
    assert_eq!(server.blob_count(), 5);
}

#[test]
fn checksums_are_verified_stored_and_returned_on_request() {
    let server = S3TestServer::start();
    let cases = [
        ("x-amz-checksum-crc32", "NhCmhg=="),
        ("x-amz-checksum-crc32c", "mnG7TA=="),
        ("x-amz-checksum-sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00="),
        ("x-amz-checksum-sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
    ];
    for (name, value) in cases {
        let put = server.send(&SignedRequest::new("PUT", name).header(name, value), b"hello");
        assert_eq!((put.status, put.header(name)), (200, value), "{}", put.text());
        let head = server.send(
            &SignedRequest::new("HEAD", name).query("x-amz-checksum-mode=ENABLED"),
            b"",
        );
        assert_eq!(
            (head.status, head.header(name), head.header("x-amz-checksum-type")),
            (200, value, "FULL_OBJECT")
        );
        assert_eq!(server.get(name).header(name), "");
        server
            .send(&SignedRequest::new("PUT", "bad").header(name, value), b"hellO")
            .expect(400, "BadDigest");
        server
            .send(&SignedRequest::new("PUT", "bad").header(name, "AAA="), b"hello")
            .expect(400, "InvalidRequest");
    }
    server.get("bad").expect(404, "NoSuchKey");
    let own = server.put("own", b"123456789");
    assert_eq!(own.header("x-amz-checksum-crc64nvme"), "rosUhgp5mIg=");
    assert_eq!(server.blob_count(), cases.len() + 1);
}

#[test]
fn content_md5_is_verified() {
    let server = S3TestServer::start();
    let put = |md5| server.send(&SignedRequest::new("PUT", "k").header("content-md5", md5), b"hello");
    assert_eq!(put("XUFAKrxLKna5cZ2REBfFkg==").status, 200);
    put("AAAAAAAAAAAAAAAAAAAAAA==").expect(400, "BadDigest");
    put("short").expect(400, "InvalidDigest");
}

#[test]
fn unsupported_headers_are_rejected() {
    let server = S3TestServer::start();
    let cases = [
        ("x-amz-object-lock-mode", "GOVERNANCE", 501, "NotImplemented"),
        ("x-amz-website-redirect-location", "/x", 501, "NotImplemented"),
        ("x-amz-grant-read", "id=1", 501, "NotImplemented"),
        ("x-amz-acl", "public-read", 400, "AccessControlListNotSupported"),
        ("x-amz-storage-class", "CHEAP", 400, "InvalidStorageClass"),
    ];
    for (name, value, status, code) in cases {
        server
            .send(&SignedRequest::new("PUT", "k").header(name, value), b"x")
            .expect(status, code);
    }
    server.get("k").expect(404, "NoSuchKey");
}

#[test]
fn a_missing_key_is_403_without_list_permission() {
    let server = S3TestServer::start_with(|config| config.allow_listing = false);
    server.get("k").expect(403, "AccessDenied");
    assert_eq!(server.send(&SignedRequest::new("HEAD", "k"), b"").status, 403);
    let list = SignedRequest {
        bucket_only: true,
        query: "list-type=2",
        ..SignedRequest::new("GET", "")
    };
    server.send(&list, b"").expect(403, "AccessDenied");
    assert_eq!(server.put("k", b"x").status, 200);
    assert_eq!(server.get("k").status, 200);
}

#[test]
fn a_wrong_bucket_is_404() {
    let server = S3TestServer::start();
    for method in ["GET", "PUT", "DELETE"] {
        let request = SignedRequest {
            bucket: "other",
            ..SignedRequest::new(method, "k")
        };
        server.send(&request, b"").expect(404, "NoSuchBucket");
    }
}
