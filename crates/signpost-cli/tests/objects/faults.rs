//! Faulty networks and servers: transient failures are retried, others are not, and no byte is wrong.

use std::sync::Mutex;

use crate::proxy::{FaultProxy, ProxyAction, RecordedRequest, answer, s3_error};
use crate::support::{LocalServer, assert_same_bytes, noise};

/// The number of recorded requests to this host with this method.
fn count(seen: &[RecordedRequest], host: &str, method: &str) -> usize {
    let like = |seen: &&RecordedRequest| seen.host == host && seen.method == method;
    seen.iter().filter(like).count()
}

/// Applies these actions to the first requests to S3. Requests to Signpost pass.
fn failing_s3(local: &LocalServer, fates: &[ProxyAction]) -> FaultProxy {
    let service = local.address().to_owned();
    let fates = fates.to_vec();
    FaultProxy::start(move |seen, before| {
        let earlier = before.iter().filter(|seen| seen.host != service).count();
        if seen.host == service {
            ProxyAction::Pass
        } else {
            fates.get(earlier).cloned().unwrap_or(ProxyAction::Pass)
        }
    })
}

#[test]
fn transient_failures_are_retried() {
    let local = LocalServer::start();
    let bytes = noise(700_000);
    let file = local.file("f", &bytes);
    let fates = [
        s3_error("503 Slow Down", "SlowDown"),
        ProxyAction::Drop,
        s3_error("400 Bad Request", "RequestTimeout"),
    ];
    let proxy = failing_s3(&local, &fates);
    local.signpost(&["put", &file, "k"]).through(&proxy).succeeds();
    let proxy = failing_s3(&local, &fates);
    local.signpost(&["get", "k", "-o", "back"]).through(&proxy).succeeds();
    assert_same_bytes(&std::fs::read(local.path("back")).unwrap(), &bytes);
    let proxy = FaultProxy::start(|_, before| match before.len() {
        0 => answer("502 Bad Gateway", "", "a gateway's words"),
        1 => answer("429 Too Many Requests", "Retry-After: 1\r\n", ""),
        _ => ProxyAction::Pass,
    });
    assert_same_bytes(&local.signpost(&["cat", "k"]).through(&proxy).succeeds().out, &bytes);
}

#[test]
fn a_conflict_of_an_upload_in_one_request_is_retried() {
    let local = LocalServer::start();
    let proxy = failing_s3(&local, &[s3_error("409 Conflict", "ConditionalRequestConflict")]);
    local
        .signpost(&["put", "-", "k"])
        .reading(b"1")
        .through(&proxy)
        .succeeds();
    assert_eq!(local.object("k"), b"1");
}

#[test]
fn retry_after_is_respected() {
    let local = LocalServer::start();
    local.holds("k", b"1");
    let proxy = failing_s3(&local, &[answer("503 Slow Down", "Retry-After: 3\r\n", "")]);
    let started = std::time::Instant::now();
    local.signpost(&["cat", "k"]).through(&proxy).succeeds();
    assert!(started.elapsed().as_secs() >= 3);
}

#[test]
fn permanent_failures_are_not_retried() {
    let local = LocalServer::start();
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
fn a_rejected_url_is_renewed_once() {
    let local = LocalServer::start();
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
fn a_download_resumes_after_a_broken_connection() {
    let local = LocalServer::start();
    let bytes = noise(2_000_000);
    local.holds("k", &bytes);
    let proxy = failing_s3(
        &local,
        &[ProxyAction::CutResponse(500_000), ProxyAction::CutResponse(900_000)],
    );
    assert_same_bytes(&local.signpost(&["cat", "k"]).through(&proxy).succeeds().out, &bytes);
    let ranges: Vec<_> = proxy.seen().iter().filter_map(|seen| range(&seen.head)).collect();
    assert_eq!(ranges.len(), 2);
    assert!(ranges[0] > 400_000 && ranges[1] > 1_200_000, "{ranges:?}");
}

fn range(head: &str) -> Option<u64> {
    let line = head.lines().find_map(|line| line.strip_prefix("range: bytes="))?;
    line.split('-').next()?.parse().ok()
}

#[test]
fn a_changed_object_is_never_mixed_with_the_old_one() {
    let rules = "version = 1\n[[rule]]\nid = \"all\"\nwho = [\"anyone\"]\ncan = [\"read\", \"write\"]\non = [\"**\"]\n\
                 overwrite = true\nallow_anonymous_write = true\n";
    let local = std::sync::Arc::new(LocalServer::start_with(Some(rules)));
    local.holds("k", &noise(1_000_000));
    let service = local.address().to_owned();
    let writer = Mutex::new(Some(std::sync::Arc::clone(&local)));
    let proxy = FaultProxy::start(move |seen, _| {
        let first = (seen.host != service).then(|| writer.lock().unwrap().take()).flatten();
        match first {
            Some(local) => {
                let changed = std::thread::spawn(move || {
                    std::thread::sleep(std::time::Duration::from_millis(200));
                    local.holds("k", &noise(1_000_001));
                });
                drop(changed);
                ProxyAction::CutResponse(300_000)
            }
            None if seen.host != service => {
                std::thread::sleep(std::time::Duration::from_secs(2));
                ProxyAction::Pass
            }
            None => ProxyAction::Pass,
        }
    });
    local
        .signpost(&["get", "k", "-o", "back"])
        .through(&proxy)
        .fails(5, "changed during");
    assert!(!local.path("back").exists());
}

#[test]
fn a_corrupted_download_is_discarded() {
    let local = LocalServer::start();
    local.holds("k", &noise(100_000));
    let proxy = failing_s3(&local, &[ProxyAction::Corrupt(5_000)]);
    local
        .signpost(&["get", "k", "-o", "back"])
        .through(&proxy)
        .fails(6, "checksum");
    assert!(!local.path("back").exists());
}

#[test]
fn an_upload_with_a_lost_response_succeeds_after_a_retry() {
    let local = LocalServer::start();
    let proxy = failing_s3(&local, &[ProxyAction::LoseResponse]);
    local
        .signpost(&["put", "-", "k"])
        .reading(b"mine")
        .through(&proxy)
        .succeeds();
    let proxy = failing_s3(&local, &[ProxyAction::Drop]);
    local
        .signpost(&["put", "-", "k"])
        .reading(b"others")
        .through(&proxy)
        .fails(5, "exists");
    assert_eq!(local.object("k"), b"mine");
}

#[test]
fn a_file_that_becomes_shorter_is_reported() {
    let local = LocalServer::start();
    let file = local.file("f", &noise(60_000_000));
    let service = local.address().to_owned();
    let path = local.path("f");
    let proxy = FaultProxy::start(move |seen, _| {
        if seen.host != service {
            std::fs::File::options()
                .write(true)
                .open(&path)
                .unwrap()
                .set_len(10)
                .unwrap();
        }
        ProxyAction::Pass
    });
    local.signpost(&["put", &file, "k"]).through(&proxy).fails(5, "shorter");
    local.signpost(&["cat", "k"]).fails(3, "NoSuchKey");
}
