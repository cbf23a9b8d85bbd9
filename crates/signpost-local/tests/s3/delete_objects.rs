//! `DeleteObjects`: many keys in one request.

use crate::support::{S3TestServer, SignedRequest, TestResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use s3s::crypto::{Checksum as _, Md5};

fn delete(server: &S3TestServer, document: &str) -> TestResponse {
    let md5 = STANDARD.encode(Md5::checksum(document.as_bytes()));
    send(server, document, Some(("content-md5", &md5)))
}

fn send(server: &S3TestServer, document: &str, header: Option<(&str, &str)>) -> TestResponse {
    let request = SignedRequest {
        bucket_only: true,
        query: "delete",
        headers: header.into_iter().collect(),
        ..SignedRequest::new("POST", "")
    };
    server.send(&request, document.as_bytes())
}

fn list(objects: &[&str]) -> String {
    let objects = objects.join("</Object><Object>");
    format!("<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object>{objects}</Object></Delete>")
}

#[test]
fn keys_are_deleted_whether_they_exist_or_not() {
    let server = S3TestServer::start();
    for key in ["a", "b & c", "stays"] {
        server.put(key, b"x");
    }
    let response = delete(
        &server,
        &list(&["<Key>a</Key>", "<Key>b &amp; c</Key>", "<Key>nonesuch</Key>"]),
    );
    assert_eq!(
        (response.status, response.elements("Code")),
        (200, vec![]),
        "{}",
        response.text()
    );
    assert_eq!(response.elements("Key"), ["a", "b &amp; c", "nonesuch"]);
    assert_eq!(
        (response.elements("VersionId"), response.elements("DeleteMarker")),
        (vec![], vec![])
    );
    for key in ["a", "b & c"] {
        server.get(key).expect(404, "NoSuchKey");
    }
    assert_eq!(server.get("stays").status, 200);
    assert_eq!(server.blob_count(), 1);
}

#[test]
fn in_a_versioned_bucket_delete_markers_are_created_and_versions_removed() {
    let server = S3TestServer::start();
    server.set_versioning("Enabled");
    let version = server.put("k", b"first").header("x-amz-version-id").to_owned();
    let response = delete(&server, &list(&["<Key>k</Key>"]));
    assert_eq!(response.elements("DeleteMarker"), ["true"]);
    assert!(response.elements("VersionId").is_empty(), "{}", response.text());
    let marker = response.element("DeleteMarkerVersionId");
    server.get("k").expect(404, "NoSuchKey");

    let with_version = |version: &str| format!("<Key>k</Key><VersionId>{version}</VersionId>");
    let removed = delete(&server, &list(&[&with_version(&marker)]));
    for name in ["VersionId", "DeleteMarkerVersionId"] {
        assert_eq!(removed.element(name), marker);
    }
    assert_eq!(server.get("k").text(), "first");
    let removed = delete(&server, &list(&[&with_version(&version)]));
    assert_eq!(removed.elements("VersionId"), [version]);
    assert!(!removed.text().contains("DeleteMarker"), "{}", removed.text());
    assert_eq!(server.blob_count(), 0);
}

#[test]
fn a_rejected_deletion_does_not_affect_the_others() {
    let server = S3TestServer::start();
    let etag = server.put("a", b"x").header("etag").to_owned();
    server.put("b", b"x");
    let conditional = |key: &str, etag: &str| format!("<Key>{key}</Key><ETag>{etag}</ETag>");
    let document = list(&[
        &conditional("a", "&quot;other&quot;"),
        &conditional("nonesuch", &etag),
        &conditional("b", &etag),
    ]);
    let response = delete(&server, &document);
    assert_eq!(response.elements("Code"), ["PreconditionFailed", "NoSuchKey"]);
    assert_eq!(response.elements("Key"), ["b", "a", "nonesuch"]);
    assert_eq!(server.get("a").status, 200);
    server.get("b").expect(404, "NoSuchKey");
    let quiet = list(&["<Key>a</Key>"]).replace("</Delete>", "<Quiet>true</Quiet></Delete>");
    let response = delete(&server, &quiet);
    assert_eq!((response.status, response.elements("Key")), (200, vec![]));
    server.get("a").expect(404, "NoSuchKey");
}

#[test]
fn a_missing_key_is_access_denied_without_list_permission() {
    let server = S3TestServer::start_with(|config| config.allow_listing = false);
    let response = delete(&server, &list(&["<Key>nonesuch</Key><ETag>&quot;x&quot;</ETag>"]));
    assert_eq!(response.elements("Code"), ["AccessDenied"]);
}

#[test]
fn an_invalid_list_deletes_nothing() {
    let server = S3TestServer::start();
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
fn a_list_without_a_valid_signature_is_rejected() {
    let server = S3TestServer::start();
    server.put("a", b"x");
    let document = list(&["<Key>a</Key>"]);
    let md5 = STANDARD.encode(Md5::checksum(document.as_bytes()));
    let unsigned = server.send_raw("POST", "/bucket?delete", &[("content-md5", &md5)], document.as_bytes());
    unsigned.expect(403, "AccessDenied");
    // The presigned URL of an upload is not valid for a deletion.
    let put = SignedRequest::new("PUT", "a").presign(server.address);
    let target = put.replace("/bucket/a?", "/bucket?delete&");
    server
        .send_raw("POST", &target, &[("content-md5", &md5)], document.as_bytes())
        .expect(403, "SignatureDoesNotMatch");
    assert_eq!(server.get("a").status, 200);
}
