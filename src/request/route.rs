//! The kind of a request, computed once from its method, path and query.

use http::{Method, header};

use super::path::{Document, RequestPath, ServicePath, SignInPath, object_methods};
use super::value::bad_value;
use super::{ApiRequest, Pairs};
use crate::dialect::{DialectPath, TurborepoPath};
use crate::key::{KeyError, ObjectKey};
use crate::operation::{Listing, ObjectPage, Operation};
use crate::rejection::{Rejection, method_list};

/// The kind of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `OPTIONS` on any path.
    Preflight {
        /// The methods that the path supports.
        allow: Vec<Method>,
    },
    /// `GET /-/health`.
    Health,
    /// `GET /-/whoami`.
    Whoami,
    /// `GET /-/openapi.yaml` or `GET /-/docs`.
    Document(Document),
    /// `GET /-/assets/{name}`.
    Asset(String),
    /// Any method on a path of the sign-in.
    SignIn(SignInPath),
    /// `POST /-/share`.
    CreateShareLink,
    /// `POST /-/sign`.
    BulkSign,
    /// `POST /{prefix}/`.
    GeneratedKeyUpload {
        /// The prefix, or `None` for the root.
        prefix: Option<ObjectKey>,
    },
    /// `GET /{key}?form` or `GET /{prefix}/?form`.
    PostForm(PostFormTarget),
    /// `GET /{prefix}/` or `GET /{prefix}/?uploads`.
    Listing {
        /// The kind of listing.
        listing: Listing,
        /// The prefix, or `None` for the root.
        prefix: Option<ObjectKey>,
    },
    /// `/{key}?view` or `/{key}?delete`.
    ObjectPage {
        /// The page.
        page: ObjectPage,
        /// The key of the object.
        key: ObjectKey,
    },
    /// An operation on an object.
    Object {
        /// The operation.
        operation: Operation,
        /// The key of the object.
        key: ObjectKey,
    },
    /// `GET /-/presign/{key}`, the request of the AWS SDK for Go's presign example.
    Presign {
        /// The operation.
        operation: Operation,
        /// The key of the object.
        key: ObjectKey,
    },
    /// A request of a dialect, including the preflight request of Turborepo.
    Dialect(DialectPath),
}

/// The place where an HTML form stores its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostFormTarget {
    /// Under this key.
    Key(ObjectKey),
    /// Below this prefix, or below the root for `None`.
    Prefix(Option<ObjectKey>),
}

impl PostFormTarget {
    /// The prefix of the folder that contains the stored file: empty, or ending in `/`.
    pub fn folder(&self) -> String {
        let (Self::Key(key) | Self::Prefix(Some(key))) = self else {
            return String::new();
        };
        let end = key.as_str().rfind('/').map_or(0, |slash| slash + 1);
        key.as_str()[..end].to_owned()
    }
}

impl Route {
    /// Finds the route of a request.
    pub fn from_request(request: &ApiRequest) -> Result<Self, Rejection> {
        if let Some(error) = &request.parse_error {
            return Err(error.clone());
        }
        let path = RequestPath::parse(&request.path, request.encoding)?;
        if request.method == Method::OPTIONS.as_str() {
            let allow = path.allowed_methods(&request.query);
            return Ok(match path {
                RequestPath::Dialect(path) if requests_artifact_url(&path, request) => Self::Dialect(path),
                _ => Self::Preflight { allow },
            });
        }
        match path {
            RequestPath::Service(path) => Self::from_service_path(path, request),
            RequestPath::Presign(key) => Self::from_presign_path(key, request),
            RequestPath::Dialect(path) => Self::from_dialect_path(path, request),
            RequestPath::Prefix(prefix) => Self::from_prefix(prefix, request),
            RequestPath::Object(key) => Self::from_object_path(key, request),
        }
    }

