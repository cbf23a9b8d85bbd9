//! Starts the binary on free ports, drives it with curl, and ends it by its id.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

const LISTENING: &str = "signpost: listening on http://";

/// A running local server with a folder of its own.
pub(crate) struct Local {
    child: Child,
    address: String,
    log: Arc<Mutex<String>>,
    folder: TempDir,
}

/// What curl did.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its exit code.
    pub(crate) exit: i32,
    /// The status of the last answer.
    pub(crate) status: u16,
    /// The bodies.
    pub(crate) body: Vec<u8>,
}

impl Local {
    /// Starts one with these options; `None`, loudly, on a machine without curl.
    pub(crate) fn start(args: &[&str]) -> Option<Self> {
        Self::start_with(args, &[])
    }

    /// Starts one with these options and variables.
    pub(crate) fn start_with(args: &[&str], env: &[(&str, &str)]) -> Option<Self> {
        if Command::new("curl").arg("--version").output().is_err() {
            eprintln!("SKIPPED: this test drives curl, and there is none");
            return None;
        }
        let folder = TempDir::new().unwrap();
        let mut child = command(folder.path(), &[&["--listen", "127.0.0.1:0"], args].concat())
            .envs(env.iter().copied())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(String::new()));
        let address = read_address(&mut stderr, &log);
        let sink = Arc::clone(&log);
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                append(&sink, &line);
            }
        });
        Some(Self {
            child,
            address,
            log,
            folder,
        })
    }

    /// The URL of a path that begins with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Where the API listens.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The id of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to standard error.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// What it has written to standard error, once `text` is in it.
    pub(crate) fn log_with(&self, text: &str) -> String {
        wait_until(|| self.log().contains(text));
        self.log()
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Ends it where it stands.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// A file with these bytes.
    pub(crate) fn file(&self, bytes: &[u8]) -> String {
        let path = self.path("upload");
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs curl on a path that begins with a slash.
    pub(crate) fn curl(&self, args: &[&str], path: &str) -> Answer {
        curl(args, &self.url(path))
    }

    /// Stores `bytes` as `curl -fL -T` does.
    pub(crate) fn put(&self, path: &str, bytes: &[u8]) -> Answer {
        self.curl(&["-fL", "-T", &self.file(bytes)], path)
    }

    /// The signed URL for an upload without a body.
    pub(crate) fn signed_put(&self, path: &str) -> String {
        self.signed_put_at(&format!("{path}?"))
    }

    /// The same, for a path with parameters.
    pub(crate) fn signed_put_at(&self, path_and_query: &str) -> String {
        let answer = self.curl(&["-f", "-X", "PUT"], &format!("{path_and_query}&url"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text().trim().to_owned()
    }

    /// Sends raw bytes on a socket of its own and returns what comes back.
    pub(crate) fn send_raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        // The server may refuse and close before it has read all of it.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    /// The bodies as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// The binary in `folder`, untouched by the settings of whoever runs the tests.
pub(crate) fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signpost-local"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("SIGNPOST_") || name.starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Runs curl; `-w` tells the status on standard error, so that the body stays as it is.
pub(crate) fn curl(args: &[&str], url: &str) -> Answer {
    let Output { status, stdout, stderr } = Command::new("curl")
        .args([
            "-q",
            "-sS",
            "--noproxy",
            "*",
            "--max-time",
            "300",
            "-w",
            "%{stderr}status=%{http_code}\n",
        ])
        .args(args)
        .arg(url)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&stderr);
    let code = told.rsplit("status=").next().and_then(|code| code.trim().parse().ok());
    Answer {
        exit: status.code().unwrap_or(-1),
        status: code.unwrap_or(0),
        body: stdout,
    }
}

/// Waits for something that comes about soon.
pub(crate) fn wait_until(mut holds: impl FnMut() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("it never came about");
}

/// Bytes that do not repeat.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn read_address(stderr: &mut BufReader<ChildStderr>, log: &Mutex<String>) -> String {
    loop {
        let mut line = String::new();
        let read = stderr.read_line(&mut line).unwrap();
        append(log, line.trim_end());
        assert!(read > 0, "the server ended: {}", log.lock().unwrap());
        if let Some(address) = line.trim_end().strip_prefix(LISTENING) {
            return address.to_owned();
        }
    }
}

fn append(log: &Mutex<String>, line: &str) {
    let mut log = log.lock().unwrap();
    log.push_str(line);
    log.push('\n');
}
