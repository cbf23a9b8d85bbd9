//! The client against a server whose connections end in every way.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use http::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::*;

/// The reaction of the server to one request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reaction {
    Respond,
    /// Responds with the header `connection: close`, and closes.
    RespondAndAnnounce,
    /// Responds, and closes without an announcement.
    RespondAndClose,
    /// Closes without a response.
    Close,
    /// Responds with a part of the body, and closes.
    CloseInBody,
    /// Responds with a part of the body, and does not continue.
    StallInBody,
    /// Responds after a second and a half.
    RespondLate,
    /// Never responds.
    Stall,
}
use Reaction::{Close, CloseInBody, Respond, RespondAndAnnounce, RespondAndClose, RespondLate, Stall, StallInBody};

const BODY: &str = "response";

const LATE: Duration = Duration::from_millis(1500);

#[derive(Clone, Default)]
struct Server {
    url: String,
    /// The reactions to the next requests. After them, the server responds.
    script: Arc<Mutex<Vec<Reaction>>>,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
}

impl Server {
    async fn start(script: &[Reaction]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            url: format!("http://{}/path?query", listener.local_addr().unwrap()),
            script: Arc::new(Mutex::new(script.iter().rev().copied().collect())),
            ..Self::default()
        };
        let accepting = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepting.connections.fetch_add(1, Ordering::SeqCst);
                let server = accepting.clone();
                tokio::spawn(async move {
                    server.serve(stream).await;
                    server.closed.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        server
    }

    async fn serve(&self, mut stream: TcpStream) {
        let mut buffer = [0; 4096];
        while stream.read(&mut buffer).await.is_ok_and(|bytes| bytes > 0) {
            self.requests.fetch_add(1, Ordering::SeqCst);
            let reaction = self.script.lock().unwrap().pop().unwrap_or(Respond);
            let announced = if reaction == RespondAndAnnounce {
                "connection: close\r\n"
            } else {
                ""
            };
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{announced}\r\n", BODY.len());
            if reaction == RespondLate {
                tokio::time::sleep(LATE).await;
            }
            match reaction {
                Respond | RespondLate | RespondAndAnnounce | RespondAndClose => {
                    stream.write_all(format!("{head}{BODY}").as_bytes()).await.unwrap();
                }
                CloseInBody | StallInBody => stream.write_all(format!("{head}re").as_bytes()).await.unwrap(),
                Close | Stall => {}
            }
            if matches!(reaction, Stall | StallInBody) {
                std::future::pending::<()>().await;
            }
            if !matches!(reaction, Respond | RespondLate) {
                return;
            }
        }
    }

    /// The number of connections that were opened, and of requests that were received.
    fn counts(&self) -> (usize, usize) {
        let count = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
        (count(&self.connections), count(&self.requests))
    }
}

async fn send(client: &HttpsClient, server: &Server, idempotency: Idempotency) -> Result<Bytes, SendError> {
    let request = Request::builder().method(Method::POST).uri(&server.url);
    let request = request.body(Bytes::from_static(b"body")).unwrap();
    client.send(request, idempotency, 100).await.map(Response::into_body)
}

async fn succeeds(client: &HttpsClient, server: &Server) {
    let body = send(client, server, Idempotency::Idempotent).await.unwrap();
    assert_eq!(body, BODY);
}

/// Gives the other side the time to close a connection.
async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::test]
async fn requests_one_after_the_other_use_one_connection() {
    let server = Server::start(&[]).await;
    let client = HttpsClient::default();
    for _ in 0..5 {
        succeeds(&client.clone(), &server).await;
    }
    assert_eq!(server.counts(), (1, 5));
}

#[tokio::test]
async fn origins_do_not_share_connections() {
    let servers = [Server::start(&[]).await, Server::start(&[]).await];
    let client = HttpsClient::default();
    for server in servers.iter().cycle().take(6) {
        succeeds(&client, server).await;
    }
    assert_eq!(servers.map(|server| server.counts()), [(1, 3), (1, 3)]);
}

