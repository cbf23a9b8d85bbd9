//! Starts a server on a free port, signs requests with AWS's signer, and sends exact bytes.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use signpost_local::s3::{EmbeddedS3, EmbeddedS3Config, S3Credentials};
use tempfile::TempDir;
use tokio::sync::oneshot;

pub(crate) const ACCESS_KEY: &str = "AKIDEXAMPLE";
pub(crate) const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
pub(crate) const REGION: &str = "eu-central-1";

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');

/// A running server, which stops when it is dropped.
pub(crate) struct S3TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) data: TempDir,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

pub(crate) fn config(data: &Path) -> EmbeddedS3Config {
    EmbeddedS3Config {
        data_dir: data.to_owned(),
        bucket: "bucket".into(),
        region: REGION.into(),
        credentials: vec![S3Credentials {
            access_key_id: ACCESS_KEY.into(),
            secret_access_key: SECRET_KEY.into(),
            session_token: None,
            expires_at: None,
        }],
        allow_listing: true,
        page_origins: Vec::new(),
    }
}

impl S3TestServer {
    pub(crate) fn start() -> Self {
        Self::start_with(|_| ())
    }

    pub(crate) fn start_with(change: impl FnOnce(&mut EmbeddedS3Config)) -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let mut config = config(data.path());
        change(&mut config);
        let (stop, stopped) = oneshot::channel();
        let (address_sender, address) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(async move {
                let server = EmbeddedS3::bind(([127, 0, 0, 1], 0).into(), config)
                    .await
                    .expect("a server");
                address_sender.send(server.local_addr()).expect("a listener");
                server.serve(async move { drop(stopped.await) }).await;
            });
        });
        let address = address.recv().expect("an address");
        Self {
            address,
            data,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(crate) fn get(&self, key: &str) -> TestResponse {
        self.send(&SignedRequest::new("GET", key), b"")
    }

    pub(crate) fn put(&self, key: &str, body: &[u8]) -> TestResponse {
        self.send(&SignedRequest::new("PUT", key), body)
    }

    /// Signs and sends a request, including all its headers.
    pub(crate) fn send(&self, request: &SignedRequest<'_>, body: &[u8]) -> TestResponse {
        let target = request.presign(self.address);
        self.send_raw(request.method, &target, &request.headers, body)
    }

    /// Sends a request unchanged, except for a `Content-Length` header if it has a body.
    pub(crate) fn send_raw(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> TestResponse {
        let mut stream = self.connect();
        stream
            .write_all(&self.request_head(method, target, headers, body.len()))
            .expect("written");
        let _ = stream.write_all(body);
        TestResponse::read(&mut stream, method)
    }

    pub(crate) fn request_head(&self, method: &str, target: &str, headers: &[(&str, &str)], length: usize) -> Vec<u8> {
        let mut head = format!(
            "{method} {target} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n",
            self.address
        );
        for (name, value) in headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let framed = headers
            .iter()
            .any(|(name, _)| ["content-length", "transfer-encoding"].contains(name));
        if !framed && (length > 0 || method == "PUT" || method == "POST") {
            let _ = write!(head, "content-length: {length}\r\n");
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("a connection");
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a timeout");
        stream
    }

    pub(crate) fn set_versioning(&self, status: &str) {
        let body = format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
        let response = self.send(
            &SignedRequest {
                bucket_only: true,
                query: "versioning",
                ..SignedRequest::new("PUT", "")
            },
            body.as_bytes(),
        );
        assert_eq!(response.status, 200, "{}", response.text());
    }

    /// Returns the number of blob files.
    pub(crate) fn blob_count(&self) -> usize {
        blob_count(self.data.path())
    }
}

pub(crate) fn blob_count(data: &Path) -> usize {
    let shards = std::fs::read_dir(data.join("blobs")).expect("blobs");
    shards
        .map(|shard| {
            std::fs::read_dir(shard.expect("a shard").path())
                .expect("a shard")
                .count()
        })
        .sum()
}

impl Drop for S3TestServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A request to sign.
#[derive(Debug, Clone)]
pub(crate) struct SignedRequest<'a> {
    pub(crate) method: &'a str,
    pub(crate) bucket: &'a str,
    pub(crate) bucket_only: bool,
    pub(crate) key: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: Vec<(&'a str, &'a str)>,
    pub(crate) access_key: &'a str,
    pub(crate) token: Option<&'a str>,
    pub(crate) time: SystemTime,
    pub(crate) expires: Duration,
}

impl<'a> SignedRequest<'a> {
    pub(crate) fn new(method: &'a str, key: &'a str) -> Self {
        Self {
            method,
            bucket: "bucket",
            bucket_only: false,
            key,
            query: "",
            headers: Vec::new(),
            access_key: ACCESS_KEY,
            token: None,
            time: SystemTime::now(),
            expires: Duration::from_mins(5),
        }
    }

    pub(crate) fn query(self, query: &'a str) -> Self {
        Self { query, ..self }
    }

    pub(crate) fn header(mut self, name: &'a str, value: &'a str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Returns the headers that authorize this request with this payload hash, including the signed headers.
    pub(crate) fn authorize(&self, address: SocketAddr, payload: &str) -> Vec<(String, String)> {
        let path = utf8_percent_encode(self.key, PATH);
        let uri = format!("http://{address}/{}/{path}", self.bucket);
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let request = self.sign(&uri, settings, SignableBody::Precomputed(payload.to_owned()));
        let signed = request.headers().iter();
        signed
            .map(|(name, value)| (name.to_string(), value.to_str().expect("text").to_owned()))
            .collect()
    }

    /// Returns the path and query of the presigned URL.
    pub(crate) fn presign(&self, address: SocketAddr) -> String {
        let path = if self.bucket_only {
            format!("/{}", self.bucket)
        } else {
            format!("/{}/{}", self.bucket, utf8_percent_encode(self.key, PATH))
        };
        let mark = if self.query.is_empty() { "" } else { "?" };
        let uri = format!("http://{address}{path}{mark}{}", self.query);
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(self.expires);
        let request = self.sign(&uri, settings, SignableBody::UnsignedPayload);
        request.uri().path_and_query().expect("a target").as_str().to_owned()
    }

    fn sign(&self, uri: &str, settings: SigningSettings, body: SignableBody<'_>) -> http::Request<()> {
        let token = self.token.map(String::from);
        let identity = Credentials::new(self.access_key, SECRET_KEY, token, None, "test").into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name("s3")
            .time(self.time)
            .settings(settings)
            .build()
            .expect("complete parameters")
            .into();
        let signable = SignableRequest::new(self.method, uri, self.headers.iter().copied(), body);
        let signable = signable.expect("a signable request");
        let (instructions, _) = sign(signable, &parameters).expect("signed").into_parts();
        let mut request = http::Request::builder().method(self.method).uri(uri);
        for (name, value) in &self.headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(()).expect("a request");
        instructions.apply_to_request_http1x(&mut request);
        request
    }
}

/// A response.
#[derive(Debug)]
pub(crate) struct TestResponse {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl TestResponse {
    /// Reads one response from a connection.
    pub(crate) fn read(stream: &mut TcpStream, method: &str) -> Self {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                other => panic!(
                    "the response is incomplete ({other:?}): {}",
                    String::from_utf8_lossy(&head)
                ),
            }
        }
        let head = String::from_utf8(head).expect("text");
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1))
            .and_then(|status| status.parse().ok());
        let headers: HashMap<_, _> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let status = status.expect("a status");
        let mut body = Vec::new();
        if method != "HEAD" && !matches!(status, 100 | 204 | 304) {
            assert!(!headers.contains_key("transfer-encoding"), "chunked: {headers:?}");
            let length = headers
                .get("content-length")
                .map_or(0, |length| length.parse().expect("a length"));
            body = vec![0; length];
            stream.read_exact(&mut body).expect("a body");
        }
        Self { status, headers, body }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// Returns the text of the first element with this name.
    pub(crate) fn element(&self, name: &str) -> String {
        self.elements(name).into_iter().next().unwrap_or_default()
    }

    pub(crate) fn elements(&self, name: &str) -> Vec<String> {
        let text = self.text();
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let found = text
            .split(&open)
            .skip(1)
            .filter_map(|rest| rest.split_once(&close).map(|(value, _)| value.to_owned()));
        found.collect()
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16, code: &str) -> Self {
        assert_eq!(
            (self.status, self.element("Code").as_str()),
            (status, code),
            "{}",
            self.text()
        );
        self
    }
}
