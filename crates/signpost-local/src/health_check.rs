//! `--check-health`: a client for the health check of a running server, for containers without other programs.

use std::io;
use std::time::Duration;

use http::Uri;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const TIMEOUT: Duration = Duration::from_secs(5);

const MAX_RESPONSE_BYTES: u64 = 16 * 1024;

/// An error that means that the server is not healthy, or that the check is not possible.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HealthError {
    /// The argument is not the URL of a local server.
    #[error("--check-health: {0:?} is not a URL such as http://127.0.0.1:8080")]
    Url(String),
    /// There is no server, or it closed the connection.
    #[error("--check-health: {url} does not respond")]
    Connection {
        /// The URL of the server.
        url: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The server responds with something else than success.
    #[error("--check-health: {url} is not a healthy Signpost server; it responded with {status:?}")]
    Unhealthy {
        /// The URL of the server.
        url: String,
        /// The first line of the response.
        status: String,
    },
}

/// Succeeds if the server at `url` reports that it is running.
pub(crate) async fn check_health(url: &str) -> Result<(), HealthError> {
    let (authority, request) = health_request(url).ok_or_else(|| HealthError::Url(url.to_owned()))?;
    let exchange = tokio::time::timeout(TIMEOUT, exchange(&authority, &request)).await;
    let exchange = exchange.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let response = exchange.map_err(|source| HealthError::Connection {
        url: url.to_owned(),
        source,
    })?;
    if is_healthy(&response) {
        return Ok(());
    }
    Err(HealthError::Unhealthy {
        url: url.to_owned(),
        status: response.lines().next().unwrap_or_default().to_owned(),
    })
}

/// Returns the address to connect to, and the request to send.
fn health_request(url: &str) -> Option<(String, String)> {
    let uri: Uri = url.parse().ok()?;
    let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http"))?;
    let base = uri.path().trim_end_matches('/');
    let request = format!("GET {base}/-/health HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    let port = authority.port_u16().unwrap_or(80);
    Some((format!("{}:{port}", authority.host()), request))
}

async fn exchange(authority: &str, request: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(authority).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut response = Vec::new();
    stream.take(MAX_RESPONSE_BYTES).read_to_end(&mut response).await?;
    Ok(String::from_utf8_lossy(&response).into_owned())
}

/// Another server can also respond with 200, so the body must be that of Signpost.
fn is_healthy(response: &str) -> bool {
    let body = response.split_once("\r\n\r\n").map(|(_, body)| body);
    response.starts_with("HTTP/1.1 200 ") && body.is_some_and(|body| body.contains("\"status\":\"ok\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_health_check_of_the_url_is_requested() {
        for (url, authority, path) in [
            ("http://127.0.0.1:8080", "127.0.0.1:8080", "/-/health"),
            ("http://[::1]:8080/", "[::1]:8080", "/-/health"),
            ("http://localhost/base/", "localhost:80", "/base/-/health"),
        ] {
            let (address, request) = health_request(url).unwrap();
            assert_eq!(address, authority);
            assert!(request.starts_with(&format!("GET {path} HTTP/1.1\r\n")), "{request}");
        }
        for url in ["", "127.0.0.1:8080", "https://127.0.0.1", "http://", "/-/health"] {
            assert_eq!(health_request(url), None, "{url:?}");
        }
    }

    #[test]
    fn only_the_response_of_a_signpost_server_is_healthy() {
        let response = |status: &str, body: &str| format!("HTTP/1.1 {status}\r\ncontent-length: 1\r\n\r\n{body}");
        let body = r#"{"status":"ok","version":"1.0.0"}"#;
        assert!(is_healthy(&response("200 OK", body)));
        assert!(!is_healthy(&response("500 Internal Server Error", body)));
        assert!(!is_healthy(&response("200 OK", "hello")));
        assert!(!is_healthy(""));
    }
}
