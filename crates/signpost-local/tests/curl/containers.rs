//! The server in a container: its own address differs from the address that clients use, and there is no other program.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Output;
use std::thread;

use tempfile::TempDir;

use crate::support::{LocalServer, command, curl};

fn run(args: &[&str]) -> Output {
    let folder = TempDir::new().unwrap();
    let mut command = command(folder.path(), args);
    command.stdout(std::process::Stdio::piped());
    command.output().unwrap()
}

fn free_port() -> u16 {
    let probe = TcpListener::bind("127.0.0.1:0").unwrap();
    probe.local_addr().unwrap().port()
}

#[test]
fn presigned_urls_use_the_configured_origin_of_the_embedded_s3() {
    let port = free_port();
    let (listen, origin) = (format!("0.0.0.0:{port}"), format!("http://localhost:{port}"));
    let args = ["--s3-listen", &listen, "--s3-url", &origin];
    let Some(server) = LocalServer::start(&args) else {
        return;
    };
    assert!(server.signed_put("/a").starts_with(&format!("{origin}/signpost/a?")));
    assert_eq!(server.put("/a", b"hello").status, 200);
    assert!(server.curl(&["-fL"], "/a").text().ends_with("hello"));
    assert!(
        server
            .curl(&["-f", "-H", "Accept: text/plain"], "/")
            .text()
            .contains('a')
    );
}

#[test]
fn an_invalid_origin_of_the_embedded_s3_is_rejected() {
    for origin in ["localhost:9000", "http://h/path", "ftp://h"] {
        let output = run(&["--listen", "127.0.0.1:0", "--s3-url", origin]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("--s3-url: "), "{stderr}");
    }
    let external = run(&["--bucket", "files", "--s3-url", "http://localhost:9000"]);
    assert_eq!(external.status.code(), Some(2));
}

#[test]
fn the_embedded_s3_allows_the_public_origin_of_the_page() {
    let public = "https://files.example.com";
    let Some(server) = LocalServer::start_with(&[], &[("SIGNPOST_PUBLIC_URL", public)]) else {
        return;
    };
    let url = server.signed_put("/a");
    for (origin, allowed) in [(public, true), ("https://other.example.com", false)] {
        let origin = format!("Origin: {origin}");
        let args = [
            "-i",
            "-X",
            "OPTIONS",
            "-H",
            &origin,
            "-H",
            "Access-Control-Request-Method: PUT",
        ];
        let response = curl(&args, &url).text().to_ascii_lowercase();
        assert_eq!(
            response.contains(&format!("access-control-allow-origin: {public}")),
            allowed,
            "{response}"
        );
    }
}

#[test]
fn the_health_check_succeeds_only_for_a_running_server() {
    let Some(mut server) = LocalServer::start(&[]) else {
        return;
    };
    let url = server.url("");
    assert_eq!(run(&["--check-health", &url]).status.code(), Some(0));
    server.kill();
    let output = run(&["--check-health", &url]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("does not respond"));
    assert_eq!(run(&["--check-health", "127.0.0.1:1"]).status.code(), Some(1));
    assert_eq!(run(&["--check-health", &url, "--front", "alb"]).status.code(), Some(2));
}

#[test]
fn another_server_is_not_healthy() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let other = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 1024];
        let _ = stream.read(&mut head).unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            .unwrap();
    });
    let output = run(&["--check-health", &url]);
    other.join().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("not a healthy Signpost server") && stderr.contains("200 OK"),
        "{stderr}"
    );
}

#[test]
fn the_manual_page_and_the_completions_are_printed() {
    let page = String::from_utf8(run(&["--print-man-page"]).stdout).unwrap();
    assert!(
        page.contains(".TH signpost-local 1") && page.contains("s3\\-listen"),
        "{page}"
    );
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = run(&["--print-completions", shell]).stdout;
        assert!(String::from_utf8(script).unwrap().contains("s3-listen"), "{shell}");
    }
}
