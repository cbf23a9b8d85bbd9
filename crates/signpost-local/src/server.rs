//! The socket: takes connections until it is told to stop, then lets the requests at hand finish.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};

use crate::api::Api;

/// How long a client may take over the head of a request.
const HEADER_PATIENCE: Duration = Duration::from_mins(1);

/// About the head of a request that the most generous front, an ALB, takes
/// ([quotas](https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html)).
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Serves until `shutdown`.
pub(crate) async fn serve(listener: TcpListener, api: Arc<Api>, shutdown: impl Future<Output = ()>) {
    let connections = GracefulShutdown::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => spawn(&connections, stream, peer, Arc::clone(&api)),
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    // Most likely no file descriptor is free; give some time to come free.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            () = &mut shutdown => break,
        }
    }
    drop(listener);
    connections.shutdown().await;
}

fn spawn(connections: &GracefulShutdown, stream: TcpStream, peer: SocketAddr, api: Arc<Api>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let api = Arc::clone(&api);
        async move { Ok::<_, Infallible>(api.answer(peer, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .max_buf_size(MAX_HEAD_BYTES)
        // A client may end its side with the request and still want the answer.
        .half_close(true)
        .header_read_timeout(HEADER_PATIENCE)
        .serve_connection(TokioIo::new(stream), service);
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection broke");
        }
    });
}
