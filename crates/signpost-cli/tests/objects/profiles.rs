//! `login`, `logout`, `whoami`, profiles and share links.

use std::os::unix::fs::PermissionsExt as _;

use crate::proxy::{FaultProxy, ProxyAction};
use crate::support::LocalServer;

const SECRET: &str = "hush-hush";

/// The SHA-256 digest of the secret.
const DIGEST: &str = "fbdc077454d782ba39d400e06e741b56c14b0a8cf122348c98fe1e91634c5a81";

fn guarded() -> LocalServer {
    LocalServer::start_with(Some(&format!(
        "version = 1\n[[token]]\nid = \"ci\"\nsha256 = \"{DIGEST}\"\ngroups = [\"team\", \"ops\"]\n\
         [[rule]]\nid = \"ci\"\nwho = [\"token:ci\"]\ncan = [\"read\", \"write\", \"delete\"]\non = [\"**\"]\n"
    )))
}

fn login(local: &LocalServer, token: &str, more: &[&str]) -> crate::support::CommandRun {
    local
        .signpost(&[&["login", &local.url(""), "--token-file", "-"], more].concat())
        .reading(token.as_bytes())
}

#[test]
fn a_profile_provides_service_and_token_until_logout() {
    let local = guarded();
    let said = login(&local, &format!("ci:{SECRET}\n"), &[]).succeeds();
    assert!(
        said.notes.contains("as token:ci, saved") && !said.notes.contains(SECRET),
        "{said:?}"
    );
    let file = local.path(".config/signpost/profiles.toml");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    let without = |arguments: &[&str]| local.signpost(arguments).with("SIGNPOST_URL", "");
    without(&["put", "-", "k"]).reading(b"1").succeeds();
    assert_eq!(without(&["cat", "k"]).succeeds().out, b"1");
    assert_eq!(without(&["cat", &local.url("/k")]).succeeds().out, b"1");
    let who = without(&["whoami"]).succeeds();
    for line in [
        "from profile \"default\"\n",
        "caller      token:ci\n",
        "groups      team, ops\n",
        "ends        when the operator",
    ] {
        assert!(who.text().contains(line), "{line}: {who:?}");
    }
    let told = without(&["whoami", "--json"]).succeeds().json();
    assert_eq!(
        (&told[0]["caller"], &told[0]["groups"], &told[0]["expires_at"]),
        (
            &"token:ci".into(),
            &serde_json::json!(["team", "ops"]),
            &serde_json::Value::Null
        )
    );
    assert!(who.text().contains(told[0]["user_id"].as_str().unwrap()), "{who:?}");

    local.signpost(&["logout"]).succeeds();
    assert!(!std::fs::read_to_string(file).unwrap().contains(SECRET));
    without(&["cat", "k"]).fails(2, "no service is configured");
    without(&["whoami"]).fails(2, "signpost login");
    local.signpost(&["logout"]).fails(3, "no profile");
}

#[test]
fn a_named_profile_has_priority_over_the_environment() {
    let local = guarded();
    login(&local, SECRET, &["--profile", "work"]).succeeds();
    local
        .signpost(&["put", "-", "k"])
        .with("SIGNPOST_TOKEN", "wrong")
        .fails(4, "the token is unknown");
    local
        .signpost(&["put", "-", "k", "--profile", "work"])
        .with("SIGNPOST_TOKEN", "wrong")
        .with("SIGNPOST_URL", "http://127.0.0.1:1")
        .succeeds();
    local
        .signpost(&["cat", "k", "--profile", "none"])
        .fails(3, "no profile");
}

#[test]
fn a_rejected_token_is_not_stored() {
    let local = guarded();
    login(&local, "wrong", &[]).fails(4, "the token is unknown");
    login(&local, "two words", &[]).fails(2, "one word");
    assert!(!local.path(".config/signpost/profiles.toml").exists());
    local
        .signpost(&["login", "http://files.example.com", "--token-file", "-"])
        .fails(2, "unencrypted");
    local.signpost(&["login", &local.url("")]).fails(2, "no terminal");
}

#[test]
fn whoami_reports_a_rejected_token() {
    let local = guarded();
    local
        .signpost(&["whoami"])
        .with("SIGNPOST_TOKEN", "wrong")
        .fails(4, "the token is unknown");
    let said = local.signpost(&["doctor"]).with("SIGNPOST_TOKEN", "wrong").said();
    assert!(
        said.code == 4
            && said
                .text()
                .contains("rejects the credential from SIGNPOST_TOKEN: the token is unknown"),
        "{said:?}"
    );
    let nobody = local.signpost(&["whoami"]).succeeds();
    assert!(
        nobody.text().contains("none: requests are sent as anyone"),
        "{nobody:?}"
    );
}

