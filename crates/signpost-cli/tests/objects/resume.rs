//! Interrupted transfers: the same command resumes them, and stored bytes are not sent again.

use std::fs;

use crate::proxy::{FaultProxy, ProxyAction, RecordedRequest};
use crate::support::{LocalServer, assert_same_bytes, noise};

const MIB: usize = 1024 * 1024;
const LARGE_SIZE: usize = 100 * MIB + 4321;

/// The number of parts or ranges of the object.
const PART_COUNT: usize = 7;

fn is_part(seen: &RecordedRequest, service: &str) -> bool {
    seen.host != service && seen.method == "PUT" && seen.head.contains("partnumber=")
}

fn is_body(seen: &RecordedRequest, service: &str) -> bool {
    seen.host != service && seen.method == "GET"
}

/// Passes the first `after` matching requests. Later ones hang.
fn stalling(local: &LocalServer, after: usize, of: fn(&RecordedRequest, &str) -> bool) -> FaultProxy {
    let service = local.address().to_owned();
    FaultProxy::start(move |seen, before| {
        let earlier = before.iter().filter(|seen| of(seen, &service)).count();
        if of(seen, &service) && earlier >= after {
            ProxyAction::Hang
        } else {
            ProxyAction::Pass
        }
    })
}

/// The number of matching requests.
fn count(proxy: &FaultProxy, local: &LocalServer, of: fn(&RecordedRequest, &str) -> bool) -> usize {
    proxy.seen().iter().filter(|seen| of(seen, local.address())).count()
}

#[test]
fn a_killed_upload_resumes_with_the_missing_parts() {
    let local = LocalServer::start();
    let bytes = noise(LARGE_SIZE);
    let file = local.file("f", &bytes);
    let stalled = stalling(&local, 3, is_part);
    let ended = local
        .signpost(&["put", &file, "k"])
        .through(&stalled)
        .ended_by("KILL", || count(&stalled, &local, is_part) == PART_COUNT);
    assert_eq!(ended.code, None);
    assert_eq!(local.kept().len(), 1);

    let rest = FaultProxy::start(|_, _| ProxyAction::Pass);
    let put = local
        .signpost(&["put", &file, "k", "--json"])
        .through(&rest)
        .succeeds()
        .json();
    assert_eq!(count(&rest, &local, is_part), PART_COUNT - 3);
    assert_eq!(put[0]["bytes_skipped"], 48 * MIB);
    assert_same_bytes(&local.object("k"), &bytes);
    assert_eq!(local.kept(), Vec::<String>::new());
}

#[test]
fn an_interrupted_upload_ends_immediately_and_prints_the_resume_command() {
    let local = LocalServer::start();
    let file = local.file("f", &noise(LARGE_SIZE));
    let stalled = stalling(&local, 1, is_part);
    let ended = local
        .signpost(&["put", &file, "the key"])
        .through(&stalled)
        .ended_by("INT", || count(&stalled, &local, is_part) == PART_COUNT);
    assert_eq!(ended.code, Some(130));
    assert!(
        ended.notes.ends_with(&format!("put {file} 'the key'\n")),
        "{}",
        ended.notes
    );
    local.signpost(&["put", &file, "the key"]).succeeds();
}

#[test]
fn a_changed_file_starts_a_new_upload() {
    let local = LocalServer::start();
    let file = local.file("f", &noise(LARGE_SIZE));
    let stalled = stalling(&local, 3, is_part);
    local
        .signpost(&["put", &file, "k"])
        .through(&stalled)
        .ended_by("KILL", || count(&stalled, &local, is_part) == PART_COUNT);
    let mut other = noise(LARGE_SIZE);
    other[5] ^= 1;
    fs::write(&file, &other).unwrap();
    let all = FaultProxy::start(|_, _| ProxyAction::Pass);
    local.signpost(&["put", &file, "k"]).through(&all).succeeds();
    assert_eq!(count(&all, &local, is_part), PART_COUNT);
    assert_same_bytes(&local.object("k"), &other);
}

#[test]
fn an_upload_with_a_lost_completion_is_detected_as_done() {
    let local = LocalServer::start();
    let bytes = noise(LARGE_SIZE);
    let file = local.file("f", &bytes);
    let service = local.address().to_owned();
    let completes =
        move |seen: &RecordedRequest| seen.host != service && seen.method == "POST" && seen.head.contains("uploadid=");
    let lost = FaultProxy::start({
        let completes = completes.clone();
        move |seen, before| match before.iter().filter(|seen| completes(seen)).count() {
            0 if completes(seen) => ProxyAction::LoseResponse,
            0 => ProxyAction::Pass,
            _ => ProxyAction::Hang,
        }
    });
    local
        .signpost(&["put", &file, "k"])
        .through(&lost)
        .ended_by("KILL", || lost.seen().iter().any(&completes));
    let rest = FaultProxy::start(|_, _| ProxyAction::Pass);
    local.signpost(&["put", &file, "k"]).through(&rest).succeeds();
    assert_eq!(count(&rest, &local, is_part), 0);
    assert_same_bytes(&local.object("k"), &bytes);
}

