//! `rules explain`: the decision, the constraints, and the rules that almost match.

use serde_json::{Value, json};

use crate::support::{RULES, explain, signpost_reading};

#[test]
fn the_deciding_rule_is_named() {
    let github = "--as issuer:github/repo:a --claim repository_id=7 --claim";
    for (arguments, verdict) in [
        ("--as anyone GET public/a".to_owned(), "allowed by rule \"public\""),
        ("--as anyone HEAD public/a".into(), "allowed by rule \"public\""),
        ("--as token:ci PUT releases/1".into(), "allowed by rule \"deploy\""),
        ("--as token:ci PUT releases/old/1".into(), "denied by rule \"worm\""),
        (
            "--as token:ci DELETE releases/1".into(),
            "rejected: no rule allows this caller to delete this key",
        ),
        (
            "--as anyone PUT releases/1".into(),
            "rejected: this request requires a credential",
        ),
        (
            "--as anyone GET public/../a".into(),
            "rejected: the object key has a segment that is `.` or `..`",
        ),
        (
            format!("{github} ref=refs/heads/main PUT artifacts/7/a"),
            "allowed by rule \"main\"",
        ),
        (
            format!("{github} ref=refs/heads/main PUT artifacts/8/a"),
            "rejected: no rule",
        ),
        (
            format!("{github} ref=refs/heads/dev PUT artifacts/7/a"),
            "rejected: no rule",
        ),
        (format!("{github} team=blue LIST blue/"), "allowed by rule \"blue\""),
        (
            "--as issuer:github/a --group blue LIST blue/".into(),
            "allowed by rule \"blue\"",
        ),
    ] {
        let said = explain(&arguments);
        assert_eq!((said.code, said.notes.as_str()), (0, ""), "{arguments}");
        let second = said.out.lines().nth(1).unwrap();
        assert!(second.starts_with(verdict), "{arguments}\n{}", said.out);
    }
}

#[test]
fn upload_options_are_checked_against_the_constraints() {
    for (arguments, verdict) in [
        ("--length 2147483648", "allowed"),
        (
            "--length 2147483649",
            "rejected by the constraints of rule \"deploy\": the upload has 2147483649 bytes",
        ),
        ("--content-type image/png", "allowed"),
        (
            "--content-type text/html",
            "rejected by the constraints of rule \"deploy\": the rule does not allow this media type",
        ),
    ] {
        let said = explain(&format!("--as token:ci PUT releases/1 {arguments}"));
        assert!(
            said.out.lines().nth(1).unwrap().starts_with(verdict),
            "{arguments}\n{}",
            said.out
        );
        assert_eq!(said.out.contains("lifetime"), verdict == "allowed", "{}", said.out);
    }
}

