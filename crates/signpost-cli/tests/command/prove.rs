//! `rules prove`: statements, counterexamples and errors. A brute force over small universes has the same results.

#![expect(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "the rules of a test are text"
)]

mod brute_force;
mod random_rules;

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{RULES, file, signpost, signpost_reading};

fn prove(rules: &str, statement: &str) -> Value {
    let said = signpost_reading(rules, &["rules", "prove", "--json", "-", statement]);
    assert!(said.code < 2, "{statement}: {said:?}");
    serde_json::from_str(&said.out).unwrap()
}

#[test]
fn statements_about_all_requests_are_true_or_false() {
    for (statement, expected) in [
        ("anyone cannot write **", true),
        ("anyone cannot read **", false),
        ("anyone can read public/**", true),
        ("everyone can read public/**", true),
        ("everyone can read public", false),
        ("anyone cannot read public", true),
        ("nobody can write,delete releases/old/**", true),
        ("nobody can write releases/**", false),
        ("only group:deployers can write releases/**", true),
        ("only token:ci can write releases/**", true),
        ("only issuer:github can write releases/**", false),
        ("only token:ci or issuer:github can write **", true),
        ("only token:ci can write **", false),
        ("token:ci can write releases/**", false),
        ("token:ci can write releases/new/**", true),
        ("token:ci can read,write releases/new/x", true),
        ("token:ci cannot delete **", true),
        ("issuer:github can write artifacts/{repository_id}/**", false),
        (
            "issuer:github with ref=refs/heads/main can write artifacts/{repository_id}/**",
            true,
        ),
        (
            "issuer:github with ref=refs/heads/main with repository_id=7 can write artifacts/7/**",
            true,
        ),
        (
            "issuer:github with ref=refs/heads/main with repository_id=7 cannot write artifacts/8/**",
            true,
        ),
        ("issuer:github with repository_id=7 cannot write artifacts/7/**", false),
        ("issuer:github with ref=refs/heads/dev cannot write **", true),
        (
            "only issuer:github with ref=refs/heads/main can write artifacts/**",
            true,
        ),
        (
            "only issuer:github with ref=refs/heads/dev can write artifacts/**",
            false,
        ),
        ("user:github/repo:x cannot read releases/**", true),
        ("group:github/blue can list blue/**", true),
        ("authenticated cannot list blue/**", false),
        ("only group:github/blue can list **", true),
        ("link cannot write **", true),
        ("link cannot read **", false),
        ("no rule is shadowed", true),
    ] {
        let proof = prove(RULES, statement);
        assert_eq!(
            proof["results"][0]["result"],
            expected.to_string(),
            "{statement}\n{proof:#}"
        );
    }
}

#[test]
fn a_counterexample_is_a_request_that_explain_confirms() {
    let (_folder, path) = file("my rules.toml", RULES);
    let path = path.to_str().unwrap();
    let said = signpost(&[
        "rules",
        "prove",
        path,
        "anyone cannot write **",
        "only token:ci can write **",
    ]);
    let expected = format!(
        "true: anyone cannot write **\n\
         false: only token:ci can write **\n  \
         PUT artifacts/some-repository_id/file as issuer:github/someone\n  \
         allowed by rule \"main\"\n  \
         signpost rules explain '{path}' --as issuer:github/someone --claim ref=refs/heads/main --claim \
         repository_id=some-repository_id PUT -- artifacts/some-repository_id/file\n\
         1 true, 1 false ("
    );
    assert!(
        said.out.starts_with(&expected) && said.code == 1,
        "{said:?}\n{expected}"
    );
    let command = said
        .out
        .lines()
        .find_map(|line| line.trim().strip_prefix("signpost "))
        .unwrap();
    let arguments: Vec<_> = brute_force::words(command);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let explained = signpost(&arguments);
    assert!(explained.out.contains("\nallowed by rule \"main\"\n"), "{explained:?}");
}