#[test]
fn a_killed_download_resumes_with_the_missing_ranges() {
    let local = LocalServer::start();
    let bytes = noise(LARGE_SIZE);
    let file = local.file("f", &bytes);
    local.signpost(&["put", &file, "k"]).succeeds();
    let stalled = stalling(&local, 3, is_body);
    local
        .signpost(&["get", "k", "-o", "back"])
        .through(&stalled)
        .ended_by("KILL", || {
            count(&stalled, &local, is_body) == PART_COUNT && log_lines(&local) >= 4
        });
    assert!(!local.path("back").exists() && local.path("back.part").exists());

    let rest = FaultProxy::start(|_, _| ProxyAction::Pass);
    let got = local
        .signpost(&["get", "k", "-o", "back", "--json"])
        .through(&rest)
        .succeeds()
        .json();
    assert_eq!(count(&rest, &local, is_body), PART_COUNT - 3);
    // The last range, which is shorter, can be one of the three.
    assert!(got[0]["bytes_skipped"].as_u64().unwrap() > 32 << 20, "{got:?}");
    assert_same_bytes(&fs::read(local.path("back")).unwrap(), &bytes);
    assert_eq!(local.kept(), Vec::<String>::new());
}

#[test]
fn damaged_ranges_are_downloaded_again() {
    let local = LocalServer::start();
    let bytes = noise(LARGE_SIZE);
    let file = local.file("f", &bytes);
    local.signpost(&["put", &file, "k"]).succeeds();
    let stalled = stalling(&local, 3, is_body);
    local
        .signpost(&["get", "k", "-o", "back"])
        .through(&stalled)
        .ended_by("KILL", || {
            count(&stalled, &local, is_body) == PART_COUNT && log_lines(&local) >= 4
        });
    // After a power failure, the record can list ranges that are not on the disk.
    let mut part = fs::read(local.path("back.part")).unwrap();
    part[100] ^= 1;
    fs::write(local.path("back.part"), part).unwrap();
    let rest = FaultProxy::start(|_, _| ProxyAction::Pass);
    local.signpost(&["get", "k", "-o", "back"]).through(&rest).succeeds();
    assert_eq!(count(&rest, &local, is_body), PART_COUNT - 2);
    assert_same_bytes(&fs::read(local.path("back")).unwrap(), &bytes);
}

#[test]
fn a_changed_object_starts_a_new_download() {
    let rules = "version = 1\n[[rule]]\nid = \"all\"\nwho = [\"anyone\"]\ncan = [\"read\", \"write\"]\non = [\"**\"]\n\
                 overwrite = true\nallow_anonymous_write = true\n";
    let local = LocalServer::start_with(Some(rules));
    let file = local.file("f", &noise(LARGE_SIZE));
    local.signpost(&["put", &file, "k"]).succeeds();
    let stalled = stalling(&local, 3, is_body);
    local
        .signpost(&["get", "k", "-o", "back"])
        .through(&stalled)
        .ended_by("KILL", || {
            count(&stalled, &local, is_body) == PART_COUNT && log_lines(&local) >= 4
        });
    let mut other = noise(LARGE_SIZE);
    other[LARGE_SIZE - 1] ^= 1;
    let file = local.file("g", &other);
    local.signpost(&["put", &file, "k"]).succeeds();
    local.signpost(&["get", "k", "-o", "back"]).succeeds();
    assert_same_bytes(&fs::read(local.path("back")).unwrap(), &other);
}

#[test]
fn two_commands_do_not_write_the_same_file() {
    let local = LocalServer::start();
    let file = local.file("f", &noise(LARGE_SIZE));
    local.signpost(&["put", &file, "k"]).succeeds();
    let stalled = stalling(&local, 1, is_body);
    let second = std::cell::Cell::new(false);
    local
        .signpost(&["get", "k", "-o", "back"])
        .through(&stalled)
        .ended_by("INT", || {
            let waits = count(&stalled, &local, is_body) == PART_COUNT;
            if waits && !second.replace(true) {
                local.signpost(&["get", "k", "-o", "back"]).fails(5, "another command");
            }
            waits
        });
    assert!(local.path("back.part").exists());
    local.signpost(&["get", "k", "-o", "back"]).succeeds();
}

/// The number of lines in the only record: the object, and the finished ranges.
fn log_lines(local: &LocalServer) -> usize {
    let Some(name) = local.kept().pop() else { return 0 };
    let text = fs::read_to_string(local.path(".local/state/signpost").join(name)).unwrap_or_default();
    text.lines().count()
}
