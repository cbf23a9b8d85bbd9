//! Requests over HTTP/1.1, with TLS where the URL says so: a connection for each, since they are far apart.

use std::sync::{Arc, OnceLock};

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

pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

/// Trusts whom the system trusts. The certificates are read on first use, since they cost milliseconds, and clones share
/// them.
#[derive(Clone, Default)]
pub(crate) struct Https {
    tls: Arc<OnceLock<TlsConnector>>,
}

impl std::fmt::Debug for Https {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Https")
    }
}

impl Https {
    /// Sends `request`, whose URI is absolute, and reads the answer, which has at most `longest` bytes. Redirects are
    /// answers like any other.
    pub(crate) async fn send(&self, request: Request<Bytes>, longest: usize) -> Result<Response<Bytes>, Error> {
        let (host, port, secure) = place(request.uri())?;
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        if !secure {
            return exchange(TokioIo::new(stream), request, longest).await;
        }
        let name = ServerName::try_from(host)?;
        let stream = self.tls()?.connect(name, stream).await?;
        exchange(TokioIo::new(stream), request, longest).await
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

async fn exchange<S>(stream: S, request: Request<Bytes>, longest: usize) -> Result<Response<Bytes>, Error>
where
    S: Read + Write + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(stream).await?;
    let connection = tokio::spawn(connection);
    let response = sender.send_request(in_origin_form(request)?).await?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, longest).collect().await?.to_bytes();
    connection.abort();
    Ok(Response::from_parts(head, body))
}

/// The request as a server wants it: the path alone, and the host in its header.
fn in_origin_form(mut request: Request<Bytes>) -> Result<Request<Full<Bytes>>, Error> {
    let authority = request.uri().authority().map_or("", |authority| authority.as_str());
    let host = HeaderValue::from_str(authority)?;
    request.headers_mut().entry(header::HOST).or_insert(host);
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse()?;
    Ok(request.map(Full::new))
}
