//! A killed server leaves only complete objects, and only one server can use a directory or a port.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::helpers::wait_until;
use crate::support::{S3TestServer, SignedRequest, blob_count, config};
use signpost_local::s3::{EmbeddedS3, EmbeddedS3Error};

const CHILD: &str = "S3_TEST_DATA";

/// The server process that [`a_killed_server_leaves_only_complete_objects`] starts and kills.
#[test]
fn serve_for_the_parent_process() {
    let Some(data) = std::env::var_os(CHILD) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async move {
        let server = EmbeddedS3::bind(([127, 0, 0, 1], 0).into(), config(Path::new(&data)))
            .await
            .expect("a server");
        println!("\nlistens on {}", server.local_addr());
        server.serve(std::future::pending()).await;
    });
}

fn start(data: &Path) -> (Child, SocketAddr) {
    let mut child = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "durability::serve_for_the_parent_process", "--nocapture"])
        .env(CHILD, data)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let output = BufReader::new(child.stdout.take().expect("its output"));
    let address = output
        .lines()
        .find_map(|line| line.expect("a line").strip_prefix("listens on ").map(str::to_owned));
    (child, address.expect("an address").parse().expect("an address"))
}

#[test]
fn a_killed_server_leaves_only_complete_objects() {
    let data = tempfile::tempdir().expect("a folder");
    let body = vec![b'n'; 3 * 1024 * 1024];
    for round in 0..3_u8 {
        let (mut child, address) = start(data.path());
        let stored = put(address, "stored", &[b'0' + round]);
        assert!(stored.contains(" 200 "), "{stored}");
        let mut open = TcpStream::connect(address).expect("a connection");
        let target = SignedRequest::new("PUT", "incomplete").presign(address);
        let head = format!(
            "PUT {target} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\n\r\n",
            body.len() + 1
        );
        open.write_all(head.as_bytes()).expect("written");
        open.write_all(&body).expect("written");
        wait_until("the incomplete object is on disk", || blob_count(data.path()) == 2);
        child.kill().expect("killed");
        child.wait().expect("gone");

        let server = S3TestServer::start_with(|config| config.data_dir = data.path().to_owned());
        assert_eq!(server.get("stored").body, [b'0' + round]);
        server.get("incomplete").expect(404, "NoSuchKey");
        assert_eq!(blob_count(data.path()), 1, "the incomplete object is removed");
    }
}

fn put(address: SocketAddr, key: &str, body: &[u8]) -> String {
    let target = SignedRequest::new("PUT", key).presign(address);
    let mut stream = TcpStream::connect(address).expect("a connection");
    let head = format!(
        "PUT {target} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("written");
    stream.write_all(body).expect("written");
    let mut status = String::new();
    BufReader::new(stream).read_line(&mut status).expect("a response");
    status
}

#[test]
fn data_is_available_after_a_restart() {
    let data = tempfile::tempdir().expect("a folder");
    let start = || S3TestServer::start_with(|config| config.data_dir = data.path().to_owned());
    let first = start();
    first.set_versioning("Enabled");
    let version = first.put("k", b"one").header("x-amz-version-id").to_owned();
    first.put("k", b"two");
    drop(first);
    let second = start();
    assert_eq!(second.get("k").text(), "two");
    let query = format!("versionId={version}");
    assert_eq!(
        second.send(&SignedRequest::new("GET", "k").query(&query), b"").text(),
        "one"
    );
}

async fn bind(listen: SocketAddr, data: &Path) -> Result<EmbeddedS3, EmbeddedS3Error> {
    EmbeddedS3::bind(listen, config(data)).await
}

#[tokio::test]
async fn a_failed_start_returns_its_cause() {
    let (one, two) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    );
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let running = bind(any, one.path()).await.expect("a server");

    let error = bind(running.local_addr(), two.path()).await.expect_err("a taken port");
    assert!(matches!(error, EmbeddedS3Error::Address { .. }), "{error}");
    assert!(error.to_string().contains("in use"), "{error}");

    let error = bind(any, one.path()).await.expect_err("a taken folder");
    assert!(matches!(error, EmbeddedS3Error::InUse { .. }), "{error:?}");

    let file = two.path().join("file");
    std::fs::write(&file, "").expect("a file");
    let error = bind(any, &file).await.expect_err("a file is not a directory");
    assert!(matches!(error, EmbeddedS3Error::Folder { .. }), "{error:?}");

    let mut invalid_config = config(two.path());
    invalid_config.bucket = "No_Bucket".into();
    let error = EmbeddedS3::bind(any, invalid_config).await.expect_err("a bad name");
    assert!(matches!(error, EmbeddedS3Error::BucketName { .. }), "{error:?}");
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_data() {
    use std::os::unix::fs::PermissionsExt as _;

    let mut parent = std::path::PathBuf::new();
    let server = S3TestServer::start_with(|config| {
        config.data_dir = config.data_dir.join("new/data");
        parent.clone_from(&config.data_dir);
    });
    server.put("k", b"content");
    let mut pending = vec![parent];
    let mut files = 0;
    while let Some(path) = pending.pop() {
        let metadata = std::fs::metadata(&path).expect("a file");
        let expected = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(metadata.permissions().mode() & 0o777, expected, "{}", path.display());
        if metadata.is_dir() {
            let entries = std::fs::read_dir(&path).expect("a folder");
            pending.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else {
            files += 1;
        }
    }
    assert_eq!(files, 2, "the index and the object");
}
