//! A bucket that knows the sizes of some objects.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// A server that answers HEAD: an object whose last path segment begins with an even digit has 12 bytes, and no other exists.
pub struct Bucket {
    /// The origin of its URLs.
    pub origin: String,
}

impl Bucket {
    /// Starts a server.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        thread::spawn(move || listener.incoming().flatten().for_each(answer));
        Self {
            origin: format!("http://{address}"),
        }
    }
}

fn answer(mut stream: TcpStream) {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(length) => head.extend_from_slice(&buffer[..length]),
        }
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split(['?', '\r']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let exists = name.starts_with(['0', '2', '4', '6', '8']);
    let response = if exists {
        "HTTP/1.1 200 OK\r\ncontent-length: 12\r\nconnection: close\r\n\r\n"
    } else {
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    };
    let _ = stream.write_all(response.as_bytes());
}
