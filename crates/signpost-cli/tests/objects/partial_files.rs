//! Partial files: other files with the same name are not changed.

use std::fs;
use std::os::unix::fs::symlink;

use crate::proxy::{FaultProxy, ProxyAction};
use crate::support::{LocalServer, assert_same_bytes, noise};

/// Large enough to be written while it is received.
const STREAMED_SIZE: usize = 1_000_000;

#[test]
fn an_object_with_the_name_of_a_partial_file_is_not_overwritten() {
    let local = LocalServer::start();
    local.holds("c/a", &noise(STREAMED_SIZE));
    local.holds("c/a.part", b"another one");
    local
        .signpost(&["get", "-r", "c/", "-o", "out"])
        .fails(5, "is the partial file");
    assert_same_bytes(&fs::read(local.path("out/a")).unwrap(), &noise(STREAMED_SIZE));
    assert!(!local.path("out/a.part").exists());
    local
        .signpost(&["get", "c/a", "c/a.part", "-o", "two/"])
        .fails(5, "is the partial file");
    local.signpost(&["get", "c/a.part", "-o", "out/"]).succeeds();
    assert_eq!(fs::read(local.path("out/a.part")).unwrap(), b"another one");
}

#[test]
fn an_unknown_partial_file_is_not_changed() {
    let local = LocalServer::start();
    local.holds("small", b"1");
    local.holds("large", &noise(STREAMED_SIZE));
    let mine = || fs::read(local.path("k.part")).unwrap();
    local.file("k.part", b"mine");
    local.signpost(&["get", "none", "-o", "k"]).fails(3, "NoSuchKey");
    assert_eq!(mine(), b"mine");
    for more in [&[][..], &["--no-clobber"]] {
        local
            .signpost(&[&["get", "large", "-o", "k"], more].concat())
            .fails(5, "k.part exists");
        assert_eq!(mine(), b"mine");
    }
    // A small object is written at once, so its partial file can have any name.
    local.signpost(&["get", "small", "-o", "k"]).succeeds();
    assert_eq!(
        (mine(), fs::read(local.path("k")).unwrap()),
        (b"mine".to_vec(), b"1".to_vec())
    );
}

#[test]
fn no_partial_file_is_written_through_a_link() {
    let local = LocalServer::start();
    local.holds("c/small", b"1");
    local.holds("c/large", &noise(STREAMED_SIZE));
    local.file("victim", b"mine");
    fs::create_dir(local.path("out")).unwrap();
    for name in ["small", "large"] {
        symlink("../victim", local.path(&format!("out/{name}.part"))).unwrap();
    }
    symlink("../nobody", local.path("out/dangling.part")).unwrap();
    local
        .signpost(&["get", "-r", "c/", "-o", "out"])
        .fails(5, "large.part exists");
    local
        .signpost(&["get", "c/large", "-o", "out/dangling"])
        .fails(5, "exists");
    assert_eq!(fs::read(local.path("victim")).unwrap(), b"mine");
    assert!(!local.path("nobody").exists());
    let small = fs::symlink_metadata(local.path("out/small")).unwrap();
    assert!(small.is_file() && small.len() == 1);
}

#[test]
fn a_killed_stream_download_can_be_repeated() {
    let local = LocalServer::start();
    local.holds("k", &noise(STREAMED_SIZE));
    let service = local.address().to_owned();
    let proxy = FaultProxy::start(move |seen, before| {
        let earlier = before.iter().filter(|seen| seen.host != service).count();
        match earlier {
            _ if seen.host == service => ProxyAction::Pass,
            0 => ProxyAction::CutResponse(400_000),
            _ => ProxyAction::Hang,
        }
    });
    local
        .signpost(&["get", "k", "-o", "back"])
        .through(&proxy)
        .ended_by("KILL", || local.path("back.part").exists() && local.kept().len() == 1);
    let left = local.path("back.part");
    local.file("mine", b"mine");
    fs::rename(&left, local.path("left")).unwrap();
    fs::rename(local.path("mine"), &left).unwrap();
    local.signpost(&["get", "k", "-o", "back"]).fails(5, "exists");
    assert_eq!(fs::read(&left).unwrap(), b"mine");
    fs::rename(local.path("left"), &left).unwrap();
    local.signpost(&["get", "k", "-o", "back"]).succeeds();
    assert_same_bytes(&fs::read(local.path("back")).unwrap(), &noise(STREAMED_SIZE));
    assert!(!local.path("back.part").exists() && local.kept().is_empty());
}
