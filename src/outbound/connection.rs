//! A connection to a server: TCP, TLS and HTTP/1.1.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::ServerName;

use super::tls::{BoxError, Tls};

/// The server of a URL. All requests to one origin can use the same connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    host: String,
    port: u16,
    secure: bool,
}

/// An open connection, for one request at a time. It closes when it is dropped.
pub(super) struct Connection {
    origin: Origin,
    sender: SendRequest<Full<Bytes>>,
}

/// The reason why a connection returned no response.
pub(super) struct ExchangeError {
    /// The request, if it can be sent on another connection.
    pub(super) repeatable: Option<Request<Full<Bytes>>>,
    pub(super) source: BoxError,
}

impl Origin {
    /// Returns the origin of an absolute URI.
    pub(super) fn of(uri: &Uri) -> Result<Self, BoxError> {
        let secure = uri.scheme_str() == Some("https");
        let host = uri.host().ok_or("the URL has no host")?;
        Ok(Self {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: uri.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            secure,
        })
    }
}

/// A stream, with or without TLS. One type for both, so that the function contains the HTTP client once.
trait Stream: Read + Write + Send + Unpin {}

impl<T: Read + Write + Send + Unpin> Stream for T {}

impl Connection {
    pub(super) async fn open(origin: Origin, tls: &Tls) -> Result<Self, BoxError> {
        let stream = if origin.secure {
            connect_tls(&origin, tls).await?
        } else {
            Box::new(TokioIo::new(connect_tcp(&origin).await?))
        };
        let (sender, connection) = http1::handshake(stream).await?;
        // The task ends when the sender is dropped or the server closes the connection.
        tokio::spawn(connection);
        Ok(Self { origin, sender })
    }

    pub(super) const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns true if the server has not closed the connection, as far as this side knows.
    pub(super) async fn is_open(&mut self) -> bool {
        // The runtime now reads what has arrived since the last request. The process may have been frozen meanwhile.
        tokio::task::yield_now().await;
        self.sender.ready().await.is_ok()
    }

    /// Sends a request and returns the response, whose body has not been read.
    pub(super) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, ExchangeError> {
        let response = self.sender.try_send_request(request).await;
        response.map_err(|mut error| ExchangeError {
            // hyper returns the request if nothing of it was sent.
            repeatable: error.take_message(),
            source: error.into_error().into(),
        })
    }
}

async fn connect_tls(origin: &Origin, tls: &Tls) -> Result<Box<dyn Stream>, BoxError> {
    // The certificates are read while another thread resolves the name.
    let (stream, connector) = tokio::join!(connect_tcp(origin), async { tls.connector() });
    let name = ServerName::try_from(origin.host.clone())?;
    Ok(Box::new(TokioIo::new(connector?.connect(name, stream?).await?)))
}

async fn connect_tcp(origin: &Origin) -> Result<TcpStream, std::io::Error> {
    let stream = TcpStream::connect((origin.host.as_str(), origin.port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Returns the response with its body, which has at most `max_bytes`.
pub(super) async fn read_body(response: Response<Incoming>, max_bytes: usize) -> Result<Response<Bytes>, BoxError> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, max_bytes).collect().await?.to_bytes();
    Ok(Response::from_parts(head, body))
}

/// Returns the request in origin form
/// ([RFC 9112, section 3.2.1](https://www.rfc-editor.org/rfc/rfc9112#section-3.2.1)), with the host in its header.
pub(super) fn in_origin_form(mut request: Request<Bytes>) -> Result<Request<Full<Bytes>>, BoxError> {
    let authority = request.uri().authority().map_or("", |authority| authority.as_str());
    let host = HeaderValue::from_str(authority)?;
    request.headers_mut().entry(header::HOST).or_insert(host);
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse()?;
    Ok(request.map(Full::new))
}
