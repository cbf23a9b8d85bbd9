//! The same key through every front.

use crate::support::{Answer, Local, curl};

const FRONTS: [&str; 5] = ["rest", "http-api", "function-url", "alb", "alb-multi-value"];

/// The path that the user types, and the path of the signed URL.
const KEYS: &[(&str, &str)] = &[
    ("/plain.txt", "/plain.txt"),
    ("/a%20b.txt", "/a%20b.txt"),
    ("/a+b", "/a%2Bb"),
    ("/a%2Bc", "/a%2Bc"),
    ("/100%25", "/100%25"),
    ("/100%2525", "/100%2525"),
    ("/%F0%9F%98%80/%C3%BC", "/%F0%9F%98%80/%C3%BC"),
    ("/a//b", "/a//b"),
    ("//leading", "//leading"),
    ("///two", "///two"),
    ("/a%2Fd", "/a/d"),
    ("/%2Fescaped", "//escaped"),
    (
        "/a&b=c;d,e:f@g!h$i'(j)*k~l_m-n",
        "/a%26b%3Dc%3Bd%2Ce%3Af%40g%21h%24i%27%28j%29%2Ak~l_m-n",
    ),
    (
        "/a%5Cb%22c%3Cd%3E%7B%7D%5B%5D%5E%60%7C",
        "/a%5Cb%22c%3Cd%3E%7B%7D%5B%5D%5E%60%7C",
    ),
];

/// The path below the bucket in a signed URL.
fn signed_path(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let url = answer.text();
    let path = url.split_once("/signpost").expect("the bucket stands in the path").1;
    path.split('?').next().unwrap().to_owned()
}

#[test]
fn every_key_is_the_same_object_through_every_front() {
    for front in FRONTS {
        let Some(local) = Local::start(&["--front", front]) else {
            return;
        };
        for (typed, signed) in KEYS {
            let told = local.curl(&["-g", "-f"], &format!("{typed}?url"));
            assert_eq!(signed_path(&told), *signed, "{front} {typed}");
            let bytes = format!("{front} {typed}");
            let put = local.curl(&["-g", "-fL", "-T", &local.file(bytes.as_bytes())], typed);
            assert_eq!(put.status, 200, "{front} {typed}");
            assert_eq!(local.curl(&["-g", "-fL"], typed).text(), bytes, "{front} {typed}");
        }
    }
}

#[test]
fn a_question_mark_in_a_key_survives_everywhere_but_on_an_http_api() {
    for front in FRONTS {
        let Some(local) = Local::start(&["--front", front]) else {
            return;
        };
        let signed = signed_path(&local.curl(&["-f"], "/a%3Fb?url"));
        assert_eq!(signed, if front == "http-api" { "/a" } else { "/a%3Fb" }, "{front}");
    }
}

#[test]
fn the_constraints_of_an_upload_reach_s3_through_every_front() {
    for front in FRONTS {
        let Some(local) = Local::start(&["--front", front]) else {
            return;
        };
        let file = local.file(b"hello");
        let wrong = "x-amz-checksum-sha256: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        assert_eq!(
            local.curl(&["-fL", "-H", wrong, "-T", &file], "/a").status,
            400,
            "{front}"
        );
        let meta = "x-amz-meta-colour: blue";
        assert_eq!(
            local.curl(&["-fL", "-H", meta, "-T", &file], "/a").status,
            200,
            "{front}"
        );
        let head = local.curl(&["-fLI"], "/a").text().to_lowercase();
        assert!(head.contains("x-amz-meta-colour: blue\r\n"), "{front} {head}");
    }
}

#[test]
fn a_query_is_decoded_once_on_every_front() {
    for front in FRONTS {
        let Some(local) = Local::start(&["--front", front]) else {
            return;
        };
        let url = local.curl(&["-f"], "/a?url&download=50%25+or%20more%2B").text();
        assert!(url.contains("%27%2750%2525%2520or%2520more%252B&"), "{front} {url}");
    }
}

#[test]
fn texts_name_the_address_that_the_client_used() {
    for front in FRONTS {
        let Some(local) = Local::start(&["--front", front]) else {
            return;
        };
        let answer = local.curl(&["-X", "PUT"], "/a");
        assert!(
            answer.text().contains(&local.url("/a?url")),
            "{front} {}",
            answer.text()
        );
    }
}

#[test]
fn json_tells_what_to_send() {
    for front in FRONTS {
        let Some(local) = Local::start(&["--front", front]) else {
            return;
        };
        let json = ["-f", "-X", "PUT", "-H", "Accept: application/json"];
        let told = local.curl(&json, "/a?contentLength=5").text();
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        assert_eq!(told["headers"]["if-none-match"], "*", "{front} {told}");
        let upload = ["-f", "-H", "If-None-Match: *", "-T", &local.file(b"hello")];
        assert_eq!(curl(&upload, told["url"].as_str().unwrap()).status, 200, "{front}");
    }
}
