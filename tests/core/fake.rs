//! An HTTP server on loopback that responds as a test specifies, and records its requests.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::HeaderMap;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A request that the server received.
#[derive(Clone, Debug)]
pub(crate) struct ReceivedRequest {
    pub(crate) method: String,
    /// The path with the query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// Status, headers and body.
pub(crate) type FakeResponse = (u16, Vec<(&'static str, String)>, String);

type Responder = Box<dyn FnMut(&ReceivedRequest) -> FakeResponse + Send>;

#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) endpoint: String,
    responder: Arc<Mutex<Responder>>,
    delay: Arc<Mutex<Duration>>,
    requests: Arc<Mutex<Vec<ReceivedRequest>>>,
    connections: Arc<AtomicUsize>,
    waiting: Arc<AtomicUsize>,
    most_waiting: Arc<AtomicUsize>,
}

impl Fake {
    pub(crate) async fn start(respond: impl FnMut(&ReceivedRequest) -> FakeResponse + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self {
            endpoint: format!("http://{}", listener.local_addr().unwrap()),
            responder: Arc::new(Mutex::new(Box::new(respond))),
            delay: Arc::default(),
            requests: Arc::default(),
            connections: Arc::default(),
            waiting: Arc::default(),
            most_waiting: Arc::default(),
        };
        let server = fake.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                server.connections.fetch_add(1, Ordering::Relaxed);
                let server = server.clone();
                tokio::spawn(async move { server.serve(stream).await });
            }
        });
        fake
    }

    /// Sets the response for the following requests.
    pub(crate) fn answer(&self, respond: impl FnMut(&ReceivedRequest) -> FakeResponse + Send + 'static) {
        *self.responder.lock().unwrap() = Box::new(respond);
    }

    /// Delays the following responses.
    pub(crate) fn delay(&self, delay: Duration) {
        *self.delay.lock().unwrap() = delay;
    }

    /// All requests.
    pub(crate) fn requests(&self) -> Vec<ReceivedRequest> {
        self.requests.lock().unwrap().clone()
    }

    /// The number of connections that were opened.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// The maximum number of requests that waited for a response at the same time since the last call.
    pub(crate) fn take_most_waiting(&self) -> usize {
        self.most_waiting.swap(0, Ordering::Relaxed)
    }

    async fn serve(&self, mut stream: TcpStream) {
        while let Some(request) = read(&mut stream).await {
            self.respond(&mut stream, request).await;
        }
    }

    async fn respond(&self, stream: &mut TcpStream, request: ReceivedRequest) {
        self.requests.lock().unwrap().push(request.clone());
        let delay = *self.delay.lock().unwrap();
        let waiting = self.waiting.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_waiting.fetch_max(waiting, Ordering::Relaxed);
        tokio::time::sleep(delay).await;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        let (status, headers, body) = (self.responder.lock().unwrap())(&request);
        let length = ("content-length", body.len().to_string());
        let lines = headers.into_iter().chain([length]);
        let lines: Vec<_> = lines.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let lines = lines.concat();
        let answer = format!("HTTP/1.1 {status} Fake\r\n{lines}\r\n{body}");
        // The client may have given up.
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}

/// Returns the next request, or `None` if the client has closed the connection.
async fn read(stream: &mut TcpStream) -> Option<ReceivedRequest> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        let read = stream.read(&mut buffer).await.unwrap_or(0);
        if read == 0 {
            assert!(bytes.is_empty(), "the request broke off");
            return None;
        }
        bytes.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let request = parse(head, body);
        let length = request.headers.get("content-length");
        let length = length.map_or(0, |length| length.to_str().unwrap().parse().unwrap());
        if body.len() >= length {
            return Some(request);
        }
    }
}

fn parse(head: &str, body: &str) -> ReceivedRequest {
    let mut lines = head.lines();
    let mut words = lines.next().unwrap().split(' ').map(str::to_owned);
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(':').unwrap();
        (name.parse::<http::HeaderName>().unwrap(), value.trim().parse().unwrap())
    });
    ReceivedRequest {
        method: words.next().unwrap(),
        path: words.next().unwrap(),
        headers: headers.collect(),
        body: body.to_owned(),
    }
}
