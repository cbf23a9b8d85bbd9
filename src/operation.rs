//! The S3 operations that can be asked for, and what each takes from the client.

use http::Method;

/// An S3 operation that Signpost signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// [GetObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html)
    GetObject,
    /// [HeadObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html)
    HeadObject,
    /// [PutObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html)
    PutObject,
    /// [DeleteObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html)
    DeleteObject,
}

/// What a rule allows or denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// To get an object or its metadata.
    Read,
    /// To store an object.
    Write,
    /// To delete an object.
    Delete,
    /// To list the keys below a prefix.
    List,
}

/// How a query parameter of Signpost reaches S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// Tells Signpost something; S3 never sees it.
    Signpost,
    /// A parameter of S3's own, signed into the query.
    Query,
    /// Stands for a request header that the client will send, and that is signed.
    Header(&'static str),
    /// Stands for a header that S3 also applies from the signed query, so that the client need not send it.
    Applied(&'static str),
    /// Like `Applied`, for every header that begins with this prefix; the name ends in `*`.
    AppliedPrefix(&'static str),
}

/// A query parameter that an operation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name; one that ends in `*` stands for every name that begins so.
    pub name: &'static str,
    /// How it reaches S3.
    pub carrier: Carrier,
}

const fn parameter(name: &'static str, carrier: Carrier) -> Parameter {
    Parameter { name, carrier }
}

const URL: Parameter = parameter("url", Carrier::Signpost);
const EXPIRES: Parameter = parameter("expires", Carrier::Signpost);
const SHARE: Parameter = parameter("share", Carrier::Signpost);
const VERSION_ID: Parameter = parameter("versionId", Carrier::Query);
const CHECKSUM_MODE: Parameter = parameter("x-amz-checksum-mode", Carrier::Query);

const GET: &[Parameter] = &[
    URL,
    EXPIRES,
    SHARE,
    VERSION_ID,
    CHECKSUM_MODE,
    parameter("download", Carrier::Signpost),
    parameter("response-cache-control", Carrier::Query),
    parameter("response-content-disposition", Carrier::Query),
    parameter("response-content-encoding", Carrier::Query),
    parameter("response-content-language", Carrier::Query),
    parameter("response-content-type", Carrier::Query),
    parameter("response-expires", Carrier::Query),
];

const HEAD: &[Parameter] = &[URL, EXPIRES, SHARE, VERSION_ID, CHECKSUM_MODE];

const DELETE: &[Parameter] = &[URL, EXPIRES, SHARE, VERSION_ID];

const PUT: &[Parameter] = &[
    URL,
    EXPIRES,
    SHARE,
    parameter("contentLength", Carrier::Header("content-length")),
    parameter("contentType", Carrier::Header("content-type")),
    parameter("contentMD5", Carrier::Header("content-md5")),
    parameter("checksum-crc32", Carrier::Header("x-amz-checksum-crc32")),
    parameter("checksum-crc32c", Carrier::Header("x-amz-checksum-crc32c")),
    parameter("checksum-crc64nvme", Carrier::Header("x-amz-checksum-crc64nvme")),
    parameter("checksum-sha1", Carrier::Header("x-amz-checksum-sha1")),
    parameter("checksum-sha256", Carrier::Header("x-amz-checksum-sha256")),
    parameter(
        "sdk-checksum-algorithm",
        Carrier::Header("x-amz-sdk-checksum-algorithm"),
    ),
    parameter("ifMatch", Carrier::Applied("if-match")),
    parameter("ifNoneMatch", Carrier::Applied("if-none-match")),
    parameter("meta-*", Carrier::AppliedPrefix("x-amz-meta-")),
    parameter("storage-class", Carrier::Applied("x-amz-storage-class")),
    parameter(
        "server-side-encryption",
        Carrier::Applied("x-amz-server-side-encryption"),
    ),
    parameter(
        "server-side-encryption-aws-kms-key-id",
        Carrier::Applied("x-amz-server-side-encryption-aws-kms-key-id"),
    ),
    parameter("tagging", Carrier::Applied("x-amz-tagging")),
];

/// Names of query parameters and request headers that the client may choose only where a rule `accepts` them.
pub const ACCEPTABLE: &[&str] = &[
    "versionId",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "x-amz-storage-class",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-tagging",
];

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 4] = [Self::GetObject, Self::HeadObject, Self::PutObject, Self::DeleteObject];

    /// The operation that `method` asks for on an object's path.
    pub fn from_method(method: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.method() == method)
    }

    /// Its name in the S3 API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::GetObject => "GetObject",
            Self::HeadObject => "HeadObject",
            Self::PutObject => "PutObject",
            Self::DeleteObject => "DeleteObject",
        }
    }

    /// The method, which is signed.
    pub const fn method(self) -> Method {
        match self {
            Self::GetObject => Method::GET,
            Self::HeadObject => Method::HEAD,
            Self::PutObject => Method::PUT,
            Self::DeleteObject => Method::DELETE,
        }
    }

    /// What a rule must allow.
    pub const fn action(self) -> Action {
        match self {
            Self::GetObject | Self::HeadObject => Action::Read,
            Self::PutObject => Action::Write,
            Self::DeleteObject => Action::Delete,
        }
    }

    /// The query parameters that it takes.
    pub const fn parameters(self) -> &'static [Parameter] {
        match self {
            Self::GetObject => GET,
            Self::HeadObject => HEAD,
            Self::PutObject => PUT,
            Self::DeleteObject => DELETE,
        }
    }

    /// The parameter that `name` stands for.
    pub fn parameter(self, name: &str) -> Option<Parameter> {
        self.parameters()
            .iter()
            .copied()
            .find(|parameter| match parameter.name.strip_suffix('*') {
                Some(prefix) => name.len() > prefix.len() && name.starts_with(prefix),
                None => parameter.name == name,
            })
    }

    /// The `x-amz-` headers (and their like) that a client may send with it, by their lower-case names.
    pub fn mirrors(self, header: &str) -> bool {
        self.parameters().iter().any(|parameter| match parameter.carrier {
            Carrier::Signpost | Carrier::Query => false,
            Carrier::Header(name) | Carrier::Applied(name) => header == name,
            Carrier::AppliedPrefix(prefix) => header.len() > prefix.len() && header.starts_with(prefix),
        })
    }
}

impl Action {
    /// Its name in the rules.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::List => "list",
        }
    }
}
