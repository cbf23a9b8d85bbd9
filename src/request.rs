//! The request that a front delivers, and the operation or listing that it requests.

mod accept;
mod client;
mod listing;
mod object;
mod path;
mod response_format;
mod route;
mod tracking;
mod value;

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, header};
use serde_json::Value;

use crate::dialect::Dialect;
use crate::encoding::form_encode;
use crate::key::{ObjectKey, PathEncoding, RESERVED, decode_path};
use crate::rejection::{CurlCredential, CurlTarget, Rejection};
pub(crate) use accept::preferred_type;
pub(crate) use client::{is_navigation, is_script};
pub use listing::{ListingFormat, ListingRequest, SortColumn, SortOrder};
pub use object::{ObjectRequest, ShareToken};
pub(crate) use path::object_methods;
pub use path::{Document, RequestPath, ServicePath, SignInPath};
pub use response_format::ResponseFormat;
pub(crate) use response_format::{INSTRUCTION_TYPE, check_no_body};
pub use route::{PostFormTarget, Route};
pub use tracking::is_tracking_parameter;
pub(crate) use value::{
    bad_value, check_body_length, check_names, check_signable, is_service_path, json_object, parse_expires,
    parse_length,
};

/// Pairs of a name and a value, in order.
pub type Pairs = Vec<(String, String)>;

/// One HTTP request as a front delivers it, without the parts of the path that the front adds.
#[derive(Clone)]
pub struct ApiRequest {
    /// The method, as sent by the client.
    pub method: String,
    /// The path below the front's stage and base path, with its leading `/`.
    pub path: String,
    /// The encoding of `path`.
    pub encoding: PathEncoding,
    /// The decoded query, in the order in which the front delivers it, without tracking parameters.
    pub query: Pairs,
    /// The headers that the front delivers.
    pub headers: HeaderMap,
    /// The length of the upload, if the front reports it.
    pub length: BodyLength,
    /// The decoded body of a POST. Empty for other methods, because S3 receives the uploads.
    pub body: Bytes,
    /// Scheme, host and path prefix in front of the key, without a trailing `/`. Empty if the front does not report them.
    pub base_url: String,
    /// The maximum size of the response, as the JSON that the front receives.
    pub max_response_bytes: usize,
    /// The id that the front gives to this request.
    pub request_id: String,
    /// The id that Lambda gives to this request, as in the log lines of the platform.
    pub invocation: String,
    /// The identity of the caller, if the front has verified it.
    pub gateway: Option<GatewayIdentity>,
    /// Set if the front delivered a request that cannot be parsed. Signpost responds with this rejection.
    pub parse_error: Option<Rejection>,
}

/// The headers in which browsers announce a prefetch: `Sec-Purpose` is the standard
/// ([Fetch](https://fetch.spec.whatwg.org/#sec-purpose-header)), and the others are older.
const PREFETCH_HEADERS: [&str; 4] = ["sec-purpose", "purpose", "x-purpose", "x-moz"];

/// The length of a request body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// No declared length, in a request that has no body.
    Unknown,
    /// No body, and no `Content-Length`, from a front that reports lengths.
    Missing,
    /// A `Content-Length`, or on a REST API the length of the delivered body.
    Declared(u64),
    /// A body with chunked transfer encoding.
    Chunked,
}

/// An identity that the front has verified, with its own claims. It has no effect unless the rules name its issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayIdentity {
    /// The authorizer that verified it.
    pub authorizer: GatewayAuthorizer,
    /// The claims by name, as the event contains them.
    pub claims: BTreeMap<String, Value>,
}

/// The kinds of gateway authorizers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayAuthorizer {
    /// A JWT authorizer of an HTTP API, or a Cognito authorizer of a REST API.
    Jwt,
    /// A Lambda authorizer.
    Lambda,
    /// IAM.
    Iam,
}

