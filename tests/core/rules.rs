//! The rules: deny by default, deny rules before allow rules, the constraints of the first allow rule; and invalid rules.

use crate::support::{With as _, ask, handler, header, now};
use proptest::prelude::*;
use signpost::auth::{Issuer, Principal, User};
use signpost::key::ObjectKey;
use signpost::operation::Action;
use signpost::policy::Policy;

/// SHA-256 of `secret-of-ci`.
const CI_DIGEST: &str = "0d8be34b5b1e27ff1b2ff5cb9d63e50a2b1ae0d6d6bb6a1dbd5a4e7ba8d9d0d5";

fn digest(secret: &str) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(secret);
    digest
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn team_rules() -> String {
    format!(
        r#"
version = 1
[defaults]
expires = "10m"

[[token]]
id = "ci"
sha256 = "{}"
groups = ["deployers"]

[[token]]
id = "guest"
sha256 = "{}"

[[rule]]
id = "public"
who = ["anyone"]
can = ["read"]
on = ["public/**", "robots.txt"]

[[rule]]
id = "deploy"
who = ["group:deployers"]
can = ["read", "write", "delete"]
on = ["releases/**", "archive/**"]
expires = "1m"

[[rule]]
id = "members"
who = ["authenticated"]
can = ["read"]
on = ["**"]

[[rule]]
id = "own"
who = ["token:guest"]
can = ["write"]
on = ["homes/{{user_id}}/**"]

[[rule]]
id = "worm"
effect = "deny"
who = ["anyone"]
can = ["write", "delete"]
on = ["archive/**"]
"#,
        digest("secret-of-ci"),
        digest("secret-of-guest")
    )
}

/// Rules with tokens of these ids and secrets.
fn tokens(tokens: &[(&str, &str)]) -> String {
    let table = |(id, secret): &(&str, &str)| format!("[[token]]\nid = \"{id}\"\nsha256 = \"{}\"\n", digest(secret));
    tokens
        .iter()
        .map(table)
        .fold("version = 1\n".to_owned(), |rules, table| rules + &table)
}

fn token(id: &str, groups: &[&str]) -> Principal {
    let groups = groups.iter().map(|group| (*group).to_owned()).collect();
    Principal::User(User::new(Issuer::Token, id.into(), groups))
}

fn decides(policy: &Policy, principal: &Principal, action: Action, key: &str) -> Option<String> {
    let key = ObjectKey::new(key).unwrap();
    policy
        .decide(principal, action, &key)
        .ok()
        .map(|grant| grant.rule.to_owned())
}

#[test]
fn the_rules_decide_as_the_table_says() {
    let policy = Policy::parse(&team_rules()).unwrap();
    let (anonymous, ci, guest) = (Principal::Anonymous, token("ci", &["deployers"]), token("guest", &[]));
    let own = format!("homes/{}/a", guest.user_id());
    let cases = [
        (&anonymous, Action::Read, "public/a", Some("public")),
        (&anonymous, Action::Read, "public/", Some("public")),
        (&anonymous, Action::Read, "robots.txt", Some("public")),
        (&anonymous, Action::Read, "public", None),
        (&anonymous, Action::Read, "publicly/a", None),
        (&anonymous, Action::Read, "robots.txt/a", None),
        (&anonymous, Action::Read, "Public/a", None),
        (&anonymous, Action::Read, "/public/a", None),
        (&anonymous, Action::Write, "public/a", None),
        (&anonymous, Action::List, "public/a", None),
        (&guest, Action::Read, "public/a", Some("public")),
        (&guest, Action::Read, "anything", Some("members")),
        (&guest, Action::Write, "releases/1", None),
        (&guest, Action::Write, own.as_str(), Some("own")),
        (&ci, Action::Write, own.as_str(), None),
        (&guest, Action::Write, "homes/guest/a", None),
        (&guest, Action::Write, "homes/{user_id}/a", None),
        (&ci, Action::Write, "releases/1", Some("deploy")),
        (&ci, Action::Read, "archive/1", Some("deploy")),
        (&ci, Action::Write, "archive/1", None),
        (&ci, Action::Delete, "archive/deep/er/1", None),
        (&ci, Action::Write, "archive", None),
    ];
    for (principal, action, key, rule) in cases {
        let decided = decides(&policy, principal, action, key);
        assert_eq!(decided.as_deref(), rule, "{principal:?} {action:?} {key}");
    }
}

