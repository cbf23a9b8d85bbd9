//! The destination of a download: a file, a device, a FIFO, an open file, or a link to one of them.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::Command;
use std::thread;

use crate::support::{LocalServer, assert_same_bytes, noise};

fn make_fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn devices_fifos_links_and_modes_are_preserved() {
    let local = LocalServer::start();
    local.holds("k", b"content");
    let fifo = local.path("fifo");
    make_fifo(&fifo);
    let reader = {
        let fifo = fifo.clone();
        thread::spawn(move || fs::read(fifo).unwrap())
    };
    local.signpost(&["get", "k", "-o", "fifo"]).succeeds();
    assert_eq!(reader.join().unwrap(), b"content");
    assert!(fs::symlink_metadata(&fifo).unwrap().file_type().is_fifo());
    for stdout in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        assert_eq!(local.signpost(&["get", "k", "-o", stdout]).succeeds().out, b"content");
    }
    local.signpost(&["get", "k", "-o", "/dev/full"]).fails(1, "/dev/full");

    let target = local.file("target", b"old");
    fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("target", local.path("link")).unwrap();
    symlink("new", local.path("dangling")).unwrap();
    for (link, target) in [("link", "target"), ("dangling", "new")] {
        local.signpost(&["get", "k", "-o", link]).succeeds();
        assert!(fs::symlink_metadata(local.path(link)).unwrap().is_symlink());
        assert_eq!(fs::read(local.path(target)).unwrap(), b"content");
    }
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn an_open_file_receives_the_object_at_its_position() {
    let local = LocalServer::start();
    for size in [10, 1_000_000] {
        let key = size.to_string();
        local.holds(&key, &noise(size));
        let expected = [b"head\n", &*noise(size), b"tail\n"].concat();
        for (number, output) in [
            (3, "/dev/fd/3"),
            (3, "/proc/self/fd/3"),
            (3, "/dev/../dev/fd/3"),
            (3, "link"),
            (1, "log"),
        ] {
            let _ = symlink("/dev/fd/3", local.path("link"));
            let _ = symlink("/dev/stdout", local.path("log"));
            let script = format!("exec {number}>file; echo head >&{number}; \"$0\" \"$@\" && echo tail >&{number}");
            local.in_shell(&script, &["get", &key, "-o", output]).succeeds();
            assert_same_bytes(&fs::read(local.path("file")).unwrap(), &expected);
        }
        assert!(fs::symlink_metadata(local.path("link")).unwrap().is_symlink());
    }
    local
        .in_shell("exec \"$0\" \"$@\" 4</dev/null", &["get", "10", "-o", "/dev/fd/4"])
        .fails(1, "/dev/fd/4");
    local
        .signpost(&["get", "10", "-o", "/dev/fd/99"])
        .fails(1, "/dev/fd/99");
}

#[test]
fn a_pipe_with_a_number_receives_the_object() {
    let local = LocalServer::start();
    local.holds("k", &noise(1_000_000));
    let script = "{ \"$0\" \"$@\" 3>&1 >/dev/null; } | cat";
    let piped = local.in_shell(script, &["get", "k", "-o", "/dev/fd/3"]).succeeds();
    assert_same_bytes(&piped.out, &noise(1_000_000));
}

#[test]
fn a_chain_of_links_leads_to_its_last_target() {
    let local = LocalServer::start();
    local.holds("k", b"content");
    for (link, target) in [("a", "b"), ("b", "folder/c"), ("loop", "loop")] {
        symlink(target, local.path(link)).unwrap();
    }
    local.signpost(&["get", "k", "-o", "a"]).succeeds();
    assert_eq!(fs::read(local.path("folder/c")).unwrap(), b"content");
    local
        .signpost(&["get", "k", "-o", "loop"])
        .fails(2, "too many symbolic links");
    for link in ["a", "b", "loop"] {
        assert!(fs::symlink_metadata(local.path(link)).unwrap().is_symlink(), "{link}");
    }
}

#[test]
fn a_recursive_download_replaces_only_files() {
    let local = LocalServer::start();
    for name in ["fifo", "file", "link", "null", "new"] {
        local.holds(&format!("p/{name}"), b"content");
    }
    fs::create_dir(local.path("out")).unwrap();
    make_fifo(&local.path("out/fifo"));
    local.file("out/file", b"old");
    local.file("target", b"mine");
    symlink("../target", local.path("out/link")).unwrap();
    symlink("/dev/null", local.path("out/null")).unwrap();
    let said = local
        .signpost(&["get", "-r", "p/", "-o", "out"])
        .fails(1, "out/fifo is neither a file nor a folder");
    assert_eq!(said.notes.matches("is a link").count(), 2, "{}", said.notes);
    for name in ["file", "new"] {
        assert_eq!(fs::read(local.path(&format!("out/{name}"))).unwrap(), b"content");
    }
    assert_eq!(fs::read(local.path("target")).unwrap(), b"mine");
    let kind = |name: &str| fs::symlink_metadata(local.path(name)).unwrap().file_type();
    assert!(kind("out/fifo").is_fifo() && kind("out/link").is_symlink() && kind("out/null").is_symlink());
}

#[test]
fn no_clobber_protects_files_and_not_devices() {
    let local = LocalServer::start();
    local.holds("k", b"content");
    local.file("file", b"mine");
    symlink("file", local.path("link")).unwrap();
    let get = |output: &str| local.signpost(&["get", "--no-clobber", "k", "-o", output]);
    for output in ["file", "link"] {
        get(output).fails(5, "file exists");
    }
    get("/dev/null").succeeds();
    assert_eq!(get("/dev/stdout").succeeds().out, b"content");
    assert_eq!(fs::read(local.path("file")).unwrap(), b"mine");
}

#[test]
fn a_replaced_file_keeps_its_owner_and_its_mode() {
    let local = LocalServer::start();
    let file = local.file("file", b"old");
    // Only root can give a file to another user.
    let owner = if chown(&file, Some(1234), Some(2345)).is_ok() {
        (1234, 2345)
    } else {
        owner_of(&file)
    };
    for (size, mode) in [
        (10, 0o600),
        (10, 0o444),
        (10, 0o4755),
        (1_000_000, 0o600),
        (1_000_000, 0o640),
    ] {
        local.holds("k", &noise(size));
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        local.signpost(&["get", "k", "-o", "file"]).succeeds();
        assert_same_bytes(&fs::read(&file).unwrap(), &noise(size));
        assert_eq!(owner_of(&file), owner, "{size} {mode:o}");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, mode, "{size}");
        local.signpost(&["rm", "k"]).succeeds();
    }
}

fn owner_of(file: &str) -> (u32, u32) {
    let metadata = fs::metadata(file).unwrap();
    (metadata.uid(), metadata.gid())
}
