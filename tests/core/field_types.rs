//! Values of a wrong type in a rules file: the error names the line, and shows how to write the value.

use signpost::policy::Policy;

const HEAD: &str = r#"version = 1

[[issuer]]
name = "idp"
iss = "https://login.example.com"
aud = ["signpost"]
alg = ["RS256"]

[[rule]]
id = "first"
who = ["anyone"]
can = ["read"]
on = ["a/**"]

[[rule]]
id = "second"
"#;

const BODY: [(&str, &str); 3] = [("who", "[\"issuer:idp\"]"), ("can", "[\"read\"]"), ("on", "[\"b/**\"]")];

/// A rules file with `line` in the second rule, instead of the field of the same name.
fn rules_with(line: &str) -> String {
    let own = line.split([' ', '.']).next().unwrap();
    let body = BODY.iter().filter(|(name, _)| *name != own);
    let body: Vec<_> = body.map(|(name, value)| format!("{name} = {value}\n")).collect();
    let body = body.concat();
    format!("{HEAD}{line}\n{body}")
}

/// The line of the file that contains `text`, counted from one.
fn line_of(rules: &str, text: &str) -> usize {
    rules.lines().position(|line| line.contains(text)).unwrap() + 1
}

#[test]
fn a_value_of_a_wrong_type_is_reported_with_its_line_and_the_correct_form() {
    for (line, expected) in [
        (
            "if = { ref = \"refs/heads/main\" }",
            "write the value as a list: [\"refs/heads/main\"]",
        ),
        (
            "if.ref = \"refs/heads/main\"",
            "write the value as a list: [\"refs/heads/main\"]",
        ),
        (
            "if = { id = 987654 }",
            "write the value as a list of texts: [\"987654\"]",
        ),
        ("if = { id = [987654] }", "write the number as a text: \"987654\""),
        ("if = { ok = true }", "write the value as a list of texts: [\"true\"]"),
        ("if = { ok = [true] }", "write the value as a text: \"true\""),
        ("if = \"ref\"", "a table in braces, such as { name = … }"),
        ("who = \"issuer:idp\"", "write the value as a list: [\"issuer:idp\"]"),
        ("can = \"read\"", "write the value as a list: [\"read\"]"),
        ("can = [true]", "a name in quotation marks"),
        ("on = \"b/**\"", "write the value as a list: [\"b/**\"]"),
        ("on = { b = 1 }", "write a list of values in brackets"),
        ("on = 1.5", "expected a list in brackets"),
        ("expires = 300", "write the number as a text: \"300s\""),
        ("share_expires = 300", "write the number as a text: \"300s\""),
        ("expires = [\"5m\"]", "a text with a number and a unit, such as \"5m\""),
        (
            "max_bytes = true",
            "a number of bytes, or a text with a unit such as \"5GiB\"",
        ),
        ("max_bytes = -1", "a size cannot be negative"),
        ("max_bytes = 1.5", "a number of bytes, or a text with a unit"),
        ("max_bytes = \"5 apples\"", "\"5 apples\" is not a size"),
        ("overwrite = \"true\"", "true or false, without quotation marks"),
        ("overwrite = 1", "true or false, without quotation marks"),
        (
            "allow_anonymous_write = \"yes\"",
            "true or false, without quotation marks",
        ),
        ("disposition = true", "a name in quotation marks"),
        ("effect = false", "a name in quotation marks"),
        ("effect = \"maybe\"", "expected `allow` or `deny`"),
        ("metadata = { team = 5 }", "write the number as a text: \"5\""),
        ("metadata = \"team\"", "a table in braces"),
        (
            "content_types = \"image/png\"",
            "write the value as a list: [\"image/png\"]",
        ),
        (
            "client_may_set = \"versionId\"",
            "write the value as a list: [\"versionId\"]",
        ),
        ("share = \"read\"", "write the value as a list: [\"read\"]"),
        ("rewrite = 1", "write the number as a text: \"1\""),
        ("cache_control = 240", "write the number as a text: \"240\""),
    ] {
        let rules = rules_with(line);
        let error = Policy::parse(&rules).expect_err(line).to_string();
        assert!(error.contains(expected), "{line}\n{error}");
        let place = format!("at line {},", line_of(&rules, line));
        assert!(error.contains(&place), "{line}: not {place}\n{error}");
        assert!(
            !error.contains("untagged") && !error.contains("sequence, expected a seq"),
            "{error}"
        );
    }
}

/// The advice of an error, followed literally, is valid.
#[test]
fn the_form_that_an_error_shows_is_accepted() {
    for (line, corrected) in [
        ("if = { ref = \"x\" }", "if = { ref = [\"x\"] }"),
        ("if = { id = 987654 }", "if = { id = [\"987654\"] }"),
        ("if = { id = [987654] }", "if = { id = [\"987654\"] }"),
        ("expires = 300", "expires = \"300s\""),
        ("metadata = { team = 5 }", "metadata = { team = \"5\" }"),
        ("content_types = \"image/png\"", "content_types = [\"image/png\"]"),
        ("share = \"read\"", "share = [\"read\"]"),
    ] {
        assert!(Policy::parse(&rules_with(line)).is_err(), "{line}");
        Policy::parse(&rules_with(corrected)).expect(corrected);
    }
}

#[test]
fn a_heading_with_the_wrong_number_of_brackets_is_explained() {
    for (text, expected) in [
        ("[rule]\nid = \"r\"", "double brackets, such as [[rule]]"),
        ("[token]\nid = \"t\"", "double brackets"),
        ("[issuer]\nname = \"i\"", "double brackets"),
        (
            "[[defaults]]\nexpires = \"5m\"",
            "in single brackets, such as [defaults]",
        ),
        ("[[share]]\nrevoked = []", "in single brackets"),
        ("[[signer]]\nepoch = \"1\"", "in single brackets"),
    ] {
        let error = Policy::parse(&format!("version = 1\n{text}\n"))
            .expect_err(text)
            .to_string();
        assert!(
            error.contains(expected) && error.contains("at line 2,"),
            "{text}\n{error}"
        );
    }
}
