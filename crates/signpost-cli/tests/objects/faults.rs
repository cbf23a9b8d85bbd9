//! Networks and servers that fail: what passes is tried again, what does not is not, and no byte is wrong.

use std::sync::Mutex;

use crate::proxy::{Fate, Proxy, Seen, answer, s3_error};
use crate::support::{Local, noise};

/// How many of the requests seen went to this host by this method.
fn count(seen: &[Seen], host: &str, method: &str) -> usize {
    let like = |seen: &&Seen| seen.host == host && seen.method == method;
    seen.iter().filter(like).count()
}

/// Fails the first requests to S3 so; those to Signpost pass.
fn failing_s3(local: &Local, fates: &[Fate]) -> Proxy {
    let service = local.address().to_owned();
    let fates = fates.to_vec();
    Proxy::start(move |seen, before| {
        let earlier = before.iter().filter(|seen| seen.host != service).count();
        if seen.host == service {
            Fate::Pass
        } else {
            fates.get(earlier).cloned().unwrap_or(Fate::Pass)
        }
    })
}

#[test]
fn failures_that_pass_are_waited_out() {
    let local = Local::start();
    let bytes = noise(700_000);
    let file = local.file("f", &bytes);
    let fates = [
        s3_error("503 Slow Down", "SlowDown"),
        Fate::Drop,
        s3_error("400 Bad Request", "RequestTimeout"),
    ];
    let proxy = failing_s3(&local, &fates);
    local.signpost(&["put", &file, "k"]).through(&proxy).succeeds();
    let proxy = failing_s3(&local, &fates);
    local.signpost(&["get", "k", "-o", "back"]).through(&proxy).succeeds();
    assert!(std::fs::read(local.path("back")).unwrap() == bytes);
    let proxy = Proxy::start(|_, before| match before.len() {
        0 => answer("502 Bad Gateway", "", "a gateway's words"),
        1 => answer("429 Too Many Requests", "Retry-After: 1\r\n", ""),
        _ => Fate::Pass,
    });
    assert!(local.signpost(&["cat", "k"]).through(&proxy).succeeds().out == bytes);
}

#[test]
fn a_wait_that_the_server_asks_for_is_kept() {
    let local = Local::start();
    local.holds("k", b"1");
    let proxy = failing_s3(&local, &[answer("503 Slow Down", "Retry-After: 3\r\n", "")]);
    let started = std::time::Instant::now();
    local.signpost(&["cat", "k"]).through(&proxy).succeeds();
    assert!(started.elapsed().as_secs() >= 3);
}

#[test]
fn failures_that_stay_are_not_tried_again() {
    let local = Local::start();
    for (status, code, exit) in [
        ("400 Bad Request", "InvalidRequest", 1),
        ("404 Not Found", "NoSuchKey", 3),
        ("400 Bad Request", "BadDigest", 6),
        ("501 Not Implemented", "NotImplemented", 1),
    ] {
        let proxy = failing_s3(&local, &vec![s3_error(status, code); 9]);
        local
            .signpost(&["put", "-", "k"])
            .reading(b"1")
            .through(&proxy)
            .fails(exit, code);
        assert_eq!(proxy.seen().len(), 2, "{code}");
    }
}

#[test]
fn a_refused_url_is_replaced_once() {
    let local = Local::start();
    let service = local.address();
    let denied = s3_error("403 Forbidden", "AccessDenied");
    let once = failing_s3(&local, std::slice::from_ref(&denied));
    local
        .signpost(&["put", "-", "k"])
        .reading(b"1")
        .through(&once)
        .succeeds();
    assert_eq!(count(&once.seen(), service, "PUT"), 2);
    let always = failing_s3(&local, &vec![denied; 9]);
    local.signpost(&["cat", "k"]).through(&always).fails(4, "AccessDenied");
    assert_eq!(count(&always.seen(), service, "GET"), 2);
}

#[test]
fn a_download_goes_on_where_it_broke_off() {
    let local = Local::start();
    let bytes = noise(2_000_000);
    local.holds("k", &bytes);
    let proxy = failing_s3(&local, &[Fate::CutAnswer(500_000), Fate::CutAnswer(900_000)]);
    assert!(local.signpost(&["cat", "k"]).through(&proxy).succeeds().out == bytes);
    let ranges: Vec<_> = proxy.seen().iter().filter_map(|seen| range(&seen.head)).collect();
    assert_eq!(ranges.len(), 2);
    assert!(ranges[0] > 400_000 && ranges[1] > 1_200_000, "{ranges:?}");
}

fn range(head: &str) -> Option<u64> {
    let line = head.lines().find_map(|line| line.strip_prefix("range: bytes="))?;
    line.split('-').next()?.parse().ok()
}

#[test]
fn an_object_that_changes_under_way_is_never_mixed() {
    let rules = "version = 1\n[[rule]]\nid = \"all\"\nwho = [\"anyone\"]\ncan = [\"read\", \"write\"]\non = [\"**\"]\n\
                 overwrite = true\nallow_anonymous_write = true\n";
    let local = std::sync::Arc::new(Local::start_with(Some(rules)));
    local.holds("k", &noise(1_000_000));
    let service = local.address().to_owned();
    let writer = Mutex::new(Some(std::sync::Arc::clone(&local)));
    let proxy = Proxy::start(move |seen, _| {
        let first = (seen.host != service).then(|| writer.lock().unwrap().take()).flatten();
        match first {
            Some(local) => {
                let changed = std::thread::spawn(move || {
                    std::thread::sleep(std::time::Duration::from_millis(200));
                    local.holds("k", &noise(1_000_001));
                });
                drop(changed);
                Fate::CutAnswer(300_000)
            }
            None if seen.host != service => {
                std::thread::sleep(std::time::Duration::from_secs(2));
                Fate::Pass
            }
            None => Fate::Pass,
        }
    });
    local
        .signpost(&["get", "k", "-o", "back"])
        .through(&proxy)
        .fails(5, "changed during");
    assert!(!local.path("back").exists());
}

#[test]
fn bytes_that_are_not_those_of_the_object_are_not_kept() {
    let local = Local::start();
    local.holds("k", &noise(100_000));
    let proxy = failing_s3(&local, &[Fate::Corrupt(5_000)]);
    local
        .signpost(&["get", "k", "-o", "back"])
        .through(&proxy)
        .fails(6, "checksum");
    assert!(!local.path("back").exists());
}

#[test]
fn an_upload_whose_answer_was_lost_is_not_in_its_own_way() {
    let local = Local::start();
    let proxy = failing_s3(&local, &[Fate::LoseAnswer]);
    local
        .signpost(&["put", "-", "k"])
        .reading(b"mine")
        .through(&proxy)
        .succeeds();
    let proxy = failing_s3(&local, &[Fate::Drop]);
    local
        .signpost(&["put", "-", "k"])
        .reading(b"others")
        .through(&proxy)
        .fails(5, "exists");
    assert_eq!(local.object("k"), b"mine");
}

#[test]
fn a_file_that_becomes_shorter_under_way_is_said_to_have() {
    let local = Local::start();
    let file = local.file("f", &noise(60_000_000));
    let service = local.address().to_owned();
    let path = local.path("f");
    let proxy = Proxy::start(move |seen, _| {
        if seen.host != service {
            std::fs::File::options()
                .write(true)
                .open(&path)
                .unwrap()
                .set_len(10)
                .unwrap();
        }
        Fate::Pass
    });
    local.signpost(&["put", &file, "k"]).through(&proxy).fails(5, "shorter");
    local.signpost(&["cat", "k"]).fails(3, "NoSuchKey");
}
