//! Multipart uploads and ranged downloads transfer identical bytes.

use crate::proxy::{FaultProxy, ProxyAction, RecordedRequest, answer, s3_error};
use crate::support::{LocalServer, assert_same_bytes, noise};

const MIB: usize = 1024 * 1024;

/// Larger than the limit for one request, and not a multiple of any size.
const LARGE_SIZE: usize = 65 * MIB + 4321;

#[test]
fn a_large_file_is_uploaded_in_parts_and_downloaded_in_ranges() {
    let local = LocalServer::start();
    let bytes = noise(LARGE_SIZE);
    let file = local.file("large.zip", &bytes);
    let proxy = FaultProxy::start(|_, _| ProxyAction::Pass);
    let put = local
        .signpost(&["put", &file, "large.zip", "--metadata", "team=blue", "--json"])
        .through(&proxy)
        .succeeds()
        .json();
    assert_eq!(put[0]["bytes"], LARGE_SIZE);
    let parts: Vec<_> = proxy
        .seen()
        .iter()
        .filter(|seen| seen.head.contains("partnumber="))
        .cloned()
        .collect();
    let at_s3: Vec<_> = parts.iter().filter(|seen| seen.host != local.address()).collect();
    assert_eq!(at_s3.len(), 5);
    for part in at_s3 {
        assert!(part.head.contains("\nx-amz-checksum-crc64nvme:"), "{part:?}");
    }
    let completion = proxy
        .seen()
        .into_iter()
        .rfind(|seen| seen.host != local.address())
        .unwrap();
    assert!(
        completion
            .head
            .contains(&format!("\nx-amz-mp-object-size: {LARGE_SIZE}\r\n")),
        "{completion:?}"
    );
    assert!(
        completion.head.contains("\nx-amz-checksum-crc64nvme:"),
        "{completion:?}"
    );

    let told = local.signpost(&["stat", "large.zip", "--json"]).succeeds().json();
    assert_eq!(told[0]["checksum"], put[0]["checksum"]);
    assert_eq!(
        (&told[0]["type"], &told[0]["metadata"]["team"]),
        (&"application/zip".into(), &"blue".into())
    );

    let proxy = FaultProxy::start(|_, _| ProxyAction::Pass);
    let got = local
        .signpost(&["get", "large.zip", "-o", "back", "--json"])
        .through(&proxy)
        .succeeds()
        .json();
    assert_same_bytes(&std::fs::read(local.path("back")).unwrap(), &bytes);
    assert!(!local.path("back.part").exists());
    assert_eq!(got[0]["checksum"], put[0]["checksum"]);
    let ranges: Vec<_> = proxy
        .seen()
        .into_iter()
        .filter(|seen| seen.head.contains("\nrange:"))
        .collect();
    assert_eq!(ranges.len(), 4);
    assert!(
        ranges.iter().all(|seen| seen.head.contains("\nif-match:")),
        "{ranges:?}"
    );
    assert_same_bytes(&local.object("large.zip"), &bytes);
    assert_eq!(
        local.kept(),
        Vec::<String>::new(),
        "no state remains after a completed transfer"
    );
}

#[test]
fn a_stream_of_unknown_length_is_uploaded_in_parts() {
    let local = LocalServer::start();
    for len in [16 * MIB - 1, 16 * MIB, 32 * MIB, 40 * MIB + 7] {
        let bytes = noise(len);
        local
            .signpost(&["put", "-", &format!("{len}")])
            .reading(&bytes)
            .succeeds();
        assert_same_bytes(&local.object(&format!("{len}")), &bytes);
    }
}

#[test]
fn parts_with_transient_failures_are_retried() {
    let local = LocalServer::start();
    let bytes = noise(LARGE_SIZE);
    let file = local.file("f", &bytes);
    let every_third = |local: &LocalServer| {
        let service = local.address().to_owned();
        FaultProxy::start(move |seen, before| match before.len() % 6 {
            2 => ProxyAction::Drop,
            5 if seen.host != service => s3_error("503 Slow Down", "SlowDown"),
            _ => ProxyAction::Pass,
        })
    };
    local
        .signpost(&["put", &file, "k"])
        .through(&every_third(&local))
        .succeeds();
    local
        .signpost(&["get", "k", "-o", "back"])
        .through(&every_third(&local))
        .succeeds();
    assert_same_bytes(&std::fs::read(local.path("back")).unwrap(), &bytes);
}

#[test]
fn no_part_is_sent_if_the_object_exists() {
    let local = LocalServer::start();
    local.holds("k", b"1");
    let file = local.file("f", &noise(LARGE_SIZE));
    for more in [&[][..], &["--no-clobber"]] {
        let proxy = FaultProxy::start(|_, _| ProxyAction::Pass);
        local
            .signpost(&[&["put", &file, "k"], more].concat())
            .through(&proxy)
            .fails(5, "exists");
        assert!(proxy.seen().iter().all(|seen| !seen.head.contains("uploads")));
    }
    assert_eq!(local.object("k"), b"1");
}

#[test]
fn a_completion_with_a_lost_response_is_detected() {
    let local = LocalServer::start();
    let bytes = noise(LARGE_SIZE);
    let file = local.file("f", &bytes);
    let service = local.address().to_owned();
    let proxy = FaultProxy::start(move |seen, before| {
        let completes = |seen: &crate::proxy::RecordedRequest| {
            seen.host != service && seen.method == "POST" && seen.head.contains("uploadid=")
        };
        if completes(seen) && !before.iter().any(completes) {
            ProxyAction::LoseResponse
        } else {
            ProxyAction::Pass
        }
    });
    local.signpost(&["put", &file, "k"]).through(&proxy).succeeds();
    assert_same_bytes(&local.object("k"), &bytes);
}

