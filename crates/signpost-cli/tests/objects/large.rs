//! Objects in parts and ranges: identical bytes, in whatever way they go.

use crate::proxy::{Fate, Proxy, s3_error};
use crate::support::{Local, noise};

const MIB: usize = 1024 * 1024;

/// Larger than goes in one request, and no multiple of anything.
const LARGE: usize = 65 * MIB + 4321;

#[test]
fn a_large_file_goes_up_in_parts_and_comes_down_in_ranges() {
    let local = Local::start();
    let bytes = noise(LARGE);
    let file = local.file("large.zip", &bytes);
    let proxy = Proxy::start(|_, _| Fate::Pass);
    let put = local
        .signpost(&["put", &file, "large.zip", "--metadata", "team=blue", "--json"])
        .through(&proxy)
        .succeeds()
        .json();
    assert_eq!(put[0]["bytes"], LARGE);
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
            .contains(&format!("\nx-amz-mp-object-size: {LARGE}\r\n")),
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

    let proxy = Proxy::start(|_, _| Fate::Pass);
    let got = local
        .signpost(&["get", "large.zip", "-o", "back", "--json"])
        .through(&proxy)
        .succeeds()
        .json();
    assert!(std::fs::read(local.path("back")).unwrap() == bytes);
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
    assert!(local.object("large.zip") == bytes);
    assert_eq!(local.kept(), Vec::<String>::new(), "nothing is kept of what is done");
}

#[test]
fn a_stream_of_unknown_length_goes_up_in_parts() {
    let local = Local::start();
    for len in [16 * MIB - 1, 16 * MIB, 32 * MIB, 40 * MIB + 7] {
        let bytes = noise(len);
        local
            .signpost(&["put", "-", &format!("{len}")])
            .reading(&bytes)
            .succeeds();
        assert!(local.object(&format!("{len}")) == bytes, "{len}");
    }
}

#[test]
fn parts_that_fail_for_a_while_are_sent_again() {
    let local = Local::start();
    let bytes = noise(LARGE);
    let file = local.file("f", &bytes);
    let every_third = |local: &Local| {
        let service = local.address().to_owned();
        Proxy::start(move |seen, before| match before.len() % 6 {
            2 => Fate::Drop,
            5 if seen.host != service => s3_error("503 Slow Down", "SlowDown"),
            _ => Fate::Pass,
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
    assert!(std::fs::read(local.path("back")).unwrap() == bytes);
}

#[test]
fn a_large_object_that_exists_is_not_sent_in_vain() {
    let local = Local::start();
    local.holds("k", b"1");
    let file = local.file("f", &noise(LARGE));
    for more in [&[][..], &["--no-clobber"]] {
        let proxy = Proxy::start(|_, _| Fate::Pass);
        local
            .signpost(&[&["put", &file, "k"], more].concat())
            .through(&proxy)
            .fails(5, "exists");
        assert!(proxy.seen().iter().all(|seen| !seen.head.contains("uploads")));
    }
    assert_eq!(local.object("k"), b"1");
}

#[test]
fn a_completion_whose_answer_was_lost_is_found_to_be_done() {
    let local = Local::start();
    let bytes = noise(LARGE);
    let file = local.file("f", &bytes);
    let service = local.address().to_owned();
    let proxy = Proxy::start(move |seen, before| {
        let completes = |seen: &crate::proxy::Seen| {
            seen.host != service && seen.method == "POST" && seen.head.contains("uploadid=")
        };
        if completes(seen) && !before.iter().any(completes) {
            Fate::LoseAnswer
        } else {
            Fate::Pass
        }
    });
    local.signpost(&["put", &file, "k"]).through(&proxy).succeeds();
    assert!(local.object("k") == bytes);
}

#[test]
fn ranges_that_are_not_those_of_the_object_are_not_kept() {
    let local = Local::start();
    let file = local.file("f", &noise(LARGE));
    local.signpost(&["put", &file, "k"]).succeeds();
    let proxy = Proxy::start(|seen, _| {
        if seen.head.contains("\nrange: bytes=33554432-") {
            Fate::Corrupt(5_000)
        } else {
            Fate::Pass
        }
    });
    local
        .signpost(&["get", "k", "-o", "back"])
        .through(&proxy)
        .fails(6, "checksum");
    assert!(!local.path("back").exists() && !local.path("back.part").exists());
    assert_eq!(local.kept(), Vec::<String>::new());
}
