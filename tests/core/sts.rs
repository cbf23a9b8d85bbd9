//! An STS on loopback that gives what a test tells it to give, and remembers what it was asked for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use humantime::format_rfc3339_seconds;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What the next calls are answered with.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    /// A session that ends then.
    SessionUntil(SystemTime),
    /// 403, which no client repeats.
    Refusal,
}

struct State {
    answer: Answer,
    delay: Duration,
    calls: Vec<BTreeMap<String, String>>,
}

#[derive(Clone)]
pub(crate) struct FakeSts {
    pub(crate) endpoint: String,
    state: Arc<Mutex<State>>,
}

impl FakeSts {
    pub(crate) async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            answer,
            delay: Duration::ZERO,
            calls: Vec::new(),
        }));
        let sts = Self { endpoint, state };
        let server = sts.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = server.clone();
                tokio::spawn(async move { server.serve(stream).await });
            }
        });
        sts
    }

    pub(crate) fn answer(&self, answer: Answer) {
        self.state.lock().unwrap().answer = answer;
    }

    pub(crate) fn delay(&self, delay: Duration) {
        self.state.lock().unwrap().delay = delay;
    }

    /// The parameters of each call so far.
    pub(crate) fn calls(&self) -> Vec<BTreeMap<String, String>> {
        self.state.lock().unwrap().calls.clone()
    }

    async fn serve(&self, mut stream: TcpStream) {
        let body = read_body(&mut stream).await;
        let (answer, delay, number) = {
            let mut state = self.state.lock().unwrap();
            state.calls.push(form(&body));
            (state.answer, state.delay, state.calls.len())
        };
        tokio::time::sleep(delay).await;
        let (status, body) = match answer {
            Answer::SessionUntil(end) => ("200 OK", session(number, end)),
            Answer::Refusal => ("403 Forbidden", REFUSAL.to_owned()),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/xml\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).await.unwrap();
    }
}

/// The token of the session that the `number`th call, counted from 1, was given.
pub(crate) fn token(number: usize) -> String {
    format!("session-token-{number}")
}

const REFUSAL: &str = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
    <Code>AccessDenied</Code><Message>not authorized to perform sts:AssumeRole</Message></Error></ErrorResponse>";

fn session(number: usize, end: SystemTime) -> String {
    format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
         <AccessKeyId>ASIA{number}</AccessKeyId><SecretAccessKey>session-secret-{number}</SecretAccessKey>\
         <SessionToken>{}</SessionToken><Expiration>{}</Expiration>\
         </Credentials></AssumeRoleResult></AssumeRoleResponse>",
        token(number),
        format_rfc3339_seconds(end)
    )
}

async fn read_body(stream: &mut TcpStream) -> String {
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
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            (name.eq_ignore_ascii_case("content-length")).then(|| value.parse::<usize>().unwrap())
        });
        if body.len() >= length.unwrap() {
            return body.to_owned();
        }
    }
}

fn form(body: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| {
        percent_decode_str(&text.replace('+', " "))
            .decode_utf8()
            .unwrap()
            .into_owned()
    };
    let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decode(name), decode(value))).collect()
}
