//! An HTTP/1.1 client with TLS that reuses connections.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;

use super::connection::{Connection, ExchangeError, Origin, in_origin_form, read_body};
use super::connection_pool::ConnectionPool;
pub(crate) use super::tls::BoxError;
use super::tls::Tls;

/// The time limit of one request. A client is waiting for the response, and the function itself has ten seconds.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);

/// How long an idempotent request waits for the response of a reused connection. The network may have dropped the
/// connection while the process was frozen, without a notice.
const REUSED_TIMEOUT: Duration = Duration::from_secs(1);

/// The reason why there is no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    #[error("no response within {} s", REQUEST_TIMEOUT.as_secs())]
    Timeout,
    #[error("the connection failed")]
    Connect(#[source] BoxError),
}

/// The effect of a request that is sent twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Idempotency {
    /// The same as if it were sent once.
    Idempotent,
    /// Another one.
    NotIdempotent,
}

/// A boxed future.
type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A client whose clones share connections and the TLS configuration.
#[derive(Clone, Default)]
pub(crate) struct HttpsClient(Arc<SharedClient>);

#[derive(Default)]
struct SharedClient {
    tls: Tls,
    pool: ConnectionPool,
}

impl std::fmt::Debug for HttpsClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HttpsClient")
    }
}

impl HttpsClient {
    /// Sends `request`, whose URI is absolute, and returns the response, whose body has at most `max_bytes`. The client
    /// does not follow redirects.
    ///
    /// If a reused connection proves to be dead, the request is sent again on a new connection. A request that is not
    /// idempotent is sent again only if nothing of it was sent.
    ///
    /// The future is boxed, so that the futures of requests that need no call stay small.
    pub(crate) fn send(
        &self,
        request: Request<Bytes>,
        idempotency: Idempotency,
        max_bytes: usize,
    ) -> BoxFuture<'_, Result<Response<Bytes>, SendError>> {
        Box::pin(async move {
            let origin = Origin::of(request.uri()).map_err(SendError::Connect)?;
            let request = in_origin_form(request).map_err(SendError::Connect)?;
            let exchange = self.exchange(&origin, request, idempotency, max_bytes);
            match tokio::time::timeout(REQUEST_TIMEOUT, exchange).await {
                Ok(response) => response.map_err(SendError::Connect),
                Err(_) => {
                    self.0.pool.close(&origin);
                    Err(SendError::Timeout)
                }
            }
        })
    }

    /// Opens a connection to the origin of `url` for the next request, unless there is one.
    pub(crate) fn connect(&self, url: Uri) -> BoxFuture<'_, Result<(), BoxError>> {
        Box::pin(async move {
            let origin = Origin::of(&url)?;
            let connection = match self.reuse(&origin).await {
                Some(connection) => connection,
                None => self.open(&origin).await?,
            };
            self.0.pool.put(connection);
            Ok(())
        })
    }

    async fn exchange(
        &self,
        origin: &Origin,
        request: Request<Full<Bytes>>,
        idempotency: Idempotency,
        max_bytes: usize,
    ) -> Result<Response<Bytes>, BoxError> {
        let (connection, response) = self.response(origin, request, idempotency).await?;
        let response = read_body(response, max_bytes).await?;
        self.0.pool.put(connection);
        Ok(response)
    }

    async fn response(
        &self,
        origin: &Origin,
        request: Request<Full<Bytes>>,
        idempotency: Idempotency,
    ) -> Result<(Connection, Response<Incoming>), BoxError> {
        let request = match self.reuse(origin).await {
            None => request,
            Some(mut connection) => match send_reused(&mut connection, request, idempotency).await {
                Ok(response) => return Ok((connection, response)),
                Err(error) => {
                    self.0.pool.close(origin);
                    error.repeatable.ok_or(error.source)?
                }
            },
        };
        let mut connection = self.open(origin).await?;
        let response = connection.send(request).await.map_err(|error| error.source)?;
        Ok((connection, response))
    }

    /// Returns an idle connection that is still open.
    async fn reuse(&self, origin: &Origin) -> Option<Connection> {
        while let Some(mut connection) = self.0.pool.take(origin, Instant::now()) {
            if connection.is_open().await {
                return Some(connection);
            }
        }
        None
    }

    async fn open(&self, origin: &Origin) -> Result<Connection, BoxError> {
        Connection::open(origin.clone(), &self.0.tls).await
    }
}

/// Sends a request on a connection that may be dead. An error contains the request if it can be sent again.
async fn send_reused(
    connection: &mut Connection,
    request: Request<Full<Bytes>>,
    idempotency: Idempotency,
) -> Result<Response<Incoming>, ExchangeError> {
    if idempotency == Idempotency::NotIdempotent {
        return connection.send(request).await;
    }
    let response = tokio::time::timeout(REUSED_TIMEOUT, connection.send(request.clone())).await;
    let error = match response {
        Ok(Ok(response)) => return Ok(response),
        Ok(Err(error)) => error.source,
        Err(elapsed) => elapsed.into(),
    };
    Err(ExchangeError {
        repeatable: Some(request),
        source: error,
    })
}

#[cfg(test)]
mod tests;
