//! Handles one S3 request: CORS, verification, the operation in `s3s`, the error format and the log line.

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

use crate::connections::has_several_hosts;

use super::cors::{self, PreflightRejection};
use super::draining_body::DrainingBody;
use super::error_cause;
use super::error_response::{self, ErrorBody};
use super::form_fields::PrefetchedBody;
use super::recording_body::{RecordedBytes, RecordingBody};
use super::store::records::{BucketRecord, CorsRule};
use super::store::{ObjectStore, ids};
use super::verification::{AuthMechanism, RequestVerifier, S3Rejection, decode_path};

/// The HTTP service of the embedded S3.
#[derive(Clone)]
pub(crate) struct S3HttpService {
    pub(crate) verifier: Arc<RequestVerifier>,
    pub(crate) store: Arc<ObjectStore>,
    pub(crate) operations: S3Service,
    pub(crate) allow_listing: bool,
    pub(crate) default_cors: Arc<[CorsRule]>,
}

/// The parts of a request that the log and the response need after the request has been consumed.
struct RequestInfo {
    id: String,
    method: Method,
    path: String,
    bucket: String,
    headers: HeaderMap,
    started: Instant,
}

impl hyper::service::Service<Request<Incoming>> for S3HttpService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.respond(request).await) })
    }
}

impl S3HttpService {
    async fn respond(self, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let info = RequestInfo::new(&parts);
        let body = DrainingBody::new(body, !parts.headers.contains_key(EXPECT));
        let (mut response, cause) = if has_several_hosts(&parts.headers) {
            let rejection = S3Rejection::SeveralHosts;
            let response = rejection.with_body(|error| error.into_response(&info.path, &info.id));
            (response, None)
        } else if parts.method == Method::OPTIONS {
            (self.preflight(&info), None)
        } else {
            self.run_operation(parts, body, &info).await
        };
        self.add_headers(&mut response, &info);
        info.log(&response, cause.as_deref());
        response
    }

    async fn run_operation(
        &self,
        parts: Parts,
        body: DrainingBody,
        info: &RequestInfo,
    ) -> (Response<Body>, Option<String>) {
        let request = match self.check_request(parts, body).await {
            Ok(request) => request,
            Err(rejection) => {
                return (
                    rejection.with_body(|error| error.into_response(&info.path, &info.id)),
                    None,
                );
            }
        };
        let (result, cause) = error_cause::capture_cause(self.operations.call(request)).await;
        let response = result.unwrap_or_else(|_| {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        });
        (
            error_response::rewrite_error(response, self.allow_listing, &info.path, &info.id),
            cause,
        )
    }

    async fn check_request(&self, mut parts: Parts, body: DrainingBody) -> Result<Request<Body>, S3Rejection> {
        let now = SystemTime::now();
        let mechanism = self.verifier.verify_request(&mut parts, now)?;
        let body = match mechanism {
            AuthMechanism::Query | AuthMechanism::Header => PrefetchedBody::unread(body),
            AuthMechanism::Form => {
                let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
                let (credentials, body) =
                    PrefetchedBody::read_form_fields(body, content_type.unwrap_or_default()).await;
                let credentials = credentials.ok_or(S3Rejection::Unsigned)?;
                self.verifier
                    .verify_form(&credentials.access_key, credentials.token.as_deref(), now)?;
                if let Some(condition) = credentials.failed_condition {
                    return Err(S3Rejection::PolicyCondition(condition));
                }
                body
            }
        };
        let is_recorded = parts.method == Method::POST && mechanism != AuthMechanism::Form;
        let recorded_bytes = is_recorded.then(RecordedBytes::default);
        if let Some(recorded_bytes) = &recorded_bytes {
            parts.extensions.insert(recorded_bytes.clone());
        }
        let body = Body::http_body_unsync(RecordingBody::new(body, recorded_bytes));
        Ok(Request::from_parts(parts, body))
    }

    fn preflight(&self, info: &RequestInfo) -> Response<Body> {
        let rejection = match self.store.get_bucket(&info.bucket) {
            Ok(bucket) => match cors::preflight_headers(self.cors_rules_of(&bucket), &info.headers) {
                Ok(headers) => {
                    let mut response = Response::new(Body::empty());
                    *response.headers_mut() = headers;
                    return response;
                }
                Err(rejection) => rejection,
            },
            Err(_) => PreflightRejection::NotAllowed,
        };
        let (status, code) = match rejection {
            PreflightRejection::NoOrigin | PreflightRejection::NoMethod => (StatusCode::BAD_REQUEST, "BadRequest"),
            PreflightRejection::NotAllowed => (StatusCode::FORBIDDEN, "AccessForbidden"),
        };
        ErrorBody {
            status,
            code,
            message: rejection.message(),
            details: &[],
        }
        .into_response(&info.path, &info.id)
    }

    fn add_headers(&self, response: &mut Response<Body>, info: &RequestInfo) {
        let id = HeaderValue::from_str(&info.id).expect("an id is hexadecimal");
        response
            .headers_mut()
            .insert(HeaderName::from_static("x-amz-request-id"), id);
        if info.method != Method::OPTIONS
            && info.headers.contains_key(ORIGIN)
            && let Ok(bucket) = self.store.get_bucket(&info.bucket)
        {
            response.headers_mut().extend(cors::response_headers(
                self.cors_rules_of(&bucket),
                &info.headers,
                &info.method,
            ));
        }
    }

    fn cors_rules_of<'a>(&'a self, bucket: &'a BucketRecord) -> &'a [CorsRule] {
        bucket.cors.as_deref().unwrap_or(&self.default_cors)
    }
}

impl RequestInfo {
    fn new(parts: &Parts) -> Self {
        let path = decode_path(parts.uri.path()).unwrap_or_else(|| parts.uri.path().to_owned());
        let bucket = path
            .trim_start_matches('/')
            .split('/')
            .next()
            .unwrap_or_default()
            .to_owned();
        Self {
            id: ids::random_id()[..16].to_ascii_uppercase(),
            method: parts.method.clone(),
            path,
            bucket,
            headers: parts.headers.clone(),
            started: Instant::now(),
        }
    }

    /// Returns the object key, or the bucket name of a request to the bucket.
    fn logged_key(&self) -> &str {
        let path = self.path.strip_prefix('/').unwrap_or(&self.path);
        path.split_once('/').map_or(path, |(_, key)| key)
    }

    /// Logs the request in one line, without the query, which contains the signature.
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
        let key = self.logged_key().escape_debug().to_string();
        let method = self.method.as_str();
        let ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(method, key, status, bytes, ms, "{method} {key} {status}");
        if let Some(cause) = cause {
            tracing::error!(method, key, cause, "the embedded S3 failed to handle a request");
        }
    }
}
