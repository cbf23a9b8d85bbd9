//! Objects: keys, bodies, descriptions, conditions, ranges, checksums.

mod s3_support;

use s3_support::{Server, Signing};

#[test]
fn every_key_comes_back_and_none_meets_another() {
    let server = Server::start();
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
        let reply = server.get(key);
        assert_eq!((reply.status, reply.body.as_slice()), (200, key.as_bytes()), "{key:?}");
    }
    let listed = server.send(
        &Signing {
            bucket_only: true,
            query: "list-type=2&encoding-type=url",
            ..Signing::new("GET", "")
        },
        b"",
    );
    assert_eq!(listed.element("KeyCount"), keys.len().to_string());
    server.put(&format!("{long}x"), b"").expect(400, "KeyTooLongError");
    for key in keys {
        assert_eq!(server.send(&Signing::new("DELETE", key), b"").status, 204, "{key:?}");
        server.get(key).expect(404, "NoSuchKey");
    }
    assert_eq!(server.blobs(), 0);
}

#[test]
fn what_the_uploader_says_is_repeated() {
    let server = Server::start();
    let said = [
        ("content-type", "text/x-test"),
        ("content-disposition", "attachment; filename=\"a b\""),
        ("content-encoding", "identity"),
        ("content-language", "de"),
        ("cache-control", "max-age=5"),
        ("x-amz-meta-owner", "Ann"),
        ("x-amz-storage-class", "STANDARD_IA"),
    ];
    let put = Signing {
        headers: said.to_vec(),
        ..Signing::new("PUT", "k")
    };
    assert_eq!(
        server.send(&put, b"hello").header("etag"),
        "\"5d41402abc4b2a76b9719d911017c592\""
    );
    for method in ["GET", "HEAD"] {
        let reply = server.send(&Signing::new(method, "k"), b"");
        for (name, value) in said {
            assert_eq!(reply.header(name), value, "{method}");
        }
        assert_eq!(
            (
                reply.status,
                reply.header("content-length"),
                reply.header("accept-ranges")
            ),
            (200, "5", "bytes")
        );
        assert!(!reply.header("x-amz-request-id").is_empty());
    }
}

#[test]
fn signed_parameters_override_the_answer_and_describe_the_object() {
    let server = Server::start();
    let put = Signing::new("PUT", "k").query("x-amz-meta-by=rule&x-amz-storage-class=GLACIER_IR&x-amz-tagging=a%3Db&x-amz-server-side-encryption=AES256&x-signpost=1");
    assert_eq!(server.send(&put, b"hello").status, 200);
    let get =
        Signing::new("GET", "k").query("response-content-type=text%2Fplain&response-content-disposition=attachment");
    let reply = server.send(&get, b"");
    assert_eq!(reply.header("x-amz-meta-by"), "rule");
    assert_eq!(reply.header("x-amz-storage-class"), "GLACIER_IR");
    assert_eq!(reply.header("x-amz-tagging-count"), "1");
    assert_eq!(reply.header("x-amz-server-side-encryption"), "AES256");
    assert_eq!(reply.header("content-type"), "text/plain");
    assert_eq!(reply.header("content-disposition"), "attachment");
    let tags = server.send(&Signing::new("GET", "k").query("tagging"), b"");
    assert_eq!((tags.element("Key"), tags.element("Value")), ("a".into(), "b".into()));
}

#[test]
fn read_conditions_answer_304_and_412() {
    let server = Server::start();
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
            let target = Signing::new(method, "k").presign(server.address);
            let reply = server.raw(method, &target, headers, b"");
            assert_eq!(reply.status, status, "{method} {headers:?}");
            if status == 304 {
                assert_eq!((reply.header("etag"), reply.body.len()), (etag.as_str(), 0));
            }
        }
    }
}

#[test]
fn ranges_are_cut_exactly() {
    let server = Server::start();
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
        let target = Signing::new("GET", key).presign(server.address);
        let reply = server.raw("GET", &target, &[("range", range)], b"");
        assert_eq!(
            (reply.status, reply.header("content-range")),
            (status, content_range),
            "{key} {range}"
        );
        if status == 206 {
            assert_eq!(reply.text(), body, "{key} {range}");
        }
    }
}

#[test]
fn a_signed_create_only_does_not_overwrite() {
    let server = Server::start();
    let create = Signing::new("PUT", "k").query("If-None-Match=%2A");
    assert_eq!(server.send(&create, b"first").status, 200);
    server.send(&create, b"second").expect(412, "PreconditionFailed");
    assert_eq!(server.get("k").text(), "first");
    assert_eq!(server.blobs(), 1);
}