/// Responds to the first `count` requests that complete an upload.
fn completing(local: &LocalServer, count: usize, response: ProxyAction) -> FaultProxy {
    let service = local.address().to_owned();
    FaultProxy::start(move |seen, before| {
        let completes =
            |seen: &RecordedRequest| seen.host != service && seen.method == "POST" && seen.head.contains("uploadid=");
        if completes(seen) && before.iter().filter(|seen| completes(seen)).count() < count {
            response.clone()
        } else {
            ProxyAction::Pass
        }
    })
}

/// The upload ids of the requests to S3 that complete an upload.
fn completed_uploads(local: &LocalServer, proxy: &FaultProxy) -> Vec<String> {
    let id = |seen: &RecordedRequest| {
        let (_, id) = seen.head.split_once("uploadid=")?;
        Some(id.split(['&', ' ']).next()?.to_owned())
    };
    let requests = proxy.seen().into_iter();
    requests
        .filter(|seen| seen.host != local.address() && seen.method == "POST")
        .filter_map(|seen| id(&seen))
        .collect()
}

const CONFLICT: &str = "<Error><Code>ConditionalRequestConflict</Code><Message>Told by a test.</Message></Error>";

#[test]
fn after_a_conflict_at_completion_a_new_upload_starts() {
    let bytes = noise(LARGE_SIZE);
    for response in [
        s3_error("409 Conflict", "ConditionalRequestConflict"),
        answer("200 OK", "Content-Type: application/xml\r\n", CONFLICT),
    ] {
        let local = LocalServer::start();
        let file = local.file("f", &bytes);
        let proxy = completing(&local, 1, response);
        let put = local.signpost(&["put", &file, "k"]).through(&proxy).succeeds();
        assert!(put.notes.contains("uploading the file again"), "{put:?}");
        let uploads = completed_uploads(&local, &proxy);
        assert!(uploads.len() == 2 && uploads[0] != uploads[1], "{uploads:?}");
        assert_same_bytes(&local.object("k"), &bytes);
        assert_eq!(local.kept(), Vec::<String>::new());
        let pending = local.signpost(&["uploads"]).succeeds();
        assert_eq!(pending.out, b"", "the first upload is aborted");
    }
}

#[test]
fn after_a_second_conflict_the_command_stops_with_the_reason() {
    let local = LocalServer::start();
    let file = local.file("f", &noise(LARGE_SIZE));
    let proxy = completing(
        &local,
        usize::MAX,
        s3_error("409 Conflict", "ConditionalRequestConflict"),
    );
    let put = local
        .signpost(&["put", &file, "k"])
        .through(&proxy)
        .fails(5, "ConditionalRequestConflict");
    assert!(put.notes.contains("changed or deleted the object"), "{put:?}");
    assert_eq!(completed_uploads(&local, &proxy).len(), 2);
    assert_eq!(
        local.kept(),
        Vec::<String>::new(),
        "the next command starts a new upload"
    );
}

#[test]
fn a_conflict_of_a_stream_is_not_retried() {
    let local = LocalServer::start();
    let proxy = completing(
        &local,
        usize::MAX,
        s3_error("409 Conflict", "ConditionalRequestConflict"),
    );
    local
        .signpost(&["put", "-", "k"])
        .reading(&noise(17 * MIB))
        .through(&proxy)
        .fails(5, "ConditionalRequestConflict");
    assert_eq!(completed_uploads(&local, &proxy).len(), 1);
}

#[test]
fn other_final_errors_at_completion_are_not_retried_and_name_their_reason() {
    let local = LocalServer::start();
    let bytes = noise(17 * MIB);
    for (status, code, exit) in [
        ("404 Not Found", "NoSuchUpload", 3),
        ("400 Bad Request", "InvalidPart", 1),
        ("400 Bad Request", "EntityTooSmall", 1),
        ("400 Bad Request", "InvalidRequest", 1),
        ("409 Conflict", "InvalidBucketState", 5),
    ] {
        let proxy = completing(&local, usize::MAX, s3_error(status, code));
        let put = local
            .signpost(&["put", "-", "k"])
            .reading(&bytes)
            .through(&proxy)
            .fails(exit, code);
        assert!(!put.notes.contains(" exists"), "{put:?}");
        assert_eq!(completed_uploads(&local, &proxy).len(), 1, "{code}");
    }
}

#[test]
fn a_conflict_of_an_operation_in_progress_is_retried() {
    let local = LocalServer::start();
    let bytes = noise(LARGE_SIZE);
    let file = local.file("f", &bytes);
    let proxy = completing(&local, 1, s3_error("409 Conflict", "OperationAborted"));
    local.signpost(&["put", &file, "k"]).through(&proxy).succeeds();
    let uploads = completed_uploads(&local, &proxy);
    assert!(uploads.len() == 2 && uploads[0] == uploads[1], "{uploads:?}");
    assert_same_bytes(&local.object("k"), &bytes);
}

#[test]
fn a_corrupted_range_is_discarded() {
    let local = LocalServer::start();
    let file = local.file("f", &noise(LARGE_SIZE));
    local.signpost(&["put", &file, "k"]).succeeds();
    let proxy = FaultProxy::start(|seen, _| {
        if seen.head.contains("\nrange: bytes=33554432-") {
            ProxyAction::Corrupt(5_000)
        } else {
            ProxyAction::Pass
        }
    });
    local
        .signpost(&["get", "k", "-o", "back"])
        .through(&proxy)
        .fails(6, "checksum");
    assert!(!local.path("back").exists() && !local.path("back.part").exists());
    assert_eq!(local.kept(), Vec::<String>::new());
}