/// Prints the names of parameters and headers without their values, because both can contain credentials.
impl fmt::Debug for ApiRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters: Vec<_> = self.query.iter().map(|(name, _)| name).collect();
        let headers: Vec<_> = self.headers.keys().collect();
        f.debug_struct("ApiRequest")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("encoding", &self.encoding)
            .field("parameters", &parameters)
            .field("headers", &headers)
            .field("length", &self.length)
            .field("base_url", &self.base_url)
            .field("max_response_bytes", &self.max_response_bytes)
            .field("request_id", &self.request_id)
            .field("invocation", &self.invocation)
            .field("gateway", &self.gateway)
            .field("parse_error", &self.parse_error)
            .finish_non_exhaustive()
    }
}

impl ApiRequest {
    /// The URL of this request without its query, in canonical encoding.
    pub fn url(&self) -> String {
        let path = decode_path(&self.path, self.encoding).unwrap_or_default();
        let path = ObjectKey::new(path).map_or_else(|_| "/".into(), |key| key.to_path());
        format!("{}{path}", self.base_url)
    }

    /// The target of commands that repeat this request.
    pub fn curl_target(&self) -> CurlTarget {
        let is_repeated = |name: &str| !matches!(name, "share" | "url" | "json" | "contentLength");
        let repeated = self.query.iter().filter(|(name, _)| is_repeated(name));
        let query = form_encode(repeated.map(|(name, value)| (name, value)));
        CurlTarget::new(self.url(), self.curl_credential()).with_query(query)
    }

    /// The target of commands for an escaped path, with the credential of this request.
    pub(crate) fn curl_target_at(&self, path: &str) -> CurlTarget {
        CurlTarget::new(format!("{}{path}", self.base_url), self.curl_credential())
    }

    fn curl_credential(&self) -> CurlCredential {
        if self.query.iter().any(|(name, _)| name == "share") {
            CurlCredential::Link
        } else if self.headers.contains_key(header::AUTHORIZATION) {
            CurlCredential::Token
        } else {
            CurlCredential::None
        }
    }

    /// Scheme and host of this service, if the front reports them.
    pub fn origin(&self) -> Option<&str> {
        let (scheme, rest) = self.base_url.split_once("://")?;
        let host = rest.split('/').next()?;
        Some(&self.base_url[..scheme.len() + 3 + host.len()])
    }

    /// Returns true if the browser loads the URL in advance, so that the user may never open it.
    pub(crate) fn is_prefetch(&self) -> bool {
        PREFETCH_HEADERS.iter().any(|name| {
            let mut values = self.headers.get_all(*name).iter();
            values.any(|value| {
                let value = value.as_bytes().to_ascii_lowercase();
                let purposes: [&[u8]; 3] = [b"prefetch", b"prerender", b"preview"];
                purposes
                    .iter()
                    .any(|purpose| value.windows(purpose.len()).any(|part| part == *purpose))
            })
        })
    }

    /// The dialect of the path, even if the rest of the path is invalid.
    pub fn dialect(&self) -> Option<Dialect> {
        let path = decode_path(&self.path, self.encoding).ok()?;
        Dialect::split_path(path.strip_prefix(RESERVED)?).map(|(dialect, _)| dialect)
    }

    /// Returns true if the query contains this parameter.
    pub(crate) fn has_parameter(&self, name: &str) -> bool {
        self.query.iter().any(|(parameter, _)| parameter == name)
    }

    /// The value of a header. A repeated header is rejected.
    pub(crate) fn header(&self, name: &str) -> Result<Option<&str>, Rejection> {
        let mut values = self.headers.get_all(name).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(bad_value(name, "the header is repeated; send it once"));
        }
        let value = value.to_str().ok().filter(|value| !value.contains('\t'));
        let value = value.ok_or_else(|| bad_value(name, "must be visible ASCII (encode other text as in RFC 2047)"))?;
        Ok(Some(value.trim()))
    }
}
