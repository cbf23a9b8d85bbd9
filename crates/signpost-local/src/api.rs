//! The redirect API: one request from HTTP through the front's event to the handler, and back.

use std::net::{IpAddr, SocketAddr};
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use signpost::key::PathEncoding;
use signpost::rejection::Rejection;
use signpost::request::{ApiRequest, BodyLength};
use signpost::service::handler::Handler;
use signpost::{fronts as fronts_of_service, lambda};

use crate::buffer::{self, Buffered};
use crate::fronts::{Delivery, Front, host, path, to_http};
use crate::log;

/// The redirect API behind one front.
#[derive(Debug)]
pub(crate) struct Api {
    /// The handler that the function runs too.
    pub(crate) handler: Handler,
    /// The front that is emulated.
    pub(crate) front: Front,
    /// Where it listens.
    pub(crate) local: SocketAddr,
    /// Whether anyone may do everything.
    pub(crate) open: bool,
}

impl Api {
    /// What stands before the keys; a REST API tells where they begin.
    pub(crate) fn base_path(&self) -> &str {
        match self.front {
            Front::Rest => "",
            Front::HttpApi | Front::FunctionUrl | Front::Alb | Front::AlbMultiValue => self.handler.base_path(),
        }
    }

    /// Answers one request, and logs it.
    pub(crate) async fn answer(&self, peer: SocketAddr, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let start = Instant::now();
        let (parts, body) = request.into_parts();
        let response = match buffer::read(body, self.front.max_read_bytes(), &parts.headers).await {
            Buffered::Whole(_) if self.open && !names_this_machine(&host(&parts)) => misdirected(),
            Buffered::Whole(body) => self.deliver(peer, &parts, &body).await,
            Buffered::TooLarge => self.refuse(&parts, self.front.body_too_large(), &request_id()).await,
            Buffered::Broken => broken(),
        };
        let shown = self.front.shown_path(path(&parts));
        log::request(parts.method.as_str(), &shown, response.status(), start.elapsed());
        response
    }

    async fn deliver(&self, peer: SocketAddr, parts: &Parts, body: &[u8]) -> Response<Full<Bytes>> {
        let request_id = request_id();
        let delivery = Delivery {
            parts,
            body,
            peer,
            local: self.local,
            request_id: &request_id,
        };
        match self.front.event(&delivery) {
            Ok(event) => {
                let answer = lambda::respond(&self.handler, &event, &request_id, SystemTime::now()).await;
                to_http(self.front, &answer)
            }
            Err(rejection) => self.refuse(parts, rejection, &request_id).await,
        }
    }

    /// Answers for the front where the function never sees the request. A gateway's own words would be terse; these
    /// say what works.
    async fn refuse(&self, parts: &Parts, rejection: Rejection, request_id: &str) -> Response<Full<Bytes>> {
        let request = ApiRequest {
            method: parts.method.to_string(),
            path: path(parts).to_owned(),
            encoding: PathEncoding::Percent,
            query: Vec::new(),
            headers: parts.headers.clone(),
            length: BodyLength::Undeclared,
            base_url: self.base_url(parts),
            request_id: request_id.to_owned(),
            invocation: request_id.to_owned(),
            body: Bytes::new(),
            gateway: None,
            defect: Some(rejection),
        };
        let response = self.handler.handle(&request, SystemTime::now()).await;
        response.map(Full::new)
    }

    fn base_url(&self, parts: &Parts) -> String {
        if let Some(public) = self.handler.public_url() {
            return public.to_owned();
        }
        let told = host(parts);
        if fronts_of_service::is_plain_host(&told) {
            format!("http://{told}")
        } else {
            format!("http://{}", self.local)
        }
    }
}

/// Whether a `Host` is an address, or a name that only this machine has. Any other may be that of a web site whose owner
/// has it lead here (DNS rebinding), to have the pages that a browser shows from there use this service.
fn names_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let name = name.to_ascii_lowercase();
    name.is_empty() || name == "localhost" || name.ends_with(".localhost") || address.parse::<IpAddr>().is_ok()
}

/// RFC 9110, section 15.5.20.
fn misdirected() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(
        "without rules this server answers to `localhost` and addresses only, whatever other names lead here; \
         start it with --rules FILE\n",
    ));
    *response.status_mut() = StatusCode::MISDIRECTED_REQUEST;
    response
}

fn broken() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from("the request body broke off, or is not chunked as it says\n"));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

/// A random UUID, which is what the gateways name requests by.
fn request_id() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has randomness");
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
