//! The sources of the token, and that it is sent only to Signpost.

use serde_json::json;

use crate::proxy::{FaultProxy, ProxyAction};
use crate::support::LocalServer;

const SECRET: &str = "hush-hush";

/// The SHA-256 digest of the secret.
const DIGEST: &str = "fbdc077454d782ba39d400e06e741b56c14b0a8cf122348c98fe1e91634c5a81";

fn guarded() -> LocalServer {
    LocalServer::start_with(Some(&rules()))
}

fn rules() -> String {
    format!(
        "version = 1\n[[token]]\nid = \"ci\"\nsha256 = \"{DIGEST}\"\n\
         [[rule]]\nid = \"ci\"\nwho = [\"token:ci\"]\ncan = [\"read\", \"write\", \"delete\"]\non = [\"**\"]\n"
    )
}

#[test]
fn a_token_is_read_from_every_source() {
    let local = guarded();
    let put = |key: &str| local.signpost(&["put", "-", key]);
    put("none").fails(4, "requires a credential");
    put("none").fails(4, "Log in with `signpost login http://");
    put("wrong")
        .with("SIGNPOST_TOKEN", "wrong")
        .fails(4, "signpost login http://");
    put("a").with("SIGNPOST_TOKEN", SECRET).succeeds();
    put("b").with("SIGNPOST_TOKEN", &format!("ci:{SECRET}")).succeeds();
    let file = local.file("token", format!("{SECRET}\n").as_bytes());
    local.signpost(&["rm", "a", "--token-file", &file]).succeeds();
    local
        .signpost(&["rm", "a", "--token-file", "-"])
        .reading(SECRET.as_bytes())
        .succeeds();
    local
        .signpost(&["rm", "a", "--token-file", "nowhere"])
        .fails(1, "nowhere");
    let netrc = format!("machine other login x password y\nmachine 127.0.0.1 login ci password {SECRET}\n");
    local.file(".netrc", netrc.as_bytes());
    put("c").succeeds();
}

#[test]
fn a_token_is_sent_only_to_signpost() {
    let local = guarded();
    let proxy = FaultProxy::start(|_, _| ProxyAction::Pass);
    for arguments in [&["put", "-", "k"][..], &["cat", "k"], &["stat", "k"], &["rm", "k"]] {
        local
            .signpost(arguments)
            .with("SIGNPOST_TOKEN", SECRET)
            .through(&proxy)
            .succeeds();
    }
    let seen = proxy.seen();
    assert_eq!(seen.len(), 8);
    for seen in seen {
        let is_signpost = seen.host == local.address();
        assert_eq!(seen.head.contains("\nauthorization: bearer"), is_signpost, "{seen:?}");
        assert_eq!(seen.head.contains(SECRET), is_signpost);
    }
}

#[test]
fn a_token_is_never_sent_unencrypted_or_to_another_service() {
    let local = guarded();
    let proxy = FaultProxy::start(|_, _| ProxyAction::Drop);
    local
        .signpost(&["cat", "http://files.example.com/k"])
        .with("SIGNPOST_TOKEN", SECRET)
        .with("SIGNPOST_URL", "http://files.example.com")
        .through(&proxy)
        .fails(2, "unencrypted");
    assert!(proxy.seen().is_empty());
    local
        .signpost(&["cat", "http://files.example.com/k"])
        .with("SIGNPOST_TOKEN", SECRET)
        .through(&proxy)
        .fails(7, "no response");
    assert!(proxy.seen().iter().all(|seen| !seen.head.contains(SECRET)));
}

#[test]
fn requests_to_this_machine_do_not_use_a_remote_proxy() {
    let local = guarded();
    for proxy in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        // Every attempt to resolve this name fails.
        let put = local.signpost(&["put", "-", proxy]).reading(b"1");
        put.with("SIGNPOST_TOKEN", SECRET)
            .with(proxy, "http://proxy.invalid:3128")
            .succeeds();
    }
}