    fn from_service_path(path: ServicePath, request: &ApiRequest) -> Result<Self, Rejection> {
        let allow = path.allowed_methods();
        let is_allowed = allow.iter().any(|method| *method == request.method.as_str());
        match path {
            // The allowed methods of the sign-in depend on its kind.
            ServicePath::SignIn(path) => Ok(Self::SignIn(path)),
            _ if !is_allowed => Err(Rejection::MethodNotAllowed { allow }),
            ServicePath::Health => Ok(Self::Health),
            ServicePath::Whoami => Ok(Self::Whoami),
            ServicePath::Document(document) => Ok(Self::Document(document)),
            ServicePath::Asset(name) => Ok(Self::Asset(name)),
            ServicePath::Share => Ok(Self::CreateShareLink),
            ServicePath::Sign => Ok(Self::BulkSign),
        }
    }

    fn from_presign_path(key: ObjectKey, request: &ApiRequest) -> Result<Self, Rejection> {
        if requests_form(request) {
            return Err(bad_value("form", "must be requested at the path of the key itself"));
        }
        if request.method != Method::GET.as_str() {
            let allow = RequestPath::Presign(key).allowed_methods(&request.query);
            return Err(Rejection::MethodNotAllowed { allow });
        }
        let operation = presigned_operation(&request.query)?;
        Ok(Self::Presign { operation, key })
    }

    fn from_dialect_path(path: DialectPath, request: &ApiRequest) -> Result<Self, Rejection> {
        if path.methods().iter().any(|method| *method == request.method.as_str()) {
            return Ok(Self::Dialect(path));
        }
        let allow = RequestPath::Dialect(path).allowed_methods(&request.query);
        Err(Rejection::MethodNotAllowed { allow })
    }

    fn from_prefix(prefix: Option<ObjectKey>, request: &ApiRequest) -> Result<Self, Rejection> {
        if request.method == Method::POST.as_str() {
            return Ok(Self::GeneratedKeyUpload { prefix });
        }
        if requests_form(request) {
            return Ok(Self::PostForm(PostFormTarget::Prefix(prefix)));
        }
        if matches!(&*request.method, "GET" | "HEAD") {
            let listing = Listing::from_query(&request.query);
            return Ok(Self::Listing { listing, prefix });
        }
        let Some(key) = prefix else {
            return Err(match Operation::from_request(&request.method, &[]) {
                Some(_) => KeyError::Empty.into(),
                None => Rejection::MethodNotAllowed {
                    allow: RequestPath::Prefix(None).allowed_methods(&request.query),
                },
            });
        };
        match Operation::from_request(&request.method, &request.query) {
            Some(operation) => Ok(Self::Object { operation, key }),
            None => Err(Rejection::MethodNotAllowed {
                allow: RequestPath::Prefix(Some(key)).allowed_methods(&request.query),
            }),
        }
    }

    fn from_object_path(key: ObjectKey, request: &ApiRequest) -> Result<Self, Rejection> {
        if requests_form(request) {
            return Ok(Self::PostForm(PostFormTarget::Key(key)));
        }
        if let Some(page) = ObjectPage::from_query(&request.query) {
            return Ok(Self::ObjectPage { page, key });
        }
        match Operation::from_request(&request.method, &request.query) {
            Some(operation) => Ok(Self::Object { operation, key }),
            None => Err(Rejection::MethodNotAllowed {
                allow: object_methods(&request.query),
            }),
        }
    }
}

/// Returns true for the preflight request of Turborepo, which has a credential. Preflight requests of browsers have none.
fn requests_artifact_url(path: &DialectPath, request: &ApiRequest) -> bool {
    let headers = &request.headers;
    matches!(path, DialectPath::Turborepo(TurborepoPath::Artifact { .. }))
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        && headers.contains_key(header::AUTHORIZATION)
        && !headers.contains_key(header::ORIGIN)
}

fn requests_form(request: &ApiRequest) -> bool {
    request.method == Method::GET.as_str() && request.query.iter().any(|(name, _)| name == "form")
}

fn presigned_operation(query: &Pairs) -> Result<Operation, Rejection> {
    let requested = query.iter().find(|(name, _)| name == "method");
    let method = requested.map_or("GET", |(_, value)| value);
    Operation::from_request(method, query).ok_or_else(|| {
        let methods: Vec<_> = Operation::on(query).map(Operation::method).collect();
        bad_value("method", &format!("must be one of {}", method_list(&methods)))
    })
}
