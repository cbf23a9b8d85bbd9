//! Objects under ids: the names that clients know, and the keys that the store has.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::support::{Local, curl, noise, wait_until};

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

fn start(more: &[&str]) -> Option<Local> {
    let rules = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(rules.path(), RULES).unwrap();
    let path = rules.path().to_str().unwrap();
    Local::start_with(&[&["--rules", path], more].concat(), &[("SIGNPOST_LOG", "info")])
}

/// The keys below `objects/` in the store.
fn kept(local: &Local) -> Vec<String> {
    let listing = local.curl(&["-f"], "/objects/?simple").text();
    listing.lines().map(str::to_owned).collect()
}

#[test]
fn the_store_knows_an_object_by_its_id_and_clients_by_its_name() {
    for front in ["rest", "http-api", "function-url", "alb"] {
        let Some(local) = start(&["--front", front]) else {
            return;
        };
        let bytes = noise(70_000);
        let name = "/docs/annual%20report%20%28final%29.pdf";
        assert_eq!(local.put(name, &bytes).status, 200, "{front}");
        let keys = kept(&local);
        assert!(keys.len() == 1 && keys[0].len() == 26, "{front}: {keys:?}");
        assert_eq!(local.curl(&["-fL"], name).body, bytes);
        let saved = local.curl(&["-fsLI"], name).text().to_lowercase();
        assert!(saved.contains("content-length: 70000"), "{saved}");
        let dir = local.path("saved");
        std::fs::create_dir(&dir).unwrap();
        local.curl(&["-fLOJ", "--output-dir", dir.to_str().unwrap()], name);
        assert!(
            dir.join("annual report (final).pdf").exists(),
            "{:?}",
            std::fs::read_dir(&dir).unwrap().collect::<Vec<_>>()
        );
        // The id is no name, with or without its folder.
        for path in [format!("/objects/{}", keys[0]), format!("/docs/{}", keys[0])] {
            let refused = local.curl(&["-L"], &path);
            assert!(
                refused.status == 403 || refused.status == 404,
                "{front} {path}: {}",
                refused.status
            );
        }
        assert_eq!(local.put(name, b"other").status, 200);
        assert_eq!(
            (kept(&local), local.curl(&["-fL"], name).body),
            (keys.clone(), b"other".to_vec())
        );
        assert_eq!(local.curl(&["-fL", "-X", "DELETE"], name).status, 204);
        let gone = local.curl(&["-L"], name);
        assert!(
            gone.status == 404 && gone.text().contains("<Code>NoSuchKey</Code>"),
            "S3 says that: {}",
            gone.text()
        );
        let never = local.curl(&["-L"], "/docs/never");
        assert!(
            never.status == 404 && never.text().starts_with("NoSuchKey: "),
            "we say that: {}",
            never.text()
        );
        let log = local.log_with("docs/never");
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
fn of_first_uploads_at_once_one_id_comes_and_a_restart_keeps_it() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path().to_str().unwrap();
    let Some(local) = start(&["--data", data]) else { return };
    let local = Arc::new(local);
    let uploads = (0..50).map(|number| {
        let local = Arc::clone(&local);
        thread::spawn(move || {
            local
                .curl(&["-fL", "-X", "PUT", "--data-binary", &format!("{number}")], "/docs/x")
                .status
        })
    });
    for upload in uploads.collect::<Vec<_>>() {
        assert_eq!(upload.join().unwrap(), 200);
    }
    let keys = kept(&local);
    assert_eq!(keys.len(), 1, "{keys:?}");
    let last = local.curl(&["-fL"], "/docs/x").body;
    drop(local);
    let again = start(&["--data", data]).unwrap();
    assert_eq!((kept(&again), again.curl(&["-fL"], "/docs/x").body), (keys, last));
}

#[test]
fn a_form_and_an_upload_in_parts_go_to_the_id() {
    let Some(local) = start(&[]) else { return };
    let form = local.curl(&["-f", "-H", "Accept: application/json"], "/docs/form.txt?form");
    let form: serde_json::Value = serde_json::from_slice(&form.body).unwrap();
    let mut args: Vec<String> = vec!["-f".into()];
    for (name, value) in form["fields"].as_object().unwrap() {
        args.extend(["-F".into(), format!("{name}={}", value.as_str().unwrap())]);
    }
    args.extend(["-F".into(), format!("file=@{}", local.file(b"by form"))]);
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    assert_eq!(curl(&args, form["url"].as_str().unwrap()).status, 204);
    assert_eq!(local.curl(&["-fL"], "/docs/form.txt").body, b"by form");
    let refused = local.curl(&[], "/docs/?form");
    assert!(
        refused.status == 400 && refused.text().contains("an id of its own"),
        "{}",
        refused.text()
    );
    let early = local.curl(&["-X", "PUT", "-d", "x"], "/docs/big?partNumber=1&uploadId=u");
    assert!(
        early.status == 404 && early.text().starts_with("NoSuchUpload"),
        "{}",
        early.text()
    );
    assert_eq!(kept(&local).len(), 1);
}

/// The key in S3 that a signed URL names.
fn key_in(url: &str) -> Option<String> {
    let key = url.split_once("/objects/")?.1.split('?').next()?;
    Some(key.to_owned())
}

#[test]
fn a_kill_leaves_each_name_with_the_id_that_was_told_or_with_none() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().to_str().unwrap();
    let Some(mut local) = start(&["--data", path]) else {
        return;
    };
    let answers = Arc::new(AtomicUsize::new(0));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (base, answers) = (local.url(""), Arc::clone(&answers));
            thread::spawn(move || {
                let ask = |number| {
                    let name = format!("/docs/{writer}/{number}");
                    let answer = curl(&["-f", "-X", "PUT"], &format!("{base}{name}?url"));
                    let key = key_in(&answer.text())?;
                    answers.fetch_add(1, Ordering::Relaxed);
                    Some((name, key))
                };
                (0..).map_while(ask).collect::<Vec<_>>()
            })
        })
        .collect();
    wait_until(|| answers.load(Ordering::Relaxed) >= 40);
    local.kill();
    let told: Vec<_> = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
    let again = start(&["--data", path]).unwrap();
    let ask = |method: &str, name: &str| key_in(&again.curl(&["-f", "-X", method], &format!("{name}?url")).text());
    for (name, key) in &told {
        assert_eq!(ask("GET", name).as_ref(), Some(key), "{name}");
    }
    for entry in std::fs::read_dir(data.path().join("table")).unwrap() {
        let entry = entry.unwrap();
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let whole = text.lines().next().is_some_and(|id| id.len() == 26) && text.ends_with('\n');
        assert!(
            whole || entry.file_name().to_string_lossy().starts_with("new."),
            "{entry:?}: {text:?}"
        );
    }
    // What was under way when it ended works as if it had never begun.
    for writer in 0..4 {
        let last = told
            .iter()
            .filter(|(name, _)| name.starts_with(&format!("/docs/{writer}/")))
            .count();
        assert!(ask("PUT", &format!("/docs/{writer}/{last}")).is_some());
    }
}
