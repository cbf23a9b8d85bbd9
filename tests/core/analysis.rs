//! The findings about rules: anonymous writes, shadowed rules, deny rules without effect, and aliases.

use signpost::policy::Policy;

const TOKENS: &str = "version = 1\n\
    [[issuer]]\nname = \"idp\"\niss = \"i\"\nvia = \"gateway\"\ngroups = \"groups\"\n\
    [[token]]\nid = \"ci\"\nsha256 = \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"\n\
    groups = [\"deployers\"]\n\
    [[token]]\nid = \"ann\"\nsha256 = \"3bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"\n";

/// `ID who can on` and more fields.
fn rule(text: &str) -> String {
    let (fields, more) = text.split_once(';').unwrap_or((text, ""));
    let [id, who, can, on] = fields.split_whitespace().collect::<Vec<_>>()[..] else {
        panic!("{text}")
    };
    let list = |text: &str| {
        text.split('+')
            .map(|item| format!("{item:?}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let effect = if id.starts_with('!') { "deny" } else { "allow" };
    let id = id.trim_start_matches('!');
    format!(
        "[[rule]]\nid = \"{id}\"\neffect = \"{effect}\"\nwho = [{}]\ncan = [{}]\non = [{}]\n{more}\n",
        list(who),
        list(can),
        list(on)
    )
}

const MOUNT: &str = "[[mount]]\nat = \"a/\"\nbucket = \"bucket-a\"\n";

fn findings(rules: &[&str]) -> Vec<String> {
    findings_with("", rules)
}

/// The findings about a rules file with these tables in addition to the rules.
fn findings_with(tables: &str, rules: &[&str]) -> Vec<String> {
    let rules: String = rules.iter().map(|text| rule(text)).collect();
    let policy = Policy::parse(&format!("{TOKENS}{tables}{rules}")).unwrap();
    policy.findings().iter().map(ToString::to_string).collect()
}

/// Checks that the findings are one for each of these texts, in this order.
fn assert_findings(rules: &[&str], expected: &[&str]) {
    let found = findings(rules);
    let matches = found
        .iter()
        .zip(expected)
        .all(|(found, expected)| found.contains(expected));
    assert!(found.len() == expected.len() && matches, "{rules:?} {found:?}");
}

#[test]
fn anonymous_writes_are_found() {
    let drop = "drop anyone write drop/**;allow_anonymous_write = true";
    assert_findings(&[drop], &["rule \"drop\": anyone can change objects: drop/**"]);
    assert_findings(&["r anyone read a/**", "w authenticated write b/**"], &[]);
}

#[test]
fn shadowed_rules_are_found() {
    let shadowed = "\"late\": never decides";
    for (rules, expected) in [
        (vec!["early anyone read **", "late token:ci read a/**"], vec![shadowed]),
        (vec!["late token:ci read a/**", "early anyone read **"], vec![]),
        (vec!["early anyone read a/**", "late token:ci read a/**+b"], vec![]),
        (vec!["early anyone read a/**", "late token:ci read+list a/**"], vec![]),
        (
            vec!["early anyone read a/**", "b anyone read b", "late token:ci read a/**+b"],
            vec!["\"b\", \"early\""],
        ),
        (vec!["early authenticated read **", "late anyone read a"], vec![]),
        (
            vec!["early authenticated read **", "late token:ci read a"],
            vec![shadowed],
        ),
        (
            vec!["early authenticated read **", "late issuer:idp read a"],
            vec![shadowed],
        ),
        (
            vec!["early group:deployers read **", "late token:ci read a"],
            vec![shadowed],
        ),
        (vec!["early group:deployers read **", "late token:ann read a"], vec![]),
        (
            vec!["early issuer:idp read **", "late user:idp/x read a"],
            vec![shadowed],
        ),
        (
            vec!["early issuer:idp read **", "late group:idp/x read a"],
            vec![shadowed],
        ),
        (
            vec![
                "early issuer:idp read **;if = { x = [\"1\"] }",
                "late user:idp/x read a",
            ],
            vec![],
        ),
        (
            vec![
                "early issuer:idp read **;if = { x = [\"1\", \"2\"] }",
                "late user:idp/x read a;if = { x = [\"2\"], y = [\"3\"] }",
            ],
            vec![shadowed],
        ),
        (
            vec!["early issuer:idp read a/{team}/**", "late issuer:idp read a/{team}/b"],
            vec![shadowed],
        ),
        (
            vec!["early issuer:idp read a/{team}/**", "late issuer:idp read a/{other}/b"],
            vec![],
        ),
        (
            vec!["early issuer:idp read a/{team}/**", "late issuer:idp read a/red/b"],
            vec![],
        ),
        (vec!["early anyone read a/**", "late anyone read a"], vec![]),
        (vec!["early anyone read a", "late anyone read a/**"], vec![]),
        (
            vec![
                "early issuer:idp read a/**;rewrite = \"t/{team}/{rest}\"",
                "late issuer:idp read a/b",
            ],
            vec![],
        ),
        (
            vec!["late token:ci read a/**", "!no anyone read **"],
            vec!["\"late\": never decides"],
        ),
        (
            vec!["r anyone read **", "!a anyone read a/**", "!late token:ci read a/b"],
            vec![shadowed],
        ),
        (
            vec!["r anyone read **", "!late token:ci read a/b", "!a anyone read a/**"],
            vec![],
        ),
    ] {
        assert_findings(&rules, &expected);
    }
}

#[test]
fn deny_rules_without_effect_are_found() {
    let unreachable = "\"no\": has no effect";
    for (rules, expected) in [
        (vec!["r anyone read a/**", "!no anyone read b/**"], vec![unreachable]),
        (vec!["r anyone read a/**", "!no anyone write a/**"], vec![unreachable]),
        (
            vec!["r token:ci read a/**", "!no token:ann read a/b"],
            vec![unreachable],
        ),
        (
            vec!["r token:ci read a/**", "!no issuer:idp read a/b"],
            vec![unreachable],
        ),
        (vec!["r group:idp/x read a/**", "!no group:idp/y read a/b"], vec![]),
        (vec!["r group:idp/x read a/**", "!no user:idp/y read a/b"], vec![]),
        (vec!["r token:ci read a/**", "!no group:deployers read a/b"], vec![]),
        (
            vec!["r issuer:idp read a/**", "!no issuer:idp read a/{team}/**"],
            vec![],
        ),
        (
            vec!["r issuer:idp read a/red", "!no issuer:idp read a/{team}/**"],
            vec![],
        ),
        (vec!["r anyone read a/**", "!no anyone read a"], vec![unreachable]),
        (
            vec!["r anyone read a/**;rewrite = \"s/{rest}\"", "!no anyone read s/b"],
            vec![],
        ),
        (
            vec!["r anyone read a/**;rewrite = \"s/{rest}\"", "!no anyone read t/b"],
            vec![unreachable],
        ),
    ] {
        assert_findings(&rules, &expected);
    }
}

#[test]
fn aliases_of_denied_keys_are_found() {
    let store = "store token:ci read docs/**;rewrite = \"s/{rest}\"";
    let ids = "ids token:ci read docs/**;rewrite = \"s/{id}\"";
    for (rules, expected) in [
        (
            vec![store, "direct token:ann read s/**", "!no anyone read docs/x"],
            vec!["rule \"no\": also denies requests that rule \"direct\" allows, because rule \"store\""],
        ),
        (
            vec![
                store,
                "two token:ann read two/**;rewrite = \"s/{rest}\"",
                "!no anyone read docs/x",
            ],
            vec!["rule \"no\": also denies requests that rule \"two\" allows, because rule \"store\""],
        ),
        (
            vec![ids, "direct token:ann read s/**", "!no anyone read docs/x"],
            vec!["rule \"no\": does not apply to requests that rule \"direct\" allows, although rule \"ids\""],
        ),
        (
            vec![
                ids,
                "more token:ann read more/**;rewrite = \"s/{id}\"",
                "!no anyone read docs/x",
            ],
            vec![],
        ),
        (
            vec![ids, "direct token:ann read s/**", "!no anyone read docs/x+s/**"],
            vec!["\"direct\": never decides"],
        ),
        (
            vec![store, "direct token:ann read t/**", "!no anyone read docs/x"],
            vec![],
        ),
        (
            vec![store, "direct token:ann read s/**", "!no token:ci read docs/x"],
            vec![],
        ),
        (
            vec![store, "direct token:ann write s/**", "!no anyone read docs/x"],
            vec![],
        ),
        (
            vec![
                store,
                "two token:ann read two/**;rewrite = \"s/{rest}\"",
                "!no anyone read docs/x+s/y",
            ],
            vec![],
        ),
        (
            vec![
                "store token:ci read docs/**;rewrite = \"s/y/{rest}\"",
                "direct token:ann read {user_id}/x/**",
                "!no anyone read docs/x",
            ],
            vec![],
        ),
        (
            vec![
                "store token:ci read docs/**;rewrite = \"s/y/{rest}\"",
                "direct token:ann read {user_id}/y/**",
                "!no anyone read docs/x",
            ],
            vec!["rule \"no\": also denies requests that rule \"direct\" allows"],
        ),
        (
            vec![
                store,
                "direct token:ann read s/**",
                "open anyone read open/**",
                "!no anyone read open/x",
            ],
            vec![],
        ),
    ] {
        assert_findings(&rules, &expected);
    }
}

#[test]
fn aliases_in_a_mount_are_found() {
    for (direct, expected) in [
        ("direct token:ann read a/s/**", 1),
        ("direct token:ann read a/t/**", 0),
        ("direct token:ann read s/**", 0),
    ] {
        let store = "store token:ci read a/**;rewrite = \"s/{rest}\"";
        let found = findings_with(MOUNT, &[store, direct, "!no anyone read a/docs/x"]);
        let aliases = found
            .iter()
            .filter(|finding| finding.contains("also denies requests that rule \"direct\" allows"));
        assert_eq!(aliases.count(), expected, "{direct} {found:?}");
    }
}

#[test]
fn values_with_an_asterisk_are_found() {
    let wildcard = |field: &str, value: &str| format!("rule \"r\": {field}: {value:?} contains `*`");
    for (rules, expected) in [
        (
            vec!["r issuer:idp read a/**;if = { ref = [\"refs/tags/*\", \"main\"] }"],
            vec![wildcard("if", "refs/tags/*")],
        ),
        (
            vec!["r user:idp/repo:acme/* read a/**"],
            vec![wildcard("who", "repo:acme/*")],
        ),
        (
            vec!["r group:idp/team-* read a/**"],
            vec![wildcard("who", "idp/team-*")],
        ),
        (vec!["r issuer:idp read a/**;if = { ref = [\"refs/tags/v1\"] }"], vec![]),
        (vec!["r token:ci write a/**;content_types = [\"image/*\"]"], vec![]),
    ] {
        let expected: Vec<_> = expected.iter().map(String::as_str).collect();
        assert_findings(&rules, &expected);
    }
}

#[test]
fn mounts_of_one_bucket_are_found_only_if_they_can_share_objects() {
    for (prefixes, expected) in [
        (["one/", "two/"], 0),
        (["one/", "one/in/"], 1),
        (["one/in/", "one/"], 1),
        (["one/", "one/"], 1),
        (["", "one/"], 1),
    ] {
        let mount = |at: &str, prefix: &str| {
            format!("[[mount]]\nat = {at:?}\nbucket = \"shared\"\nprefix = {prefix:?}\nregion = \"eu-west-1\"\n")
        };
        let [first, second] = prefixes;
        let mounts = mount("a/", first) + &mount("b/", second);
        assert_eq!(findings_with(&mounts, &[]).len(), expected, "{prefixes:?}");
    }
}

#[test]
fn a_condition_shadows_only_rules_that_require_its_values() {
    let early = "early issuer:idp read **;if = { team = [\"a\", \"b\"] }";
    for (condition, is_shadowed) in [
        ("team = [\"a\"]", true),
        ("team = [\"a\", \"c\"]", false),
        ("other = [\"a\"]", false),
        ("other = [\"x\"], team = [\"b\"]", true),
    ] {
        let late = format!("late issuer:idp read a;if = {{ {condition} }}");
        let found = findings(&[early, &late]);
        assert_eq!(found.len(), usize::from(is_shadowed), "{condition} {found:?}");
    }
}

#[test]
fn a_deny_rule_is_without_effect_if_no_allowed_key_matches_it() {
    for (allowed, denied, has_effect) in [
        ("a/**", "a/**", true),
        ("a/**", "a/b/**", true),
        ("a/b/**", "a/**", true),
        ("a", "a/**", false),
        ("a/b", "a/**", true),
        ("a/**", "a", false),
        ("a/**", "a/b", true),
        ("a/b", "a", false),
        ("a", "a/b", false),
        ("a/b", "a/b", true),
        ("b/**", "a/**", false),
    ] {
        let allow = format!("open anyone read {allowed}");
        let deny = format!("!no anyone read {denied}");
        let found = findings(&["other anyone read z", &allow, &deny]);
        let is_reported = found.iter().any(|finding| finding.starts_with("rule \"no\""));
        assert_eq!(is_reported, !has_effect, "{allowed} {denied} {found:?}");
    }
}

#[test]
fn a_deny_rule_for_a_group_has_an_effect_only_on_its_tokens() {
    for (group, has_effect) in [("deployers", true), ("others", false)] {
        let deny = format!("!no group:{group} read a/**");
        let found = findings(&["open group:deployers read a/**", &deny]);
        let is_reported = found.iter().any(|finding| finding.starts_with("rule \"no\""));
        assert_eq!(is_reported, !has_effect, "{group} {found:?}");
    }
}

#[test]
fn a_pattern_that_is_the_folder_of_a_mount_names_no_object_in_it() {
    for (on, has_effect) in [("a", false), ("a/b", true), ("a/**", true)] {
        let store = format!("store anyone read {on};rewrite = \"s/{{key}}\"");
        let found = findings_with(MOUNT, &[&store, "!no anyone read a/s/**"]);
        let is_reported = found.iter().any(|finding| finding.contains("\"no\": has no effect"));
        assert_eq!(is_reported, !has_effect, "{on} {found:?}");
    }
}
