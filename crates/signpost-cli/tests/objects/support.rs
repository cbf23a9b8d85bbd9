//! Starts the local server on a free port, runs the command against it, and stops both by their process ids.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::proxy::FaultProxy;

const LISTENING: &str = "signpost: listening on http://";

const SHARE_KEY: &str = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// A running local server, with a folder for the files of a test.
pub(crate) struct LocalServer {
    child: Child,
    address: String,
    folder: TempDir,
}

/// The output of the command.
#[derive(Debug)]
pub(crate) struct CommandOutput {
    pub(crate) out: Vec<u8>,
    pub(crate) notes: String,
    pub(crate) code: i32,
}

/// The output of an interrupted command. The code is `None` if a signal ended it.
#[derive(Debug)]
pub(crate) struct InterruptedRun {
    pub(crate) notes: String,
    pub(crate) code: Option<i32>,
}

/// A command and its standard input.
pub(crate) struct CommandRun(Command, Vec<u8>);

impl LocalServer {
    /// A server with rules that allow everyone everything except replacing an object.
    pub(crate) fn start() -> Self {
        Self::start_with(None)
    }

    pub(crate) fn start_with(rules: Option<&str>) -> Self {
        Self::start_as(rules, &[], &[])
    }

    /// A server that creates share links.
    pub(crate) fn start_sharing(rules: &str) -> Self {
        Self::start_as(Some(rules), &[("SIGNPOST_KEYS", SHARE_KEY)], &[])
    }

    /// A server that receives requests in the format of this front.
    pub(crate) fn start_behind(front: &str) -> Self {
        Self::start_as(None, &[], &["--front", front])
    }

    fn start_as(rules: Option<&str>, settings: &[(&str, &str)], arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(local());
        command
            .current_dir(folder.path())
            .args(["--listen", "127.0.0.1:0"])
            .args(arguments)
            .env_clear()
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        if let Some(rules) = rules {
            std::fs::write(folder.path().join("rules.toml"), rules).unwrap();
            command.args(["--rules", "rules.toml"]);
        }
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .find_map(|line| Some(line.unwrap().strip_prefix(LISTENING)?.to_owned()))
            .expect("the server prints its address");
        thread::spawn(move || lines.for_each(drop));
        Self { child, address, folder }
    }

    /// The URL of a path that starts with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The host and port of the service. S3 has another address.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// A path in the folder of the test.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Creates a file with these bytes.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The command, in the folder of the test, with an empty environment.
    pub(crate) fn signpost(&self, arguments: &[&str]) -> CommandRun {
        let mut command = Command::new(env!("CARGO_BIN_EXE_signpost"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("SIGNPOST_URL", self.url(""));
        CommandRun(command, Vec::new())
    }

    /// The command with this maximum number of file descriptors.
    pub(crate) fn limited(&self, descriptors: u32, arguments: &[&str]) -> CommandRun {
        self.in_shell(&format!("ulimit -n {descriptors}; exec \"$0\" \"$@\""), arguments)
    }

    /// A shell script, in which `"$0" "$@"` is the command.
    pub(crate) fn in_shell(&self, script: &str, arguments: &[&str]) -> CommandRun {
        let CommandRun(direct, input) = self.signpost(arguments);
        let mut command = Command::new("sh");
        command
            .args(["-c", script])
            .arg(direct.get_program())
            .args(direct.get_args())
            .current_dir(self.folder.path())
            .env_clear()
            .envs(direct.get_envs().filter_map(|(name, value)| Some((name, value?))));
        CommandRun(command, input)
    }

    /// The names of the stored transfer records.
    pub(crate) fn kept(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path(".local/state/signpost")) else {
            return Vec::new();
        };
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    /// Stores an object.
    pub(crate) fn holds(&self, key: &str, bytes: &[u8]) {
        self.signpost(&["put", "-", key]).reading(bytes).succeeds();
    }

    /// The bytes of an object.
    pub(crate) fn object(&self, key: &str) -> Vec<u8> {
        self.signpost(&["cat", key]).succeeds().out
    }
}

impl Drop for LocalServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl CommandRun {
    pub(crate) fn with(mut self, variable: &str, value: &str) -> Self {
        self.0.env(variable, value);
        self
    }

    pub(crate) fn without(mut self, variable: &str) -> Self {
        self.0.env_remove(variable);
        self
    }

    pub(crate) fn through(self, proxy: &FaultProxy) -> Self {
        self.with("http_proxy", &proxy.url())
    }

    pub(crate) fn reading(mut self, stdin: &[u8]) -> Self {
        stdin.clone_into(&mut self.1);
        self
    }

    pub(crate) fn said(mut self) -> CommandOutput {
        let mut child = self
            .0
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = self.1;
        // The command may have closed standard input, if it does not read it.
        let writing = thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writing.join().unwrap();
        CommandOutput {
            out: output.stdout,
            notes: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code().unwrap(),
        }
    }

    /// Runs the command until `enough` returns true, and then sends a signal to it.
    pub(crate) fn ended_by(mut self, signal: &str, enough: impl Fn() -> bool) -> InterruptedRun {
        let child = self
            .0
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        for _ in 0..600 {
            if enough() {
                break;
            }
            thread::sleep(Duration::from_millis(100));
        }
        assert!(enough(), "the command did not reach the expected state in time");
        // The command needs time to store its state.
        thread::sleep(Duration::from_millis(500));
        let id = child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", signal, &id])
                .status()
                .unwrap()
                .success()
        );
        let output = child.wait_with_output().unwrap();
        InterruptedRun {
            notes: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code(),
        }
    }

    /// Runs the command with this standard output.
    pub(crate) fn writing(mut self, stdout: Stdio) -> std::process::Output {
        let stdin = if self.1.is_empty() {
            Stdio::null()
        } else {
            Stdio::piped()
        };
        let mut child = self
            .0
            .stdin(stdin)
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(&self.1).unwrap();
        }
        child.wait_with_output().unwrap()
    }

    #[track_caller]
    pub(crate) fn succeeds(self) -> CommandOutput {
        let command = format!("{:?}", self.0);
        let said = self.said();
        assert_eq!(said.code, 0, "{command}\n{}", said.notes);
        said
    }

    /// Expects this exit code and this text on standard error.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, words: &str) -> CommandOutput {
        let command = format!("{:?}", self.0);
        let said = self.said();
        assert_eq!(said.code, code, "{command}\n{}", said.notes);
        assert!(
            said.notes.contains(words),
            "{command}\n{words:?} is not in\n{}",
            said.notes
        );
        said
    }
}

impl CommandOutput {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.out).unwrap()
    }

    /// The lines of JSON on standard output.
    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        let lines = self.text().lines();
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Compares two objects, and reports the first difference.
#[track_caller]
pub(crate) fn assert_same_bytes(actual: &[u8], expected: &[u8]) {
    let difference = actual.iter().zip(expected).position(|(left, right)| left != right);
    assert_eq!(
        (difference, actual.len()),
        (None, expected.len()),
        "offset of the first different byte, and length"
    );
}

/// Bytes in which compression or wrong offsets are always detected.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// The local server, which cargo builds as an example of this package, next to the command.
fn local() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_signpost")).with_file_name("examples/local")
}
