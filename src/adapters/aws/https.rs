//! A request over HTTP/1.1, with TLS where the URL says so: a connection for each, since they are an hour apart.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// No answer that is read here is longer.
const MAX_ANSWER: usize = 256 * 1024;

pub(super) type Error = Box<dyn std::error::Error + Send + Sync>;

/// Trusts whom the system trusts. The certificates are read on first use: they cost milliseconds.
#[derive(Default)]
pub(super) struct Https {
    tls: OnceLock<TlsConnector>,
}

impl std::fmt::Debug for Https {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Https")
    }
}

impl Https {
    /// Sends `request`, whose URI is absolute, and reads the answer.
    pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, String), Error> {
        let (host, port, secure) = place(request.uri())?;
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        if !secure {
            return exchange(TokioIo::new(stream), request).await;
        }
        let name = ServerName::try_from(host)?;
        let stream = self.tls()?.connect(name, stream).await?;
        exchange(TokioIo::new(stream), request).await
    }

    fn tls(&self) -> Result<&TlsConnector, Error> {
        if let Some(tls) = self.tls.get() {
            return Ok(tls);
        }
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            return Err("the system trusts no certificate authority".into());
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(self.tls.get_or_init(|| TlsConnector::from(Arc::new(config))))
    }
}

fn place(uri: &Uri) -> Result<(String, u16, bool), Error> {
    let secure = uri.scheme_str() == Some("https");
    let host = uri.host().ok_or("the URL has no host")?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    Ok((host, port, secure))
}

async fn exchange<S>(stream: S, mut request: Request<Full<Bytes>>) -> Result<(StatusCode, String), Error>
where
    S: Read + Write + Send + Unpin + 'static,
{
    *request.uri_mut() = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str())
        .parse()?;
    let (mut sender, connection) = http1::handshake(stream).await?;
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_ANSWER)
        .collect()
        .await?
        .to_bytes();
    connection.abort();
    Ok((status, String::from_utf8(body.into())?))
}