#[test]
fn shadowed_rules_are_listed_with_the_rules_that_decide() {
    let rule = |id: &str, who: &str, on: &str| {
        format!("[[rule]]\nid = \"{id}\"\nwho = [\"{who}\"]\ncan = [\"read\"]\non = [{on}]\n")
    };
    let rules = [
        "version = 1\n".to_owned(),
        rule("a", "anyone", "\"a/**\""),
        rule("b", "anyone", "\"b\", \"b/**\""),
        rule("late", "authenticated", "\"a/x/**\", \"b/**\", \"b\""),
        rule("nobody", "group:x", "\"c\""),
    ]
    .concat();
    let said = signpost_reading(&rules, &["rules", "prove", "-", "no rule is shadowed"]);
    let expected = "false: no rule is shadowed\n  \
                    rule \"late\": never decides, because it matches no request\n  \
                    rule \"nobody\": never decides, because it matches no request\n";
    assert!(said.out.starts_with(expected), "{said:?}");
    let tokens =
        "[[token]]\nid = \"t\"\nsha256 = \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"\n";
    let rules = rules.replacen('\n', &format!("\n{tokens}"), 1);
    let said = signpost_reading(&rules, &["rules", "prove", "-", "no rule is shadowed"]);
    let expected = "  rule \"late\": never decides, because these rules decide about all its requests: \"a\", \"b\"\n";
    assert!(said.out.contains(expected), "{said:?}");
}

#[test]
fn a_deny_rule_for_another_key_of_the_object_is_a_counterexample() {
    let token = "version = 1\n[[token]]\nid = \"ci\"\n\
                 sha256 = \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"\n";
    let rule = |id: &str, on: &str, more: &str| {
        format!("[[rule]]\nid = {id:?}\nwho = [\"authenticated\"]\ncan = [\"read\"]\non = [{on:?}]\n{more}\n")
    };
    for (rewrite, denied, on, expected) in [
        // The storage key of the requested object.
        ("s/{rest}", "s/x", "docs/**", false),
        ("s/{rest}", "s/x", "docs/y/**", true),
        ("s/{key}", "s/docs/x", "docs/**", false),
        ("s/{key}", "s/x", "docs/**", true),
        ("s/{id}", "s/**", "docs/**", false),
        // The other public key of the requested object.
        ("s/{rest}", "docs/x", "s/**", false),
        ("s/{rest}", "docs/x", "s/x", false),
        ("s/{rest}", "docs/x", "s/y/**", true),
        ("s/{key}", "docs/x", "s/docs/**", false),
        ("s/{key}", "docs/x", "s/x/**", true),
        ("s/{user_id}/{rest}", "docs/x", "s/**", false),
        ("s/{user_id}/{rest}", "docs/x", "s/{user_id}/x", false),
        ("s/{user_id}/{rest}", "docs/x", "s/{user_id}/y", true),
    ] {
        let rules = [
            token.to_owned(),
            rule("docs", "docs/**", &format!("rewrite = {rewrite:?}")),
            rule("direct", "s/**", ""),
            rule("no", denied, "effect = \"deny\""),
        ];
        let proof = prove(&rules.concat(), &format!("token:ci can read {on}"));
        let result = &proof["results"][0]["result"];
        assert_eq!(result, &expected.to_string(), "{rewrite} {denied} {on}\n{proof:#}");
    }
}

