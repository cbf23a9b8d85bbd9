//! A rejected TLS connection, such as one with a certificate that no authority has signed, is a permanent error: the command
//! does not repeat the request.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::LocalServer;

/// Starts a TLS server with a certificate that it has signed itself. Returns its port and the number of connections.
fn untrusted_server() -> (u16, Arc<AtomicU32>) {
    let certificate = CertificateDer::from(&include_bytes!("keys/untrusted.crt")[..]);
    let key = PrivatePkcs8KeyDer::from(&include_bytes!("keys/untrusted.pk8")[..]);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], PrivateKeyDer::Pkcs8(key))
        .unwrap();
    let config = Arc::new(config);
    server(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        // The client ends the handshake.
        let _ = StreamOwned::new(connection, stream).read(&mut [0; 1]);
    })
}

/// Starts a server that sends these bytes to each client that begins a handshake.
fn fixed_server(response: &'static [u8]) -> (u16, Arc<AtomicU32>) {
    server(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(response);
    })
}

/// Starts a server. Returns its port and the number of connections.
fn server(respond: impl Fn(TcpStream) + Send + 'static) -> (u16, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&connections);
    thread::spawn(move || {
        for stream in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
            respond(stream.unwrap());
        }
    });
    (port, connections)
}

#[test]
fn an_untrusted_certificate_is_a_permanent_error() {
    let local = LocalServer::start();
    let (port, connections) = untrusted_server();
    let url = format!("https://127.0.0.1:{port}/a");
    let file = local.file("file", b"1");
    for arguments in [
        &["get", url.as_str(), "-o", "out"][..],
        &["put", &file, &url],
        &["stat", &url],
        &["rm", &url],
        &["ls", &url],
    ] {
        let before = connections.load(Ordering::SeqCst);
        local.signpost(arguments).fails(1, "invalid peer certificate");
        assert_eq!(connections.load(Ordering::SeqCst) - before, 1, "{arguments:?}");
    }
}

#[test]
fn a_server_that_rejects_the_handshake_or_does_not_use_tls_is_a_permanent_error() {
    let local = LocalServer::start();
    let alert = |description: u8| -> &'static [u8] { vec![0x15, 3, 3, 0, 2, 2, description].leak() };
    for (response, message) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "InvalidContentType"),
        (alert(40), "HandshakeFailure"),
        (alert(70), "ProtocolVersion"),
        (alert(112), "UnrecognisedName"),
        (alert(116), "CertificateRequired"),
    ] {
        let (port, connections) = fixed_server(response);
        local
            .signpost(&["stat", &format!("https://127.0.0.1:{port}/a")])
            .fails(1, message);
        assert_eq!(connections.load(Ordering::SeqCst), 1, "{message}");
    }
}
