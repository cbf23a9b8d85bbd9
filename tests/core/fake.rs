//! An HTTP server on loopback that answers as a test says, and remembers what it was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::HeaderMap;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// Status, headers and body.
pub(crate) type Told = (u16, Vec<(&'static str, String)>, String);

type Answering = Box<dyn FnMut(&Asked) -> Told + Send>;

#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) endpoint: String,
    answering: Arc<Mutex<Answering>>,
    delay: Arc<Mutex<Duration>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    pub(crate) async fn start(answering: impl FnMut(&Asked) -> Told + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self {
            endpoint: format!("http://{}", listener.local_addr().unwrap()),
            answering: Arc::new(Mutex::new(Box::new(answering))),
            delay: Arc::default(),
            asked: Arc::default(),
        };
        let server = fake.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = server.clone();
                tokio::spawn(async move { server.serve(stream).await });
            }
        });
        fake
    }

    /// Answers so from now on.
    pub(crate) fn answer(&self, answering: impl FnMut(&Asked) -> Told + Send + 'static) {
        *self.answering.lock().unwrap() = Box::new(answering);
    }

    /// Takes so long for each answer from now on.
    pub(crate) fn delay(&self, delay: Duration) {
        *self.delay.lock().unwrap() = delay;
    }

    /// The requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    async fn serve(&self, mut stream: TcpStream) {
        let asked = read(&mut stream).await;
        self.asked.lock().unwrap().push(asked.clone());
        let delay = *self.delay.lock().unwrap();
        tokio::time::sleep(delay).await;
        let (status, headers, body) = (self.answering.lock().unwrap())(&asked);
        let length = ("content-length", body.len().to_string());
        let lines = headers.into_iter().chain([length]);
        let lines: Vec<_> = lines.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let lines = lines.concat();
        let answer = format!("HTTP/1.1 {status} Told\r\n{lines}connection: close\r\n\r\n{body}");
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

async fn read(stream: &mut TcpStream) -> Asked {
    let mut bytes = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        let read = stream.read(&mut buffer).await.unwrap();
        assert_ne!(read, 0, "the request broke off");
        bytes.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let asked = parse(head, body);
        let length = asked.headers.get("content-length");
        let length = length.map_or(0, |length| length.to_str().unwrap().parse().unwrap());
        if body.len() >= length {
            return asked;
        }
    }
}

fn parse(head: &str, body: &str) -> Asked {
    let mut lines = head.lines();
    let mut words = lines.next().unwrap().split(' ').map(str::to_owned);
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(':').unwrap();
        (name.parse::<http::HeaderName>().unwrap(), value.trim().parse().unwrap())
    });
    Asked {
        method: words.next().unwrap(),
        path: words.next().unwrap(),
        headers: headers.collect(),
        body: body.to_owned(),
    }
}
