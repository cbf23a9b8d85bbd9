//! An HTTP/1.1 client with TLS. It opens a connection for each request, because requests are far apart.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// An error of any type.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The time limit of one request. A client is waiting for the response, and the function itself has ten seconds.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);

/// The reason why there is no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    #[error("no response within {} s", REQUEST_TIMEOUT.as_secs())]
    Timeout,
    #[error("the connection failed")]
    Connect(#[source] BoxError),
}

/// A client that trusts the certificate authorities of the system. It reads their certificates on first use, because
/// that takes milliseconds. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct HttpsClient {
    tls: Arc<OnceLock<TlsConnector>>,
}

impl std::fmt::Debug for HttpsClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HttpsClient")
    }
}

impl HttpsClient {
    /// Sends `request`, whose URI is absolute, and returns the response, whose body has at most `max_bytes`. The client
    /// does not follow redirects.
    pub(crate) async fn send(&self, request: Request<Bytes>, max_bytes: usize) -> Result<Response<Bytes>, SendError> {
        let response = tokio::time::timeout(REQUEST_TIMEOUT, self.exchange(request, max_bytes)).await;
        response.map_err(|_| SendError::Timeout)?.map_err(SendError::Connect)
    }

    async fn exchange(&self, request: Request<Bytes>, max_bytes: usize) -> Result<Response<Bytes>, BoxError> {
        let (host, port, secure) = address(request.uri())?;
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        let stream: Box<dyn Stream> = if secure {
            let name = ServerName::try_from(host)?;
            Box::new(TokioIo::new(self.tls()?.connect(name, stream).await?))
        } else {
            Box::new(TokioIo::new(stream))
        };
        exchange(stream, request, max_bytes).await
    }

    fn tls(&self) -> Result<&TlsConnector, BoxError> {
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

/// Returns the host, the port, and true for TLS.
fn address(uri: &Uri) -> Result<(String, u16, bool), BoxError> {
    let secure = uri.scheme_str() == Some("https");
    let host = uri.host().ok_or("the URL has no host")?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    Ok((host, port, secure))
}

/// A connection, with or without TLS. One type for both, so that the function contains the HTTP client once.
trait Stream: Read + Write + Send + Unpin {}

impl<T: Read + Write + Send + Unpin> Stream for T {}

async fn exchange(
    stream: Box<dyn Stream>,
    request: Request<Bytes>,
    max_bytes: usize,
) -> Result<Response<Bytes>, BoxError> {
    let (mut sender, connection) = http1::handshake(stream).await?;
    let connection = tokio::spawn(connection);
    let response = sender.send_request(in_origin_form(request)?).await?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, max_bytes).collect().await?.to_bytes();
    connection.abort();
    Ok(Response::from_parts(head, body))
}

/// Returns the request in origin form
/// ([RFC 9112, section 3.2.1](https://www.rfc-editor.org/rfc/rfc9112#section-3.2.1)), with the host in its header.
fn in_origin_form(mut request: Request<Bytes>) -> Result<Request<Full<Bytes>>, BoxError> {
    let authority = request.uri().authority().map_or("", |authority| authority.as_str());
    let host = HeaderValue::from_str(authority)?;
    request.headers_mut().entry(header::HOST).or_insert(host);
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse()?;
    Ok(request.map(Full::new))
}
