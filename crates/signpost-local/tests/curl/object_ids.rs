//! Rules with `{id}`: clients use public keys, the storage keys contain ids.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::helpers::{random_bytes, wait_until};
use crate::support::{LocalServer, curl};

const RULES: &str = r#"
version = 1
[[rule]]
id = "docs"
who = ["anyone"]
can = ["read", "write", "delete"]
on = ["docs/**"]
rewrite = "objects/{id}"
overwrite = true
allow_anonymous_write = true

[[rule]]
id = "operator"
who = ["anyone"]
can = ["list"]
on = ["objects/**"]
"#;

fn start(more: &[&str]) -> Option<LocalServer> {
    let rules = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(rules.path(), RULES).unwrap();
    let path = rules.path().to_str().unwrap();
    LocalServer::start_with(&[&["--rules", path], more].concat(), &[("SIGNPOST_LOG", "info")])
}

/// Returns the storage keys below `objects/`.
fn storage_keys(server: &LocalServer) -> Vec<String> {
    let listing = server.curl(&["-f"], "/objects/?simple").text();
    listing.lines().map(str::to_owned).collect()
}

#[test]
fn the_storage_key_contains_an_id_and_clients_use_the_public_key() {
    for front in ["rest", "http-api", "function-url", "alb"] {
        let Some(server) = start(&["--front", front]) else {
            return;
        };
        let bytes = random_bytes(70_000);
        let name = "/docs/annual%20report%20%28final%29.pdf";
        assert_eq!(server.put(name, &bytes).status, 200, "{front}");
        let keys = storage_keys(&server);
        assert!(keys.len() == 1 && keys[0].len() == 26, "{front}: {keys:?}");
        assert_eq!(server.curl(&["-fL"], name).body, bytes);
        let saved = server.curl(&["-fsLI"], name).text().to_lowercase();
        assert!(saved.contains("content-length: 70000"), "{saved}");
        let dir = server.path("saved");
        std::fs::create_dir(&dir).unwrap();
        server.curl(&["-fLOJ", "--output-dir", dir.to_str().unwrap()], name);
        assert!(
            dir.join("annual report (final).pdf").exists(),
            "{:?}",
            std::fs::read_dir(&dir).unwrap().collect::<Vec<_>>()
        );
        // A client cannot use the id as a public key.
        for path in [format!("/objects/{}", keys[0]), format!("/docs/{}", keys[0])] {
            let rejected = server.curl(&["-L"], &path);
            assert!(
                rejected.status == 403 || rejected.status == 404,
                "{front} {path}: {}",
                rejected.status
            );
        }
        assert_eq!(server.put(name, b"other").status, 200);
        assert_eq!(
            (storage_keys(&server), server.curl(&["-fL"], name).body),
            (keys.clone(), b"other".to_vec())
        );
        assert_eq!(server.curl(&["-fL", "-X", "DELETE"], name).status, 204);
        let gone = server.curl(&["-L"], name);
        assert!(
            gone.status == 404 && gone.text().contains("<Code>NoSuchKey</Code>"),
            "expected the error of S3: {}",
            gone.text()
        );
        let never = server.curl(&["-L"], "/docs/never");
        assert!(
            never.status == 404 && never.text().starts_with("NoSuchKey: "),
            "expected the error of Signpost: {}",
            never.text()
        );
        let log = server.log_with("docs/never");
        let line = log.lines().find(|line| line.contains("PutObject")).unwrap();
        assert!(
            line.contains("docs/annual report (final).pdf") && line.contains(&keys[0]),
            "{line}"
        );
        let line = log.lines().find(|line| line.contains("docs/never")).unwrap();
        assert!(line.contains("NoSuchKey") && line.contains("GetObject"), "{line}");
    }
}

