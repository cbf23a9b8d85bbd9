//! Keys, constraints and queries through every front.

use crate::support::{CurlResponse, LocalServer, curl};

const FRONTS: [&str; 5] = ["rest", "http-api", "function-url", "alb", "alb-multi-value"];

/// The path in the request, and the path in the presigned URL.
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

/// Returns the path below the bucket in a presigned URL.
fn signed_path(response: &CurlResponse) -> String {
    assert_eq!(response.status, 200, "{}", response.text());
    let url = response.text();
    let path = url.split_once("/signpost").expect("the path contains the bucket").1;
    path.split('?').next().unwrap().to_owned()
}

#[test]
fn every_key_reaches_the_same_object_through_every_front() {
    for front in FRONTS {
        let Some(server) = LocalServer::start(&["--front", front]) else {
            return;
        };
        let is_carried = |key: &&(&str, &str)| front != "http-api" || !key.1.contains("//");
        for (typed, signed) in KEYS.iter().filter(is_carried) {
            let response = server.curl(&["-g", "-f"], &format!("{typed}?url"));
            assert_eq!(signed_path(&response), *signed, "{front} {typed}");
            let bytes = format!("{front} {typed}");
            let put = server.curl(&["-g", "-fL", "-T", &server.file(bytes.as_bytes())], typed);
            assert_eq!(put.status, 200, "{front} {typed}");
            assert_eq!(server.curl(&["-g", "-fL"], typed).text(), bytes, "{front} {typed}");
        }
    }
}

#[test]
fn only_an_http_api_truncates_a_key_at_a_question_mark() {
    for front in FRONTS {
        let Some(server) = LocalServer::start(&["--front", front]) else {
            return;
        };
        let signed = signed_path(&server.curl(&["-f"], "/a%3Fb?url"));
        assert_eq!(signed, if front == "http-api" { "/a" } else { "/a%3Fb" }, "{front}");
    }
}

#[test]
fn only_an_http_api_merges_slashes() {
    for front in FRONTS {
        let Some(server) = LocalServer::start(&["--front", front]) else {
            return;
        };
        for (typed, merged) in [("/a//b", "/a/b"), ("//a", "/a"), ("/a%2F%2Fb", "/a/b")] {
            let signed = signed_path(&server.curl(&["-g", "-f"], &format!("{typed}?url")));
            let exact = typed.replace("%2F", "/");
            assert_eq!(signed, if front == "http-api" { merged } else { &exact }, "{front}");
        }
    }
}

#[test]
fn only_an_alb_passes_on_the_name_of_the_challenge() {
    for front in FRONTS {
        let Some(server) = LocalServer::start(&["--front", front]) else {
            return;
        };
        let response = server.curl(&["-i", "-u", "a:wrong"], "/a").text().to_lowercase();
        let is_renamed = response.contains("\r\nx-amzn-remapped-www-authenticate: ");
        assert_eq!(is_renamed, !front.starts_with("alb"), "{front}: {response}");
        assert_eq!(
            response.contains("\r\nwww-authenticate: "),
            !is_renamed,
            "{front}: {response}"
        );
    }
}

#[test]
fn a_method_override_applies_only_behind_a_rest_api() {
    for front in FRONTS {
        let Some(server) = LocalServer::start(&["--front", front]) else {
            return;
        };
        let json = server
            .curl(&["-f", "-H", "X-HTTP-Method-Override: DELETE"], "/a?url")
            .text();
        // The URL of a GET contains a parameter for the response, and that of a DELETE does not.
        assert_eq!(
            json.contains("response-content-disposition"),
            front != "rest",
            "{front}: {json}"
        );
    }
}

