//! `--json`: each command prints only JSON to standard output, or rejects the option.

use clap::CommandFactory as _;
use signpost_cli::CommandOptions;

use crate::support::{CommandOutput, LocalServer};

const TOKEN: &str = "secret";
const RULES: &str = "version = 1
[[token]]
id = \"ci\"
sha256 = \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"
[[rule]]
id = \"all\"
who = [\"token:ci\"]
can = [\"read\", \"write\", \"delete\", \"list\"]
on = [\"**\"]
share = [\"read\"]
";

/// The commands with JSON, in an order in which all succeed, and the names of their JSON members.
const WITH_JSON: [(&[&str], &[&str]); 11] = [
    (&["put", "f", "k"], &["url", "bytes"]),
    (&["stat", "k"], &["url", "bytes"]),
    (&["ls"], &["url", "key"]),
    (&["get", "k", "-o", "copy"], &["url", "file"]),
    (&["share", "k"], &["url", "id"]),
    (&["uploads"], &[]),
    (&["whoami"], &["caller", "user_id"]),
    (&["doctor"], &["message", "status"]),
    (&["rm", "k"], &["url"]),
    (
        &["rules", "explain", "rules.toml", "--as", "anyone", "GET", "k"],
        &["decision"],
    ),
    (&["rules", "prove", "rules.toml", "anyone cannot read **"], &["results"]),
];

const WITHOUT_JSON: [&[&str]; 12] = [
    &["cat", "k"],
    &["lfs"],
    &["login", "https://h"],
    &["logout"],
    &["rules", "check", "rules.toml"],
    &["rules", "test", "rules.toml", "cases.toml"],
    &["token", "new", "x"],
    &["token", "rotate", "ci", "rules.toml"],
    &["token", "retire", "ci", "rules.toml"],
    &["key", "new"],
    &["completions", "bash"],
    &["man"],
];

fn server() -> LocalServer {
    LocalServer::start_sharing(RULES)
}

fn run(local: &LocalServer, arguments: &[&str]) -> CommandOutput {
    let arguments = [arguments, &["--json"]].concat();
    local.signpost(&arguments).with("SIGNPOST_TOKEN", TOKEN).said()
}

/// The words of each command that can be run.
fn all_commands(command: &clap::Command, words: &[String]) -> Vec<String> {
    if !command.has_subcommands() {
        return vec![words.join(" ")];
    }
    let below = |command: &clap::Command| {
        let words = [words, &[command.get_name().to_owned()]].concat();
        all_commands(command, &words)
    };
    command.get_subcommands().flat_map(below).collect()
}

#[test]
fn the_tables_contain_every_command() {
    let listed: Vec<_> = WITH_JSON.iter().map(|(words, _)| *words).chain(WITHOUT_JSON).collect();
    for command in all_commands(&CommandOptions::command(), &[]) {
        let words: Vec<_> = command.split(' ').collect();
        assert!(listed.iter().any(|listed| listed.starts_with(&words)), "{command}");
    }
}

#[test]
fn results_are_json() {
    let local = server();
    local.file("f", b"content");
    for (arguments, members) in WITH_JSON {
        let said = run(&local, arguments);
        assert_eq!(said.code, 0, "{said:?}");
        let values: Vec<serde_json::Value> = serde_json::Deserializer::from_slice(&said.out)
            .into_iter()
            .collect::<Result<_, _>>()
            .unwrap_or_else(|error| panic!("{arguments:?} {error} {said:?}"));
        assert_eq!(values.is_empty(), members.is_empty(), "{said:?}");
        for value in values {
            for member in members {
                assert!(value.get(member).is_some(), "{arguments:?} {member} {value}");
            }
        }
    }
}

#[test]
fn a_command_without_json_rejects_the_option_and_does_nothing() {
    let local = server();
    local.file("cases.toml", b"");
    for arguments in WITHOUT_JSON {
        let said = run(&local, arguments);
        assert_eq!((said.code, said.out.as_slice()), (2, &b""[..]), "{said:?}");
        assert!(said.notes.contains("unexpected argument '--json'"), "{said:?}");
    }
    assert_eq!(std::fs::read_to_string(local.path("rules.toml")).unwrap(), RULES);
}

/// Standard output would contain both the object and JSON.
#[test]
fn json_and_an_object_on_standard_output_are_rejected_together() {
    let local = server();
    std::os::unix::fs::symlink("/dev/stdout", local.path("link")).unwrap();
    for output in ["-", "/dev/stdout", "/dev/fd/1", "link"] {
        let said = run(&local, &["get", "k", "-o", output]);
        assert_eq!(said.code, 2, "{output} {said:?}");
        assert!(
            said.notes.contains("the object cannot be written there too"),
            "{said:?}"
        );
    }
}

#[test]
fn an_error_of_the_whole_command_is_json_too() {
    let local = server();
    local.file("invalid.toml", b"version = 2");
    let explain = ["rules", "explain", "invalid.toml", "--as", "anyone", "GET", "k"];
    let cases: [(&str, &[&str], i32); 8] = [
        ("get", &["get", "folder/"], 2),
        ("put", &["put", "f", "http://user:pw@127.0.0.1/a"], 2),
        ("rm", &["rm", "folder/"], 2),
        ("ls", &["ls", "http://127.0.0.1:1/", "http://127.0.0.2:1/"], 2),
        ("whoami", &["whoami", "--profile", "none"], 3),
        ("doctor", &["doctor", "--error", "none"], 1),
        ("rules explain", &explain, 1),
        ("rules prove", &["rules", "prove", "none", "anyone cannot read **"], 1),
    ];
    for (name, arguments, code) in cases {
        let said = run(&local, arguments);
        assert_eq!(said.code, code, "{said:?}");
        let [line] = &said.json()[..] else { panic!("{said:?}") };
        assert_eq!(
            (&line["command"], &line["status"]),
            (&name.into(), &"failed".into()),
            "{line}"
        );
        assert_eq!(line["exit_code"], code, "{line}");
        let detail = line["detail"].as_str().unwrap();
        assert!(said.notes.starts_with(&format!("error: {detail}")), "{said:?}");
    }
}

#[test]
fn an_anonymous_caller_has_no_user_id() {
    let local = server();
    let said = local.signpost(&["whoami", "--json"]).succeeds();
    let [line] = &said.json()[..] else { panic!("{said:?}") };
    assert_eq!(
        (&line["caller"], &line["user_id"]),
        (&"anyone".into(), &serde_json::Value::Null)
    );
    let explain = ["rules", "explain", "rules.toml", "--as", "anyone", "GET", "k", "--json"];
    let said: serde_json::Value = serde_json::from_slice(&local.signpost(&explain).succeeds().out).unwrap();
    assert_eq!(said["caller"]["user_id"], serde_json::Value::Null);
    let said = local.signpost(&["whoami"]).succeeds();
    assert!(!said.text().contains("user id"), "{said:?}");
}
