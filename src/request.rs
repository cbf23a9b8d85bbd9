//! What a front delivered, and the object request parsed from it.

mod form;
mod listing;
mod object;

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Method};

use crate::key::{ObjectKey, PathEncoding, RESERVED, decode_path};
use crate::operation::Operation;
use crate::rejection::Rejection;
pub use form::Form;
pub(crate) use form::preferred;
pub use listing::{ListForm, ListRequest, Order, Sort};
pub use object::{LinkText, ObjectRequest};
pub(crate) use object::{bad_value, json_object, parse_expires, parse_length, signable};

/// Names with their values, in order.
pub type Pairs = Vec<(String, String)>;

/// One HTTP request as a front delivered it, with the front's own additions to the path removed.
#[derive(Clone)]
pub struct ApiRequest {
    /// The method, as sent.
    pub method: String,
    /// The path below the front's stage and base path, with its leading `/`.
    pub path: String,
    /// How `path` is spelled.
    pub encoding: PathEncoding,
    /// The query, decoded, in the order in which the front tells it.
    pub query: Pairs,
    /// The headers that reached the function.
    pub headers: HeaderMap,
    /// The length of the upload, as far as the front lets one know.
    pub length: BodyLength,
    /// The body of a POST, decoded; empty otherwise, since uploads are for S3.
    pub body: Bytes,
    /// Scheme, host and whatever stands before the key, without a trailing `/`, when the front tells them.
    pub base_url: String,
    /// The front's id of this request.
    pub request_id: String,
    /// Lambda's own id of this request, as in the platform's log lines.
    pub invocation: String,
    /// What the front has verified of the caller.
    pub gateway: Option<GatewayIdentity>,
    /// What made the delivery unreadable, if anything; such a request is refused with it.
    pub defect: Option<Rejection>,
}

/// What is known of the length of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// No body, from a front that tells no lengths.
    Untold,
    /// No body, and no `Content-Length` from a front that would have told it.
    Undeclared,
    /// A `Content-Length`, or on a REST API the length of the body that it delivered.
    Declared(u64),
    /// A body that came in chunks.
    Chunked,
}

/// Whom the front has verified, in its own words; nothing follows from it unless the rules name its issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayIdentity {
    /// What verified it.
    pub authorizer: GatewayAuthorizer,
    /// The claims, by name; only texts, numbers and booleans, as texts.
    pub claims: BTreeMap<String, String>,
}

/// The kinds of authorizer of the gateways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayAuthorizer {
    /// A JWT authorizer of an HTTP API, or a Cognito authorizer of a REST API.
    Jwt,
    /// A Lambda authorizer.
    Lambda,
    /// IAM.
    Iam,
}

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An object.
    Object(ObjectKey),
    /// A path that ends in `/`: a prefix, `None` at the root.
    Prefix(Option<ObjectKey>),
    /// `/-/presign/{key}`.
    Presign(ObjectKey),
    /// A path of the service itself, below `/-/`.
    Service(ServicePath),
}

/// What a path below `/-/` names that stands for no object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServicePath {
    /// `/-/health`.
    Health,
    /// `/-/openapi.yaml` and `/-/docs`.
    Document(Document),
    /// `/-/share`.
    Share,
    /// `/-/sign`.
    Sign,
    /// `/-/login`.
    Login,
    /// `/-/callback`.
    Callback,
    /// `/-/logout`.
    Logout,
    /// `/-/assets/{name}`.
    Asset(String),
}

/// A document about the service itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// `/-/openapi.yaml`: the description of the HTTP interface, for programs.
    OpenApi,
    /// `/-/docs`: the same for people.
    Page,
}

impl Target {
    /// Reads what a path names. The decision rests on the decoded path, since one front decodes it.
    pub fn from_path(path: &str, encoding: PathEncoding) -> Result<Self, Rejection> {
        let path = decode_path(path, encoding)?;
        if let Some(reserved) = path.strip_prefix(RESERVED) {
            return Self::reserved(reserved);
        }
        if path.is_empty() {
            return Ok(Self::Prefix(None));
        }
        let is_prefix = path.ends_with('/');
        let key = ObjectKey::new(path)?;
        Ok(if is_prefix {
            Self::Prefix(Some(key))
        } else {
            Self::Object(key)
        })
    }

