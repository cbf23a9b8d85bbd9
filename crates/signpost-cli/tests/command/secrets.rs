//! `token new` and `key new`: scripts can capture the secret, and the rules accept the printed table.

use std::fs::File;
use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use signpost::auth::TokenDigest;
use signpost::policy::Policy;

use crate::support::{CommandOutput, file, signpost};

fn secret(said: &CommandOutput) -> &str {
    assert_eq!(said.code, 0, "{said:?}");
    said.out.strip_suffix('\n').unwrap()
}

#[test]
fn every_secret_is_new_and_has_256_bits() {
    let said = [signpost(&["token", "new", "ci"]), signpost(&["token", "new", "ci"])];
    let [first, second] = said.each_ref().map(secret);
    assert_ne!(first, second);
    for secret in [first, second] {
        assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(secret).unwrap().len(), 32);
        assert!(
            secret.parse::<TokenDigest>().is_err(),
            "a secret must not be a valid digest"
        );
    }
}

#[test]
fn the_printed_table_is_valid_and_contains_only_the_digest() {
    for (arguments, groups) in [
        (&["token", "new", "ci"][..], &[][..]),
        (&["token", "new", "ci", "--groups", "a,b"], &["a", "b"]),
        (&["token", "new", "ci", "--groups", "a \"b\"\\c\n"], &["a \"b\"\\c\n"]),
    ] {
        let said = signpost(arguments);
        let rules = Policy::parse(&format!("version = 1{}", said.notes)).unwrap();
        let [token] = rules.authenticators.tokens.as_slice() else {
            panic!("{said:?}")
        };
        assert_eq!(
            (token.id.as_str(), token.groups.as_slice()),
            (
                "ci",
                &groups.iter().map(|group| (*group).to_owned()).collect::<Vec<_>>()[..]
            )
        );
        assert_eq!(
            token.digests[0].to_hex(),
            TokenDigest::of(secret(&said).as_bytes()).to_hex()
        );
        assert!(!said.notes.contains(secret(&said)));
    }
}

#[test]
fn an_invalid_token_id_is_rejected() {
    for id in ["", "a b", "a:b", "ä", "\"]", &"a".repeat(65)] {
        let said = signpost(&["token", "new", id]);
        assert_eq!((said.out.as_str(), said.code), ("", 2), "{id}");
        assert!(said.notes.contains("1 to 64 letters, digits, `-` or `_`"), "{said:?}");
    }
}

#[test]
fn every_key_has_an_id_and_256_bits() {
    let said = [signpost(&["key", "new"]), signpost(&["key", "new"])];
    let [first, second] = said.each_ref().map(|said| secret(said).split_once(':').unwrap());
    assert!(first.0 != second.0 && first.1 != second.1);
    for (id, key) in [first, second] {
        assert!(id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(key).unwrap().len(), 32);
    }
}

#[test]
fn no_table_is_printed_if_the_secret_cannot_be_written() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_signpost"));
    let output = command.args(["token", "new", "ci"]).stdout(full).output().unwrap();
    let notes = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{notes}");
    assert!(
        notes.starts_with("error: failed to write to standard output: ") && !notes.contains("[[token]]"),
        "{notes}"
    );
}

/// Programs read a value that begins with `-` as an option.
#[test]
fn no_secret_begins_with_a_dash() {
    for _ in 0..200 {
        assert!(!secret(&signpost(&["token", "new", "ci"])).starts_with('-'));
    }
}

const ROTATED: &str = "# The rules of the team.
version = 1

[[token]]
id = \"other\"
sha256 = \"3bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"

