//! `rules check`: what the service would start with, and what would stop it.

use crate::support::{RULES, file, signpost, signpost_reading};

#[test]
fn good_rules_are_counted() {
    let (_folder, path) = file("rules.toml", RULES);
    for (said, counted) in [
        (
            signpost(&["rules", "check", path.to_str().unwrap()]),
            "5 rules, 1 tokens, 1 issuers",
        ),
        (
            signpost_reading(RULES, &["rules", "check", "-"]),
            "5 rules, 1 tokens, 1 issuers",
        ),
        (
            signpost_reading("version = 1", &["rules", "check", "-"]),
            "0 rules, 0 tokens, 0 issuers",
        ),
    ] {
        assert_eq!(
            (said.out, said.notes, said.code),
            (format!("ok: {counted}\n"), String::new(), 0)
        );
    }
}

#[test]
fn rules_that_need_a_table_say_so() {
    let rules = "version = 1\n[[rule]]\nid = \"r\"\nwho = [\"anyone\"]\ncan = [\"read\"]\non = [\"a/**\"]\n\
                 rewrite = \"objects/{id}\"\n";
    let said = signpost_reading(rules, &["rules", "check", "-"]);
    let expected = "ok: 1 rules, 0 tokens, 0 issuers; SIGNPOST_TABLE must name a table for the ids\n";
    assert_eq!((said.out.as_str(), said.code), (expected, 0));
}

#[test]
fn bad_rules_are_told_with_their_place() {
    let rule = "version = 1\n[[rule]]\nid = \"r\"\nwho = [\"anyone\"]\non = [\"**\"]\n";
    for (text, place, problem) in [
        ("", "standard input: ", "missing field `version`"),
        ("version = 2", "standard input: ", "unknown version 2"),
        ("version = 1\ncolour = 1", "line 2, column 1", "unknown field `colour`"),
        (
            &format!("{rule}can = [\"write\"]"),
            "rule \"r\": ",
            "allow_anonymous_write",
        ),
        (
            &format!("{rule}can = [\"read\"]\nexpires = \"1h\""),
            "rule \"r\": ",
            "above the maximum of 15m",
        ),
        (
            "version = 1\n[[token]]\nid = \"t\"\nsha256 = \"secret\"",
            "token \"t\": ",
            "64 hexadecimal digits",
        ),
    ] {
        let said = signpost_reading(text, &["rules", "check", "-"]);
        assert_eq!((said.out.as_str(), said.code), ("", 1), "{text}");
        assert!(said.notes.starts_with("error: standard input: "), "{said:?}");
        assert!(said.notes.contains(place) && said.notes.contains(problem), "{said:?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let said = signpost(&["rules", "check", "no/such/file"]);
    assert_eq!((said.out.as_str(), said.code), ("", 1));
    assert!(
        said.notes.starts_with("error: can't read no/such/file: No such file"),
        "{said:?}"
    );
}
