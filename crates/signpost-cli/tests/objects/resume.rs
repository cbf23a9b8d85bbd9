//! Transfers that were ended under way: the same command goes on with them, and what is there does not go again.

use std::fs;

use crate::proxy::{Fate, Proxy, Seen};
use crate::support::{Local, noise};

const MIB: usize = 1024 * 1024;
const LARGE: usize = 100 * MIB + 4321;

/// How many parts or ranges the object has.
const PIECES: usize = 7;

fn is_part(seen: &Seen, service: &str) -> bool {
    seen.host != service && seen.method == "PUT" && seen.head.contains("partnumber=")
}

fn is_body(seen: &Seen, service: &str) -> bool {
    seen.host != service && seen.method == "GET"
}

/// Lets so many of these requests through, and no more.
fn stalling(local: &Local, after: usize, of: fn(&Seen, &str) -> bool) -> Proxy {
    let service = local.address().to_owned();
    Proxy::start(move |seen, before| {
        let earlier = before.iter().filter(|seen| of(seen, &service)).count();
        if of(seen, &service) && earlier >= after {
            Fate::Hang
        } else {
            Fate::Pass
        }
    })
}

/// How many of these requests there were.
fn count(proxy: &Proxy, local: &Local, of: fn(&Seen, &str) -> bool) -> usize {
    proxy.seen().iter().filter(|seen| of(seen, local.address())).count()
}

#[test]
fn a_killed_upload_goes_on_with_the_parts_that_s3_lacks() {
    let local = Local::start();
    let bytes = noise(LARGE);
    let file = local.file("f", &bytes);
    let stalled = stalling(&local, 3, is_part);
    let ended = local
        .signpost(&["put", &file, "k"])
        .through(&stalled)
        .ended_by("KILL", || count(&stalled, &local, is_part) == PIECES);
    assert_eq!(ended.code, None);
    assert_eq!(local.kept().len(), 1);

    let rest = Proxy::start(|_, _| Fate::Pass);
    let put = local
        .signpost(&["put", &file, "k", "--json"])
        .through(&rest)
        .succeeds()
        .json();
    assert_eq!(count(&rest, &local, is_part), PIECES - 3);
    assert_eq!(put[0]["bytes_skipped"], 48 * MIB);
    assert!(local.object("k") == bytes);
    assert_eq!(local.kept(), Vec::<String>::new());
}

#[test]
fn an_interrupted_upload_ends_at_once_and_says_how_to_go_on() {
    let local = Local::start();
    let file = local.file("f", &noise(LARGE));
    let stalled = stalling(&local, 1, is_part);
    let ended = local
        .signpost(&["put", &file, "the key"])
        .through(&stalled)
        .ended_by("INT", || count(&stalled, &local, is_part) == PIECES);
    assert_eq!(ended.code, Some(130));
    assert!(
        ended.notes.ends_with(&format!("put {file} 'the key'\n")),
        "{}",
        ended.notes
    );
    local.signpost(&["put", &file, "the key"]).succeeds();
}

#[test]
fn another_file_is_never_mixed_into_an_upload() {
    let local = Local::start();
    let file = local.file("f", &noise(LARGE));
    let stalled = stalling(&local, 3, is_part);
    local
        .signpost(&["put", &file, "k"])
        .through(&stalled)
        .ended_by("KILL", || count(&stalled, &local, is_part) == PIECES);
    let mut other = noise(LARGE);
    other[5] ^= 1;
    fs::write(&file, &other).unwrap();
    let all = Proxy::start(|_, _| Fate::Pass);
    local.signpost(&["put", &file, "k"]).through(&all).succeeds();
    assert_eq!(count(&all, &local, is_part), PIECES);
    assert!(local.object("k") == other);
}

#[test]
fn an_upload_that_has_been_completed_unseen_is_done() {
    let local = Local::start();
    let bytes = noise(LARGE);
    let file = local.file("f", &bytes);
    let service = local.address().to_owned();
    let completes = move |seen: &Seen| seen.host != service && seen.method == "POST" && seen.head.contains("uploadid=");
    let lost = Proxy::start({
        let completes = completes.clone();
        move |seen, before| match before.iter().filter(|seen| completes(seen)).count() {
            0 if completes(seen) => Fate::LoseAnswer,
            0 => Fate::Pass,
            _ => Fate::Hang,
        }
    });
    local
        .signpost(&["put", &file, "k"])
        .through(&lost)
        .ended_by("KILL", || lost.seen().iter().any(&completes));
    let rest = Proxy::start(|_, _| Fate::Pass);
    local.signpost(&["put", &file, "k"]).through(&rest).succeeds();
    assert_eq!(count(&rest, &local, is_part), 0);
    assert!(local.object("k") == bytes);
}