#[test]
fn if_match_writes_only_over_what_it_names() {
    let server = Server::start();
    let put = |etag: &str| {
        let target = Signing::new("PUT", "k").presign(server.address);
        server.raw("PUT", &target, &[("if-match", etag)], b"next")
    };
    put("\"any\"").expect(404, "NoSuchKey");
    let etag = server.put("k", b"first").header("etag").to_owned();
    put("\"other\"").expect(412, "PreconditionFailed");
    assert_eq!(put(&etag).status, 200);
    assert_eq!(server.get("k").text(), "next");
}

#[test]
fn of_racing_creates_exactly_one_wins() {
    let server = Server::start();
    for round in 0..5 {
        let key = format!("race-{round}");
        let target = Signing::new("PUT", &key)
            .query("If-None-Match=%2A")
            .presign(server.address);
        let bodies: Vec<String> = (0..8).map(|n| format!("writer {n}")).collect();
        let statuses: Vec<_> = std::thread::scope(|scope| {
            let racers: Vec<_> = bodies
                .iter()
                .map(|body| scope.spawn(|| server.raw("PUT", &target, &[], body.as_bytes()).status))
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
    assert_eq!(server.blobs(), 5);
}

#[test]
fn checksums_are_verified_kept_and_told_on_request() {
    let server = Server::start();
    let cases = [
        ("x-amz-checksum-crc32", "NhCmhg=="),
        ("x-amz-checksum-crc32c", "mnG7TA=="),
        ("x-amz-checksum-sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00="),
        ("x-amz-checksum-sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
    ];
    for (name, value) in cases {
        let put = server.send(&Signing::new("PUT", name).header(name, value), b"hello");
        assert_eq!((put.status, put.header(name)), (200, value), "{}", put.text());
        let head = server.send(&Signing::new("HEAD", name).query("x-amz-checksum-mode=ENABLED"), b"");
        assert_eq!(
            (head.status, head.header(name), head.header("x-amz-checksum-type")),
            (200, value, "FULL_OBJECT")
        );
        assert_eq!(server.get(name).header(name), "");
        server
            .send(&Signing::new("PUT", "bad").header(name, value), b"hellO")
            .expect(400, "BadDigest");
        server
            .send(&Signing::new("PUT", "bad").header(name, "AAA="), b"hello")
            .expect(400, "InvalidRequest");
    }
    server.get("bad").expect(404, "NoSuchKey");
    let own = server.put("own", b"123456789");
    assert_eq!(own.header("x-amz-checksum-crc64nvme"), "rosUhgp5mIg=");
    assert_eq!(server.blobs(), cases.len() + 1);
}

#[test]
fn content_md5_is_verified() {
    let server = Server::start();
    let put = |md5| server.send(&Signing::new("PUT", "k").header("content-md5", md5), b"hello");
    assert_eq!(put("XUFAKrxLKna5cZ2REBfFkg==").status, 200);
    put("AAAAAAAAAAAAAAAAAAAAAA==").expect(400, "BadDigest");
    put("short").expect(400, "InvalidDigest");
}

#[test]
fn what_is_not_implemented_is_refused() {
    let server = Server::start();
    let cases = [
        ("x-amz-object-lock-mode", "GOVERNANCE", 501, "NotImplemented"),
        ("x-amz-website-redirect-location", "/x", 501, "NotImplemented"),
        ("x-amz-grant-read", "id=1", 501, "NotImplemented"),
        ("x-amz-acl", "public-read", 400, "AccessControlListNotSupported"),
        ("x-amz-storage-class", "CHEAP", 400, "InvalidStorageClass"),
    ];
    for (name, value, status, code) in cases {
        server
            .send(&Signing::new("PUT", "k").header(name, value), b"x")
            .expect(status, code);
    }
    server.get("k").expect(404, "NoSuchKey");
}

#[test]
fn a_missing_key_is_403_to_a_signer_who_may_not_list() {
    let server = Server::start_with(|config| config.may_list = false);
    server.get("k").expect(403, "AccessDenied");
    assert_eq!(server.send(&Signing::new("HEAD", "k"), b"").status, 403);
    let list = Signing {
        bucket_only: true,
        query: "list-type=2",
        ..Signing::new("GET", "")
    };
    server.send(&list, b"").expect(403, "AccessDenied");
    assert_eq!(server.put("k", b"x").status, 200);
    assert_eq!(server.get("k").status, 200);
}

#[test]
fn a_wrong_bucket_is_404() {
    let server = Server::start();
    for method in ["GET", "PUT", "DELETE"] {
        let signing = Signing {
            bucket: "other",
            ..Signing::new(method, "k")
        };
        server.send(&signing, b"").expect(404, "NoSuchBucket");
    }
}