#[test]
fn callers_with_and_without_plain_claims_are_examined() {
    let rules = |denied: &str| {
        format!(
            "version = 1\n[[issuer]]\nname = \"i\"\niss = \"i\"\nvia = \"gateway\"\n\
             [[rule]]\nid = \"all\"\nwho = [\"issuer:i\"]\ncan = [\"read\"]\non = [\"**\"]\n\
             [[rule]]\nid = \"no\"\neffect = \"deny\"\nwho = [\"issuer:i\"]\ncan = [\"read\"]\non = [\"{denied}\"]\n"
        )
    };
    for (denied, statement) in [
        // Only callers with a claim are allowed.
        ("{team}/**", "issuer:i cannot read **"),
        // Only callers whose subject is not plain are denied, or callers without the claim.
        ("vault/{sub}/x", "issuer:i can read vault/a/y"),
        ("vault/{team}/x", "issuer:i can read vault/a/y"),
    ] {
        let proof = prove(&rules(denied), statement);
        assert_eq!(proof["results"][0]["result"], "false", "{denied} {statement}");
    }
}

#[test]
fn a_deny_rule_that_decides_only_without_its_claims_is_not_shadowed() {
    let rules = "version = 1\n[[issuer]]\nname = \"i\"\niss = \"i\"\nvia = \"gateway\"\n\
                 [[rule]]\nid = \"a\"\neffect = \"deny\"\nwho = [\"issuer:i\"]\ncan = [\"read\"]\non = [\"a/**\"]\n\
                 [[rule]]\nid = \"b\"\neffect = \"deny\"\nwho = [\"issuer:i\"]\ncan = [\"read\"]\non = [\"{team}/x\"]\n\
                 if = { team = [\"a\"] }\n";
    assert_eq!(prove(rules, "no rule is shadowed")["results"][0]["result"], "true");
    let rules = rules.replace("on = [\"{team}/x\"]", "on = [\"a/{team}/x\"]");
    assert_eq!(prove(&rules, "no rule is shadowed")["results"][0]["result"], "false");
}

#[test]
fn an_invalid_statement_says_what_to_write() {
    for (statement, problem) in [
        ("", "write one of: `CALLERS can ACTIONS PATTERN`"),
        ("no rules are shadowed", "write one of"),
        ("ci can read **", "unknown caller \"ci\"; write token:ci: use anyone"),
        ("github can read **", "unknown caller \"github\"; write issuer:github"),
        (
            "deployers can read **",
            "unknown caller \"deployers\"; write group:deployers",
        ),
        (
            "alice can read **",
            "unknown caller \"alice\": use anyone, authenticated, everyone",
        ),
        ("token:x can read **", "the rules have no [[token]] with id \"x\""),
        ("issuer:x can read **", "the rules have no [[issuer]] with name \"x\""),
        ("user:x/a can read **", "the rules have no [[issuer]] with name \"x\""),
        ("user:github can read **", "unknown caller"),
        ("group:x can read **", "no [[token]] has the group \"x\""),
        ("group:x/y can read **", "the rules have no [[issuer]] with name \"x\""),
        (
            "anyone can change **",
            "unknown action \"change\": use read, write, delete and list",
        ),
        ("anyone can read, write **", "unknown action \"\""),
        ("anyone can read", "a statement ends with a pattern"),
        ("anyone can read /a", "pattern \"/a\": a pattern has no leading `/`"),
        ("anyone can read a*", "`*` is allowed only in a trailing `/**`"),
        ("anyone can list a", "the pattern must end in `**`, such as a/**"),
        ("only token:ci cannot read **", "write `only CALLERS can`"),
        ("nobody cannot read **", "write `everyone can"),
        ("link can read **", "`link cannot ACTIONS PATTERN`"),
        ("only link can read **", "unknown caller \"link\""),
        ("token:ci with a=b can read **", "only users of an issuer have claims"),
        ("issuer:github with a can read **", "\"a\" is not CLAIM=VALUE"),
        ("issuer:github with sub=a can read **", "write user:ISSUER/SUBJECT"),
    ] {
        let said = signpost_reading(RULES, &["rules", "prove", "-", statement]);
        assert_eq!((said.out.as_str(), said.code), ("", 2), "{statement}");
        let prefix = format!("error: statement {statement:?}: ");
        assert!(
            said.notes.starts_with(&prefix) && said.notes.contains(problem),
            "{said:?}"
        );
    }
    let said = signpost_reading(RULES, &["rules", "prove", "-"]);
    assert_eq!(said.code, 2, "{said:?}");
    let said = signpost_reading("version = 2", &["rules", "prove", "-", "anyone cannot read **"]);
    assert_eq!(said.code, 1, "{said:?}");
}

