//! An HTTP API decodes paths, cuts them at a `?` and merges slashes: no command may act on another object than the given one.

use crate::support::LocalServer;

#[test]
fn the_metadata_of_another_object_is_never_shown() {
    let local = LocalServer::start_behind("http-api");
    local.holds("root.txt", b"1");
    let object = local.url("/root.txt%3Fv");
    local.signpost(&["stat", "root.txt"]).succeeds();
    // `/-/sign` receives the exact key, and no such object exists.
    local.signpost(&["stat", &object]).fails(3, "the object does not exist");
    let unset = |arguments: &[&str]| local.signpost(arguments).with("SIGNPOST_URL", "");
    unset(&["stat", &object]).fails(1, "another key");
    unset(&["stat", &local.url("/root.txt")]).succeeds();
}

#[test]
fn another_prefix_is_never_listed() {
    let local = LocalServer::start_behind("http-api");
    local.holds("root.txt", b"1");
    let prefix = local.url("/%3Fx/");
    for arguments in [
        &["ls", &prefix][..],
        &["ls", "-r", &prefix],
        &["get", "-r", &prefix, "-o", "out"],
        &["uploads", &prefix],
    ] {
        local.signpost(arguments).fails(1, "another key");
        local
            .signpost(arguments)
            .with("SIGNPOST_URL", "")
            .fails(1, "another key");
    }
    for all in [local.url("/"), local.url("")] {
        let listed = local.signpost(&["ls", &all]).with("SIGNPOST_URL", "").succeeds();
        assert_eq!(listed.text(), "root.txt\n");
        local.signpost(&["ls", &all]).succeeds();
    }
    assert_eq!(local.signpost(&["ls"]).succeeds().text(), "root.txt\n");
}

#[test]
fn an_object_with_merged_slashes_is_never_used() {
    let local = LocalServer::start_behind("http-api");
    for key in ["root.txt", "a/b"] {
        local.holds(key, b"1");
    }
    let file = local.file("file", b"2");
    for path in ["//root.txt", "/a//b", "/a%2F%2Fb", "///a/b"] {
        let object = local.url(path);
        for arguments in [
            &["rm", &object][..],
            &["get", &object, "-o", "out"],
            &["cat", &object],
            &["stat", &object],
            &["put", &file, &object],
        ] {
            local
                .signpost(arguments)
                .with("SIGNPOST_URL", "")
                .fails(1, "another key");
        }
    }
    for prefix in [local.url("//"), local.url("/a//")] {
        local
            .signpost(&["ls", &prefix])
            .with("SIGNPOST_URL", "")
            .fails(1, "another key");
    }
    for key in ["root.txt", "a/b"] {
        assert_eq!(local.object(key), b"1");
    }
}