#[test]
fn without_rules_every_request_is_rejected() {
    for policy in [Policy::default(), Policy::parse("version = 1").unwrap()] {
        for principal in [Principal::Anonymous, token("ci", &["deployers"])] {
            for action in [Action::Read, Action::Write, Action::Delete, Action::List] {
                assert_eq!(decides(&policy, &principal, action, "a"), None);
            }
        }
    }
}

proptest! {
    #[test]
    fn an_anonymous_caller_can_read_only_the_public_prefix(key in "[a-z/.]{1,24}|public/\\PC{0,12}") {
        let policy = Policy::parse(&team_rules()).unwrap();
        let Ok(key) = ObjectKey::new(key) else { return Ok(()) };
        if policy.decide(&Principal::Anonymous, Action::Read, &key).is_ok() {
            prop_assert!(key.as_str().starts_with("public/") || key.as_str() == "robots.txt");
        }
    }
}

#[tokio::test]
async fn tokens_are_accepted_as_basic_or_bearer() {
    use base64::Engine as _;
    let basic = |pair: &str| format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(pair));
    let handler = handler(&team_rules()).await;
    let cases = [
        ("Bearer secret-of-ci".to_owned(), 307),
        ("bearer secret-of-ci".to_owned(), 307),
        (basic("ci:secret-of-ci"), 307),
        (basic("guest:secret-of-ci"), 401),
        (basic(":secret-of-ci"), 401),
        (basic("ci:"), 401),
        (basic("ci"), 401),
        ("Basic !!!".to_owned(), 401),
        ("Bearer wrong".to_owned(), 401),
        ("Bearer".to_owned(), 401),
        (format!("Bearer {CI_DIGEST}"), 401),
        (format!("Bearer {}", digest("secret-of-ci")), 401),
        ("Digest secret-of-ci".to_owned(), 401),
        ("Bearer secret-of-guest".to_owned(), 403),
    ];
    for (credential, status) in cases {
        let request = ask("PUT", "/releases/1").sized(1).with("authorization", &credential);
        let response = handler.handle(&request, now()).await;
        assert_eq!(response.status(), status, "{credential}");
        assert_eq!(!header(&response, "www-authenticate").is_empty(), status == 401);
    }
}

#[tokio::test]
async fn an_invalid_credential_gets_401_even_if_anyone_may_read() {
    let handler = handler(&team_rules()).await;
    for (credentials, status) in [
        (vec![], 307),
        (vec!["Bearer wrong"], 401),
        (vec!["Bearer secret-of-ci"; 2], 401),
    ] {
        let request = credentials
            .iter()
            .fold(ask("GET", "/public/a"), |ask, value| ask.with("authorization", value));
        assert_eq!(
            handler.handle(&request, now()).await.status(),
            status,
            "{credentials:?}"
        );
    }
}

#[tokio::test]
async fn a_credential_is_required_only_if_the_rules_accept_one() {
    assert_eq!(
        handler(&team_rules())
            .await
            .handle(&ask("GET", "/private"), now())
            .await
            .status(),
        401
    );
    assert_eq!(
        handler("version = 1")
            .await
            .handle(&ask("GET", "/private"), now())
            .await
            .status(),
        403
    );
}

