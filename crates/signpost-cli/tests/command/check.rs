//! `rules check`: valid rules are counted, and errors are reported with their location.

use crate::support::{RULES, file, signpost, signpost_reading};

#[test]
fn valid_rules_are_counted() {
    let (_folder, path) = file("rules.toml", RULES);
    for (said, counted) in [
        (
            signpost(&["rules", "check", path.to_str().unwrap()]),
            "5 rules, 1 token, 1 issuer",
        ),
        (
            signpost_reading(RULES, &["rules", "check", "-"]),
            "5 rules, 1 token, 1 issuer",
        ),
    ] {
        assert!(said.out.starts_with(&format!("ok: {counted}\n")), "{said:?}");
        assert_eq!((said.notes, said.code), (String::new(), 0));
    }
    let empty = signpost_reading("version = 1", &["rules", "check", "-"]);
    let expected = "ok: 0 rules, 0 tokens, 0 issuers\n".to_owned();
    assert_eq!((empty.out, empty.notes, empty.code), (expected, String::new(), 0));
}

#[test]
fn the_size_of_each_session_policy_is_shown() {
    let rule = |id: &str, effect: &str, on: &str| {
        format!(
            "[[rule]]\nid = \"{id}\"\neffect = \"{effect}\"\nwho = [\"authenticated\"]\ncan = [\"read\"]\non = [{on}]\n"
        )
    };
    let many: Vec<_> = (0..40).map(|number| format!("\"{number:040}/**\"")).collect();
    let rules = [
        "version = 1\n".to_owned(),
        rule("one", "allow", "\"users/{user_id}/**\""),
        rule("many", "allow", &many.join(",")),
        rule("closed", "deny", "\"archive/**\""),
    ]
    .concat();
    let said = signpost_reading(&rules, &["rules", "check", "-"]);
    let lines: Vec<_> = said.out.lines().skip(1).collect();
    assert_eq!(lines[0], "session policies in mode scoped, of at most 2048 characters:");
    // The bucket has the longest name, 63 characters.
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::{}/users/{}/*"]}}]}}"#,
        "b".repeat(63),
        "0".repeat(32)
    );
    assert_eq!(
        lines[1],
        format!("  one: about {} ({} %)", policy.len(), policy.len() * 100 / 2048)
    );
    assert!(
        lines[2].starts_with("  many: about ") && lines[2].ends_with(" %, too long)"),
        "{said:?}"
    );
    assert_eq!((lines.len(), said.code), (3, 0), "a deny rule requires no session");
}

#[test]
fn rules_that_require_the_id_table_are_reported() {
    let rules = "version = 1\n[[rule]]\nid = \"r\"\nwho = [\"anyone\"]\ncan = [\"read\"]\non = [\"a/**\"]\n\
                 rewrite = \"objects/{id}\"\n";
    let said = signpost_reading(rules, &["rules", "check", "-"]);
    let expected = "ok: 1 rule, 0 tokens, 0 issuers; these rules require the setting SIGNPOST_TABLE (the id table)\n";
    assert!(said.out.starts_with(expected) && said.code == 0, "{said:?}");
}

#[test]
fn invalid_rules_are_reported_with_their_location() {
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
fn an_unreadable_file_is_reported_by_name() {
    let said = signpost(&["rules", "check", "no/such/file"]);
    assert_eq!((said.out.as_str(), said.code), ("", 1));
    assert!(
        said.notes
            .starts_with("error: failed to read no/such/file: No such file"),
        "{said:?}"
    );
}

#[test]
fn rules_that_may_be_mistakes_are_reported_as_warnings() {
    let rule = |id: &str, effect: &str, can: &str, on: &str, more: &str| {
        format!(
            "[[rule]]\nid = \"{id}\"\neffect = \"{effect}\"\nwho = [\"anyone\"]\ncan = [\"{can}\"]\non = [\"{on}\"]\n{more}\n"
        )
    };
    let rules = [
        "version = 1\n".to_owned(),
        rule("drop", "allow", "write", "drop/**", "allow_anonymous_write = true"),
        rule("all", "allow", "read", "**", ""),
        rule("late", "allow", "read", "a/**", ""),
        rule("store", "allow", "read", "docs/**", "rewrite = \"s/{id}\""),
        rule("far", "deny", "delete", "b/**", ""),
        rule(
            "direct",
            "allow",
            "write",
            "x/**",
            "rewrite = \"s/{rest}\"\nallow_anonymous_write = true",
        ),
    ];
    let said = signpost_reading(&rules.concat(), &["rules", "check", "-"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.starts_with("ok: 6 rules"), "{said:?}");
    let warnings: Vec<_> = said.notes.lines().collect();
    for (warning, expected) in warnings.iter().zip([
        "warning: rule \"drop\": anyone can change objects",
        "warning: rule \"late\": never decides",
        "warning: rule \"store\": never decides",
        "warning: rule \"far\": has no effect",
        "warning: rule \"direct\": anyone can change objects",
    ]) {
        assert!(warning.starts_with(expected), "{warning}");
    }
    assert_eq!(warnings.len(), 5, "{said:?}");
}

#[test]
fn a_rule_that_several_rules_shadow_together_is_reported() {
    let rule = |id: &str, who: &str, on: &str| {
        format!("[[rule]]\nid = \"{id}\"\nwho = [\"{who}\"]\ncan = [\"read\"]\non = [\"{on}\"]\n")
    };
    let tokens = "version = 1\n[[token]]\nid = \"ci\"\n\
                  sha256 = \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"\ngroups = [\"g\"]\n";
    for (rules, expected) in [
        (
            [rule("ci", "token:ci", "a/**"), rule("late", "group:g", "a/x/**")],
            "warning: rule \"late\": never decides, because these rules decide about all its requests: \"ci\"\n",
        ),
        (
            [rule("ci", "token:ci", "a/**"), rule("nobody", "group:h", "a/x/**")],
            "warning: rule \"nobody\": never decides, because it matches no request\n",
        ),
        ([rule("ci", "token:ci", "a/x/**"), rule("late", "group:g", "a/**")], ""),
    ] {
        let said = signpost_reading(&format!("{tokens}{}", rules.concat()), &["rules", "check", "-"]);
        assert_eq!((said.notes.as_str(), said.code), (expected, 0), "{rules:?}");
    }
}

#[test]
fn mounts_are_counted_with_the_settings_that_they_require() {
    let rules = "version = 1\n[[mount]]\nat = \"a/\"\nbucket = \"bucket-a\"\ncredentials = \"R2\"\n[[mount]]\nat = \"b/\"\nbucket = \
                 \"bucket-b\"\nsign_as = \"arn:aws:iam::123456789012:role/b\"\n[[mount]]\nat = \"c/\"\nbucket = \"bucket-a\"\n\
                 credentials = \"A1\"\n";
    let said = signpost_reading(rules, &["rules", "check", "-"]);
    let expected = "ok: 0 rules, 0 tokens, 0 issuers, 3 mounts; the mounts require the settings SIGNPOST_CREDENTIALS_A1, \
                    SIGNPOST_CREDENTIALS_R2\n";
    assert_eq!((said.out.as_str(), said.code), (expected, 0));
    assert!(
        said.notes
            .contains("mounts \"a/\" and \"c/\": may contain some of the same objects"),
        "{said:?}"
    );
    let twice = format!("{rules}[[mount]]\nat = \"a/\"\nbucket = \"bucket-d\"\n");
    let said = signpost_reading(&twice, &["rules", "check", "-"]);
    assert!(
        said.code == 1 && said.notes.contains("line 14, mount \"a/\": at: line 2"),
        "{said:?}"
    );
}
