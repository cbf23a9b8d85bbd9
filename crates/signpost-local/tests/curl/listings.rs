//! Listings of objects and unfinished uploads through every front.

use serde_json::{Value, json};

use crate::support::{CurlResponse, LocalServer};

const JSON: [&str; 3] = ["-f", "-H", "Accept: application/json"];

fn parse_json(response: &CurlResponse) -> Value {
    serde_json::from_slice(&response.body).unwrap_or_else(|error| panic!("{error}: {response:?}"))
}

fn list(server: &LocalServer, path: &str) -> Value {
    parse_json(&server.curl(&JSON, path))
}

fn names(listing: &Value, what: &str) -> Vec<String> {
    let entries = listing[what].as_array().unwrap().iter();
    entries
        .map(|entry| entry["name"].as_str().unwrap().to_owned())
        .collect()
}

/// Encoded names and the names in the listing. There is no question mark, because an HTTP API truncates the key there.
const HOSTILE: [(&str, &str); 9] = [
    (
        "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E",
        "<img src=x onerror=alert(1)>",
    ),
    ("a%20b+c%2Bd", "a b+c+d"),
    ("%E2%80%AEfdp.exe", "\u{202e}fdp.exe"),
    ("%22'%60$(id);&", "\"'`$(id);&"),
    ("%25", "%"),
    ("%2525", "%25"),
    ("javascript%3Aalert(1)", "javascript:alert(1)"),
    ("%F0%9F%A6%80%C3%A9e%CC%81", "🦀\u{e9}e\u{301}"),
    ("~%5C", "~\\"),
];

#[test]
fn every_front_lists_a_folder() {
    for front in ["rest", "http-api", "function-url", "alb"] {
        let Some(server) = LocalServer::start(&["--front", front]) else {
            return;
        };
        for (path, _) in HOSTILE {
            assert_eq!(
                server.put(&format!("/d/e/{path}"), b"12345").status,
                200,
                "{front} {path}"
            );
        }
        assert_eq!(server.put("/d//f", b"1").status, 200);
        let response = list(&server, "/d/e/");
        let mut expected = HOSTILE.map(|(_, name)| name.to_owned());
        expected.sort();
        assert_eq!(names(&response, "objects"), expected, "{front}");
        let packed = server.curl(&[&JSON[..], &["-H", "Accept-Encoding: gzip"]].concat(), "/d/e/");
        assert!(
            packed.body.starts_with(b"\x1f\x8b"),
            "{front} must return gzip: {packed:?}"
        );
        let unpacked = server.curl(&[&JSON[..], &["--compressed"]].concat(), "/d/e/");
        assert_eq!(names(&parse_json(&unpacked), "objects"), expected, "{front}");
        let first = &response["objects"][0];
        assert_eq!(
            (&first["size"], &first["storage_class"]),
            (&json!(5), &json!("STANDARD")),
            "{front}"
        );
        assert_eq!(first["checksum_algorithm"], json!(["CRC64NVME"]), "{front}");
        assert_eq!(first["checksum_type"], "FULL_OBJECT", "{front}");
        assert_eq!(first["etag"], "\"827ccb0eea8a706c4c34a16891f84e7b\"", "{front}");
        assert_eq!(names(&list(&server, "/"), "folders"), ["d/"], "{front}");
        // An HTTP API merges slashes, so the object is `d/f`.
        let (folders, with_f): (&[&str], _) = match front {
            "http-api" => (&["e/"], "/d/"),
            _ => (&["/", "e/"], "/d//"),
        };
        assert_eq!(names(&list(&server, "/d/"), "folders"), folders, "{front}");
        assert_eq!(names(&list(&server, with_f), "objects"), ["f"], "{front}");
        assert_eq!(names(&list(&server, "/d/?recursive"), "objects").len(), 10, "{front}");
        let text = server.curl(&["-f"], "/d/e/?simple").text();
        let escaped = expected
            .each_ref()
            .map(|name| signpost::encoding::escape_invisible(name));
        assert_eq!(text.lines().collect::<Vec<_>>(), escaped, "{front}");
        let nothing = list(&server, "/nothing/here/");
        assert_eq!(
            (&nothing["objects"], &nothing["folders"]),
            (&json!([]), &json!([])),
            "{front}"
        );
    }
}

#[test]
fn pages_contain_every_entry_once() {
    let Some(server) = LocalServer::start(&[]) else { return };
    for name in ["a", "b/1", "b/2", "c", "d/x/y", "e"] {
        server.put(&format!("/p/{name}"), b"x");
    }
    for size in 1..7 {
        let mut found = Vec::new();
        let mut next = String::new();
        loop {
            let page = list(&server, &format!("/p/?max-keys={size}{next}"));
            found.extend(names(&page, "folders"));
            found.extend(names(&page, "objects"));
            match page["next"].as_str() {
                Some(token) => next = format!("&next={token}"),
                None => break,
            }
        }
        found.sort();
        assert_eq!(found, ["a", "b/", "c", "d/", "e"], "{size}");
    }
    let head = server.curl(&["-fI"], "/p/?max-keys=2").text().to_lowercase();
    assert!(head.contains("link: <?max-keys=2&next="), "{head}");
    assert_eq!(server.curl(&[], "/p/?next=forged").status, 400);
}

#[test]
fn an_unfinished_upload_is_listed_until_it_is_aborted() {
    let Some(server) = LocalServer::start(&[]) else { return };
    for key in ["/u/a%20b+%25", "/u/c", "/u/c", "/v/d"] {
        let begun = server.curl(&["-fL", "-X", "POST"], &format!("{key}?uploads"));
        assert_eq!(begun.status, 200, "{key}");
    }
    let mut found = Vec::new();
    let mut next = String::new();
    loop {
        let page = list(&server, &format!("/u/?uploads&max-keys=1{next}"));
        found.extend(page["uploads"].as_array().unwrap().clone());
        match page["next"].as_str() {
            Some(token) => next = format!("&next={token}"),
            None => break,
        }
    }
    let keys: Vec<_> = found.iter().map(|upload| upload["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["u/a b+%", "u/c", "u/c"]);
    assert_ne!(found[1]["upload_id"], found[2]["upload_id"]);
    let id = found[0]["upload_id"].as_str().unwrap();
    let aborted = server.curl(&["-fL", "-X", "DELETE"], &format!("/u/a%20b+%25?uploadId={id}"));
    assert_eq!(aborted.status, 204);
    assert_eq!(names(&list(&server, "/u/?uploads"), "uploads"), ["c", "c"]);
}