    fn reserved(path: &str) -> Result<Self, Rejection> {
        if let Some(key) = path.strip_prefix("presign/") {
            return Ok(Self::Presign(ObjectKey::with_path(key)?));
        }
        if let Some(name) = path.strip_prefix("assets/") {
            return Ok(Self::Service(ServicePath::Asset(name.to_owned())));
        }
        match path {
            "health" => Ok(ServicePath::Health),
            "openapi.yaml" => Ok(ServicePath::Document(Document::OpenApi)),
            "docs" => Ok(ServicePath::Document(Document::Page)),
            "share" => Ok(ServicePath::Share),
            "sign" => Ok(ServicePath::Sign),
            "login" => Ok(ServicePath::Login),
            "callback" => Ok(ServicePath::Callback),
            "logout" => Ok(ServicePath::Logout),
            _ => Err(Rejection::UnknownReservedPath),
        }
        .map(Self::Service)
    }

    /// The methods that mean something here with this query, `OPTIONS` always among them.
    pub fn allow(&self, query: &[(String, String)]) -> Vec<Method> {
        let mut allow = match self {
            Self::Object(_) => Operation::on(query).map(Operation::method).collect(),
            Self::Prefix(Some(_)) => vec![Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::POST],
            Self::Prefix(None) => vec![Method::GET, Method::HEAD, Method::POST],
            Self::Presign(_) => vec![Method::GET],
            Self::Service(path) => path.methods(),
        };
        allow.push(Method::OPTIONS);
        allow
    }
}

impl ServicePath {
    fn methods(&self) -> Vec<Method> {
        match self {
            Self::Health | Self::Document(_) | Self::Asset(_) => vec![Method::GET, Method::HEAD],
            Self::Share | Self::Sign | Self::Logout => vec![Method::POST],
            Self::Login => vec![Method::GET, Method::POST],
            Self::Callback => vec![Method::GET],
        }
    }
}

/// The most parameters that one request may name; S3 itself keeps 2 KB of metadata.
const MAX_PARAMETERS: usize = 100;

/// Refuses a query that names a parameter twice, since readers differ in which of the two counts, or more than anybody
/// needs: this is asked of everyone, before the rules.
pub(crate) fn check_names(query: &Pairs) -> Result<(), Rejection> {
    if query.len() > MAX_PARAMETERS {
        let problem = format!("has {} parameters, and the limit is {MAX_PARAMETERS}", query.len());
        return Err(bad_value("query", &problem));
    }
    let repeated = query
        .iter()
        .enumerate()
        .find(|(index, (name, _))| query[..*index].iter().any(|(earlier, _)| earlier == name));
    match repeated {
        Some((_, (name, _))) => Err(Rejection::ConflictingParameter { name: name.clone() }),
        None => Ok(()),
    }
}

/// Names the parameters and the headers without their values: credentials stand in both.
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
            .field("request_id", &self.request_id)
            .field("invocation", &self.invocation)
            .field("gateway", &self.gateway)
            .field("defect", &self.defect)
            .finish_non_exhaustive()
    }
}

impl ApiRequest {
    /// The URL of this request without its query, in the spelling that every client sends alike.
    pub fn url(&self) -> String {
        let path = decode_path(&self.path, self.encoding).unwrap_or_default();
        let path = ObjectKey::new(path).map_or_else(|_| "/".into(), |key| key.to_path());
        format!("{}{path}", self.base_url)
    }

    /// Scheme and host of this service, when the front tells them.
    pub fn origin(&self) -> Option<&str> {
        let (scheme, rest) = self.base_url.split_once("://")?;
        let host = rest.split('/').next()?;
        Some(&self.base_url[..scheme.len() + 3 + host.len()])
    }

    /// The only value of a header; one that was sent twice is refused.
    fn header(&self, name: &str) -> Result<Option<&str>, Rejection> {
        let mut values = self.headers.get_all(name).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(bad_value(name, "the header is sent twice"));
        }
        let value = value.to_str().ok().filter(|value| !value.contains('\t'));
        let value =
            value.ok_or_else(|| bad_value(name, "only visible ASCII can be signed (RFC 2047 encodes the rest)"))?;
        Ok(Some(value.trim()))
    }
}