#[test]
fn too_many_combinations_of_claims_are_an_error_and_not_a_proof() {
    let values: Vec<_> = (0..20).map(|value| format!("{value}.5x")).collect();
    let conditions: Vec<_> = (0..4).map(|claim| format!("c{claim} = {values:?}")).collect();
    let rules = format!(
        "version = 1\n[[issuer]]\nname = \"i\"\niss = \"i\"\nvia = \"gateway\"\n\
         [[rule]]\nid = \"r\"\nwho = [\"issuer:i\"]\ncan = [\"read\"]\non = [\"a\"]\nif = {{ {} }}\n",
        conditions.join(", ")
    );
    let said = signpost_reading(&rules, &["rules", "prove", "-", "authenticated cannot read **"]);
    assert_eq!((said.out.as_str(), said.code), ("", 1), "{said:?}");
    assert!(said.notes.contains("too many combinations"), "{said:?}");
}

/// A rule for each of 100 projects, with patterns, claims, groups, denies and rewriting.
fn large_rules() -> String {
    let mut rules =
        "version = 1\n[[issuer]]\nname = \"idp\"\niss = \"i\"\nvia = \"gateway-lambda\"\ngroups = \"groups\"\n"
            .to_owned();
    for number in 0..20 {
        rules += &format!("[[token]]\nid = \"t{number}\"\nsha256 = \"{number:064}\"\ngroups = [\"g{number}\"]\n");
    }
    for number in 0..20 {
        let rule = |id: &str, more: &str| format!("[[rule]]\nid = \"{id}{number}\"\n{more}\n");
        rules += &rule(
            "a",
            &format!(
                "who = [\"group:g{number}\", \"group:idp/g{number}\"]\ncan = [\"read\", \"list\"]\non = [\"p{number}/**\"]"
            ),
        );
        rules += &rule(
            "b",
            &format!(
                "who = [\"issuer:idp\"]\nif = {{ project = [\"p{number}\", \"all\"], ref = [\"main\", \"dev\"] }}\ncan = [\"read\", \"write\"]\non = [\"p{number}/{{team}}/{{project}}/**\"]"
            ),
        );
        rules += &rule(
            "c",
            &format!(
                "who = [\"authenticated\"]\ncan = [\"read\"]\non = [\"docs{number}/**\"]\nrewrite = \"store/{number}/{{rest}}\""
            ),
        );
        rules += &rule(
            "d",
            &format!("effect = \"deny\"\nwho = [\"anyone\"]\ncan = [\"write\"]\non = [\"p{number}/red/**\"]"),
        );
        rules += &rule(
            "e",
            &format!(
                "effect = \"deny\"\nwho = [\"group:g{number}\", \"issuer:idp\"]\ncan = [\"read\", \"delete\"]\non = [\"docs{number}/secret/**\", \"store/{number}/x\"]"
            ),
        );
    }
    rules
}

#[test]
fn a_hundred_rules_take_less_than_a_second() {
    let rules = large_rules();
    for statement in [
        "anyone cannot read,write,delete,list **",
        "only issuer:idp can write **",
        "token:t3 can read docs3/**",
        "authenticated can read docs3/open/**",
        "authenticated can read docs3/**",
        "no rule is shadowed",
    ] {
        let started = Instant::now();
        let proof = prove(&rules, statement);
        let limit = Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 1 });
        println!("{statement}: {:?} {}", started.elapsed(), proof["examined"]);
        assert!(started.elapsed() < limit, "{statement}: {:?}", started.elapsed());
    }
}
