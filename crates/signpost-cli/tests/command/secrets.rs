//! `token new` and `key new`: scripts can capture the secret, and the rules accept the printed table.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use signpost::auth::TokenDigest;
use signpost::policy::Policy;

use crate::support::{CommandOutput, signpost};

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
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_signpost"));
    let output = command.args(["token", "new", "ci"]).stdout(full).output().unwrap();
    let notes = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{notes}");
    assert!(
        notes.starts_with("error: failed to write to standard output: ") && !notes.contains("[[token]]"),
        "{notes}"
    );
}
