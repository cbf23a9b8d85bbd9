//! Versions, delete markers and tags.

use crate::support::{S3TestServer, SignedRequest};

fn versions(server: &S3TestServer) -> crate::support::TestResponse {
    server.send(
        &SignedRequest {
            bucket_only: true,
            query: "versions",
            ..SignedRequest::new("GET", "")
        },
        b"",
    )
}

#[test]
fn a_versioned_bucket_preserves_overwritten_and_deleted_objects() {
    let server = S3TestServer::start();
    server.put("k", b"before");
    server.set_versioning("Enabled");
    let first = server.put("k", b"first").header("x-amz-version-id").to_owned();
    let second = server.put("k", b"second").header("x-amz-version-id").to_owned();
    let deleted = server.send(&SignedRequest::new("DELETE", "k"), b"");
    assert_eq!((deleted.status, deleted.header("x-amz-delete-marker")), (204, "true"));
    let marker = deleted.header("x-amz-version-id").to_owned();

    let gone = server.get("k").expect(404, "NoSuchKey");
    assert_eq!(gone.header("x-amz-delete-marker"), "true");
    for (version, body) in [
        (first.as_str(), "first"),
        (second.as_str(), "second"),
        ("null", "before"),
    ] {
        let query = format!("versionId={version}");
        assert_eq!(
            server.send(&SignedRequest::new("GET", "k").query(&query), b"").text(),
            body
        );
    }
    let query = format!("versionId={marker}");
    server
        .send(&SignedRequest::new("GET", "k").query(&query), b"")
        .expect(405, "MethodNotAllowed");
    server
        .send(&SignedRequest::new("GET", "k").query("versionId=nonesuch"), b"")
        .expect(400, "InvalidArgument");
    let unknown = format!("versionId={}", "0".repeat(32));
    server
        .send(&SignedRequest::new("GET", "k").query(&unknown), b"")
        .expect(404, "NoSuchVersion");
    // `s3s` writes the delete markers before the versions.
    let listed = versions(&server);
    assert_eq!(
        listed.elements("VersionId"),
        [marker.clone(), second.clone(), first.clone(), "null".into()]
    );
    assert_eq!(listed.elements("IsLatest"), ["true", "false", "false", "false"]);

    assert_eq!(
        server
            .send(&SignedRequest::new("DELETE", "k").query(&query), b"")
            .status,
        204
    );
    assert_eq!(server.get("k").text(), "second");
    let query = format!("versionId={second}");
    assert_eq!(
        server
            .send(&SignedRequest::new("DELETE", "k").query(&query), b"")
            .status,
        204
    );
    assert_eq!(server.get("k").text(), "first");
    assert_eq!(server.blob_count(), 2);
}

#[test]
fn a_suspended_bucket_replaces_only_the_null_version() {
    let server = S3TestServer::start();
    server.set_versioning("Enabled");
    let preserved = server.put("k", b"kept").header("x-amz-version-id").to_owned();
    server.set_versioning("Suspended");
    assert_eq!(server.put("k", b"one").header("x-amz-version-id"), "");
    assert_eq!(server.put("k", b"two").header("x-amz-version-id"), "");
    let current = server.get("k");
    assert_eq!(
        (current.text().as_str(), current.header("x-amz-version-id")),
        ("two", "null")
    );
    assert_eq!(versions(&server).elements("VersionId"), ["null".to_owned(), preserved]);
    assert_eq!(server.blob_count(), 2);
}

#[test]
fn a_create_only_write_succeeds_after_a_delete_marker() {
    let server = S3TestServer::start();
    server.set_versioning("Enabled");
    let create = SignedRequest::new("PUT", "k").query("If-None-Match=%2A");
    assert_eq!(server.send(&create, b"one").status, 200);
    assert_eq!(server.send(&create, b"two").status, 412);
    assert_eq!(server.send(&SignedRequest::new("DELETE", "k"), b"").status, 204);
    assert_eq!(server.send(&create, b"three").status, 200);
}

#[test]
fn tags_can_be_set_read_and_removed() {
    let server = S3TestServer::start();
    server.put("k", b"x");
    let body = b"<Tagging><TagSet><Tag><Key>a b</Key><Value>1</Value></Tag></TagSet></Tagging>";
    let tagging = |method| SignedRequest::new(method, "k").query("tagging");
    assert_eq!(server.send(&tagging("PUT"), body).status, 200);
    assert_eq!(server.send(&tagging("GET"), b"").element("Key"), "a b");
    assert_eq!(server.get("k").header("x-amz-tagging-count"), "1");
    assert_eq!(server.send(&tagging("DELETE"), b"").status, 204);
    assert_eq!(server.send(&tagging("GET"), b"").element("Key"), "");
    server
        .send(&SignedRequest::new("GET", "other").query("tagging"), b"")
        .expect(404, "NoSuchKey");
}
