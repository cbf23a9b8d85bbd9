//! The meaning of a request path.

use http::Method;

use crate::dialect::{Dialect, DialectPath};
use crate::key::{ObjectKey, PathEncoding, RESERVED, decode_path};
use crate::operation::Operation;
use crate::rejection::Rejection;

/// The resource that a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestPath {
    /// An object.
    Object(ObjectKey),
    /// A path that ends in `/`: a prefix, or `None` for the root.
    Prefix(Option<ObjectKey>),
    /// `/-/presign/{key}`.
    Presign(ObjectKey),
    /// A path of a dialect.
    Dialect(DialectPath),
    /// Another path below `/-/`.
    Service(ServicePath),
}

/// A path of the service itself, below `/-/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServicePath {
    /// `/-/health`.
    Health,
    /// `/-/whoami`.
    Whoami,
    /// `/-/openapi.yaml` or `/-/docs`.
    Document(Document),
    /// `/-/share`.
    Share,
    /// `/-/sign`.
    Sign,
    /// `/-/login`, `/-/callback` or `/-/logout`.
    SignIn(SignInPath),
    /// `/-/assets/{name}`.
    Asset(String),
}

/// A document about the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// `/-/openapi.yaml`: the description of the HTTP interface.
    OpenApi,
    /// `/-/docs`: the same description as an HTML page.
    Page,
}

/// A path of the sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInPath {
    /// `/-/login`.
    Login,
    /// `/-/callback`.
    Callback,
    /// `/-/logout`.
    Logout,
}

impl RequestPath {
    /// Parses a path. The result depends on the decoded path only, because some fronts decode it.
    pub fn parse(path: &str, encoding: PathEncoding) -> Result<Self, Rejection> {
        let path = decode_path(path, encoding)?;
        if let Some(reserved) = path.strip_prefix(RESERVED) {
            return Self::parse_reserved(reserved);
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

    fn parse_reserved(path: &str) -> Result<Self, Rejection> {
        if let Some(key) = path.strip_prefix("presign/") {
            return Ok(Self::Presign(ObjectKey::with_path(key)?));
        }
        if let Some(name) = path.strip_prefix("assets/") {
            return Ok(Self::Service(ServicePath::Asset(name.to_owned())));
        }
        if let Some((dialect, rest)) = Dialect::split_path(path) {
            return DialectPath::parse(dialect, rest).map(Self::Dialect);
        }
        match path {
            "health" => Ok(ServicePath::Health),
            "whoami" => Ok(ServicePath::Whoami),
            "openapi.yaml" => Ok(ServicePath::Document(Document::OpenApi)),
            "docs" => Ok(ServicePath::Document(Document::Page)),
            "share" => Ok(ServicePath::Share),
            "sign" => Ok(ServicePath::Sign),
            "login" => Ok(ServicePath::SignIn(SignInPath::Login)),
            "callback" => Ok(ServicePath::SignIn(SignInPath::Callback)),
            "logout" => Ok(ServicePath::SignIn(SignInPath::Logout)),
            _ => Err(Rejection::UnknownReservedPath),
        }
        .map(Self::Service)
    }

    /// The methods that this path supports with this query. They always include `OPTIONS`.
    pub fn allowed_methods(&self, query: &[(String, String)]) -> Vec<Method> {
        match self {
            Self::Object(_) => object_methods(query),
            Self::Prefix(Some(_)) => {
                with_options(&[Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::POST])
            }
            Self::Prefix(None) => with_options(&[Method::GET, Method::HEAD, Method::POST]),
            Self::Presign(_) => with_options(&[Method::GET]),
            Self::Dialect(path) => with_options(path.methods()),
            Self::Service(path) => path.allowed_methods(),
        }
    }
}

impl ServicePath {
    /// The methods that this path supports, including `OPTIONS`.
    pub fn allowed_methods(&self) -> Vec<Method> {
        match self {
            Self::Health | Self::Whoami | Self::Document(_) | Self::Asset(_) => {
                with_options(&[Method::GET, Method::HEAD])
            }
            Self::Share | Self::Sign => with_options(&[Method::POST]),
            Self::SignIn(path) => path.allowed_methods(),
        }
    }
}

impl SignInPath {
    /// The methods that this path supports, including `OPTIONS`.
    pub fn allowed_methods(self) -> Vec<Method> {
        match self {
            Self::Login => with_options(&[Method::GET, Method::POST]),
            Self::Callback => with_options(&[Method::GET]),
            Self::Logout => with_options(&[Method::POST]),
        }
    }
}

/// The methods that the path of an object supports with this query, including `OPTIONS`.
pub(crate) fn object_methods(query: &[(String, String)]) -> Vec<Method> {
    with_options(&Operation::on(query).map(Operation::method).collect::<Vec<_>>())
}

fn with_options(methods: &[Method]) -> Vec<Method> {
    methods.iter().cloned().chain([Method::OPTIONS]).collect()
}