#[test]
fn invalid_rules_prevent_the_start() {
    let rule = |lines: &str| format!("version = 1\n[[rule]]\nid = \"r\"\n{lines}\n");
    let whole = "who = [\"authenticated\"]\ncan = [\"read\"]\non = [\"a\"]\n";
    let with = |lines: &str| rule(&format!("{whole}{lines}"));
    let cases = [
        (String::new(), "version"),
        ("version = 2".into(), "unknown version 2"),
        ("version = 1\nrules = 1".into(), "unknown field `rules`"),
        ("not toml".into(), "expected"),
        ("version = 1\n[defaults]\nexpires = \"16m\"".into(), "maximum of 15m"),
        ("version = 1\n[defaults]\nmax_bytes = \"50TiB\"".into(), "maximum"),
        (
            "version = 1\n[[token]]\nid = \"a\"\nsha256 = \"abc\"".into(),
            "64 hexadecimal digits",
        ),
        (
            "version = 1\n[[token]]\nid = \"a b\"\nsha256 = \"abc\"".into(),
            "letters, digits",
        ),
        (
            rule("who = [\"anyone\"]\ncan = [\"write\"]\non = [\"a\"]"),
            "allow_anonymous_write",
        ),
        (
            rule("who = [\"anyone\", \"authenticated\"]\ncan = [\"delete\"]\non = [\"a\"]"),
            "allow_anonymous_write",
        ),
        (
            rule("who = [\"everyone\"]\ncan = [\"read\"]\non = [\"a\"]"),
            "use anyone, authenticated",
        ),
        (
            rule("who = [\"token:x\"]\ncan = [\"read\"]\non = [\"a\"]"),
            "no [[token]]",
        ),
        (
            rule("who = [\"group:\"]\ncan = [\"read\"]\non = [\"a\"]"),
            "use anyone, authenticated",
        ),
        (rule("who = []\ncan = [\"read\"]\non = [\"a\"]"), "matches nothing"),
        (
            rule("who = [\"authenticated\"]\ncan = []\non = [\"a\"]"),
            "matches nothing",
        ),
        (
            rule("who = [\"authenticated\"]\ncan = [\"read\"]\non = []"),
            "matches nothing",
        ),
        (
            rule("who = [\"authenticated\"]\ncan = [\"reed\"]\non = [\"a\"]"),
            "unknown value `reed`",
        ),
        (
            rule("who = [\"authenticated\"]\ncan = [\"read\"]\non = [\"/a\"]"),
            "no leading `/`",
        ),
        (
            rule("who = [\"authenticated\"]\ncan = [\"read\"]\non = [\"\"]"),
            "matches nothing",
        ),
        (
            rule("who = [\"authenticated\"]\ncan = [\"read\"]\non = [\"a*\"]"),
            "trailing `/**`",
        ),
        (
            rule("who = [\"authenticated\"]\ncan = [\"read\"]\non = [\"a/**/b\"]"),
            "trailing `/**`",
        ),
        (
            rule("who = [\"authenticated\"]\ncan = [\"read\"]\non = [\"a{user_id}\"]"),
            "whole segment",
        ),
        (
            rule("who = [\"authenticated\"]\ncan = [\"read\"]\non = [\"{nope}/a\"]"),
            "depend on the issuer",
        ),
        (with("colour = 1"), "unknown field `colour`"),
        (with("effect = \"maybe\""), "unknown value"),
        (with("expires = \"soon\""), "expires"),
        (with("expires = \"0s\""), "whole number of seconds"),
        (with("expires = \"1500ms\""), "whole number of seconds"),
        (with("max_bytes = \"much\""), "not a size"),
        (with("content_types = [\"image\"]"), "not a media type"),
        (with("metadata = { Team = \"a\" }"), "lower case"),
        (with("metadata = { team = \"a\\nb\" }"), "visible ASCII"),
        (with("client_may_set = [\"x-amz-acl\"]"), "unknown name"),
        (with("disposition = \"maybe\""), "unknown value"),
        (with("content_types = [\"image/p*\"]"), "not a media type"),
        (with("effect = \"deny\"\nmax_bytes = 1"), "deny rule"),
        (
            rule("who = [\"authenticated\"]\ncan = [\"read\"]\non = [\"../a\"]"),
            "no key contains",
        ),
        (
            rule("who = [\"authenticated\"]\ncan = [\"read\"]\non = [\"a\\u0000/**\"]"),
            "no key contains",
        ),
        (
            rule("who = [\"group:nobody/g\"]\ncan = [\"read\"]\non = [\"a\"]"),
            "no [[issuer]]",
        ),
        (tokens(&[("a", "")]), "empty secret"),
        (tokens(&[("a", "\n")]), "empty secret"),
        (tokens(&[("a", "same"), ("b", "same")]), "another token"),
        (
            format!(
                "version = 1\n[[token]]\nid = \"a\"\nsha256 = [\"{0}\", \"{0}\"]",
                digest("same")
            ),
            "another token contains the same digest",
        ),
        (
            format!(
                "version = 1\n[[token]]\nid = \"a\"\nsha256 = [\"{}\", \"{}\"]",
                digest("a"),
                digest("")
            ),
            "empty secret",
        ),
        (
            "version = 1\n[[token]]\nid = \"a\"\nsha256 = []".into(),
            "the list is empty",
        ),
        (
            format!(
                "version = 1\n[defaults]\noverwrite = false\n{}",
                &with("overwrite = true")[11..]
            ),
            "no rule can allow overwriting",
        ),
        (
            format!("{}{}", rule(whole), rule(whole).replace("version = 1", "")),
            "occurs twice",
        ),
        (
            format!(
                "version = 1\n[defaults]\nexpires = \"1m\"\n{}",
                &with("expires = \"2m\"")[11..]
            ),
            "maximum of 1m",
        ),
    ];
    for (text, problem) in cases {
        let error = Policy::parse(&text).expect_err(&text).to_string();
        assert!(error.contains(problem), "{text}\n{error}");
    }
}