#[tokio::test]
async fn a_connection_is_opened_before_the_first_request() {
    let server = Server::start(&[]).await;
    let client = HttpsClient::default();
    for _ in 0..2 {
        client.connect(server.url.parse().unwrap()).await.unwrap();
    }
    a_moment().await;
    assert_eq!(server.counts(), (1, 0));
    succeeds(&client, &server).await;
    assert_eq!(server.counts(), (1, 1));
}

#[tokio::test]
async fn concurrent_requests_leave_a_limited_number_of_connections() {
    let server = Server::start(&[]).await;
    let client = HttpsClient::default();
    let mut requests = JoinSet::new();
    for _ in 0..20 {
        let (client, server) = (client.clone(), server.clone());
        requests.spawn(async move { succeeds(&client, &server).await });
    }
    requests.join_all().await;
    a_moment().await;
    let closed = server.closed.load(Ordering::SeqCst);
    assert_eq!(server.counts().0 - closed, client.0.pool.len());
    assert!(client.0.pool.len() <= 16, "{} idle connections", client.0.pool.len());
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_not_used_again() {
    for closing in [RespondAndAnnounce, RespondAndClose] {
        let server = Server::start(&[closing]).await;
        let client = HttpsClient::default();
        succeeds(&client, &server).await;
        a_moment().await;
        for _ in 0..2 {
            let body = send(&client, &server, Idempotency::NotIdempotent).await;
            assert_eq!(body.unwrap(), BODY, "{closing:?}");
        }
        assert_eq!(server.counts(), (2, 3), "{closing:?}");
    }
}

#[tokio::test]
async fn an_idempotent_request_is_repeated_once_if_a_reused_connection_is_dead() {
    let server = Server::start(&[Respond, Close]).await;
    let client = HttpsClient::default();
    succeeds(&client, &server).await;
    succeeds(&client, &server).await;
    assert_eq!(server.counts(), (2, 3));
}

#[tokio::test]
async fn a_request_is_repeated_at_most_once() {
    let server = Server::start(&[Respond, Close, Close]).await;
    let client = HttpsClient::default();
    succeeds(&client, &server).await;
    let error = send(&client, &server, Idempotency::Idempotent).await.unwrap_err();
    assert!(matches!(error, SendError::Connect(_)), "{error:?}");
    assert_eq!(server.counts(), (2, 3));
}

#[tokio::test]
async fn a_request_that_is_not_idempotent_is_not_repeated() {
    let server = Server::start(&[Respond, Close]).await;
    let client = HttpsClient::default();
    succeeds(&client, &server).await;
    let error = send(&client, &server, Idempotency::NotIdempotent).await.unwrap_err();
    assert!(matches!(error, SendError::Connect(_)), "{error:?}");
    assert_eq!(server.counts(), (1, 2));
}

#[tokio::test]
async fn a_failure_of_a_new_connection_is_reported() {
    for failing in [Close, CloseInBody] {
        let server = Server::start(&[failing]).await;
        let client = HttpsClient::default();
        send(&client, &server, Idempotency::Idempotent).await.unwrap_err();
        assert_eq!(server.counts(), (1, 1), "{failing:?}");
        succeeds(&client, &server).await;
        assert_eq!(server.counts(), (2, 2), "{failing:?}");
    }
}

/// A connection that ends within a response was not dead before the request.
#[tokio::test]
async fn a_response_that_ends_early_is_an_error_also_on_a_reused_connection() {
    for idempotency in [Idempotency::Idempotent, Idempotency::NotIdempotent] {
        let server = Server::start(&[Respond, CloseInBody]).await;
        let client = HttpsClient::default();
        succeeds(&client, &server).await;
        let error = send(&client, &server, idempotency).await.unwrap_err();
        assert!(matches!(error, SendError::Connect(_)), "{error:?}");
        assert_eq!((server.counts(), client.0.pool.len()), ((1, 2), 0), "{idempotency:?}");
        succeeds(&client, &server).await;
        assert_eq!(server.counts(), (2, 3), "{idempotency:?}");
    }
}

#[tokio::test]
async fn a_response_that_stalls_within_its_body_times_out() {
    let server = Server::start(&[Respond, StallInBody]).await;
    let client = HttpsClient::default();
    succeeds(&client, &server).await;
    let error = send(&client, &server, Idempotency::Idempotent).await.unwrap_err();
    assert!(matches!(error, SendError::Timeout), "{error:?}");
    assert_eq!((server.counts(), client.0.pool.len()), ((1, 2), 0));
    succeeds(&client, &server).await;
    assert_eq!(server.counts(), (2, 3));
}

#[tokio::test]
async fn a_slow_server_may_respond_on_the_reused_connection() {
    let server = Server::start(&[Respond, RespondLate, Stall]).await;
    let client = HttpsClient::default();
    succeeds(&client, &server).await;
    client.0.pool.age(LONG_IDLE_TIME);
    let started = Instant::now();
    succeeds(&client, &server).await;
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(server.counts(), (2, 3));
    succeeds(&client, &server).await;
    assert_eq!(server.counts(), (2, 4), "the connection is used again");
}

#[tokio::test]
async fn a_slow_server_receives_a_request_once_if_it_is_not_idempotent_or_the_connection_is_fresh() {
    for (idempotency, idle_time) in [
        (Idempotency::NotIdempotent, LONG_IDLE_TIME),
        (Idempotency::Idempotent, LONG_IDLE_TIME / 2),
    ] {
        let server = Server::start(&[Respond, RespondLate]).await;
        let client = HttpsClient::default();
        succeeds(&client, &server).await;
        client.0.pool.age(idle_time);
        let body = send(&client, &server, idempotency).await.unwrap();
        assert_eq!(
            (body.as_ref(), server.counts()),
            (BODY.as_bytes(), (1, 2)),
            "{idempotency:?}"
        );
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_closes_the_connections() {
    let server = Server::start(&[]).await;
    let client = HttpsClient::default();
    let origin = Origin::of(&server.url.parse().unwrap()).unwrap();
    succeeds(&client, &server).await;
    let earlier = SystemTime::now() - Duration::from_secs(10);
    assert!(client.0.pool.take(&origin, earlier).is_none());
    assert_eq!(client.0.pool.len(), 0);
}

#[tokio::test]
async fn a_stalled_connection_is_replaced_after_a_second() {
    let server = Server::start(&[Respond, Stall]).await;
    let client = HttpsClient::default();
    succeeds(&client, &server).await;
    client.0.pool.age(LONG_IDLE_TIME);
    let started = Instant::now();
    succeeds(&client, &server).await;
    let waited = started.elapsed();
    assert!(waited >= REUSED_TIMEOUT && waited < REUSED_TIMEOUT * 2, "{waited:?}");
    assert_eq!(server.counts(), (2, 3));
}

#[tokio::test]
async fn a_server_that_does_not_respond_gets_no_further_request_on_its_connections() {
    let server = Server::start(&[Respond, Stall, Stall]).await;
    let client = HttpsClient::default();
    succeeds(&client, &server).await;
    client.0.pool.age(LONG_IDLE_TIME);
    let error = send(&client, &server, Idempotency::Idempotent).await.unwrap_err();
    assert!(matches!(error, SendError::Timeout), "{error:?}");
    assert_eq!(client.0.pool.len(), 0);
    succeeds(&client, &server).await;
    assert_eq!(server.counts(), (3, 4));
}

#[tokio::test]
async fn a_response_that_is_too_large_ends_its_connection() {
    let server = Server::start(&[]).await;
    let client = HttpsClient::default();
    let request = Request::get(&server.url).body(Bytes::new()).unwrap();
    client.send(request, Idempotency::Idempotent, 7).await.unwrap_err();
    assert_eq!(client.0.pool.len(), 0);
    succeeds(&client, &server).await;
    assert_eq!(server.counts(), (2, 2));
}

#[tokio::test]
async fn a_connection_that_was_idle_for_a_minute_is_not_used_again() {
    let server = Server::start(&[]).await;
    let client = HttpsClient::default();
    let origin = Origin::of(&server.url.parse().unwrap()).unwrap();
    for (seconds, found) in [(50, true), (61, false)] {
        succeeds(&client, &server).await;
        let later = SystemTime::now() + Duration::from_secs(seconds);
        assert_eq!(client.0.pool.take(&origin, later).is_some(), found, "{seconds} s");
        assert_eq!(client.0.pool.len(), 0, "{seconds} s");
    }
}