[[token]] # for the pipeline
id = \"ci\"
sha256 = '2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b' # 2026
groups = [\"deployers\"]

[[rule]]
id = \"r\"
who = [\"token:ci\"]
can = [\"read\"]
on = [\"homes/{user_id}/**\"]
";

const OLD: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

#[test]
fn a_rotation_changes_only_the_digests_of_the_token() {
    let (_folder, path) = file("rules.toml", ROTATED);
    let rules = path.to_str().unwrap();
    let digests = |text: &str| -> Vec<String> {
        let policy = Policy::parse(text).unwrap();
        let token = policy
            .authenticators
            .tokens
            .iter()
            .find(|token| token.id == "ci")
            .unwrap();
        token.digests.iter().map(TokenDigest::to_hex).collect()
    };
    let text = || std::fs::read_to_string(&path).unwrap();

    let first = signpost(&["token", "rotate", "ci", rules]);
    let first_digest = TokenDigest::of(secret(&first).as_bytes()).to_hex();
    assert_eq!(digests(&text()), [first_digest.as_str(), OLD]);
    assert!(
        first.notes.contains(&format!("signpost token retire ci {rules}")),
        "{first:?}"
    );
    let expected = ROTATED.replace(&format!("'{OLD}'"), &format!("[\"{first_digest}\", \"{OLD}\"]"));
    assert_eq!(text(), expected);

    let second = signpost(&["token", "rotate", "ci", rules]);
    let second_digest = TokenDigest::of(secret(&second).as_bytes()).to_hex();
    assert_eq!(digests(&text()), [second_digest.as_str(), first_digest.as_str(), OLD]);

    let retired = signpost(&["token", "retire", "ci", rules]);
    assert_eq!(retired.code, 0, "{retired:?}");
    assert_eq!(
        text(),
        ROTATED.replace(&format!("'{OLD}'"), &format!("\"{second_digest}\""))
    );
    assert_eq!(signpost(&["rules", "check", rules]).code, 0);
}

#[test]
fn a_rotation_that_is_not_possible_changes_nothing() {
    let (_folder, path) = file("rules.toml", ROTATED);
    let rules = path.to_str().unwrap();
    let (_invalid_folder, invalid) = file("rules.toml", "version = 2");
    for (arguments, code, expected) in [
        (
            &["token", "rotate", "nobody", rules][..],
            1,
            "no [[token]] has the id \"nobody\"",
        ),
        (
            &["token", "retire", "ci", rules],
            1,
            "has only one secret; to replace it, run `signpost token rotate ci",
        ),
        (
            &["token", "rotate", "ci", invalid.to_str().unwrap()],
            1,
            "unknown version 2",
        ),
        (
            &["token", "rotate", "ci", "no/such/file"],
            1,
            "failed to read no/such/file",
        ),
        (&["token", "rotate", "ci", "-"], 2, "cannot read standard input"),
    ] {
        let said = signpost(arguments);
        assert_eq!((said.out.as_str(), said.code), ("", code), "{said:?}");
        assert!(said.notes.contains(expected), "{said:?}");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), ROTATED);
}

const RULES: &str = "# The rules of the team.
version = 1

[[token]]
id = \"other\"
sha256 = \"3bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"";

#[test]
fn a_new_token_is_added_to_the_rules_file() {
    let (folder, path) = file("rules.toml", RULES);
    let rules = path.to_str().unwrap();
    let said = signpost(&["token", "new", "ci", rules, "--groups", "deployers"]);
    let digest = TokenDigest::of(secret(&said).as_bytes()).to_hex();
    let table = format!("[[token]]\nid = \"ci\"\nsha256 = \"{digest}\"\ngroups = [\"deployers\"]\n");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{RULES}\n\n{table}"));
    assert!(said.notes.contains("now contains the token \"ci\""), "{said:?}");
    assert_eq!(signpost(&["rules", "check", rules]).code, 0);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_token_that_cannot_be_added_changes_nothing() {
    let (folder, path) = file("rules.toml", RULES);
    let rules = path.to_str().unwrap();
    let (_invalid_folder, invalid) = file("rules.toml", "version = 2");
    let (_inline_folder, inline) = file("rules.toml", "version = 1\ntoken = []\n");
    for (id, rules, code, expected) in [
        ("other", rules, 1, "run `signpost token rotate other"),
        ("a b", rules, 2, "1 to 64 letters"),
        ("ci", invalid.to_str().unwrap(), 1, "unknown version 2"),
        ("ci", inline.to_str().unwrap(), 1, "token"),
        ("ci", "no/such/file", 1, "failed to read no/such/file"),
        ("ci", folder.path().to_str().unwrap(), 1, "must be in a regular file"),
        ("ci", "/dev/null", 1, "must be in a regular file"),
        ("ci", "-", 2, "cannot read standard input"),
    ] {
        let said = signpost(&["token", "new", id, rules]);
        assert_eq!((said.out.as_str(), said.code), ("", code), "{said:?}");
        assert!(said.notes.contains(expected), "{said:?}");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), RULES);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// The command stores no digest of a secret that it could not print.
#[test]
fn the_rules_do_not_change_if_the_secret_cannot_be_written() {
    let (_folder, path) = file("rules.toml", ROTATED);
    let rules = path.to_str().unwrap();
    for arguments in [["token", "new", "new", rules], ["token", "rotate", "ci", rules]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_signpost"));
        let output = command.args(arguments).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), ROTATED, "{arguments:?}");
    }
}

#[test]
fn two_commands_cannot_change_the_rules_at_the_same_time() {
    let (folder, path) = file("rules.toml", ROTATED);
    let rules = path.to_str().unwrap();
    let replacement = folder.path().join("rules.toml.new");
    std::fs::write(&replacement, "").unwrap();
    for arguments in [
        ["token", "new", "new", rules],
        ["token", "rotate", "ci", rules],
        ["token", "retire", "ci", rules],
    ] {
        let said = signpost(&arguments);
        assert_eq!((said.out.as_str(), said.code), ("", 1), "{said:?}");
        assert!(
            said.notes
                .contains("rules.toml.new: another command is changing the rules"),
            "{said:?}"
        );
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), ROTATED);
    assert!(replacement.exists());
}
