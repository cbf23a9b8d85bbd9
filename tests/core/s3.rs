//! A fake S3.

use std::sync::{Arc, Mutex};

use signpost::service::handler::Handler;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{credentials, handler_with};

/// An S3 on loopback that returns the given responses in order, and records its requests.
#[derive(Clone)]
pub(crate) struct FakeS3 {
    pub(crate) endpoint: String,
    answers: Arc<Mutex<Vec<String>>>,
    requests: Arc<Mutex<Vec<String>>>,
    methods: Arc<Mutex<Vec<String>>>,
}

impl FakeS3 {
    pub(crate) async fn start(answers: &[String]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let s3 = Self {
            endpoint: format!("http://{}", listener.local_addr().unwrap()),
            answers: Arc::new(Mutex::new(answers.iter().rev().cloned().collect())),
            requests: Arc::default(),
            methods: Arc::default(),
        };
        let server = s3.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                server.serve(stream).await;
            }
        });
        s3
    }

    async fn serve(&self, mut stream: TcpStream) {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            let mut buffer = [0; 4096];
            let read = stream.read(&mut buffer).await.unwrap();
            assert_ne!(read, 0, "the request broke off");
            bytes.extend_from_slice(&buffer[..read]);
        }
        let text = String::from_utf8(bytes).unwrap();
        let mut words = text.split(' ').map(str::to_owned);
        self.methods.lock().unwrap().push(words.next().unwrap());
        self.requests.lock().unwrap().push(words.next().unwrap());
        let answer = self.answers.lock().unwrap().pop();
        stream.write_all(answer.unwrap_or_default().as_bytes()).await.unwrap();
    }

    pub(crate) async fn handler(&self, rules: &str) -> Handler {
        self.handler_with(rules, &[]).await
    }

    /// A handler with additional settings.
    pub(crate) async fn handler_with(&self, rules: &str, more: &[(&str, &str)]) -> Handler {
        let env = [("SIGNPOST_RULES", rules), ("SIGNPOST_ENDPOINT", self.endpoint.as_str())];
        handler_with(&[&env, more].concat(), credentials(None, None)).await
    }

    /// The methods of all requests.
    pub(crate) fn methods(&self) -> Vec<String> {
        self.methods.lock().unwrap().clone()
    }

    /// The targets of all requests.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

pub(crate) fn answer(status: &str, xml: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{xml}",
        xml.len()
    )
}