#[test]
fn a_killed_download_goes_on_with_the_ranges_that_are_missing() {
    let local = Local::start();
    let bytes = noise(LARGE);
    let file = local.file("f", &bytes);
    local.signpost(&["put", &file, "k"]).succeeds();
    let stalled = stalling(&local, 3, is_body);
    local
        .signpost(&["get", "k", "-o", "back"])
        .through(&stalled)
        .ended_by("KILL", || {
            count(&stalled, &local, is_body) == PIECES && log_lines(&local) >= 4
        });
    assert!(!local.path("back").exists() && local.path("back.part").exists());

    let rest = Proxy::start(|_, _| Fate::Pass);
    let got = local
        .signpost(&["get", "k", "-o", "back", "--json"])
        .through(&rest)
        .succeeds()
        .json();
    assert_eq!(count(&rest, &local, is_body), PIECES - 3);
    // The last range, which is shorter, may be among the three.
    assert!(got[0]["bytes_skipped"].as_u64().unwrap() > 32 << 20, "{got:?}");
    assert!(fs::read(local.path("back")).unwrap() == bytes);
    assert_eq!(local.kept(), Vec::<String>::new());
}

#[test]
fn ranges_that_are_not_what_they_were_are_brought_again() {
    let local = Local::start();
    let bytes = noise(LARGE);
    let file = local.file("f", &bytes);
    local.signpost(&["put", &file, "k"]).succeeds();
    let stalled = stalling(&local, 3, is_body);
    local
        .signpost(&["get", "k", "-o", "back"])
        .through(&stalled)
        .ended_by("KILL", || {
            count(&stalled, &local, is_body) == PIECES && log_lines(&local) >= 4
        });
    // As after a power failure: the record says more than the disk has.
    let mut part = fs::read(local.path("back.part")).unwrap();
    part[100] ^= 1;
    fs::write(local.path("back.part"), part).unwrap();
    let rest = Proxy::start(|_, _| Fate::Pass);
    local.signpost(&["get", "k", "-o", "back"]).through(&rest).succeeds();
    assert_eq!(count(&rest, &local, is_body), PIECES - 2);
    assert!(fs::read(local.path("back")).unwrap() == bytes);
}

#[test]
fn a_download_of_an_object_that_has_changed_begins_anew() {
    let rules = "version = 1\n[[rule]]\nid = \"all\"\nwho = [\"anyone\"]\ncan = [\"read\", \"write\"]\non = [\"**\"]\n\
                 overwrite = true\nallow_anonymous_write = true\n";
    let local = Local::start_with(Some(rules));
    let file = local.file("f", &noise(LARGE));
    local.signpost(&["put", &file, "k"]).succeeds();
    let stalled = stalling(&local, 3, is_body);
    local
        .signpost(&["get", "k", "-o", "back"])
        .through(&stalled)
        .ended_by("KILL", || {
            count(&stalled, &local, is_body) == PIECES && log_lines(&local) >= 4
        });
    let mut other = noise(LARGE);
    other[LARGE - 1] ^= 1;
    let file = local.file("g", &other);
    local.signpost(&["put", &file, "k"]).succeeds();
    local.signpost(&["get", "k", "-o", "back"]).succeeds();
    assert!(fs::read(local.path("back")).unwrap() == other);
}

#[test]
fn two_commands_do_not_write_one_file() {
    let local = Local::start();
    let file = local.file("f", &noise(LARGE));
    local.signpost(&["put", &file, "k"]).succeeds();
    let stalled = stalling(&local, 1, is_body);
    let second = std::cell::Cell::new(false);
    local
        .signpost(&["get", "k", "-o", "back"])
        .through(&stalled)
        .ended_by("INT", || {
            let waits = count(&stalled, &local, is_body) == PIECES;
            if waits && !second.replace(true) {
                local.signpost(&["get", "k", "-o", "back"]).fails(5, "another command");
            }
            waits
        });
    assert!(local.path("back.part").exists());
    local.signpost(&["get", "k", "-o", "back"]).succeeds();
}

/// The lines of the one record there is: the object, and the ranges that are finished.
fn log_lines(local: &Local) -> usize {
    let Some(name) = local.kept().pop() else { return 0 };
    let text = fs::read_to_string(local.path(".local/state/signpost").join(name)).unwrap_or_default();
    text.lines().count()
}
