//! Handles one S3 request: CORS, verification, the operation in `s3s`, the error format and the log line.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use http::header::{CONTENT_LENGTH, CONTENT_RANGE, EXPECT, IF_MATCH, ORIGIN, SERVER};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use s3s::Body;
use s3s::service::S3Service;

use crate::connections::has_several_hosts;

use super::cors::{self, PreflightRejection};
use super::draining_body::DrainingBody;
use super::error_report;
use super::error_response::{self, ErrorBody, ErrorContext};
use super::form_response::FormAction;
use super::store::records::{BucketRecord, CorsRule};
use super::store::{ObjectStore, ids};
use super::verification::{AuthMechanism, QueryString, RequestVerifier, S3Rejection, decode_path, is_object_path};
use super::{form_upload, request_adapter, request_body};

/// The account that owns all buckets, as in `x-amz-expected-bucket-owner`.
const OWNER_ACCOUNT: &str = "000000000000";

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
    host_id: String,
    bucket: String,
    key: String,
    upload_id: Option<String>,
    version_id: Option<String>,
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
            (info.reject(&S3Rejection::SeveralHosts), None)
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
        let (request, form_action) = match self.check_request(parts, body).await {
            Ok(checked) => checked,
            Err(rejection) => return (info.reject(&rejection), None),
        };
        let (result, report) = error_report::capture_report(self.operations.call(request)).await;
        let mut response = result.unwrap_or_else(|_| {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        });
        // `s3s` ignores the status that the backend chooses for HEAD.
        if info.method == Method::HEAD
            && response.headers().contains_key(CONTENT_RANGE)
            && response.status().is_success()
        {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        if let Some(action) = form_action {
            response = action.apply(response);
        }
        let response = error_response::rewrite_error(response, self.allow_listing, report.details, &info.context());
        (response, report.cause)
    }

    async fn check_request(
        &self,
        mut parts: Parts,
        body: DrainingBody,
    ) -> Result<(Request<Body>, Option<FormAction>), S3Rejection> {
        let now = SystemTime::now();
        let (mechanism, query) = self.verifier.verify_request(&mut parts, now)?;
        if mechanism == AuthMechanism::Form {
            let (request, action) = form_upload::read_form(&parts, body, &self.verifier, now).await?;
            return Ok((request, Some(action)));
        }
        reject_unsupported(&parts, &query)?;
        let payload = request_adapter::signed_payload(&parts, mechanism, &query);
        let is_chunked = request_adapter::is_chunked_payload(payload.as_deref());
        request_adapter::adapt_request(&mut parts, &query, is_chunked)?;
        let body = if is_chunked {
            Body::http_body_unsync(body)
        } else {
            request_body::prepare_body(&mut parts, body, payload).await?
        };
        Ok((Request::from_parts(parts, body), None))
    }

    fn preflight(&self, info: &RequestInfo) -> Response<Body> {
        let bucket = self.store.get_bucket(&info.bucket);
        let rejection = match &bucket {
            Ok(bucket) => match cors::preflight_headers(self.cors_rules_of(bucket), &info.headers) {
                Ok(headers) => {
                    let mut response = Response::new(Body::empty());
                    *response.headers_mut() = headers;
                    return response;
                }
                Err(rejection) if bucket.cors.is_none() => rejection.without_configuration(),
                Err(rejection) => rejection,
            },
            Err(_) => PreflightRejection::of_missing_bucket(&info.headers),
        };
        let details = rejection.details(&info.headers);
        ErrorBody {
            status: rejection.status(),
            code: rejection.code(),
            message: rejection.message(),
            details: &details,
        }
        .into_response(&info.context())
    }

    fn add_headers(&self, response: &mut Response<Body>, info: &RequestInfo) {
        let ids = [("x-amz-request-id", &info.id), ("x-amz-id-2", &info.host_id)];
        for (name, id) in ids {
            let id = HeaderValue::from_str(id).expect("an id is hexadecimal");
            response.headers_mut().insert(HeaderName::from_static(name), id);
        }
        response
            .headers_mut()
            .insert(SERVER, HeaderValue::from_static("AmazonS3"));
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

/// Rejects requests that `s3s` or the backend would handle differently from S3.
fn reject_unsupported(head: &Parts, query: &QueryString) -> Result<(), S3Rejection> {
    const OBJECT_POSTS: [&str; 4] = ["restore", "select", "uploadId", "uploads"];
    const DIRECTORY_BUCKET_HEADERS: [&str; 2] = ["x-amz-if-match-last-modified-time", "x-amz-if-match-size"];
    let is_object = is_object_path(head.uri.path());
    let is_known_post = query.names().any(|name| OBJECT_POSTS.contains(&name));
    if is_object && (head.method == Method::PATCH || head.method == Method::POST && !is_known_post) {
        return Err(S3Rejection::MethodNotAllowed {
            method: head.method.to_string(),
        });
    }
    if let Some(name) = DIRECTORY_BUCKET_HEADERS
        .iter()
        .find(|name| head.headers.contains_key(**name))
    {
        return Err(S3Rejection::NotImplementedHeader(name));
    }
    if head.method == Method::DELETE && query.single_value("versionId").is_some() && head.headers.contains_key(IF_MATCH)
    {
        return Err(S3Rejection::NotImplementedHeader("If-Match"));
    }
    let owner = head.headers.get("x-amz-expected-bucket-owner");
    if owner.is_some_and(|owner| owner.as_bytes() != OWNER_ACCOUNT.as_bytes()) {
        return Err(S3Rejection::OtherBucketOwner);
    }
    match query.single_value("encoding-type") {
        Some(encoding) if !is_object && head.method == Method::GET && !matches!(encoding, "" | "url") => {
            Err(S3Rejection::InvalidEncodingType(encoding.to_owned()))
        }
        _ => Ok(()),
    }
}

impl RequestInfo {
    fn new(parts: &Parts) -> Self {
        let path = decode_path(parts.uri.path()).unwrap_or_else(|| parts.uri.path().to_owned());
        let path = path.strip_prefix('/').unwrap_or(&path);
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let query = parts.uri.query().unwrap_or_default();
        let parameter = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let value = pairs.find(|(found, _)| *found == name).map(|(_, value)| value);
            value.and_then(decode_path)
        };
        Self {
            id: ids::random_id()[..16].to_ascii_uppercase(),
            host_id: ids::random_id() + &ids::random_id(),
            method: parts.method.clone(),
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            upload_id: parameter("uploadId"),
            version_id: parameter("versionId"),
            headers: parts.headers.clone(),
            started: Instant::now(),
        }
    }

    fn context(&self) -> ErrorContext<'_> {
        ErrorContext {
            method: self.method.as_str(),
            bucket: &self.bucket,
            key: &self.key,
            upload_id: self.upload_id.as_deref(),
            version_id: self.version_id.as_deref(),
            request_id: &self.id,
            host_id: &self.host_id,
        }
    }

    fn reject(&self, rejection: &S3Rejection) -> Response<Body> {
        rejection.with_body(|error| error.into_response(&self.context()))
    }

    /// Returns the object key, or the bucket name of a request to the bucket.
    fn logged_key(&self) -> &str {
        if self.key.is_empty() { &self.bucket } else { &self.key }
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