#[test]
fn concurrent_first_uploads_create_one_id_which_survives_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path().to_str().unwrap();
    let Some(server) = start(&["--data", data]) else { return };
    let server = Arc::new(server);
    let uploads = (0..50).map(|number| {
        let server = Arc::clone(&server);
        thread::spawn(move || {
            server
                .curl(&["-fL", "-X", "PUT", "--data-binary", &format!("{number}")], "/docs/x")
                .status
        })
    });
    for upload in uploads.collect::<Vec<_>>() {
        assert_eq!(upload.join().unwrap(), 200);
    }
    let keys = storage_keys(&server);
    assert_eq!(keys.len(), 1, "{keys:?}");
    let last = server.curl(&["-fL"], "/docs/x").body;
    drop(server);
    let again = start(&["--data", data]).unwrap();
    assert_eq!(
        (storage_keys(&again), again.curl(&["-fL"], "/docs/x").body),
        (keys, last)
    );
}

#[test]
fn a_form_upload_and_a_multipart_upload_use_the_id() {
    let Some(server) = start(&[]) else { return };
    let form = server.curl(&["-f", "-H", "Accept: application/json"], "/docs/form.txt?form");
    let form: serde_json::Value = serde_json::from_slice(&form.body).unwrap();
    let mut args: Vec<String> = vec!["-f".into()];
    for (name, value) in form["fields"].as_object().unwrap() {
        args.extend(["-F".into(), format!("{name}={}", value.as_str().unwrap())]);
    }
    args.extend(["-F".into(), format!("file=@{}", server.file(b"by form"))]);
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    assert_eq!(curl(&args, form["url"].as_str().unwrap()).status, 204);
    assert_eq!(server.curl(&["-fL"], "/docs/form.txt").body, b"by form");
    let rejected = server.curl(&[], "/docs/?form");
    assert!(
        rejected.status == 400 && rejected.text().contains("its own id"),
        "{}",
        rejected.text()
    );
    let early = server.curl(&["-X", "PUT", "-d", "x"], "/docs/big?partNumber=1&uploadId=u");
    assert!(
        early.status == 404 && early.text().starts_with("NoSuchUpload"),
        "{}",
        early.text()
    );
    assert_eq!(storage_keys(&server).len(), 1);
}

/// Returns the id in the storage key of a presigned URL.
fn key_in(url: &str) -> Option<String> {
    let key = url.split_once("/objects/")?.1.split('?').next()?;
    Some(key.to_owned())
}

#[test]
fn after_a_kill_each_key_has_the_returned_id_or_none() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().to_str().unwrap();
    let Some(mut server) = start(&["--data", path]) else {
        return;
    };
    let responses = Arc::new(AtomicUsize::new(0));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (base, responses) = (server.url(""), Arc::clone(&responses));
            thread::spawn(move || {
                let request_key = |number| {
                    let name = format!("/docs/{writer}/{number}");
                    let response = curl(&["-f", "-X", "PUT"], &format!("{base}{name}?url"));
                    let key = key_in(&response.text())?;
                    responses.fetch_add(1, Ordering::Relaxed);
                    Some((name, key))
                };
                (0..).map_while(request_key).collect::<Vec<_>>()
            })
        })
        .collect();
    wait_until("40 responses", || responses.load(Ordering::Relaxed) >= 40);
    server.kill();
    let response: Vec<_> = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
    let again = start(&["--data", path]).unwrap();
    let request_key =
        |method: &str, name: &str| key_in(&again.curl(&["-f", "-X", method], &format!("{name}?url")).text());
    for (name, key) in &response {
        assert_eq!(request_key("GET", name).as_ref(), Some(key), "{name}");
    }
    for entry in std::fs::read_dir(data.path().join("table")).unwrap() {
        let entry = entry.unwrap();
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let is_complete = text.lines().next().is_some_and(|id| id.len() == 26) && text.ends_with('\n');
        assert!(
            is_complete || entry.file_name().to_string_lossy().starts_with("new."),
            "{entry:?}: {text:?}"
        );
    }
    // A request that was interrupted by the kill can be repeated.
    for writer in 0..4 {
        let last = response
            .iter()
            .filter(|(name, _)| name.starts_with(&format!("/docs/{writer}/")))
            .count();
        assert!(request_key("PUT", &format!("/docs/{writer}/{last}")).is_some());
    }
}
