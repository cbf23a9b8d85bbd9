//! Runs the command and captures its output.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A rules file with a rule of every kind.
pub(crate) const RULES: &str = r#"version = 1

[defaults]
expires = "10m"

[[issuer]]
name = "github"
iss = "https://token.actions.githubusercontent.com/acme"
aud = ["https://files.example.com"]
alg = ["RS256"]
groups = "team"

[[token]]
id = "ci"
sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
groups = ["deployers"]

[[rule]]
id = "public"
who = ["anyone"]
can = ["read"]
on = ["public/**"]

[[rule]]
id = "deploy"
who = ["group:deployers"]
can = ["read", "write"]
on = ["releases/**", "public/**"]
expires = "1m"
max_bytes = "2GiB"
content_types = ["application/zip", "image/*"]
metadata = { team = "blue" }
client_may_set = ["versionId", "x-amz-tagging"]

[[rule]]
id = "main"
who = ["issuer:github"]
if = { ref = ["refs/heads/main"] }
can = ["write"]
on = ["artifacts/{repository_id}/**"]

[[rule]]
id = "blue"
who = ["group:github/blue"]
can = ["list"]
on = ["blue/**"]

[[rule]]
id = "worm"
effect = "deny"
who = ["anyone"]
can = ["write", "delete"]
on = ["releases/old/**"]
"#;

/// The output of the command.
#[derive(Debug)]
pub(crate) struct CommandOutput {
    pub(crate) out: String,
    pub(crate) notes: String,
    pub(crate) code: i32,
}

pub(crate) fn signpost(arguments: &[&str]) -> CommandOutput {
    signpost_reading("", arguments)
}

pub(crate) fn signpost_reading(stdin: &str, arguments: &[&str]) -> CommandOutput {
    let mut child = Command::new(env!("CARGO_BIN_EXE_signpost"))
        .args(arguments)
        .env("CLICOLOR_FORCE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The command may have closed standard input, if it does not read it.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    CommandOutput {
        out: String::from_utf8(output.stdout).unwrap(),
        notes: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code().unwrap(),
    }
}

/// `signpost rules explain` on [`RULES`], with arguments separated by spaces.
pub(crate) fn explain(arguments: &str) -> CommandOutput {
    let arguments: Vec<_> = ["rules", "explain", "-"]
        .into_iter()
        .chain(arguments.split(' '))
        .collect();
    signpost_reading(RULES, &arguments)
}

/// A file in a temporary folder, which is deleted with the returned value.
pub(crate) fn file(name: &str, text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    (folder, path)
}
