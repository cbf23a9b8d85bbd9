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
fn share_prints_the_id_and_the_end_which_doctor_reads_from_the_link() {
    let local = LocalServer::start_sharing(RULES);
    let with_token = |arguments: &[&str]| local.signpost(arguments).with("SIGNPOST_TOKEN", "secret");
    with_token(&["put", "-", "a"]).reading(b"1").succeeds();
    let shared = with_token(&["share", "a"]).succeeds();
    let link = shared.text().trim_end();
    let words: Vec<_> = shared.notes.split([' ', ',', ';']).collect();
    let id = words
        .iter()
        .position(|word| *word == "is")
        .map(|at| words[at + 1])
        .unwrap();
    assert!(
        shared.notes.contains("it expires at 20") && shared.notes.contains("`revoked`"),
        "{shared:?}"
    );
    assert!(with_token(&["share", "a", "--json"]).succeeds().notes.is_empty());

    let said = local.signpost(&["doctor", link]).succeeds();
    for words in [
        id,
        "the object a, with GET, HEAD",
        "token:ann created it",
        "it expires at",
        "accepts the link",
    ] {
        assert!(said.text().contains(words), "{words}: {said:?}");
    }
    let signature = link.rsplit('.').next().unwrap();
    assert!(!said.text().contains(signature), "{said:?}");
    let piped = local.signpost(&["doctor", "-"]).reading(link.as_bytes()).succeeds();
    // The remaining time differs.
    let lines = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.contains("it expires at"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(lines(piped.text()), lines(said.text()));
}

#[test]
fn doctor_accepts_links_for_every_method_and_consumes_no_use() {
    let local = LocalServer::start_sharing(&RULES.replace("share = [\"read\"]", "share = [\"read\", \"write\"]"));
    let with_token = |arguments: &[&str]| local.signpost(arguments).with("SIGNPOST_TOKEN", "secret");
    with_token(&["put", "-", "a"]).reading(b"1").succeeds();
    for arguments in [
        &["a", "--uses", "1"][..],
        &["a", "--method", "HEAD"],
        &["new", "--method", "PUT"],
        &["p/"],
    ] {
        let shared = with_token(&[&["share"], arguments].concat()).succeeds();
        let link = shared.text().trim_end();
        for _ in 0..2 {
            let said = local.signpost(&["doctor", link]).succeeds();
            assert!(said.text().contains("accepts the link"), "{arguments:?}: {said:?}");
        }
        if arguments.contains(&"--uses") {
            assert_eq!(local.signpost(&["cat", link]).succeeds().text(), "1");
            let used = local.signpost(&["cat", link]).fails(4, "no uses left");
            assert!(used.notes.contains("If you have not used it"), "{used:?}");
        }
    }
}

#[test]
fn each_problem_of_a_link_has_its_own_message() {
    let local = LocalServer::start_sharing(RULES);
    let shared = local
        .signpost(&["share", "a", "--json"])
        .with("SIGNPOST_TOKEN", "secret")
        .succeeds()
        .json();
    let (link, id) = (shared[0]["link"].as_str().unwrap(), shared[0]["id"].as_str().unwrap());
    let altered = format!("{}x", &link[..link.len() - 1]);
    let said = local.signpost(&["doctor", &altered]).said();
    assert!(
        said.code == 4 && said.text().contains("Copy the complete link again"),
        "{said:?}"
    );
    local
        .signpost(&["cat", &altered])
        .fails(4, "Copy the complete link again");
    let other_token = RULES.replace("2bb80d", "2bb80e");
    for (rules, problem, remedy) in [
        (
            format!("{RULES}[share]\nrevoked = [{id:?}]\n"),
            "has been revoked",
            "The operator has disabled this link",
        ),
        (
            other_token,
            "no longer contain the creator",
            "Ask a person who has access now",
        ),
        (
            RULES.replace("share = [\"read\"]", "share = []"),
            "the rule does not allow share links to read this key",
            "",
        ),
    ] {
        local.file("rules.toml", rules.as_bytes());
        let said = local.signpost(&["doctor", link]).said();
        assert!(
            said.code == 4 && said.text().contains(problem) && said.text().contains(remedy),
            "{problem}: {said:?}"
        );
        local.signpost(&["cat", link]).fails(4, problem);
    }
    let short = local
        .signpost(&["share", "a", "--expires", "1s"])
        .with("SIGNPOST_TOKEN", "secret");
    local.file("rules.toml", RULES.as_bytes());
    let short = short.succeeds();
    std::thread::sleep(std::time::Duration::from_secs(2));
    let said = local.signpost(&["doctor", short.text().trim_end()]).said();
    assert!(
        said.code == 4 && said.text().contains("the link expired at"),
        "{said:?}"
    );
    local
        .signpost(&["cat", short.text().trim_end()])
        .fails(4, "Ask the person who sent you the link for a new one");
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