#[test]
fn a_profiles_file_with_open_permissions_is_rejected() {
    let local = guarded();
    login(&local, SECRET, &[]).succeeds();
    let file = local.path(".config/signpost/profiles.toml");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    local.signpost(&["cat", "k"]).fails(1, "chmod 600");
    std::fs::write(&file, SECRET).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let said = local.signpost(&["cat", "k"]).fails(1, "not a valid profiles file");
    assert!(!said.notes.contains(SECRET));
}

#[test]
fn a_profiles_file_that_is_a_link_remains_a_link() {
    let local = guarded();
    std::fs::create_dir_all(local.path(".config/signpost")).unwrap();
    std::fs::create_dir(local.path("dotfiles")).unwrap();
    let file = local.path(".config/signpost/profiles.toml");
    std::os::unix::fs::symlink(local.path("dotfiles/profiles.toml"), &file).unwrap();
    for profile in ["work", "home"] {
        login(&local, SECRET, &["--profile", profile]).succeeds();
        assert!(std::fs::symlink_metadata(&file).unwrap().is_symlink());
    }
    let stored = std::fs::read_to_string(local.path("dotfiles/profiles.toml")).unwrap();
    assert!(stored.contains("work") && stored.contains("home"), "{stored}");
}

#[test]
fn a_profile_token_is_sent_only_to_its_own_service() {
    let local = guarded();
    login(&local, SECRET, &["--profile", "work"]).succeeds();
    let proxy = FaultProxy::start(|_, _| ProxyAction::Drop);
    for more in [&[][..], &["--profile", "work"]] {
        local
            .signpost(&[&["rm", "http://files.example.com/k"], more].concat())
            .through(&proxy)
            .fails(7, "no response");
    }
    assert!(!proxy.seen().is_empty());
    assert!(proxy.seen().iter().all(|seen| !seen.head.contains("authorization")));
}

#[test]
fn a_share_link_allows_exactly_the_requested_methods() {
    let rules = format!(
        "version = 1\n[[token]]\nid = \"ci\"\nsha256 = \"{DIGEST}\"\n[[rule]]\nid = \"ci\"\nwho = [\"token:ci\"]\n\
         can = [\"read\", \"write\"]\non = [\"**\"]\nshare = [\"read\", \"write\"]\n"
    );
    let local = LocalServer::start_sharing(&rules);
    let command = |arguments: &[&str]| local.signpost(arguments).with("SIGNPOST_TOKEN", SECRET);
    command(&["put", "-", "a b"]).reading(b"1").succeeds();
    let link = command(&["share", "a b", "--expires", "1h"]).succeeds();
    let link = link.text().trim_end();
    assert!(link.starts_with(&local.url("/a%20b?share=")), "{link}");
    assert_eq!(local.signpost(&["cat", link]).succeeds().out, b"1");
    local.signpost(&["rm", link]).fails(4, "");
    let told = command(&[
        "share",
        &local.url("/drop/"),
        "--method",
        "PUT",
        "--max-bytes",
        "5",
        "--json",
    ])
    .succeeds()
    .json();
    let link = told[0]["link"].as_str().unwrap();
    assert_eq!(told[0]["methods"][0], "PUT");
    local
        .signpost(&["put", "-", &link.replace("drop/?", "drop/x?")])
        .reading(b"12345")
        .succeeds();
    local
        .signpost(&["put", "-", &link.replace("drop/?", "drop/y?")])
        .reading(b"123456")
        .fails(1, "");
    command(&["share", "a b", "--expires", "9999d"]).fails(1, "at most");
    local.signpost(&["share", "a b"]).fails(4, "credential");
}

#[test]
fn a_share_link_works_for_the_given_number_of_uses() {
    let local = LocalServer::start_sharing(
        "version = 1\n[[token]]\nid = \"ci\"\nsha256 = \"fbdc077454d782ba39d400e06e741b56c14b0a8cf122348c98fe1e91634c5a81\"\n\
         [[rule]]\nid = \"all\"\nwho = [\"token:ci\"]\ncan = [\"read\", \"write\"]\non = [\"**\"]\n",
    );
    let command = |arguments: &[&str]| local.signpost(arguments).with("SIGNPOST_TOKEN", "hush-hush");
    command(&["put", "-", "k"]).reading(b"lent").succeeds();
    let told = command(&["share", "k", "--uses", "3", "--json"]).succeeds().json();
    assert_eq!(
        (&told[0]["uses"], &told[0]["methods"]),
        (&3.into(), &serde_json::json!(["GET"]))
    );
    let link = told[0]["link"].as_str().unwrap();
    for _ in 0..3 {
        assert_eq!(local.signpost(&["cat", link]).succeeds().out, b"lent");
    }
    for _ in 0..2 {
        local.signpost(&["cat", link]).fails(4, "has no uses left");
    }
    for uses in ["0", "1001"] {
        command(&["share", "k", "--uses", uses]).fails(1, "1 to 1000");
    }
    // Without the option, the number of uses is not limited.
    let told = command(&["share", "k", "--json"]).succeeds().json();
    assert!(told[0].get("uses").is_none());
}
