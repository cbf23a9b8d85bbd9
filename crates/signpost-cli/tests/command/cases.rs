//! `rules test`: expected decisions pass, and every other case is reported.

use crate::support::{CommandOutput, RULES, file, signpost_reading};

const CI: &str = "[[case]]\nas = \"token:ci\"\n";

fn test(cases: &str) -> CommandOutput {
    let (_folder, path) = file("cases.toml", cases);
    let mut said = signpost_reading(RULES, &["rules", "test", "-", path.to_str().unwrap()]);
    for text in [&mut said.out, &mut said.notes] {
        *text = text.replace(path.to_str().unwrap(), "cases.toml");
    }
    said
}

#[test]
fn expected_decisions_pass() {
    for lines in [
        "method = \"PUT\"\nkey = \"releases/1\"\nexpect = \"allow\"",
        "method = \"PUT\"\nkey = \"releases/1\"\nexpect = \"allow\"\nrule = \"deploy\"",
        "method = \"PUT\"\nkey = \"releases/1\"\nexpect = \"allow\"\nlength = 1\ncontent_type = \"image/png\"",
        "method = \"PUT\"\nkey = \"releases/1\"\nexpect = \"reject\"\nlength = 3000000000\nrule = \"deploy\"",
        "method = \"PUT\"\nkey = \"releases/old/1\"\nexpect = \"deny\"\nrule = \"worm\"",
        "method = \"PUT\"\nkey = \"releases/old/1\"\nexpect = \"reject\"",
        "method = \"DELETE\"\nkey = \"releases/1\"\nexpect = \"reject\"",
        "method = \"GET\"\nkey = \"public/../a\"\nexpect = \"reject\"",
    ] {
        let said = test(&format!("{CI}{lines}\n"));
        assert_eq!(
            (said.out.as_str(), said.code),
            ("1 passed, 0 failed\n", 0),
            "{lines}\n{said:?}"
        );
    }
}

#[test]
fn claims_and_groups_require_an_issuer() {
    let cases = "
[[case]]
as = \"issuer:github/repo:a\"
claims = { ref = \"refs/heads/main\", repository_id = \"7\" }
method = \"PUT\"
key = \"artifacts/7/a\"
expect = \"allow\"
rule = \"main\"

[[case]]
as = \"issuer:github/repo:a\"
groups = [\"blue\"]
method = \"LIST\"
key = \"blue/\"
expect = \"allow\"

[[case]]
as = \"anyone\"
groups = [\"blue\"]
method = \"LIST\"
key = \"blue/\"
expect = \"reject\"
";
    let said = test(cases);
    assert_eq!(said.code, 1);
    assert!(
        said.out
            .starts_with("cases.toml:17: LIST blue/ as anyone: claims and groups require"),
        "{said:?}"
    );
    assert!(said.out.ends_with("\n2 passed, 1 failed\n"), "{said:?}");
}

#[test]
fn each_failing_case_is_reported_with_its_line_and_decision() {
    let cases = "
[[case]]
as = \"token:ci\"
method = \"PUT\"
key = \"releases/1\"
expect = \"deny\"

[[case]]
as = \"token:ci\"
method = \"PUT\"
key = \"releases/1\"
expect = \"allow\"

[[case]]
as = \"token:ci\"
method = \"GET\"
key = \"public/1\"
expect = \"allow\"
rule = \"deploy\"

[[case]]
as = \"token:ci\"
method = \"DELETE\"
key = \"releases/1\"
expect = \"deny\"

[[case]]
as = \"token:gone\"
method = \"GET\"
key = \"a\"
expect = \"reject\"
";
    let expected = "\
cases.toml:2: PUT releases/1 as token:ci: expected deny, but it is allowed by rule \"deploy\"
cases.toml:14: GET public/1 as token:ci: expected allow by rule \"deploy\", but it is allowed by rule \"public\"
cases.toml:21: DELETE releases/1 as token:ci: expected deny, but it is rejected: no rule allows this caller to delete this key
cases.toml:27: GET a as token:gone: the rules have no [[token]] with id \"gone\"
1 passed, 4 failed
";
    let said = test(cases);
    assert_eq!((said.out.as_str(), said.notes.as_str(), said.code), (expected, "", 1));
}

#[test]
fn an_empty_or_invalid_case_file_is_rejected() {
    let whole = "method = \"GET\"\nkey = \"a\"\nexpect = \"allow\"\n";
    for (cases, problem) in [
        (String::new(), "missing field `case`"),
        ("case = []".into(), "the file has no [[case]]"),
        (format!("{CI}{whole}colour = 1\n"), "unknown field `colour`"),
        (format!("{CI}{whole}[[cases]]\n"), "unknown field `cases`"),
        (format!("{CI}method = \"GET\"\nkey = \"a\"\n"), "missing field `expect`"),
        (
            format!("{CI}method = \"GET\"\nkey = \"a\"\nexpect = \"maybe\"\n"),
            "unknown value `maybe`",
        ),
        (
            format!("{CI}method = \"get\"\nkey = \"a\"\nexpect = \"allow\"\n"),
            "unknown method",
        ),
        (format!("[[case]]\nas = \"me\"\n{whole}"), "unknown caller"),
    ] {
        let said = test(&cases);
        assert_eq!((said.out.as_str(), said.code), ("", 1), "{cases}\n{said:?}");
        assert!(
            said.notes.starts_with("error: cases.toml: ") && said.notes.contains(problem),
            "{said:?}"
        );
    }
}

#[test]
fn only_one_file_can_be_standard_input() {
    let said = signpost_reading(RULES, &["rules", "test", "-", "-"]);
    assert_eq!((said.out.as_str(), said.code), ("", 2), "{said:?}");
}
