//! An HTTP/1.1 client with TLS that reuses connections.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;

use super::connection::{Connection, Origin, in_origin_form, read_body};
use super::connection_pool::ConnectionPool;
pub(crate) use super::tls::BoxError;
use super::tls::Tls;

/// The time limit of one request. A client is waiting for the response, and the function itself has ten seconds.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);

/// How long an idempotent request waits only for the response of a connection that was idle for [`LONG_IDLE_TIME`]. The
/// network may have dropped the connection while the process was frozen, without a notice.
const REUSED_TIMEOUT: Duration = Duration::from_secs(1);

/// No network drops a connection that was idle for less. If the response is late, the server is slow, and a second request
/// would make it slower.
const LONG_IDLE_TIME: Duration = Duration::from_secs(5);

/// The reason why there is no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    #[error("no response within {} s", REQUEST_TIMEOUT.as_secs())]
    Timeout,
    #[error("the connection failed")]
    Connect(#[source] BoxError),
}

/// The effect of a request that is sent twice. The method does not define it, because STS, `DynamoDB`, Systems Manager and
/// Secrets Manager receive every operation as POST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Idempotency {
    /// The same as if it were sent once:
    ///
    /// - operations that only read, and the methods that HTTP defines as idempotent
    ///   ([RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2)),
    /// - [`AssumeRole`](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html), which returns credentials
    ///   and changes nothing,
    /// - `UpdateItem` that only sets an attribute with
    ///   [`if_not_exists`](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html).
    Idempotent,
    /// Another one:
    ///
    /// - `UpdateItem` with `ADD`
    ///   ([atomic counters](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithItems.html#WorkingWithItems.AtomicCounters)),
    /// - `UpdateItem` with a condition that the item no longer fulfils after the update,
    /// - the exchange of an authorization code, which is valid once
    ///   ([RFC 6749](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2)).
    NotIdempotent,
}

/// The head of a response, and the connection from which its body is read.
type OpenResponse = (Connection, Response<Incoming>);

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
            if let Ok(response) = tokio::time::timeout(REQUEST_TIMEOUT, exchange).await {
                return response.map_err(SendError::Connect);
            }
            self.0.pool.close(&origin);
            Err(SendError::Timeout)
        })
    }

    /// Opens a connection to the origin of `url` for the next request, unless there is one.
    pub(crate) fn connect(&self, url: Uri) -> BoxFuture<'_, Result<(), BoxError>> {
        Box::pin(async move {
            let origin = Origin::of(&url)?;
            let connection = match self.reuse(&origin).await {
                Some((connection, _)) => connection,
                None => Connection::open(origin, &self.0.tls).await?,
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
    ) -> Result<OpenResponse, BoxError> {
        match (self.reuse(origin).await, idempotency) {
            (None, _) => self.send_new(origin, request).await,
            (Some(reused), Idempotency::Idempotent) => self.send_idempotent(reused, request).await,
            (Some((reused, _)), Idempotency::NotIdempotent) => self.send_once(reused, request).await,
        }
    }

    /// Sends a request on a new connection.
    async fn send_new(&self, origin: &Origin, request: Request<Full<Bytes>>) -> Result<OpenResponse, BoxError> {
        let mut connection = Connection::open(origin.clone(), &self.0.tls).await?;
        let response = connection.send(request).await.map_err(|error| error.source)?;
        Ok((connection, response))
    }

    /// Sends a request on a connection that may be dead, and on a new one if the first fails or does not respond soon. A
    /// server that is only slow may still respond on the first one.
    async fn send_idempotent(
        &self,
        (mut reused, idle_time): (Connection, Duration),
        request: Request<Full<Bytes>>,
    ) -> Result<OpenResponse, BoxError> {
        let origin = reused.origin().clone();
        let limit = if idle_time < LONG_IDLE_TIME {
            REQUEST_TIMEOUT
        } else {
            REUSED_TIMEOUT
        };
        let mut first = pin!(async {
            let response = reused.send(request.clone()).await.ok()?;
            Some((reused, response))
        });
        let early = tokio::time::timeout(limit, &mut first).await;
        let is_dead = match early {
            Ok(Some(response)) => return Ok(response),
            Ok(None) => true,
            Err(_) => false,
        };
        self.0.pool.close(&origin);
        let second = self.send_new(&origin, request.clone());
        if is_dead {
            return second.await;
        }
        tokio::select! {
            Some(response) = first => Ok(response),
            response = second => response,
        }
    }

    /// Sends a request on a connection that may be dead, and on a new one if nothing of it was sent.
    async fn send_once(&self, mut reused: Connection, request: Request<Full<Bytes>>) -> Result<OpenResponse, BoxError> {
        let error = match reused.send(request).await {
            Ok(response) => return Ok((reused, response)),
            Err(error) => error,
        };
        self.0.pool.close(reused.origin());
        let request = error.repeatable.ok_or(error.source)?;
        self.send_new(reused.origin(), request).await
    }

    /// Returns a connection that is still open, and how long it was idle.
    async fn reuse(&self, origin: &Origin) -> Option<(Connection, Duration)> {
        while let Some((mut connection, idle_time)) = self.0.pool.take(origin, SystemTime::now()) {
            if connection.is_open().await {
                return Some((connection, idle_time));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
