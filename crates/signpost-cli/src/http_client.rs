//! The HTTP clients for Signpost and S3. They do not follow redirects.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, Response, StatusCode, Url, redirect};

use crate::VariableReader;
use crate::credential::is_loopback;
use crate::operation_error::{OperationError, RetryAdvice};

/// The timeout for a connection attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// How long an idle connection is reused. S3 closes idle connections soon afterwards, and a request would then fail.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a response may pause.
pub(crate) const RESPONSE_TIMEOUT: Duration = Duration::from_mins(1);

/// The maximum size of a response that is read into memory.
const MAX_RESPONSE_BYTES: usize = 16 * 1024 * 1024;

/// The variables that name the proxy for connections without TLS.
const PROXY_VARIABLES: [&str; 4] = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];

/// The clients for Signpost and S3. They do not store credentials.
#[derive(Clone, Debug)]
pub(crate) struct HttpClients {
    /// Uses the proxy from the environment, if there is one.
    default_client: Client,
    /// For connections to this machine without TLS: a proxy on another machine could read them.
    loopback_client: Client,
}

impl HttpClients {
    pub(crate) fn new(variable: VariableReader) -> Result<Self, OperationError> {
        // Another part of the process may have installed the same provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let default_client = client_builder().build().map_err(OperationError::network)?;
        let loopback_client = if proxies_are_local(variable) {
            default_client.clone()
        } else {
            client_builder().no_proxy().build().map_err(OperationError::network)?
        };
        Ok(Self {
            default_client,
            loopback_client,
        })
    }

    pub(crate) fn request(&self, method: Method, url: &str) -> RequestBuilder {
        let is_plain_loopback = |url: Url| url.scheme() == "http" && url.host_str().is_some_and(is_loopback);
        let client = if Url::parse(url).is_ok_and(is_plain_loopback) {
            &self.loopback_client
        } else {
            &self.default_client
        };
        client.request(method, url)
    }
}

fn client_builder() -> ClientBuilder {
    Client::builder()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .tcp_nodelay(true)
        .user_agent(concat!("signpost/", env!("CARGO_PKG_VERSION")))
}

/// Returns true if all proxies for connections without TLS are on this machine.
fn proxies_are_local(variable: impl Fn(&str) -> Option<String>) -> bool {
    PROXY_VARIABLES.into_iter().filter_map(variable).all(|proxy| {
        let proxy = if proxy.contains("://") {
            proxy
        } else {
            format!("http://{proxy}")
        };
        Url::parse(&proxy).is_ok_and(|proxy| proxy.host_str().is_some_and(is_loopback))
    })
}

/// Reads the next chunk of a response, with a timeout.
pub(crate) async fn next_chunk(response: &mut Response) -> Result<Option<Bytes>, OperationError> {
    match tokio::time::timeout(RESPONSE_TIMEOUT, response.chunk()).await {
        Ok(chunk) => chunk.map_err(OperationError::network),
        Err(_) => Err(OperationError::temporary("the server stopped sending the response")),
    }
}

/// Reads the body of a response of limited size.
pub(crate) async fn read_body(mut response: Response) -> Result<Bytes, OperationError> {
    let mut read = BytesMut::new();
    while let Some(chunk) = next_chunk(&mut response).await? {
        read.extend_from_slice(&chunk);
        if read.len() > MAX_RESPONSE_BYTES {
            return Err(OperationError::new(
                crate::exit_status::ExitStatus::Failure,
                "the response is too long",
            ));
        }
    }
    Ok(read.freeze())
}

/// Returns the retry advice if the failure is transient for any request.
pub(crate) fn retry_advice(status: StatusCode, headers: &HeaderMap) -> Option<RetryAdvice> {
    let is_transient = status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    is_transient.then(|| RetryAdvice::Later(retry_after(headers)))
}

/// The value in seconds. The servers in question do not send dates.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remote_proxies_are_distinguished_from_local_ones() {
        let named = |name: &'static str, proxy: &'static str| {
            proxies_are_local(move |asked| (asked == name).then(|| proxy.to_owned()))
        };
        for here in [
            "127.0.0.1:3128",
            "http://localhost:3128",
            "http://user:secret@[::1]:3128/",
            "socks5://127.0.0.1:1080",
        ] {
            assert!(named("http_proxy", here) && named("ALL_PROXY", here), "{here}");
        }
        for elsewhere in [
            "proxy:3128",
            "http://192.0.2.1:3128",
            "http://127.0.0.1@proxy",
            "socks5://proxy",
            ":",
        ] {
            assert!(
                PROXY_VARIABLES.iter().all(|name| !named(name, elsewhere)),
                "{elsewhere}"
            );
        }
        assert!(named("https_proxy", "proxy:3128"), "it sees nothing but ciphertext");
    }
}
