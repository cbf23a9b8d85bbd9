//! The HTTP server of the redirect API.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::service::service_fn;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};

use crate::connections;
use crate::redirect_api::RedirectApi;

/// Approximately the largest request head that any front accepts, which is the limit of an ALB
/// ([quotas](https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html)).
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Serves the API until `shutdown` completes, then waits for the open requests.
pub(crate) async fn serve(listener: TcpListener, api: Arc<RedirectApi>, shutdown: impl Future<Output = ()>) {
    let connections = connections::accept_until(listener, shutdown, |connections, stream, peer| {
        spawn_connection(connections, stream, peer, Arc::clone(&api));
    })
    .await;
    connections.shutdown().await;
}

fn spawn_connection(connections: &GracefulShutdown, stream: TcpStream, peer: SocketAddr, api: Arc<RedirectApi>) {
    let service = service_fn(move |request| {
        let api = Arc::clone(&api);
        async move { Ok::<_, Infallible>(api.handle_request(peer, request).await) }
    });
    let mut builder = connections::http1_builder();
    // A client can close its side after the request and still wait for the response.
    builder.max_buf_size(MAX_HEAD_BYTES).half_close(true);
    connections::spawn_watched(connections, &builder, stream, service);
}