#[test]
fn overwriting_is_possible_unless_the_defaults_forbid_it() {
    let rule = |own: &str| {
        format!("[[rule]]\nid = \"r\"\nwho = [\"authenticated\"]\ncan = [\"write\"]\non = [\"**\"]\n{own}\n")
    };
    for (defaults, own, expected) in [
        ("", "", Some(false)),
        ("", "overwrite = true", Some(true)),
        ("[defaults]\nexpires = \"1m\"\n", "overwrite = true", Some(true)),
        ("[defaults]\noverwrite = true\n", "", Some(true)),
        ("[defaults]\noverwrite = true\n", "overwrite = false", Some(false)),
        ("[defaults]\noverwrite = false\n", "", Some(false)),
        ("[defaults]\noverwrite = false\n", "overwrite = false", Some(false)),
        ("[defaults]\noverwrite = false\n", "overwrite = true", None),
    ] {
        let policy = Policy::parse(&format!("version = 1\n{defaults}{}", rule(own)));
        let overwrite = policy.as_ref().ok().and_then(|policy| policy.grants().next());
        let overwrite = overwrite.map(|grant| grant.constraints.overwrite);
        assert_eq!(overwrite, expected, "{defaults}{own}");
    }
}

#[test]
fn a_deny_rule_can_match_anyone() {
    let text =
        "version = 1\n[[rule]]\nid = \"r\"\neffect = \"deny\"\nwho = [\"anyone\"]\ncan = [\"write\"]\non = [\"**\"]";
    assert!(Policy::parse(text).is_ok());
}

#[test]
fn ids_and_epochs_have_a_limited_length_and_plain_characters() {
    let parse = |text: String| Policy::parse(&format!("version = 1\n{text}\n")).map(drop);
    let token = |id: &str| parse(format!("[[token]]\nid = \"{id}\"\nsha256 = \"{}\"", digest("secret")));
    for (id, is_valid) in [
        ("a-B_9", true),
        (&*"a".repeat(64), true),
        (&*"a".repeat(65), false),
        ("", false),
        ("a b", false),
        ("a/b", false),
        ("é", false),
    ] {
        assert_eq!(token(id).is_ok(), is_valid, "{id}");
    }
    let epoch = |epoch: &str| parse(format!("[signer]\nepoch = \"{epoch}\""));
    for (text, is_valid) in [
        ("a-B_9", true),
        (&*"a".repeat(16), true),
        (&*"a".repeat(17), false),
        ("", false),
        ("a b", false),
    ] {
        assert_eq!(epoch(text).is_ok(), is_valid, "{text}");
    }
}

#[test]
fn a_group_of_a_token_has_a_name_without_a_slash() {
    for (groups, is_valid) in [("\"ops\"", true), ("\"\"", false), ("\"idp/ops\"", false)] {
        let rules = format!(
            "version = 1\n[[token]]\nid = \"a\"\nsha256 = \"{}\"\ngroups = [{groups}]\n",
            digest("secret")
        );
        assert_eq!(Policy::parse(&rules).is_ok(), is_valid, "{groups}");
    }
}

#[test]
fn a_deny_rule_has_no_constraints() {
    for field in [
        "expires = \"1m\"",
        "reuse_url_for = \"1m\"",
        "cache_control = \"no-store\"",
        "max_bytes = 1",
        "overwrite = true",
        "disposition = \"attachment\"",
        "content_types = [\"text/plain\"]",
        "metadata = { team = \"a\" }",
        "storage_class = \"STANDARD_IA\"",
        "sse = \"AES256\"",
        "sse = \"aws:kms\"\nsse_kms_key_id = \"alias/a\"",
        "sse_kms_key_id = \"alias/a\"",
        "client_may_set = [\"versionId\"]",
        "share = [\"read\"]",
        "share_expires = \"1h\"",
        "temporary_share_expires = \"1h\"",
        "rewrite = \"a/{rest}\"",
    ] {
        let rules = format!(
            "version = 1\n[[rule]]\nid = \"r\"\neffect = \"deny\"\nwho = [\"authenticated\"]\ncan = [\"read\"]\n\
             on = [\"a/**\"]\n{field}\n"
        );
        let error = Policy::parse(&rules).expect_err(field).to_string();
        assert!(error.contains("deny rule"), "{field}: {error}");
    }
}