#[test]
fn a_share_link_is_the_only_credential_of_its_requests() {
    let local = LocalServer::start_sharing(&rules());
    let share = |key: &str| {
        let asked = local.signpost(&["share", key]).with("SIGNPOST_TOKEN", SECRET);
        asked.succeeds().text().trim_end().to_owned()
    };
    let keys: Vec<_> = (0..9).map(|number| format!("k{number}")).collect();
    for key in &keys {
        let put = local.signpost(&["put", "-", key]).reading(key.as_bytes());
        put.with("SIGNPOST_TOKEN", SECRET).succeeds();
    }
    let links: Vec<_> = keys.iter().map(|key| share(key)).collect();
    let links = || links.iter().map(String::as_str);
    let commands = [vec!["cat"], vec!["stat"], vec!["get", "-o", "down/"]];
    for command in commands {
        let arguments: Vec<_> = command.into_iter().chain(links()).collect();
        let proxy = FaultProxy::start(|_, _| ProxyAction::Pass);
        local
            .signpost(&arguments)
            .with("SIGNPOST_TOKEN", SECRET)
            .through(&proxy)
            .succeeds();
        let seen = proxy.seen();
        assert!(
            seen.iter().all(|seen| !seen.head.contains("\nauthorization:")),
            "{seen:?}"
        );
        assert_eq!(seen.len(), 18);
        local.signpost(&arguments).succeeds();
    }
    assert_eq!(std::fs::read(local.path("down/k8")).unwrap(), b"k8");
    // Each request uses its own credential: a token or a share link.
    let mixed = ["cat", "k0", &share("k1")];
    let said = local.signpost(&mixed).with("SIGNPOST_TOKEN", SECRET).succeeds();
    assert_eq!(said.text(), "k0k1");
}

#[test]
fn the_agent_of_git_lfs_sends_the_token_only_to_a_service_that_the_user_named() {
    let local = guarded();
    let file = local.file("file", SECRET.as_bytes());
    let url = local.url(&format!("/k/{}/{}/{DIGEST}", &DIGEST[..2], &DIGEST[2..4]));
    let messages = format!(
        "{{\"event\":\"init\"}}\n{{\"event\":\"upload\",\"oid\":\"{DIGEST}\",\"size\":{},\"path\":{file:?},\"action\":{{\"href\":{url:?}}}}}\n",
        SECRET.len()
    );
    let agent = |options: &[&str]| {
        let arguments: Vec<_> = ["lfs"].into_iter().chain(options.iter().copied()).collect();
        let run = local.signpost(&arguments).reading(messages.as_bytes());
        run.with("SIGNPOST_TOKEN", SECRET)
    };
    let token_file = local.file("token", SECRET.as_bytes());
    for options in [&[][..], &["--token-file", &token_file]] {
        for elsewhere in ["http://127.0.0.1:1", "https://files.example.com"] {
            let said = agent(options).with("SIGNPOST_URL", elsewhere).said();
            let out = String::from_utf8(said.out).unwrap();
            assert!(out.contains("requires a credential"), "{options:?}: {out}");
        }
        let said = agent(options).without("SIGNPOST_URL").said();
        let out = String::from_utf8(said.out).unwrap();
        assert!(out.contains("requires a credential"), "{options:?}: {out}");
        let said = agent(options).said();
        let out = String::from_utf8(said.out).unwrap();
        assert!(
            out.contains("\"complete\"") && !out.contains("\"error\""),
            "{options:?}: {out}"
        );
    }
    let netrc = format!("machine 127.0.0.1 login ci password {SECRET}\n");
    local.file(".netrc", netrc.as_bytes());
    let said = agent(&[]).without("SIGNPOST_URL").said();
    assert!(!String::from_utf8(said.out).unwrap().contains("\"error\""));
}

/// The server of a foreign repository chooses the URL.
#[test]
fn the_agent_of_git_lfs_uses_only_the_url_of_the_object() {
    let local = guarded();
    let file = local.file("file", SECRET.as_bytes());
    let id = format!("{}/{}/{DIGEST}", &DIGEST[..2], &DIGEST[2..4]);
    for (path, is_accepted) in [
        ("/docs/index.html".to_owned(), false),
        (format!("/docs/{DIGEST}"), false),
        (format!("/x{id}"), false),
        (format!("/docs/{id}.html"), false),
        (format!("/docs/{id}"), true),
    ] {
        for event in ["upload", "download"] {
            let message = json!({"event": event, "oid": DIGEST, "size": SECRET.len(), "path": file,
                "action": {"href": local.url(&path)}});
            let messages = format!("{{\"event\":\"init\"}}\n{message}\n");
            let agent = local
                .signpost(&["lfs"])
                .reading(messages.as_bytes())
                .with("SIGNPOST_TOKEN", SECRET);
            let out = String::from_utf8(agent.said().out).unwrap();
            let rejected = out.contains("is not that of the object");
            assert_eq!(rejected, !is_accepted, "{event} {path}: {out}");
        }
    }
    for (key, is_stored) in [
        ("docs/index.html", false),
        (&format!("docs/{id}.html"), false),
        (&format!("docs/{id}"), true),
    ] {
        let said = local.signpost(&["stat", key]).with("SIGNPOST_TOKEN", SECRET).said();
        assert_eq!(said.code == 0, is_stored, "{key}: {said:?}");
    }
}
