//! A certificate that no authority has signed is a permanent error: the command does not repeat the request.

use std::io::Read as _;
use std::net::TcpListener;
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
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&connections);
    thread::spawn(move || {
        for stream in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            // The client ends the handshake.
            let _ = StreamOwned::new(connection, stream.unwrap()).read(&mut [0; 1]);
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
