//! The S3 operations that can be asked for, and what each takes from the client.

mod listing;
mod page;

use http::Method;

pub use listing::{Listing, MAX_KEYS};
pub use page::ObjectPage;

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
    /// [CreateMultipartUpload](https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html)
    CreateMultipartUpload,
    /// [UploadPart](https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html)
    UploadPart,
    /// [ListParts](https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html)
    ListParts,
    /// [CompleteMultipartUpload](https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html)
    CompleteMultipartUpload,
    /// [AbortMultipartUpload](https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html)
    AbortMultipartUpload,
}

/// What a rule allows or denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// To get an object or its metadata.
    Read,
    /// To store an object, whole or in parts.
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
    /// A parameter of S3's own that names a sub-resource and has no value.
    SubResource,
    /// A parameter of S3's own that is a whole number within these bounds, signed into the query.
    Number(u32, u32),
    /// Stands for a request header that the client will send, and that is signed.
    Header(&'static str),
    /// Stands for a header that S3 also applies from the signed query, so that the client need not send it.
    Applied(&'static str),
    /// Like `Applied`, for every header that begins with this prefix; the name ends in `*`.
    AppliedPrefix(&'static str),
}

/// The most parts of one upload
/// ([Amazon S3 multipart upload limits](https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html)).
const MAX_PARTS: u32 = 10_000;

/// The length of the whole object, which S3 compares with the sum of the parts.
pub const OBJECT_SIZE: &str = "x-amz-mp-object-size";

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

const UPLOAD_ID: Parameter = parameter("uploadId", Carrier::Query);
const UPLOADS: Parameter = parameter("uploads", Carrier::SubResource);
const PART_NUMBER: Parameter = parameter("partNumber", Carrier::Number(1, MAX_PARTS));
const CONTENT_LENGTH: Parameter = parameter("contentLength", Carrier::Header("content-length"));
const CONTENT_TYPE: Parameter = parameter("contentType", Carrier::Header("content-type"));
const CONTENT_MD5: Parameter = parameter("contentMD5", Carrier::Header("content-md5"));
const CHECKSUM_CRC32: Parameter = parameter("checksum-crc32", Carrier::Header("x-amz-checksum-crc32"));
const CHECKSUM_CRC32C: Parameter = parameter("checksum-crc32c", Carrier::Header("x-amz-checksum-crc32c"));
const CHECKSUM_CRC64NVME: Parameter = parameter("checksum-crc64nvme", Carrier::Header("x-amz-checksum-crc64nvme"));
const CHECKSUM_SHA1: Parameter = parameter("checksum-sha1", Carrier::Header("x-amz-checksum-sha1"));
const CHECKSUM_SHA256: Parameter = parameter("checksum-sha256", Carrier::Header("x-amz-checksum-sha256"));
const CHECKSUM_TYPE: Parameter = parameter("checksum-type", Carrier::Header("x-amz-checksum-type"));
const SDK_CHECKSUM_ALGORITHM: Parameter = parameter(
    "sdk-checksum-algorithm",
    Carrier::Header("x-amz-sdk-checksum-algorithm"),
);
const IF_MATCH: Parameter = parameter("ifMatch", Carrier::Applied("if-match"));
const IF_NONE_MATCH: Parameter = parameter("ifNoneMatch", Carrier::Applied("if-none-match"));
const METADATA: Parameter = parameter("meta-*", Carrier::AppliedPrefix("x-amz-meta-"));
const STORAGE_CLASS: Parameter = parameter("storage-class", Carrier::Applied("x-amz-storage-class"));
const SSE: Parameter = parameter(
    "server-side-encryption",
    Carrier::Applied("x-amz-server-side-encryption"),
);
const SSE_KMS_KEY_ID: Parameter = parameter(
    "server-side-encryption-aws-kms-key-id",
    Carrier::Applied("x-amz-server-side-encryption-aws-kms-key-id"),
);
const TAGGING: Parameter = parameter("tagging", Carrier::Applied("x-amz-tagging"));

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
    CONTENT_LENGTH,
    CONTENT_TYPE,
    CONTENT_MD5,
    CHECKSUM_CRC32,
    CHECKSUM_CRC32C,
    CHECKSUM_CRC64NVME,
    CHECKSUM_SHA1,
    CHECKSUM_SHA256,
    SDK_CHECKSUM_ALGORITHM,
    IF_MATCH,
    IF_NONE_MATCH,
    METADATA,
    STORAGE_CLASS,
    SSE,
    SSE_KMS_KEY_ID,
    TAGGING,
];

const CREATE_UPLOAD: &[Parameter] = &[
    UPLOADS,
    URL,
    EXPIRES,
    SHARE,
    // The length of the whole object, so that one that is too long is refused before its first part is sent.
    parameter("contentLength", Carrier::Signpost),
    CONTENT_TYPE,
    parameter("checksum-algorithm", Carrier::Header("x-amz-checksum-algorithm")),
    CHECKSUM_TYPE,
    METADATA,
    STORAGE_CLASS,
    SSE,
    SSE_KMS_KEY_ID,
    TAGGING,
];

const UPLOAD_PART: &[Parameter] = &[
    PART_NUMBER,
    UPLOAD_ID,
    URL,
    EXPIRES,
    SHARE,
    CONTENT_LENGTH,
    CONTENT_MD5,
    CHECKSUM_CRC32,
    CHECKSUM_CRC32C,
    CHECKSUM_CRC64NVME,
    CHECKSUM_SHA1,
    CHECKSUM_SHA256,
    SDK_CHECKSUM_ALGORITHM,
];

const LIST_PARTS: &[Parameter] = &[
    UPLOAD_ID,
    URL,
    EXPIRES,
    SHARE,
    parameter("max-parts", Carrier::Number(1, 1000)),
    parameter("part-number-marker", Carrier::Number(0, MAX_PARTS)),
];

const COMPLETE_UPLOAD: &[Parameter] = &[
    UPLOAD_ID,
    URL,
    EXPIRES,
    SHARE,
    CHECKSUM_CRC32,
    CHECKSUM_CRC32C,
    CHECKSUM_CRC64NVME,
    CHECKSUM_SHA1,
    CHECKSUM_SHA256,
    CHECKSUM_TYPE,
    parameter("mp-object-size", Carrier::Header(OBJECT_SIZE)),
    IF_MATCH,
    IF_NONE_MATCH,
];

const ABORT_UPLOAD: &[Parameter] = &[UPLOAD_ID, URL, EXPIRES, SHARE];

/// Names of query parameters and request headers that the client may choose only where a rule `accepts` them.
pub const CLIENT_SETTABLE: &[&str] = &[
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
    pub const ALL: [Self; 9] = [
        Self::GetObject,
        Self::HeadObject,
        Self::PutObject,
        Self::DeleteObject,
        Self::CreateMultipartUpload,
        Self::UploadPart,
        Self::ListParts,
        Self::CompleteMultipartUpload,
        Self::AbortMultipartUpload,
    ];

    /// The operations on the sub-resource that a query names, or on the object itself.
    pub fn on(query: &[(String, String)]) -> impl Iterator<Item = Self> {
        let named = |sub: &&str| query.iter().any(|(name, _)| name == sub);
        let sub_resource = ["uploads", "uploadId"].into_iter().find(named);
        let on = move |operation: &Self| operation.sub_resource() == sub_resource;
        Self::ALL.into_iter().filter(on)
    }

    /// The operation that `method` asks for on an object's path with this query.
    pub fn from_request(method: &str, query: &[(String, String)]) -> Option<Self> {
        Self::on(query).find(|operation| operation.method() == method)
    }

    /// The query parameter that tells it from others of the same method.
    const fn sub_resource(self) -> Option<&'static str> {
        match self {
            Self::GetObject | Self::HeadObject | Self::PutObject | Self::DeleteObject => None,
            Self::CreateMultipartUpload => Some("uploads"),
            Self::UploadPart | Self::ListParts | Self::CompleteMultipartUpload | Self::AbortMultipartUpload => {
                Some("uploadId")
            }
        }
    }

    /// Its name in the S3 API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::GetObject => "GetObject",
            Self::HeadObject => "HeadObject",
            Self::PutObject => "PutObject",
            Self::DeleteObject => "DeleteObject",
            Self::CreateMultipartUpload => "CreateMultipartUpload",
            Self::UploadPart => "UploadPart",
            Self::ListParts => "ListParts",
            Self::CompleteMultipartUpload => "CompleteMultipartUpload",
            Self::AbortMultipartUpload => "AbortMultipartUpload",
        }
    }

    /// The method, which is signed.
    pub const fn method(self) -> Method {
        match self {
            Self::GetObject | Self::ListParts => Method::GET,
            Self::HeadObject => Method::HEAD,
            Self::PutObject | Self::UploadPart => Method::PUT,
            Self::DeleteObject | Self::AbortMultipartUpload => Method::DELETE,
            Self::CreateMultipartUpload | Self::CompleteMultipartUpload => Method::POST,
        }
    }

    /// What a rule must allow.
    pub const fn action(self) -> Action {
        match self {
            Self::GetObject | Self::HeadObject => Action::Read,
            Self::PutObject
            | Self::CreateMultipartUpload
            | Self::UploadPart
            | Self::ListParts
            | Self::CompleteMultipartUpload
            | Self::AbortMultipartUpload => Action::Write,
            Self::DeleteObject => Action::Delete,
        }
    }

    /// Whether the body of its request is kept.
    pub const fn stores_body(self) -> bool {
        matches!(self, Self::PutObject | Self::UploadPart)
    }

    /// The query parameters that it takes.
    pub const fn parameters(self) -> &'static [Parameter] {
        match self {
            Self::GetObject => GET,
            Self::HeadObject => HEAD,
            Self::PutObject => PUT,
            Self::DeleteObject => DELETE,
            Self::CreateMultipartUpload => CREATE_UPLOAD,
            Self::UploadPart => UPLOAD_PART,
            Self::ListParts => LIST_PARTS,
            Self::CompleteMultipartUpload => COMPLETE_UPLOAD,
            Self::AbortMultipartUpload => ABORT_UPLOAD,
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

    /// Whether a request header, by its lower-case name, is taken over into the signature.
    pub fn mirrors(self, header: &str) -> bool {
        self.parameters().iter().any(|parameter| match parameter.carrier {
            Carrier::Signpost | Carrier::Query | Carrier::SubResource | Carrier::Number(..) => false,
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
