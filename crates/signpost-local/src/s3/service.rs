//! One request from head to answer: CORS, the strict layer, `s3s`, the shape of errors, one log line.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use s3s::Body;
use s3s::service::S3Service;

use super::cors::{self, PreflightRefusal};
use super::document::{Document, Kept};
use super::errors::{self, ErrorBody};
use super::fault;
use super::form::ReadAhead;
use super::lingering::LingeringBody;
use super::store::records::{Bucket, CorsRule};
use super::store::{Store, ids};
use super::strict::{Mechanism, Refusal, Strict, decode_path};

/// The service behind every connection.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) strict: Arc<Strict>,
    pub(crate) store: Arc<Store>,
    pub(crate) operations: S3Service,
    pub(crate) may_list: bool,
    pub(crate) default_cors: Arc<[CorsRule]>,
}

/// What the log and the answer need of a request once it has been consumed.
struct Seen {
    id: String,
    method: Method,
    path: String,
    bucket: String,
    headers: HeaderMap,
    begun: Instant,
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.answer(request).await) })
    }
}

impl Service {
    async fn answer(self, request: Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let seen = Seen::of(&head);
        let body = LingeringBody::new(body, !head.headers.contains_key(EXPECT));
        let (mut response, cause) = if head.method == Method::OPTIONS {
            (self.preflight(&seen), None)
        } else {
            self.operate(head, body, &seen).await
        };
        self.add_headers(&mut response, &seen);
        seen.log(&response, cause.as_deref());
        response
    }

    async fn operate(&self, head: Parts, body: LingeringBody, seen: &Seen) -> (Response<Body>, Option<String>) {
        let request = match self.admit(head, body).await {
            Ok(request) => request,
            Err(refusal) => {
                return (
                    refusal.with_body(|error| error.into_response(&seen.path, &seen.id)),
                    None,
                );
            }
        };
        let (answer, cause) = fault::scope(self.operations.call(request)).await;
        let response = answer.unwrap_or_else(|_| {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        });
        (errors::reshape(response, self.may_list, &seen.path, &seen.id), cause)
    }

    async fn admit(&self, mut head: Parts, body: LingeringBody) -> Result<Request<Body>, Refusal> {
        let now = SystemTime::now();
        let mechanism = self.strict.admit(&mut head, now)?;
        let body = match mechanism {
            Mechanism::Query | Mechanism::Header => ReadAhead::nothing(body),
            Mechanism::Form => {
                let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
                let (presented, body) = ReadAhead::form(body, content_type.unwrap_or_default()).await;
                let presented = presented.ok_or(Refusal::Unsigned)?;
                self.strict
                    .admit_form(&presented.access_key, presented.token.as_deref(), now)?;
                body
            }
        };
        let is_document = head.method == Method::POST && mechanism != Mechanism::Form;
        let document = is_document.then(Document::default);
        if let Some(document) = &document {
            head.extensions.insert(document.clone());
        }
        let body = Body::http_body_unsync(Kept::new(body, document));
        Ok(Request::from_parts(head, body))
    }

    fn preflight(&self, seen: &Seen) -> Response<Body> {
        let refusal = match self.store.bucket(&seen.bucket) {
            Ok(bucket) => match cors::preflight(self.cors_of(&bucket), &seen.headers) {
                Ok(headers) => {
                    let mut response = Response::new(Body::empty());
                    *response.headers_mut() = headers;
                    return response;
                }
                Err(refusal) => refusal,
            },
            Err(_) => PreflightRefusal::NotAllowed,
        };
        let (status, code) = match refusal {
            PreflightRefusal::NoOrigin | PreflightRefusal::NoMethod => (StatusCode::BAD_REQUEST, "BadRequest"),
            PreflightRefusal::NotAllowed => (StatusCode::FORBIDDEN, "AccessForbidden"),
        };
        ErrorBody {
            status,
            code,
            message: refusal.message(),
            details: &[],
        }
        .into_response(&seen.path, &seen.id)
    }

    fn add_headers(&self, response: &mut Response<Body>, seen: &Seen) {
        let id = HeaderValue::from_str(&seen.id).expect("an ID is hexadecimal");
        response
            .headers_mut()
            .insert(HeaderName::from_static("x-amz-request-id"), id);
        if seen.method != Method::OPTIONS
            && seen.headers.contains_key(ORIGIN)
            && let Ok(bucket) = self.store.bucket(&seen.bucket)
        {
            response
                .headers_mut()
                .extend(cors::actual(self.cors_of(&bucket), &seen.headers, &seen.method));
        }
    }

    fn cors_of<'a>(&'a self, bucket: &'a Bucket) -> &'a [CorsRule] {
        bucket.cors.as_deref().unwrap_or(&self.default_cors)
    }
}

impl Seen {
    fn of(head: &Parts) -> Self {
        let path = decode_path(head.uri.path()).unwrap_or_else(|| head.uri.path().to_owned());
        let bucket = path
            .trim_start_matches('/')
            .split('/')
            .next()
            .unwrap_or_default()
            .to_owned();
        Self {
            id: ids::random()[..16].to_ascii_uppercase(),
            method: head.method.clone(),
            path,
            bucket,
            headers: head.headers.clone(),
            begun: Instant::now(),
        }
    }

    /// The key, or the bucket's name where a request is about the bucket.
    fn key(&self) -> &str {
        let path = self.path.strip_prefix('/').unwrap_or(&self.path);
        path.split_once('/').map_or(path, |(_, key)| key)
    }

    /// One line a request; never the query, which holds the signature.
    fn log(&self, response: &Response<Body>, cause: Option<&str>) {
        let headers = if self.method == Method::PUT {
            &self.headers
        } else {
            response.headers()
        };
        let bytes = headers
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        let bytes = bytes.unwrap_or_default();
        let status = response.status().as_u16();
        let key = self.key().escape_debug().to_string();
        let method = self.method.as_str();
        let ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(method, key, status, bytes, ms, "{method} {key} {status}");
        if let Some(cause) = cause {
            tracing::error!(method, key, cause, "the embedded S3 failed");
        }
    }
}