#[test]
fn a_media_type_that_a_front_adds_does_not_count_under_content_types() {
    let rules = "version = 1\n[[rule]]\nid = \"a\"\nwho = [\"anyone\"]\ncan = [\"write\"]\non = [\"**\"]\n\
                 allow_anonymous_write = true\ncontent_types = [\"image/png\"]\n";
    for front in FRONTS {
        let Some(server) = LocalServer::start_with(&["--front", front], &[("SIGNPOST_RULES", rules)]) else {
            return;
        };
        let accepted = server.curl(&["-X", "PUT"], "/a.png?url&contentType=image/png");
        assert_eq!(accepted.status, 200, "{front}: {}", accepted.text());
        assert_eq!(server.curl(&["-X", "PUT"], "/a.png?url").status, 415, "{front}");
    }
}

#[test]
fn the_constraints_of_an_upload_reach_s3_through_every_front() {
    for front in FRONTS {
        let Some(server) = LocalServer::start(&["--front", front]) else {
            return;
        };
        let file = server.file(b"hello");
        let wrong = "x-amz-checksum-sha256: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        assert_eq!(
            server.curl(&["-fL", "-H", wrong, "-T", &file], "/a").status,
            400,
            "{front}"
        );
        let meta = "x-amz-meta-colour: blue";
        assert_eq!(
            server.curl(&["-fL", "-H", meta, "-T", &file], "/a").status,
            200,
            "{front}"
        );
        let head = server.curl(&["-fLI"], "/a").text().to_lowercase();
        assert!(head.contains("x-amz-meta-colour: blue\r\n"), "{front} {head}");
    }
}

#[test]
fn a_query_is_decoded_once_on_every_front() {
    for front in FRONTS {
        let Some(server) = LocalServer::start(&["--front", front]) else {
            return;
        };
        let url = server.curl(&["-f"], "/a?url&download=50%25+or%20more%2B").text();
        assert!(url.contains("%27%2750%2525%2520or%2520more%252B&"), "{front} {url}");
    }
}

#[test]
fn texts_contain_the_address_that_the_client_used() {
    for front in FRONTS {
        let Some(server) = LocalServer::start(&["--front", front]) else {
            return;
        };
        let response = server.curl(&["-X", "PUT"], "/a");
        assert!(
            response.text().contains(&server.url("/a?url")),
            "{front} {}",
            response.text()
        );
    }
}

#[test]
fn the_instruction_contains_the_required_headers() {
    for front in FRONTS {
        let Some(server) = LocalServer::start(&["--front", front]) else {
            return;
        };
        let json = ["-f", "-X", "PUT", "-H", "Accept: application/vnd.signpost+json"];
        let response = server.curl(&json, "/a?contentLength=5").text();
        let response: serde_json::Value = serde_json::from_str(&response).unwrap();
        assert_eq!(response["headers"]["if-none-match"], "*", "{front} {response}");
        let upload = ["-f", "-H", "If-None-Match: *", "-T", &server.file(b"hello")];
        assert_eq!(curl(&upload, response["url"].as_str().unwrap()).status, 200, "{front}");
    }
}

#[test]
fn a_page_of_another_site_cannot_start_an_upload_through_any_front() {
    for front in FRONTS {
        let Some(server) = LocalServer::start(&["--front", front]) else {
            return;
        };
        let start = |site: &[&str]| {
            server
                .curl(&[&["-X", "POST", "-o", "/dev/null"], site].concat(), "/k?uploads")
                .status
        };
        assert_eq!(start(&[]), 307, "{front}");
        assert_eq!(start(&["-H", "Sec-Fetch-Site: same-origin"]), 307, "{front}");
        for site in ["cross-site", "same-site"] {
            let header = format!("Sec-Fetch-Site: {site}");
            assert_eq!(
                start(&["-H", &header, "-H", "Sec-Fetch-Mode: no-cors"]),
                403,
                "{front} {site}"
            );
        }
    }
}

#[test]
fn a_server_without_tls_does_not_make_browsers_use_https() {
    for front in FRONTS {
        let Some(server) = LocalServer::start(&["--front", front]) else {
            return;
        };
        let response = server.curl(&["-i", "-H", "X-Forwarded-Proto: http"], "/k?url").text();
        assert!(response.contains("referrer-policy"), "{response}");
        assert!(
            !response.to_ascii_lowercase().contains("strict-transport-security"),
            "{front}: {response}"
        );
    }
}
