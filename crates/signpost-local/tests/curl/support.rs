//! Starts the server on free ports, sends requests with curl, and stops the server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::helpers::wait_until;

const LISTENING: &str = "signpost: listening on http://";

/// A running local server with its own directory.
pub(crate) struct LocalServer {
    child: Child,
    address: String,
    log: Arc<Mutex<String>>,
    folder: TempDir,
}

/// The result of a curl command.
#[derive(Debug)]
pub(crate) struct CurlResponse {
    /// The exit code.
    pub(crate) exit: i32,
    /// The status of the last response.
    pub(crate) status: u16,
    /// The bodies of all responses.
    pub(crate) body: Vec<u8>,
}

impl LocalServer {
    /// Starts a server with these options. Returns `None` and prints a message on a machine without curl.
    pub(crate) fn start(args: &[&str]) -> Option<Self> {
        Self::start_with(args, &[])
    }

    /// Starts a server with these options and environment variables.
    pub(crate) fn start_with(args: &[&str], env: &[(&str, &str)]) -> Option<Self> {
        if Command::new("curl").arg("--version").output().is_err() {
            eprintln!("SKIPPED: this test requires curl, which is not installed");
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

    /// Returns the URL of a path that begins with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns the address that the API listens on.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Returns the process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the output on standard error so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until standard error contains `text` and returns the output so far.
    pub(crate) fn log_with(&self, text: &str) -> String {
        wait_until(&format!("the log contains {text:?}"), || self.log().contains(text));
        self.log()
    }

    /// Returns true if the process still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Kills the process.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the end of the process and returns its exit code.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Creates a file with these bytes and returns its path.
    pub(crate) fn file(&self, bytes: &[u8]) -> String {
        let path = self.path("upload");
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Returns a path in the server's directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs curl on a path that begins with a slash.
    pub(crate) fn curl(&self, args: &[&str], path: &str) -> CurlResponse {
        curl(args, &self.url(path))
    }

    /// Uploads `bytes` with `curl -fL -T`.
    pub(crate) fn put(&self, path: &str, bytes: &[u8]) -> CurlResponse {
        self.curl(&["-fL", "-T", &self.file(bytes)], path)
    }

    /// Returns the presigned URL of an upload.
    pub(crate) fn signed_put(&self, path: &str) -> String {
        self.signed_put_at(&format!("{path}?"))
    }

    /// Returns the presigned URL of an upload to a path with parameters.
    pub(crate) fn signed_put_at(&self, path_and_query: &str) -> String {
        let response = self.curl(&["-f", "-X", "PUT"], &format!("{path_and_query}&url"));
        assert_eq!(response.status, 200, "{}", response.text());
        response.text().trim().to_owned()
    }

    /// Sends raw bytes on a new connection and returns the response.
    pub(crate) fn send_raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        // The server can reject the request and close the connection before it has read all bytes.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut response = Vec::new();
        let _ = stream.read_to_end(&mut response);
        response
    }
}

impl Drop for LocalServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl CurlResponse {
    /// Returns the bodies as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Returns a command that runs the server in `folder`, without the settings of the environment.
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

/// Runs curl. `-w` prints the status to standard error, so that standard output contains only the body.
pub(crate) fn curl(args: &[&str], url: &str) -> CurlResponse {
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
    let response = String::from_utf8_lossy(&stderr);
    let code = response
        .rsplit("status=")
        .next()
        .and_then(|code| code.trim().parse().ok());
    CurlResponse {
        exit: status.code().unwrap_or(-1),
        status: code.unwrap_or(0),
        body: stdout,
    }
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
