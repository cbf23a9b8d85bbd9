//! Requests and their answers, without redirects: a client of Signpost and one of S3, which share no credential.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, redirect};

use crate::problem::{Problem, Retry};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(20);

/// How long a connection is kept that nobody uses; S3 ends it not much later, and a request would meet that.
const IDLE: Duration = Duration::from_secs(15);

/// How long an answer may pause.
pub(crate) const SILENCE: Duration = Duration::from_mins(1);

/// More than any answer that is read whole may have.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// Makes the client for both hops.
pub(crate) fn client() -> Result<Client, Problem> {
    // Another part of the process may have been first, with the same provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE)
        .tcp_nodelay(true)
        .user_agent(concat!("signpost/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(Problem::network)
}

/// Waits for what comes next of an answer, but not for ever.
pub(crate) async fn chunk(response: &mut Response) -> Result<Option<Bytes>, Problem> {
    match tokio::time::timeout(SILENCE, response.chunk()).await {
        Ok(chunk) => chunk.map_err(Problem::network),
        Err(_) => Err(Problem::temporary("the server has stopped sending")),
    }
}

/// The whole body of an answer that has no reason to be long.
pub(crate) async fn body(mut response: Response) -> Result<Bytes, Problem> {
    let mut read = BytesMut::new();
    while let Some(chunk) = chunk(&mut response).await? {
        read.extend_from_slice(&chunk);
        if read.len() > MAX_ANSWER {
            return Err(Problem::new(crate::report::Ending::Failed, "the answer is too long"));
        }
    }
    Ok(read.freeze())
}

/// Whether a server that answers so may do better in a while, whatever it is asked.
pub(crate) fn retry(status: StatusCode, headers: &HeaderMap) -> Option<Retry> {
    let passing = status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    passing.then(|| Retry::Later(retry_after(headers)))
}

/// In seconds; the servers in question do not send dates.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}
