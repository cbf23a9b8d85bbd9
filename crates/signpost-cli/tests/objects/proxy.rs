//! A forward proxy that looks on, and fails where a test wants it to. Both hops pass through it.

use std::io::{Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request as it passed.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Host and port that it was for.
    pub(crate) host: String,
    pub(crate) method: String,
    /// Everything up to the body, in lower case.
    pub(crate) head: String,
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    Pass,
    /// The connection ends without an answer.
    Drop,
    /// This answer, instead of the server's.
    Answer(String),
    /// The server gets it, and its answer is lost.
    LoseAnswer,
    /// The answer breaks off after so many bytes, head included.
    CutAnswer(usize),
    /// There is no answer until the client has enough of it.
    Hang,
    /// A byte of the answer is another one; counted from its end.
    Corrupt(usize),
}

pub(crate) struct Proxy {
    address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// Decides on a request by what it is and by how many like it came before.
type Decide = Box<dyn Fn(&Seen, &[Seen]) -> Fate + Send + Sync>;

impl Proxy {
    pub(crate) fn start(decide: impl Fn(&Seen, &[Seen]) -> Fate + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let decide: Arc<Decide> = Arc::new(Box::new(decide));
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

    /// What has passed.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// An answer with a body, after which the connection ends.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Fate {
    let length = body.len();
    Fate::Answer(format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    ))
}

/// An error as S3 tells it.
pub(crate) fn s3_error(status: &str, code: &str) -> Fate {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>Told by a test.</Message></Error>");
    answer(status, "Content-Type: application/xml\r\n", &body)
}

fn serve(mut client: TcpStream, log: &Mutex<Vec<Seen>>, decide: &Decide) {
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
        Fate::Drop => {}
        Fate::Hang => drop(std::io::copy(&mut client, &mut std::io::sink())),
        Fate::Answer(answer) => {
            drain_body(&mut client, &seen.head);
            let _ = client.write_all(answer.as_bytes());
        }
        Fate::Pass => drop(relay(client, &seen, &head, |_| {})),
        Fate::LoseAnswer => drop(relay_up(&mut client, &seen, &head)),
        Fate::CutAnswer(after) => drop(relay(client, &seen, &head, |answer| answer.truncate(after))),
        Fate::Corrupt(from_end) => drop(relay(client, &seen, &head, |answer| {
            let at = answer.len() - from_end;
            answer[at] ^= 1;
        })),
    }
}

/// Sends the request on, and the answer back, once it is whole and `change` has had it.
fn relay(mut client: TcpStream, seen: &Seen, head: &str, change: impl Fn(&mut Vec<u8>)) -> std::io::Result<()> {
    let mut answer = relay_up(&mut client, seen, head)?;
    change(&mut answer);
    client.write_all(&answer)?;
    client.shutdown(Shutdown::Both)
}

/// Sends the request on, and gives back the whole answer.
fn relay_up(client: &mut TcpStream, seen: &Seen, head: &str) -> std::io::Result<Vec<u8>> {
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

/// Reads the head of a request to a proxy, and rewrites it for the server itself.
fn read_head(client: &mut TcpStream) -> Option<(Seen, String)> {
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
    let seen = Seen {
        host: host.to_owned(),
        method: method.to_owned(),
        head: text.to_ascii_lowercase(),
    };
    Some((seen, head))
}
