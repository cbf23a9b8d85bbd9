//! Many keys deleted in one request.

mod s3_support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use s3_support::{Reply, Server, Signing};
use s3s::crypto::{Checksum as _, Md5};

fn delete(server: &Server, document: &str) -> Reply {
    let md5 = STANDARD.encode(Md5::checksum(document.as_bytes()));
    send(server, document, Some(("content-md5", &md5)))
}

fn send(server: &Server, document: &str, header: Option<(&str, &str)>) -> Reply {
    let signing = Signing {
        bucket_only: true,
        query: "delete",
        headers: header.into_iter().collect(),
        ..Signing::new("POST", "")
    };
    server.send(&signing, document.as_bytes())
}

fn list(objects: &[&str]) -> String {
    let objects = objects.join("</Object><Object>");
    format!("<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object>{objects}</Object></Delete>")
}

#[test]
fn keys_are_deleted_whether_they_exist_or_not() {
    let server = Server::start();
    for key in ["a", "b & c", "stays"] {
        server.put(key, b"x");
    }
    let reply = delete(
        &server,
        &list(&["<Key>a</Key>", "<Key>b &amp; c</Key>", "<Key>nonesuch</Key>"]),
    );
    assert_eq!(
        (reply.status, reply.elements("Code")),
        (200, vec![]),
        "{}",
        reply.text()
    );
    assert_eq!(reply.elements("Key"), ["a", "b &amp; c", "nonesuch"]);
    assert_eq!(
        (reply.elements("VersionId"), reply.elements("DeleteMarker")),
        (vec![], vec![])
    );
    for key in ["a", "b & c"] {
        server.get(key).expect(404, "NoSuchKey");
    }
    assert_eq!(server.get("stays").status, 200);
    assert_eq!(server.blobs(), 1);
}

#[test]
fn in_a_versioned_bucket_markers_are_made_and_versions_removed() {
    let server = Server::start();
    server.set_versioning("Enabled");
    let version = server.put("k", b"first").header("x-amz-version-id").to_owned();
    let reply = delete(&server, &list(&["<Key>k</Key>"]));
    assert_eq!(reply.elements("DeleteMarker"), ["true"]);
    assert!(reply.elements("VersionId").is_empty(), "{}", reply.text());
    let marker = reply.element("DeleteMarkerVersionId");
    server.get("k").expect(404, "NoSuchKey");

    let named = |version: &str| format!("<Key>k</Key><VersionId>{version}</VersionId>");
    let removed = delete(&server, &list(&[&named(&marker)]));
    for name in ["VersionId", "DeleteMarkerVersionId"] {
        assert_eq!(removed.element(name), marker);
    }
    assert_eq!(server.get("k").text(), "first");
    let removed = delete(&server, &list(&[&named(&version)]));
    assert_eq!(removed.elements("VersionId"), [version]);
    assert!(!removed.text().contains("DeleteMarker"), "{}", removed.text());
    assert_eq!(server.blobs(), 0);
}

#[test]
fn one_that_is_refused_keeps_none_of_the_others() {
    let server = Server::start();
    let etag = server.put("a", b"x").header("etag").to_owned();
    server.put("b", b"x");
    let conditional = |key: &str, etag: &str| format!("<Key>{key}</Key><ETag>{etag}</ETag>");
    let document = list(&[
        &conditional("a", "&quot;other&quot;"),
        &conditional("nonesuch", &etag),
        &conditional("b", &etag),
    ]);
    let reply = delete(&server, &document);
    assert_eq!(reply.elements("Code"), ["PreconditionFailed", "NoSuchKey"]);
    assert_eq!(reply.elements("Key"), ["b", "a", "nonesuch"]);
    assert_eq!(server.get("a").status, 200);
    server.get("b").expect(404, "NoSuchKey");
    let quiet = list(&["<Key>a</Key>"]).replace("</Delete>", "<Quiet>true</Quiet></Delete>");
    let reply = delete(&server, &quiet);
    assert_eq!((reply.status, reply.elements("Key")), (200, vec![]));
    server.get("a").expect(404, "NoSuchKey");
}

#[test]
fn who_may_not_list_is_not_told_what_there_is_not() {
    let server = Server::start_with(|config| config.may_list = false);
    let reply = delete(&server, &list(&["<Key>nonesuch</Key><ETag>&quot;x&quot;</ETag>"]));
    assert_eq!(reply.elements("Code"), ["AccessDenied"]);
}

#[test]
fn lists_that_are_torn_too_long_or_empty_delete_nothing() {
    let server = Server::start();
    server.put("a", b"x");
    let document = list(&["<Key>a</Key>"]);
    send(&server, &document, None).expect(400, "InvalidRequest");
    let other = STANDARD.encode(Md5::checksum(b"other"));
    send(&server, &document, Some(("content-md5", &other))).expect(400, "BadDigest");
    send(&server, &document, Some(("x-amz-checksum-crc32", "AAAAAA=="))).expect(400, "BadDigest");
    delete(&server, "<Delete></Delete>").expect(400, "MalformedXML");
    delete(&server, &list(&["<Key>a</Key>"; 1001])).expect(400, "MalformedXML");
    delete(&server, &list(&["<Key>a</Key><Size>1</Size>"])).expect(501, "NotImplemented");
    assert_eq!(server.get("a").status, 200);
    assert_eq!(delete(&server, &list(&["<Key>a</Key>"; 1000])).status, 200);
    server.get("a").expect(404, "NoSuchKey");
}

#[test]
fn a_list_that_somebody_else_signed_is_refused() {
    let server = Server::start();
    server.put("a", b"x");
    let document = list(&["<Key>a</Key>"]);
    let md5 = STANDARD.encode(Md5::checksum(document.as_bytes()));
    let unsigned = server.raw("POST", "/bucket?delete", &[("content-md5", &md5)], document.as_bytes());
    unsigned.expect(403, "AccessDenied");
    // The URL of an upload is none of a deletion.
    let put = Signing::new("PUT", "a").presign(server.address);
    let target = put.replace("/bucket/a?", "/bucket?delete&");
    server
        .raw("POST", &target, &[("content-md5", &md5)], document.as_bytes())
        .expect(403, "SignatureDoesNotMatch");
    assert_eq!(server.get("a").status, 200);
}
