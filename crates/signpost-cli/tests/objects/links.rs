//! Share links as arguments.

use crate::support::LocalServer;

/// The secret of the token is `secret`.
const RULES: &str = r#"
version = 1
[[token]]
id = "ann"
sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
[[rule]]
id = "all"
who = ["token:ann"]
can = ["read", "write", "list"]
on = ["**"]
share = ["read"]
"#;

fn link(local: &LocalServer, arguments: &[&str]) -> String {
    let shared = local.signpost(&[&["share", "a"], arguments].concat());
    let url = shared.with("SIGNPOST_TOKEN", "secret").succeeds();
    url.text().lines().next().unwrap().to_owned()
}

#[test]
fn stat_consumes_a_use_only_on_request() {
    let local = LocalServer::start_sharing(RULES);
    local
        .signpost(&["put", "-", "a"])
        .reading(b"1")
        .with("SIGNPOST_TOKEN", "secret")
        .succeeds();
    let limited = link(&local, &["--uses", "2", "--method", "GET,HEAD"]);
    for _ in 0..3 {
        local.signpost(&["stat", &limited]).fails(2, "--consume-use");
    }
    local.signpost(&["stat", &limited, "--consume-use"]).succeeds();
    let copy = local.signpost(&["cat", &limited]).succeeds();
    assert_eq!(copy.text(), "1");
    local.signpost(&["cat", &limited]).fails(4, "no uses left");
    let unlimited = link(&local, &[]);
    local.signpost(&["stat", &unlimited]).succeeds();
}

#[test]
fn tracking_parameters_of_a_link_are_ignored() {
    let local = LocalServer::start_sharing(RULES);
    local
        .signpost(&["put", "-", "a"])
        .reading(b"1")
        .with("SIGNPOST_TOKEN", "secret")
        .succeeds();
    let tracked = format!("{}&utm_source=mail&fbclid=x", link(&local, &[]));
    assert_eq!(local.signpost(&["cat", &tracked]).succeeds().text(), "1");
}
