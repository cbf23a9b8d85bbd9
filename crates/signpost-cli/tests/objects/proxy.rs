//! A forward proxy that records requests and can inject faults. Requests to Signpost and S3 pass through it.

use std::io::{Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A recorded request.
#[derive(Clone, Debug)]
pub(crate) struct RecordedRequest {
    /// The host and port of the request.
    pub(crate) host: String,
    pub(crate) method: String,
    /// Everything before the body, in lower case.
    pub(crate) head: String,
}

/// What the proxy does with a request.
#[derive(Clone, Debug)]
pub(crate) enum ProxyAction {
    Pass,
    /// Closes the connection without a response.
    Drop,
    /// Returns this response instead of the server's.
    Respond(String),
    /// Forwards the request and discards the response.
    LoseResponse,
    /// Cuts the response off after this number of bytes, including the head.
    CutResponse(usize),
    /// Sends no response until the client closes the connection.
    Hang,
    /// Changes one byte of the response, counted from its end.
    Corrupt(usize),
}

pub(crate) struct FaultProxy {
    address: String,
    seen: Arc<Mutex<Vec<RecordedRequest>>>,
}

/// Chooses the action for a request, from the request and the earlier requests.
type ActionChooser = Box<dyn Fn(&RecordedRequest, &[RecordedRequest]) -> ProxyAction + Send + Sync>;

impl FaultProxy {
    pub(crate) fn start(
        decide: impl Fn(&RecordedRequest, &[RecordedRequest]) -> ProxyAction + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let decide: Arc<ActionChooser> = Arc::new(Box::new(decide));
        let log = Arc::clone(&seen);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (log, decide) = (Arc::clone(&log), Arc::clone(&decide));
                thread::spawn(move || serve(client, &log, &decide));
            }
        });
        Self { address, seen }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The recorded requests.
    pub(crate) fn seen(&self) -> Vec<RecordedRequest> {
        self.seen.lock().unwrap().clone()
    }
}

/// A response with a body, after which the connection is closed.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> ProxyAction {
    let length = body.len();
    ProxyAction::Respond(format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    ))
}

/// An S3 error response.
pub(crate) fn s3_error(status: &str, code: &str) -> ProxyAction {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>Told by a test.</Message></Error>");
    answer(status, "Content-Type: application/xml\r\n", &body)
}

fn serve(mut client: TcpStream, log: &Mutex<Vec<RecordedRequest>>, decide: &ActionChooser) {
    let Some((seen, head)) = read_head(&mut client) else {
        return;
    };
    let fate = {
        let mut log = log.lock().unwrap();
        let fate = decide(&seen, &log);
        log.push(seen.clone());
        fate
    };
    match fate {
        ProxyAction::Drop => {}
        ProxyAction::Hang => drop(std::io::copy(&mut client, &mut std::io::sink())),
        ProxyAction::Respond(answer) => {
            drain_body(&mut client, &seen.head);
            let _ = client.write_all(answer.as_bytes());
        }
        ProxyAction::Pass => drop(relay(client, &seen, &head, |_| {})),
        ProxyAction::LoseResponse => drop(relay_up(&mut client, &seen, &head)),
        ProxyAction::CutResponse(after) => drop(relay(client, &seen, &head, |answer| answer.truncate(after))),
        ProxyAction::Corrupt(from_end) => drop(relay(client, &seen, &head, |answer| {
            let at = answer.len() - from_end;
            answer[at] ^= 1;
        })),
    }
}

/// Forwards the request, and returns the complete response after `change` has modified it.
fn relay(
    mut client: TcpStream,
    seen: &RecordedRequest,
    head: &str,
    change: impl Fn(&mut Vec<u8>),
) -> std::io::Result<()> {
    let mut answer = relay_up(&mut client, seen, head)?;
    change(&mut answer);
    client.write_all(&answer)?;
    client.shutdown(Shutdown::Both)
}

/// Forwards the request, and reads the complete response.
fn relay_up(client: &mut TcpStream, seen: &RecordedRequest, head: &str) -> std::io::Result<Vec<u8>> {
    let mut server = TcpStream::connect(&seen.host)?;
    server.write_all(head.as_bytes())?;
    std::io::copy(&mut (&*client).take(body_length(&seen.head)), &mut server)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    Ok(answer)
}

fn drain_body(client: &mut TcpStream, head: &str) {
    let _ = std::io::copy(&mut client.take(body_length(head)), &mut std::io::sink());
}

fn body_length(head: &str) -> u64 {
    let line = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    line.map_or(0, |length| length.trim().parse().unwrap())
}

/// Reads the head of a proxy request, and rewrites it for the server.
fn read_head(client: &mut TcpStream) -> Option<(RecordedRequest, String)> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte).ok()?;
        bytes.push(byte[0]);
    }
    let text = String::from_utf8(bytes).ok()?;
    let (line, headers) = text.split_once("\r\n")?;
    let mut words = line.split(' ');
    let (method, url) = (words.next()?, words.next()?);
    let rest = url.strip_prefix("http://")?;
    let slash = rest.find('/')?;
    let (host, target) = rest.split_at(slash);
    let head = format!("{method} {target} HTTP/1.1\r\nConnection: close\r\n{headers}");
    let seen = RecordedRequest {
        host: host.to_owned(),
        method: method.to_owned(),
        head: text.to_ascii_lowercase(),
    };
    Some((seen, head))
}