#[test]
fn an_allowed_request_is_explained_completely() {
    let expected = r#"PUT releases/1 as token:ci
allowed by rule "deploy"

caller:
  user_id 65575cb282e643d132d5b6516a6b67fd
  groups  deployers

lifetime of the URL:
  1m: set by the rule; at most 10m, which [defaults] allows. The URL expires earlier if the credentials that sign it expire.

constraints:
  max_bytes       2.0 GiB (2147483648 bytes); the upload must declare its length
  overwrite       false: S3 rejects the upload (412) if the object exists
  content_types   one of application/zip, image/*
  metadata        team = "blue"
  client_may_set  the client may set x-amz-tagging
"#;
    assert_eq!(explain("--as token:ci PUT releases/1").out, expected);
}

#[test]
fn other_matching_rules_and_near_misses_are_listed() {
    let said = explain("--as token:ci GET public/a");
    assert!(
        said.out
            .contains("other matching rules:\n  deploy  allows the request, but another rule decides\n"),
        "{}",
        said.out
    );
    for (arguments, near) in [
        ("--as token:ci DELETE releases/1", "  deploy  can: read, write\n"),
        ("--as token:ci PUT other/1", "  deploy  on: releases/**, public/**\n"),
        ("--as anyone PUT releases/1", "  deploy  who: group:deployers\n"),
        (
            "--as issuer:github/a --claim repository_id=7 PUT artifacts/7/a",
            "  main  if: ref = [\"refs/heads/main\"], but the caller has no such claim\n",
        ),
        (
            "--as issuer:github/a --claim repository_id=7 --claim ref=refs/heads/dev PUT artifacts/7/a",
            "  main  if: ref = [\"refs/heads/main\"], but the caller has \"refs/heads/dev\"\n",
        ),
    ] {
        let said = explain(arguments);
        assert!(
            said.out
                .ends_with(&format!("rules that match except for one field:\n{near}")),
            "{}",
            said.out
        );
    }
    assert!(
        !explain("--as issuer:github/a PUT releases/old/1")
            .out
            .contains("rules that match except")
    );
}

#[test]
fn a_leading_slash_is_explained_in_a_note() {
    assert!(
        explain("--as anyone GET /public/a")
            .out
            .contains("the URL path /public/a names the key \"public/a\"")
    );
    assert!(!explain("--as anyone GET public/a").out.contains("note"));
}

#[test]
fn json_contains_the_same_explanation() {
    let parsed = |arguments: &str| -> Value { serde_json::from_str(&explain(arguments).out).unwrap() };
    let expected = json!({
        "request": "PUT releases/1 as token:ci",
        "caller": { "user_id": "65575cb282e643d132d5b6516a6b67fd", "groups": ["deployers"] },
        "decision": "allow",
        "rule": "deploy",
        "rejection": null,
        "lifetime": { "seconds": 60, "set_by": "rule", "ceiling_seconds": 600, "ceiling_set_by": "defaults" },
        "constraints": {
            "max_bytes": 2_147_483_648_u64,
            "overwrite": false,
            "content_types": ["application/zip", "image/*"],
            "metadata": { "team": "blue" },
            "client_may_set": ["x-amz-tagging"],
        },
        "other_matching_rules": [],
        "near_misses": [],
    });
    assert_eq!(parsed("--as token:ci PUT releases/1 --json"), expected);

    let refused = parsed("--as token:ci DELETE releases/1 --json");
    assert_eq!(refused["decision"], "reject");
    assert_eq!(refused["rejection"]["code"], "AccessDenied");
    let near = json!([{ "rule": "deploy", "field": "can", "values": ["read", "write"] }]);
    assert_eq!(refused["near_misses"], near);
    assert_eq!(parsed("--as token:ci PUT releases/old/1 --json")["decision"], "deny");
}

#[test]
fn invalid_arguments_are_usage_errors() {
    for (arguments, problem) in [
        ("--as nobody GET a", "use anyone, token:ID or issuer:NAME/SUBJECT"),
        (
            "--as issuer:github GET a",
            "use anyone, token:ID or issuer:NAME/SUBJECT",
        ),
        ("--as token:ci POST a", "use GET, HEAD, PUT, DELETE or LIST"),
        ("GET a", "--as <WHO>"),
        ("--as token:ci --group x GET a", "require issuer:NAME/SUBJECT"),
        ("--as anyone --claim a=b GET a", "require issuer:NAME/SUBJECT"),
        ("--as issuer:github/a --claim a GET a", "is not NAME=VALUE"),
        ("--as token:ci --length 1 GET a", "only an upload"),
        ("--as anyone LIST blue", "is not a prefix"),
    ] {
        let said = explain(arguments);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{arguments}");
        assert!(
            said.notes.starts_with("error: ") && said.notes.contains(problem),
            "{arguments}\n{}",
            said.notes
        );
        assert!(!said.notes.contains('\x1b'), "{}", said.notes);
    }
}

#[test]
fn an_unknown_caller_is_an_error() {
    for (who, problem) in [
        ("token:x", "the rules have no [[token]] with id \"x\""),
        ("issuer:x/a", "the rules have no [[issuer]] with name \"x\""),
    ] {
        let said = explain(&format!("--as {who} GET a"));
        assert_eq!((said.code, said.out.as_str()), (1, ""));
        assert_eq!(said.notes, format!("error: standard input: {problem}\n"));
    }
}

#[test]
fn the_storage_key_is_shown_if_the_rule_rewrites_the_key() {
    let rules = RULES.replace(
        "on = [\"blue/**\"]",
        "on = [\"blue/**\"]\nrewrite = \"teams/{user_id}/{rest}\"",
    );
    let rules = rules.replace("can = [\"list\"]", "can = [\"read\"]");
    let asked = [
        "rules",
        "explain",
        "-",
        "--as",
        "issuer:github/a",
        "--group",
        "blue",
        "GET",
    ];
    let said = |key: &str, json: bool| {
        let more = if json { vec![key, "--json"] } else { vec![key] };
        let said = signpost_reading(&rules, &[&asked[..], &more[..]].concat());
        assert_eq!((said.code, said.notes.as_str()), (0, ""));
        said.out
    };
    let told: Value = serde_json::from_str(&said("blue/a/b", true)).unwrap();
    let user_id = told["caller"]["user_id"].as_str().unwrap();
    assert_eq!(told["storage_key"], format!("teams/{user_id}/a/b"));
    let text = said("blue/a/b", false);
    assert!(
        text.contains(&format!("\nstorage key:\n  teams/{user_id}/a/b\n")),
        "{text}"
    );
    assert!(!said("public/a", false).contains("storage key"));
}

#[test]
fn a_storage_key_with_a_generated_id_is_shown_with_a_placeholder() {
    let rules = "version = 1\n[[rule]]\nid = \"r\"\nwho = [\"anyone\"]\ncan = [\"read\"]\non = [\"docs/**\"]\n\
                 rewrite = \"objects/{id}\"\n";
    let asked = ["rules", "explain", "-", "--as", "anyone", "GET", "docs/a"];
    let text = signpost_reading(rules, &asked).out;
    assert!(text.contains("\nstorage key:\n  objects/{id}\n"), "{text}");
    let said = signpost_reading(rules, &[&asked[..], &["--json"]].concat());
    let told: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (&told["rule"], &told["storage_key"]),
        (&"r".into(), &"objects/{id}".into())
    );
}

/// The output of `rules explain` for this request under these rules.
fn said_under(rules: &str, arguments: &[&str]) -> String {
    let rules = format!("version = 1\n{rules}");
    let said = signpost_reading(&rules, &[&["rules", "explain", "-", "--as"], arguments].concat());
    assert_eq!((said.code, said.notes.as_str()), (0, ""), "{arguments:?}");
    said.out
}

#[test]
fn anonymous_callers_are_rejected_if_a_gateway_verifies_callers() {
    let rules = "[[issuer]]\nname = \"g\"\niss = \"https://g\"\nvia = \"gateway\"\n\
                 [[rule]]\nid = \"pub\"\nwho = [\"anyone\"]\ncan = [\"read\"]\non = [\"pub/**\"]\n";
    let said = said_under(rules, &["anyone", "GET", "pub/x"]);
    assert!(
        said.contains("\nrejected: the gateway did not verify a credential"),
        "{said}"
    );
    let said = said_under(rules, &["issuer:g/a", "GET", "pub/x"]);
    assert!(said.contains("\nallowed by rule \"pub\"\n"), "{said}");
}

#[test]
fn listings_are_decided_as_in_the_service() {
    const DENIED: &str =
        "[[rule]]\nid = \"none\"\neffect = \"deny\"\nwho = [\"anyone\"]\ncan = [\"list\"]\non = [\"a/b/no/**\"]\n";
    let rules =
        |on: &str| format!("[[rule]]\nid = \"some\"\nwho = [\"anyone\"]\ncan = [\"list\"]\non = [{on:?}]\n") + DENIED;
    for (on, prefix, verdict) in [
        ("docs/", "docs/", "rejected: no rule allows this caller to list"),
        (
            "a/b/**",
            "a/",
            "allowed, but the response contains only the folders that lead to prefixes the caller may list: a/b/",
        ),
        (
            "a/b/**",
            "",
            "allowed, but the response contains only the folders that lead to prefixes the caller may list: a/",
        ),
        ("a/b/**", "a/b/", "allowed by rule \"some\""),
        ("a/b/**", "a/b/c/", "allowed by rule \"some\""),
        ("a/b/**", "a/b/no/c/", "denied by rule \"none\""),
        ("a/b/**", "c/", "rejected: no rule allows this caller to list"),
        ("a/b/**", "a/../", "rejected: the object key has a segment"),
        ("**", "", "allowed by rule \"some\""),
    ] {
        let said = said_under(&rules(on), &["anyone", "LIST", prefix]);
        assert!(
            said.lines().nth(1).unwrap().starts_with(verdict),
            "{on} {prefix}\n{said}"
        );
    }
    let told = said_under(&rules("a/b/**"), &["anyone", "LIST", "a/", "--json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        (&told["decision"], &told["folders"]),
        (&json!("allow"), &json!(["a/b/"]))
    );
    assert_eq!((&told["rule"], &told["near_misses"]), (&Value::Null, &json!([])));
    let said = said_under(&rules("docs/"), &["anyone", "LIST", "docs/"]);
    assert!(
        said.ends_with("rules that match except for one field:\n  some  on: docs/\n"),
        "{said}"
    );
}

/// Of several conditions, only those that fail are listed.
#[test]
fn the_conditions_of_if_that_fail_are_listed() {
    let rules = r#"version = 1
[[issuer]]
name = "idp"
iss = "https://idp.example.com"
aud = ["a"]
alg = ["RS256"]
[[rule]]
id = "three"
who = ["issuer:idp"]
if = { a = ["1"], b = ["2", "3"], c = ["4"] }
can = ["read"]
on = ["x/**"]
"#;
    for (claims, expected) in [
        (
            &["a=1", "b=9"][..],
            "  three  if: b = [\"2\", \"3\"], but the caller has \"9\"; c = [\"4\"], but the caller has no such claim\n",
        ),
        (
            &["a=1", "c=4"],
            "  three  if: b = [\"2\", \"3\"], but the caller has no such claim\n",
        ),
    ] {
        let mut arguments = vec!["rules", "explain", "-", "--as", "issuer:idp/u", "GET", "x/y"];
        arguments.extend(claims.iter().flat_map(|claim| ["--claim", *claim]));
        let said = signpost_reading(rules, &arguments);
        assert!(said.out.ends_with(expected), "{}", said.out);
    }
}

const MOUNTS: &str = r#"
version = 1
[[mount]]
at = "archive/"
bucket = "acme-archive"
prefix = "2024/"
[[rule]]
id = "in"
who = ["anyone"]
can = ["read"]
on = ["archive/in/**"]
rewrite = "stored/{rest}"
[[rule]]
id = "all"
who = ["anyone"]
can = ["read", "list"]
on = ["archive/**", "docs/**"]
"#;

#[test]
fn the_bucket_and_the_storage_key_of_a_mount_are_shown() {
    const ROOT: &str = "that of the setting SIGNPOST_BUCKET (no mount contains the key)";
    for (request, bucket, storage_key) in [
        ("GET archive/a", "acme-archive (mount \"archive/\")", Some("2024/a")),
        (
            "GET archive/in/a",
            "acme-archive (mount \"archive/\")",
            Some("2024/stored/a"),
        ),
        ("LIST archive/", "acme-archive (mount \"archive/\")", None),
        ("GET docs/a", ROOT, None),
        ("GET archive", ROOT, None),
    ] {
        let arguments = format!("rules explain - --as anyone {request}");
        let said = signpost_reading(MOUNTS, &arguments.split(' ').collect::<Vec<_>>());
        let section = |name: &str| {
            let start = said.out.find(&format!("\n{name}:\n  "))?;
            said.out[start..].lines().nth(2).map(str::trim)
        };
        assert_eq!(section("bucket"), Some(bucket), "{request}: {}", said.out);
        if storage_key.is_some() || bucket == ROOT {
            assert_eq!(section("storage key"), storage_key, "{request}: {}", said.out);
        }
    }
    let said = signpost_reading(
        MOUNTS,
        &["rules", "explain", "-", "--json", "--as", "anyone", "GET", "archive/a"],
    );
    let report: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        report["mount"],
        json!({"at": "archive/", "bucket": "acme-archive"}),
        "{report}"
    );
    assert_eq!(report["storage_key"], "2024/a");
}
