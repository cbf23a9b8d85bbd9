//! Uploaded objects are downloaded byte for byte, and S3 stores their attributes.

use std::fs;
use std::process::Command;
use std::thread;

use serde_json::json;

use crate::support::{LocalServer, assert_same_bytes, noise};

#[test]
fn files_of_every_size_are_transferred_unchanged() {
    let local = LocalServer::start();
    for len in [0, 1, 262_143, 262_144, 3_000_000] {
        let bytes = noise(len);
        let file = local.file("file", &bytes);
        let key = format!("sizes/{len}");
        local.signpost(&["put", &file, &key]).succeeds();
        local.signpost(&["get", &key, "-o", "back"]).succeeds();
        assert_same_bytes(&std::fs::read(local.path("back")).unwrap(), &bytes);
        assert!(!local.path("back.part").exists());
        assert_same_bytes(&local.object(&key), &bytes);
    }
}

#[test]
fn keys_are_preserved_exactly() {
    let local = LocalServer::start();
    for key in ["a b+c", "ü/日本", "a//b", "100%", "q?x=1&y#z", "'quote'(1)!*", "~-._"] {
        local.holds(key, key.as_bytes());
        assert_eq!(local.object(key), key.as_bytes());
        let told = local.signpost(&["stat", key, "--json"]).succeeds().json();
        assert_eq!(told[0]["bytes"], key.len());
    }
    local.holds("a b", b"by its URL");
    let url = local.url("/a%20b");
    assert_eq!(local.signpost(&["cat", &url]).succeeds().out, b"by its URL");
}

#[test]
fn files_keep_their_names_below_a_prefix() {
    let local = LocalServer::start();
    let (one, two) = (local.file("one", b"1"), local.file("two", b"2"));
    local.signpost(&["put", &one, &two, "folder/"]).succeeds();
    std::fs::create_dir(local.path("out")).unwrap();
    local
        .signpost(&["get", "folder/one", "folder/two", "-o", "out"])
        .succeeds();
    assert_eq!(std::fs::read(local.path("out/two")).unwrap(), b"2");
    assert_eq!(
        local.signpost(&["cat", "folder/one", "folder/two"]).succeeds().out,
        b"12"
    );
    local.signpost(&["put", &one, &two, "folder"]).fails(2, "slash");
    local
        .signpost(&["put", &one, &one, "folder/"])
        .fails(2, "two of the files");
    local
        .signpost(&["get", "folder/one", "x/one"])
        .fails(2, "two of the objects");
}

#[test]
fn type_checksum_and_metadata_are_stored() {
    let local = LocalServer::start();
    let file = local.file("page.html", b"123456789");
    local
        .signpost(&["put", &file, "pages/", "--metadata", "team=blue"])
        .succeeds();
    let told = local.signpost(&["stat", "pages/page.html", "--json"]).succeeds().json();
    assert_eq!(told[0]["type"], "text/html");
    assert_eq!(told[0]["checksum"], "crc64nvme:rosUhgp5mIg=");
    assert_eq!(told[0]["metadata"], json!({"team": "blue"}));
    let words = local.signpost(&["stat", "pages/page.html"]).succeeds();
    for line in ["bytes:          9", "type:           text/html", "metadata team:  blue"] {
        assert!(words.text().contains(line), "{}", words.text());
    }
    local
        .signpost(&["put", &file, "raw", "--content-type", "text/plain"])
        .succeeds();
    let told = local.signpost(&["stat", "raw", "--json"]).succeeds().json();
    assert_eq!(told[0]["type"], "text/plain");
}

#[test]
fn a_deleted_object_is_not_found() {
    let local = LocalServer::start();
    local.holds("a", b"1");
    local.signpost(&["rm", "a", "never-was"]).succeeds();
    local.signpost(&["cat", "a"]).fails(3, "NoSuchKey");
}

#[test]
fn json_output_has_one_line_for_each_object() {
    let local = LocalServer::start();
    let file = local.file("f", b"123456789");
    let put = local.signpost(&["put", &file, "k", "--json"]).succeeds().json();
    assert_eq!((&put[0]["status"], &put[0]["bytes"]), (&json!("ok"), &json!(9)));
    assert_eq!(put[0]["url"], local.url("/k"));
    let mut got = local
        .signpost(&["get", "k", "none", "-o", "./", "--json"])
        .fails(3, "none")
        .json();
    got.sort_by_key(|line| line["url"].to_string());
    assert_eq!(
        (&got[0]["status"], &got[0]["checksum"]),
        (&json!("ok"), &json!("crc64nvme:rosUhgp5mIg="))
    );
    assert_eq!((&got[1]["status"], &got[1]["exit_code"]), (&json!("failed"), &json!(3)));
    assert_eq!(got[1]["code"], "NoSuchKey");
}

#[test]
fn fifos_and_files_without_a_length_are_read_to_the_end() {
    let local = LocalServer::start();
    let fifo = local.path("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let writer = {
        let fifo = fifo.clone();
        thread::spawn(move || fs::write(fifo, noise(3_000_000)).unwrap())
    };
    local.signpost(&["put", "fifo", "k"]).succeeds();
    writer.join().unwrap();
    assert_same_bytes(&local.object("k"), &noise(3_000_000));
    // Files in `/proc` report no length, and files in `/sys` report 4,096 bytes.
    for file in [
        "/proc/version",
        "/proc/filesystems",
        "/sys/class/net/lo/mtu",
        "/sys/kernel/mm/transparent_hugepage/enabled",
    ] {
        let Ok(content) = fs::read(file) else { continue };
        local.signpost(&["put", file, "up/"]).succeeds();
        let name = file.rsplit('/').next().unwrap();
        assert_eq!(local.object(&format!("up/{name}")), content, "{file}");
    }
}

#[test]
fn long_file_names_survive_a_round_trip() {
    let local = LocalServer::start();
    for len in [233, 234, 250, 251, 255] {
        let name = "n".repeat(len);
        for size in [1, 1_000_000] {
            let bytes = noise(size);
            let file = local.file(&name, &bytes);
            let prefix = format!("{size}/");
            local.signpost(&["put", &file, &prefix]).succeeds();
            fs::remove_file(&file).unwrap();
            local.signpost(&["get", &format!("{prefix}{name}")]).succeeds();
            assert_same_bytes(&fs::read(&file).unwrap(), &bytes);
        }
    }
}
