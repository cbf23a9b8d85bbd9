//! Folders: up and down whole, listed, and never out of where they belong.

use std::fs;
use std::os::unix::fs::symlink;

use crate::proxy::{FaultProxy, ProxyAction};
use crate::support::{LocalServer, assert_same_bytes, noise};

fn tree(local: &LocalServer) {
    for (name, bytes) in [
        ("tree/a.txt", &b"1"[..]),
        ("tree/b/c d.txt", b"22"),
        ("tree/b/ü", b""),
        ("tree/z", &noise(300_000)),
    ] {
        let path = local.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn a_folder_is_uploaded_and_downloaded() {
    let local = LocalServer::start();
    tree(&local);
    symlink("nowhere", local.path("tree/dangling")).unwrap();
    symlink("b", local.path("tree/linked")).unwrap();
    let said = local.signpost(&["put", "-r", "tree", "up/"]).succeeds();
    for words in ["skipped tree/dangling", "skipped tree/linked"] {
        assert!(said.notes.contains(words), "{}", said.notes);
    }
    let listed = local.signpost(&["ls", "-r", "up"]).succeeds();
    assert_eq!(listed.text(), "tree/a.txt\ntree/b/c d.txt\ntree/b/ü\ntree/z\n");
    local.signpost(&["get", "-r", "up/tree/", "-o", "down"]).succeeds();
    for name in ["a.txt", "b/c d.txt", "b/ü", "z"] {
        assert!(fs::read(local.path("down").join(name)).unwrap() == fs::read(local.path("tree").join(name)).unwrap());
    }
    assert_eq!(fs::read_dir(local.path("down")).unwrap().count(), 3);
    // With a slash at its end only what is in it goes up.
    local.signpost(&["put", "-r", "tree/", "flat/"]).succeeds();
    assert_eq!(local.object("flat/a.txt"), b"1");
    local.signpost(&["put", "tree", "x/"]).fails(2, "-r");
    local.signpost(&["put", "-r", "tree", "x"]).fails(2, "slash");
    local
        .signpost(&["get", "-r", "empty/", "-o", "none"])
        .fails(3, "no objects below");
}

#[test]
fn unsafe_keys_are_rejected_and_other_objects_are_downloaded() {
    let local = LocalServer::start();
    for key in ["p/good", "p/con", "p/c:\\x", "p//twice", "p/link/evil"] {
        local.holds(key, b"1");
    }
    fs::create_dir_all(local.path("out")).unwrap();
    fs::create_dir_all(local.path("elsewhere")).unwrap();
    symlink(local.path("elsewhere"), local.path("out/link")).unwrap();
    let said = local
        .signpost(&["get", "-r", "p/", "-o", "out"])
        .fails(1, "cannot be a file name");
    for words in [
        "Windows reserves",
        "`\\`",
        "a segment is empty",
        "files are not written through links",
    ] {
        assert!(said.notes.contains(words), "{words}: {}", said.notes);
    }
    assert_eq!(fs::read(local.path("out/good")).unwrap(), b"1");
    assert_eq!(fs::read_dir(local.path("out")).unwrap().count(), 2);
    assert_eq!(fs::read_dir(local.path("elsewhere")).unwrap().count(), 0);
}

#[test]
fn listings_show_folders_and_sizes_and_support_json() {
    let local = LocalServer::start();
    for (key, len) in [("a", 1), ("b/c", 2048), ("b/d", 3)] {
        local.holds(key, &noise(len));
    }
    assert_eq!(local.signpost(&["ls"]).succeeds().text(), "b/\na\n");
    let long = local.signpost(&["ls", "-l", "b"]).succeeds();
    let line = long.text().lines().next().unwrap();
    assert!(line.starts_with("   2.0 KiB  20") && line.ends_with("Z  c"), "{line:?}");
    let json = local
        .signpost(&["ls", "-r", "--json", &local.url("/")])
        .succeeds()
        .json();
    assert_eq!(json.len(), 3);
    assert_eq!((&json[1]["key"], &json[1]["bytes"]), (&"b/c".into(), &2048.into()));
    local.signpost(&["ls", "http://127.0.0.1:1/x"]).fails(7, "no response");
}

#[test]
fn many_small_files_need_few_requests_to_signpost() {
    let local = LocalServer::start();
    fs::create_dir(local.path("many")).unwrap();
    for number in 0..300 {
        fs::write(local.path("many").join(format!("{number}")), format!("{number}")).unwrap();
    }
    let proxy = FaultProxy::start(|_, _| ProxyAction::Pass);
    local.signpost(&["put", "-r", "many/", "m/"]).through(&proxy).succeeds();
    let asked = proxy.seen().iter().filter(|seen| seen.host == local.address()).count();
    assert!(asked < 100, "{asked} requests for 300 files");
    let proxy = FaultProxy::start(|_, _| ProxyAction::Pass);
    local
        .signpost(&["get", "-r", "m/", "-o", "back"])
        .through(&proxy)
        .succeeds();
    let asked = proxy.seen().iter().filter(|seen| seen.host == local.address()).count();
    assert!(asked < 100, "{asked} requests for 300 files");
    for number in 0..300 {
        assert_eq!(
            fs::read_to_string(local.path("back").join(format!("{number}"))).unwrap(),
            format!("{number}")
        );
    }
}

#[test]
fn one_failed_file_is_reported_and_sets_the_exit_status() {
    let local = LocalServer::start();
    tree(&local);
    local.holds("up/b/ü", b"other");
    let said = local
        .signpost(&["put", "-r", "tree/", "up/", "--json"])
        .fails(5, "exists");
    let failed: Vec<_> = said
        .json()
        .into_iter()
        .filter(|line| line["status"] == "failed")
        .collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(said.json().len(), 4);
    assert_eq!(local.object("up/a.txt"), b"1");
}

#[test]
fn a_repeated_folder_upload_skips_equal_objects_and_reports_different_ones() {
    let local = LocalServer::start();
    tree(&local);
    local.file("tree/large", &noise(70 << 20));
    local.signpost(&["put", "-r", "tree", "up/"]).succeeds();
    local.file("tree/new", b"3");
    let said = local.signpost(&["put", "-r", "tree", "up/", "--json"]).succeeds();
    for line in said.json() {
        let is_new = line["file"].as_str().unwrap().ends_with("/new");
        assert_eq!(
            line["bytes_skipped"],
            if is_new { 0.into() } else { line["bytes"].clone() }
        );
    }
    local.signpost(&["put", "-r", "tree", "up/", "--no-clobber"]).succeeds();
    // A single file must be created, not only exist.
    local.signpost(&["put", "tree/a.txt", "up/tree/"]).fails(5, "exists");
    // The length does not change, so only the content differs.
    local.file("tree/a.txt", b"7");
    local.file("tree/large", &noise((70 << 20) + 1)[1..]);
    let said = local
        .signpost(&["put", "-r", "tree", "up/", "--json"])
        .fails(5, "exists");
    let failed = said.json().into_iter().filter(|line| line["status"] == "failed");
    assert_eq!(failed.count(), 2);
    assert_eq!(local.object("up/tree/a.txt"), b"1");
    assert_same_bytes(&local.object("up/tree/large"), &noise(70 << 20));
}

#[test]
fn pending_uploads_are_listed_and_aborted() {
    let local = LocalServer::start();
    let file = local.file("f", &noise(70 << 20));
    let service = local.address().to_owned();
    let proxy = FaultProxy::start(move |seen, _| {
        if seen.host != service && seen.head.contains("partnumber=") {
            ProxyAction::Hang
        } else {
            ProxyAction::Pass
        }
    });
    local
        .signpost(&["put", &file, "p/big"])
        .through(&proxy)
        .ended_by("KILL", || {
            proxy
                .seen()
                .iter()
                .any(|seen| seen.head.contains("put http") && seen.head.contains("partnumber="))
        });
    let listed = local.signpost(&["uploads", "--json"]).succeeds().json();
    assert_eq!(listed[0]["key"], "p/big");
    assert_eq!(local.signpost(&["uploads", "q"]).succeeds().text(), "");
    assert!(
        local
            .signpost(&["uploads", "p"])
            .succeeds()
            .text()
            .ends_with("Z  big\n")
    );
    local.signpost(&["uploads", "p", "--abort"]).succeeds();
    assert_eq!(local.signpost(&["uploads"]).succeeds().text(), "");
    // The local record of the aborted upload must not prevent a new upload.
    local.signpost(&["put", &file, "p/big"]).succeeds();
}

#[test]
fn progress_is_shown_in_the_selected_mode() {
    let local = LocalServer::start();
    let file = local.file("f", &noise(3_000_000));
    let quiet = local.signpost(&["put", &file, "a"]).succeeds();
    assert_eq!((quiet.text(), quiet.notes.as_str()), ("", ""));
    let told = local.signpost(&["put", &file, "b", "--progress", "json"]).succeeds();
    let last: serde_json::Value = serde_json::from_str(told.notes.lines().last().unwrap()).unwrap();
    assert_eq!(last["progress"]["bytes"], 3_000_000);
    assert_eq!(last["progress"]["files"], 1);
    let bar = local
        .signpost(&["get", "a", "-o", "back", "--progress", "bar"])
        .succeeds();
    assert!(
        !bar.notes.contains('\x1b'),
        "no escape codes without a terminal: {:?}",
        bar.notes
    );
}

#[test]
fn an_upload_continues_after_an_entry_that_fails() {
    let local = LocalServer::start();
    let folder = local.path("tree");
    std::fs::create_dir(&folder).unwrap();
    for name in ["a", "bad\u{1}name", "z"] {
        std::fs::write(folder.join(name), name).unwrap();
    }
    let output = local.signpost(&["put", "-r", "tree/", "up/"]).said();
    assert_ne!(output.code, 0);
    assert!(output.notes.contains("failed to upload tree/bad"), "{}", output.notes);
    assert_eq!(local.object("up/a"), b"a");
    assert_eq!(local.object("up/z"), b"z");
}

#[test]
fn a_name_that_is_not_utf8_is_reported_and_sets_the_exit_status() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let local = LocalServer::start();
    let folder = local.path("tree");
    fs::create_dir_all(folder.join(OsStr::from_bytes(b"dir\xff"))).unwrap();
    fs::write(folder.join(OsStr::from_bytes(b"file\xff")), b"1").unwrap();
    fs::write(folder.join(OsStr::from_bytes(b"dir\xff/inner")), b"1").unwrap();
    fs::write(folder.join("good"), b"1").unwrap();
    let output = local.signpost(&["put", "-r", "tree/", "up/"]).fails(2, "is not UTF-8");
    assert_eq!(output.notes.matches("is not UTF-8").count(), 2, "{}", output.notes);
    assert_eq!(local.object("up/good"), b"1");
}

#[test]
fn a_named_file_that_cannot_be_uploaded_does_not_stop_the_others() {
    let local = LocalServer::start();
    for name in ["good", "other"] {
        local.file(name, b"1");
    }
    let script = "bad=$(printf 'bad\\377'); echo 1 >\"$bad\"; mkdir \"d$bad\"; \"$0\" \"$@\" \"$bad\" \"d$bad\" missing other up/";
    let output = local.in_shell(script, &["put", "-r", "good"]).said();
    assert_ne!(output.code, 0);
    assert_eq!(output.notes.matches("is not UTF-8").count(), 2, "{}", output.notes);
    assert!(output.notes.contains("failed to upload missing"), "{}", output.notes);
    for name in ["good", "other"] {
        assert_eq!(local.object(&format!("up/{name}")), b"1");
    }
}

#[test]
fn a_prefix_that_cannot_be_listed_does_not_stop_the_others() {
    let local = LocalServer::start();
    local.holds("full/a", b"1");
    let output = local
        .signpost(&["get", "-r", "empty/", "full/", "none/", "-o", "out"])
        .fails(3, "no objects below");
    assert_eq!(output.notes.matches("no objects below").count(), 2, "{}", output.notes);
    assert_eq!(fs::read(local.path("out/a")).unwrap(), b"1");
}
