//! The redirect API: converts an HTTP request to the front's event, calls the handler and converts its response.

use std::net::{IpAddr, SocketAddr};
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use signpost::fronts::is_plain_host;
use signpost::key::PathEncoding;
use signpost::lambda;
use signpost::rejection::Rejection;
use signpost::request::{ApiRequest, BodyLength};
use signpost::service::handler::Handler;

use crate::access_log::{self, AccessLine};
use crate::connections::has_several_hosts;
use crate::fronts::{ClientRequest, EmulatedFront, request_host, request_path, to_http_response};
use crate::logging;
use crate::request_body::{self, RequestBody};
use crate::rules_reload::ReloadingHandler;

/// The redirect API behind one front.
#[derive(Debug)]
pub(crate) struct RedirectApi {
    /// The handler that the Lambda function also runs, with the current rules.
    pub(crate) handlers: ReloadingHandler,
    /// The emulated front.
    pub(crate) front: EmulatedFront,
    /// The address that the API listens on.
    pub(crate) local: SocketAddr,
    /// True if no rules are configured, so that every request is allowed.
    pub(crate) allows_all: bool,
}

impl RedirectApi {
    /// The path prefix in front of the public keys. Empty for a REST API, whose event contains the key separately.
    pub(crate) fn base_path(&self) -> String {
        match self.front {
            EmulatedFront::Rest => String::new(),
            EmulatedFront::HttpApi | EmulatedFront::FunctionUrl | EmulatedFront::Alb | EmulatedFront::AlbMultiValue => {
                self.handlers.current().base_path().to_owned()
            }
        }
    }

    /// Handles one request and writes its log line.
    pub(crate) async fn handle_request(&self, peer: SocketAddr, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let start = Instant::now();
        let (parts, body) = request.into_parts();
        let handler = self.handlers.current();
        let responding = Box::pin(self.respond(&handler, peer, &parts, body));
        let (response, fields) = access_log::record(responding).await;
        let line = AccessLine {
            method: parts.method.as_str(),
            path: &self.front.logged_path(request_path(&parts)),
            status: response.status(),
            duration: start.elapsed(),
            fields,
        };
        logging::print_line(line.with_caller(&handler).await);
        response
    }

    async fn respond(
        &self,
        handler: &Handler,
        peer: SocketAddr,
        parts: &Parts,
        body: Incoming,
    ) -> Response<Full<Bytes>> {
        match request_body::read_body(body, self.front.max_body_bytes(), &parts.headers).await {
            RequestBody::Complete(_) if has_several_hosts(&parts.headers) => several_hosts(),
            RequestBody::Complete(_) if self.allows_all && !is_local_name(&request_host(parts)) => {
                misdirected_request()
            }
            RequestBody::Complete(body) => self.invoke_function(handler, peer, parts, &body).await,
            RequestBody::TooLarge => {
                self.respond_with_rejection(handler, parts, self.front.body_too_large(), &request_id())
                    .await
            }
            RequestBody::Incomplete => incomplete_body(),
        }
    }

    async fn invoke_function(
        &self,
        handler: &Handler,
        peer: SocketAddr,
        parts: &Parts,
        body: &[u8],
    ) -> Response<Full<Bytes>> {
        let request_id = request_id();
        let client_request = ClientRequest {
            parts,
            body,
            peer,
            local: self.local,
            request_id: &request_id,
        };
        match self.front.build_event(&client_request) {
            Ok(event) => {
                let response = lambda::respond(handler, &event, &request_id, SystemTime::now()).await;
                to_http_response(self.front, &response)
            }
            Err(rejection) => {
                self.respond_with_rejection(handler, parts, rejection, &request_id)
                    .await
            }
        }
    }

    /// Responds to a request that the front rejects before it invokes the function.
    ///
    /// A real gateway returns only a short message. This response also names a command that works.
    async fn respond_with_rejection(
        &self,
        handler: &Handler,
        parts: &Parts,
        rejection: Rejection,
        request_id: &str,
    ) -> Response<Full<Bytes>> {
        let request = ApiRequest {
            method: parts.method.to_string(),
            path: request_path(parts).to_owned(),
            encoding: PathEncoding::Percent,
            query: Vec::new(),
            headers: parts.headers.clone(),
            length: BodyLength::Missing,
            base_url: self.base_url(handler, parts),
            max_response_bytes: self.front.max_response_bytes(),
            request_id: request_id.to_owned(),
            invocation: request_id.to_owned(),
            body: Bytes::new(),
            gateway: None,
            parse_error: Some(rejection),
        };
        let response = handler.handle(&request, SystemTime::now()).await;
        response.map(Full::new)
    }

    fn base_url(&self, handler: &Handler, parts: &Parts) -> String {
        if let Some(public) = handler.public_url() {
            return public.to_owned();
        }
        let host = request_host(parts);
        if is_plain_host(&host) {
            format!("http://{host}")
        } else {
            format!("http://{}", self.local)
        }
    }
}

/// Returns true if a `Host` is an IP address or a name that always resolves to this machine.
///
/// Any other name can belong to a website whose owner points it at this machine (DNS rebinding). The pages of that
/// website could then use this server through the visitor's browser.
fn is_local_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let name = name.to_ascii_lowercase();
    name.is_empty() || name == "localhost" || name.ends_with(".localhost") || address.parse::<IpAddr>().is_ok()
}

/// The response 421 (RFC 9110, section 15.5.20).
fn misdirected_request() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(
        "without rules, this server accepts only `localhost` and IP addresses in the Host header; \
         start it with --rules FILE to allow other names\n",
    ));
    *response.status_mut() = StatusCode::MISDIRECTED_REQUEST;
    response
}

fn several_hosts() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(
        "the request has more than one Host header; send exactly one\n",
    ));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

fn incomplete_body() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(
        "the request body is incomplete or its chunks are invalid; send the request again\n",
    ));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

/// Returns a random UUID, the format of the gateways' request ids.
fn request_id() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system provides random bytes");
    let digits = format!("{:032x}", u128::from_be_bytes(bytes));
    let group = |from: usize, to: usize| &digits[from..to];
    format!(
        "{}-{}-4{}-a{}-{}",
        group(0, 8),
        group(8, 12),
        group(13, 16),
        group(17, 20),
        group(20, 32)
    )
}
