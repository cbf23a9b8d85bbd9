//! Requests and their answers, without redirects, to Signpost and to S3.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, Response, StatusCode, Url, redirect};

use crate::Variables;
use crate::credential::is_here;
use crate::problem::{Problem, Retry};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(20);

/// How long a connection is kept that nobody uses; S3 ends it not much later, and a request would meet that.
const IDLE: Duration = Duration::from_secs(15);

/// How long an answer may pause.
pub(crate) const SILENCE: Duration = Duration::from_mins(1);

/// More than any answer that is read whole may have.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// The variables that name the proxy of what goes without TLS.
const PROXIES: [&str; 4] = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];

/// The client for both hops. It keeps no credential.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    /// By the proxy that the environment names, if it names one.
    usual: Client,
    /// For this machine, without TLS: a proxy elsewhere could read what is for nobody elsewhere.
    here: Client,
}

impl Http {
    pub(crate) fn new(variable: Variables) -> Result<Self, Problem> {
        // Another part of the process may have been first, with the same provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let usual = builder().build().map_err(Problem::network)?;
        let here = if proxies_are_here(variable) {
            usual.clone()
        } else {
            builder().no_proxy().build().map_err(Problem::network)?
        };
        Ok(Self { usual, here })
    }

    pub(crate) fn request(&self, method: Method, url: &str) -> RequestBuilder {
        let is_open = |url: Url| url.scheme() == "http" && url.host_str().is_some_and(is_here);
        let client = if Url::parse(url).is_ok_and(is_open) {
            &self.here
        } else {
            &self.usual
        };
        client.request(method, url)
    }
}

fn builder() -> ClientBuilder {
    Client::builder()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE)
        .tcp_nodelay(true)
        .user_agent(concat!("signpost/", env!("CARGO_PKG_VERSION")))
}

/// Whether every proxy that may be used without TLS is on this machine.
fn proxies_are_here(variable: impl Fn(&str) -> Option<String>) -> bool {
    PROXIES.into_iter().filter_map(variable).all(|proxy| {
        let proxy = if proxy.contains("://") {
            proxy
        } else {
            format!("http://{proxy}")
        };
        Url::parse(&proxy).is_ok_and(|proxy| proxy.host_str().is_some_and(is_here))
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_elsewhere_are_told_from_those_here() {
        let named = |name: &'static str, proxy: &'static str| {
            proxies_are_here(move |asked| (asked == name).then(|| proxy.to_owned()))
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
            assert!(PROXIES.iter().all(|name| !named(name, elsewhere)), "{elsewhere}");
        }
        assert!(named("https_proxy", "proxy:3128"), "it sees nothing but ciphertext");
    }
}
