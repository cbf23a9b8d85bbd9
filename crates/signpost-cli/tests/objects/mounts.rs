//! Several buckets behind one service: transfers and listings across mounts, and `signpost doctor --rules`.

use std::fs;

use crate::proxy::{FaultProxy, ProxyAction, answer};
use crate::support::LocalServer;

const RULES: &str = r#"
version = 1
[[mount]]
at = "m/"
bucket = "mounted-bucket"
prefix = "p/"
region = "eu-west-1"
sign_as = "arn:aws:iam::123456789012:role/archive"
[[mount]]
at = "m/in/"
bucket = "inner-bucket"
[[rule]]
id = "all"
who = ["anyone"]
can = ["read", "write", "delete", "list"]
on = ["**"]
allow_anonymous_write = true
"#;

#[test]
fn a_recursive_listing_and_a_download_of_a_folder_continue_in_its_mounts() {
    let local = LocalServer::start_with(Some(RULES));
    let keys = ["a", "m/b", "m/in/c", "m/in/d/e f", "z/g"];
    for key in keys {
        local.holds(key, key.as_bytes());
    }
    let listed = local.signpost(&["ls", "-r"]).succeeds();
    let mut names: Vec<_> = listed.text().lines().collect();
    names.sort_unstable();
    assert_eq!(names, keys);
    assert_eq!(local.signpost(&["ls"]).succeeds().text(), "m/\nz/\na\n");
    let inner = local.signpost(&["ls", "-r", "--json", "m/"]).succeeds().json();
    let inner: Vec<_> = inner.iter().map(|line| line["key"].as_str().unwrap()).collect();
    assert_eq!(inner, ["m/b", "m/in/c", "m/in/d/e f"]);
    local.signpost(&["get", "-r", "/", "-o", "out"]).succeeds();
    for key in keys {
        assert_eq!(fs::read_to_string(local.path("out").join(key)).unwrap(), key);
    }
    local.signpost(&["get", "-r", "m/", "-o", "part"]).succeeds();
    assert_eq!(fs::read_to_string(local.path("part/in/d/e f")).unwrap(), "m/in/d/e f");
}

#[test]
fn a_listing_with_a_folder_outside_its_prefix_is_an_error() {
    let local = LocalServer::start();
    for folder in ["", "m/", "other/", "m", "m/x", "m/../"] {
        let body = format!(
            r#"{{"prefix": "m/", "folders": [{{"name": "x", "key": "{folder}"}}], "objects": [], "next": null}}"#
        );
        let proxy = FaultProxy::start(move |_, _| answer("200 OK", "Content-Type: application/json\r\n", &body));
        let said = local.signpost(&["ls", "-r", "m/"]).through(&proxy).said();
        assert!(said.code != 0 && proxy.seen().len() == 1, "{folder}: {said:?}");
    }
}

#[test]
fn the_mounts_of_the_rules_are_described_and_checked() {
    let local = LocalServer::start_with(Some(RULES));
    let said = local.signpost(&["doctor", "--rules", "rules.toml"]).succeeds();
    for words in [
        "mount \"m/\": the bucket mounted-bucket in eu-west-1 stores its objects below \"p/\"; sessions of \
         arn:aws:iam::123456789012:role/archive sign its URLs",
        "mount \"m/\": a download is redirected with 307",
        "mount \"m/\": S3 accepts the URL",
        "mount \"m/\": the CORS rules of the bucket allow uploads",
        "mount \"m/in/\": the bucket inner-bucket stores its objects; the credentials of the service sign its URLs",
        "mount \"m/in/\": S3 accepts the URL",
    ] {
        assert!(said.text().contains(words), "{words}: {}", said.text());
    }
    assert!(!said.text().contains("Signature="), "{}", said.text());
    local.file("other.toml", RULES.replace("inner-bucket", "other-bucket").as_bytes());
    let said = local.signpost(&["doctor", "--rules", "other.toml"]).said();
    assert!(
        said.code == 1 && said.text().contains("mount \"m/in/\": the redirect leads to "),
        "{said:?}"
    );
    local.file("wrong.toml", b"version = 1\n[[mount]]\nat = \"m\"\nbucket = \"abc\"\n");
    local
        .signpost(&["doctor", "--rules", "wrong.toml"])
        .fails(2, "wrong.toml: line 2");
    let link = "https://b.s3.eu-west-1.amazonaws.com/k?X-Amz-Signature=5ec2e7";
    local
        .signpost(&["doctor", link, "--rules", "rules.toml"])
        .fails(2, "--rules requires the URL of a service");
}

#[test]
fn problems_of_one_mount_are_reported_with_its_name() {
    let local = LocalServer::start_with(Some(RULES));
    let service = local.address().to_owned();
    let problem = |code: &str, detail: &str| format!(r#"{{"code": "{code}", "detail": "{detail}", "status": 0}}"#);
    let unavailable = problem(
        "ServiceUnavailable",
        "the bucket of this key is temporarily unavailable",
    );
    let proxy = FaultProxy::start(move |seen, _| {
        if seen.host == service && seen.head.contains("/m/in/signpost-doctor") {
            answer("503 Service Unavailable", "", &unavailable)
        } else if seen.method == "OPTIONS" && seen.head.contains("mounted-bucket") {
            answer("403 Forbidden", "", "")
        } else {
            ProxyAction::Pass
        }
    });
    let said = local
        .signpost(&["doctor", "--rules", "rules.toml"])
        .through(&proxy)
        .said();
    assert_eq!(said.code, 1, "{said:?}");
    for words in [
        "error mount \"m/in/\": the service rejects a download (503 Service Unavailable): the bucket of this key",
        "note  mount \"m/\": the CORS rules of the bucket do not allow uploads from http://",
        "ok    the CORS rules of the bucket allow uploads",
    ] {
        assert!(said.text().contains(words), "{words}: {}", said.text());
    }
    let service = local.address().to_owned();
    for (code, words) in [
        ("NoSuchBucket", "no bucket for keys outside its mounts"),
        ("NoSuchKey", "under ids"),
    ] {
        let body = problem(code, "not there");
        let service = service.clone();
        let proxy = FaultProxy::start(move |seen, _| {
            if seen.host == service && seen.head.contains("/signpost-doctor") {
                answer("404 Not Found", "", &body)
            } else {
                ProxyAction::Pass
            }
        });
        let said = local.signpost(&["doctor"]).through(&proxy).succeeds();
        assert!(said.text().contains(words), "{words}: {}", said.text());
    }
}
