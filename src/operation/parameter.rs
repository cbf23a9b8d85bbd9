//! The query parameters of each operation, and how each one reaches S3.

/// The maximum number of parts in one upload
/// ([Amazon S3 multipart upload limits](https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html)).
const MAX_PARTS: u32 = 10_000;

/// The header with the length of the whole object, which S3 compares with the sum of the parts.
pub const OBJECT_SIZE: &str = "x-amz-mp-object-size";

/// A query parameter that an operation accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The name. A name that ends in `*` matches every name with that prefix.
    pub name: &'static str,
    /// How Signpost uses it.
    pub kind: ParameterKind,
}

/// How Signpost uses a query parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    /// An option of Signpost for one object. S3 never sees it.
    Own(OwnParameter),
    /// An option of Signpost for a listing. S3 never sees it.
    Listing(ListingParameter),
    /// A parameter of S3, signed into the query.
    SignedQuery,
    /// A parameter of S3 that names a sub-resource and has no value.
    SubResource,
    /// A parameter of S3 that is a whole number within these bounds, signed into the query.
    Number(u32, u32),
    /// Represents a request header that the client must send. The header is signed.
    SignedHeader(&'static str),
    /// Represents a header that S3 also accepts as a signed query parameter, so that the client need not send it.
    SignedQueryHeader(&'static str),
    /// Like `SignedQueryHeader`, for every header with this prefix. The name ends in `*`.
    SignedQueryHeaderPrefix(&'static str),
}

/// An option of Signpost for one object. [`crate::request::ObjectRequest`] matches it exhaustively.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnParameter {
    /// `url`: respond with the URL instead of a redirect.
    Url,
    /// `json`: respond with the instruction as JSON instead of a redirect.
    Json,
    /// `expires`: the lifetime of the URL.
    Expires,
    /// `share`: the share link that authorizes the request.
    Share,
    /// `download`: the file name for the browser.
    Download,
    /// `contentLength` of a multipart upload: the length of the whole object.
    ObjectSize,
}

/// An option of Signpost for a listing. [`crate::request::ListingRequest`] matches it exhaustively.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListingParameter {
    /// `recursive`: include the objects in folders.
    Recursive,
    /// `simple`: respond with names only.
    Simple,
    /// `json`: respond with JSON.
    Json,
    /// `q`: the text that a name must contain.
    Search,
    /// `sort`: the column to sort by.
    Sort,
    /// `order`: the sort direction.
    Order,
    /// `next`: the cursor of the next page.
    Next,
    /// `max-keys`: the maximum number of entries on a page.
    MaxKeys,
}

impl Parameter {
    /// Returns true if this parameter has `name`.
    pub fn matches(&self, name: &str) -> bool {
        match self.name.strip_suffix('*') {
            Some(prefix) => name.len() > prefix.len() && name.starts_with(prefix),
            None => self.name == name,
        }
    }

    /// Returns true if this parameter represents the request header with this lower-case name.
    pub(super) fn represents(&self, header: &str) -> bool {
        match self.kind {
            ParameterKind::Own(_)
            | ParameterKind::Listing(_)
            | ParameterKind::SignedQuery
            | ParameterKind::SubResource
            | ParameterKind::Number(..) => false,
            ParameterKind::SignedHeader(name) | ParameterKind::SignedQueryHeader(name) => header == name,
            ParameterKind::SignedQueryHeaderPrefix(prefix) => header.len() > prefix.len() && header.starts_with(prefix),
        }
    }
}

pub(super) const fn parameter(name: &'static str, kind: ParameterKind) -> Parameter {
    Parameter { name, kind }
}

/// The parameter of a checksum. It represents the header `x-amz-checksum-…`, which S3 compares with the body.
macro_rules! checksum {
    ($algorithm:literal) => {
        parameter(
            concat!("checksum-", $algorithm),
            ParameterKind::SignedHeader(concat!("x-amz-checksum-", $algorithm)),
        )
    };
}

/// These parameters, and a parameter for each checksum algorithm of S3
/// ([checksum algorithms](https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html)).
macro_rules! with_checksums {
    ($($parameter:expr,)*) => {
        &[
            $($parameter,)*
            checksum!("crc32"),
            checksum!("crc32c"),
            checksum!("crc64nvme"),
            checksum!("sha1"),
            checksum!("sha256"),
            checksum!("sha512"),
            checksum!("md5"),
            checksum!("xxhash64"),
            checksum!("xxhash3"),
            checksum!("xxhash128"),
        ]
    };
}

const URL: Parameter = parameter("url", ParameterKind::Own(OwnParameter::Url));
const JSON: Parameter = parameter("json", ParameterKind::Own(OwnParameter::Json));
const EXPIRES: Parameter = parameter("expires", ParameterKind::Own(OwnParameter::Expires));
const SHARE: Parameter = parameter("share", ParameterKind::Own(OwnParameter::Share));
const VERSION_ID: Parameter = parameter("versionId", ParameterKind::SignedQuery);
const CHECKSUM_MODE: Parameter = parameter("x-amz-checksum-mode", ParameterKind::SignedQuery);

const UPLOAD_ID: Parameter = parameter("uploadId", ParameterKind::SignedQuery);
pub(super) const UPLOADS: Parameter = parameter("uploads", ParameterKind::SubResource);
const PART_NUMBER: Parameter = parameter("partNumber", ParameterKind::Number(1, MAX_PARTS));
const CONTENT_LENGTH: Parameter = parameter("contentLength", ParameterKind::SignedHeader("content-length"));
const CONTENT_TYPE: Parameter = parameter("contentType", ParameterKind::SignedHeader("content-type"));
const CONTENT_MD5: Parameter = parameter("contentMD5", ParameterKind::SignedHeader("content-md5"));
const CHECKSUM_TYPE: Parameter = parameter("checksum-type", ParameterKind::SignedHeader("x-amz-checksum-type"));
const SDK_CHECKSUM_ALGORITHM: Parameter = parameter(
    "sdk-checksum-algorithm",
    ParameterKind::SignedHeader("x-amz-sdk-checksum-algorithm"),
);
const IF_MATCH: Parameter = parameter("ifMatch", ParameterKind::SignedQueryHeader("if-match"));
const IF_NONE_MATCH: Parameter = parameter("ifNoneMatch", ParameterKind::SignedQueryHeader("if-none-match"));
const METADATA: Parameter = parameter("meta-*", ParameterKind::SignedQueryHeaderPrefix("x-amz-meta-"));
const STORAGE_CLASS: Parameter = parameter("storage-class", ParameterKind::SignedQueryHeader("x-amz-storage-class"));
const SSE: Parameter = parameter(
    "server-side-encryption",
    ParameterKind::SignedQueryHeader("x-amz-server-side-encryption"),
);
const SSE_KMS_KEY_ID: Parameter = parameter(
    "server-side-encryption-aws-kms-key-id",
    ParameterKind::SignedQueryHeader("x-amz-server-side-encryption-aws-kms-key-id"),
);
const TAGGING: Parameter = parameter("tagging", ParameterKind::SignedQueryHeader("x-amz-tagging"));

pub(super) const GET: &[Parameter] = &[
    URL,
    JSON,
    EXPIRES,
    SHARE,
    VERSION_ID,
    CHECKSUM_MODE,
    parameter("download", ParameterKind::Own(OwnParameter::Download)),
    parameter("response-cache-control", ParameterKind::SignedQuery),
    parameter("response-content-disposition", ParameterKind::SignedQuery),
    parameter("response-content-encoding", ParameterKind::SignedQuery),
    parameter("response-content-language", ParameterKind::SignedQuery),
    parameter("response-content-type", ParameterKind::SignedQuery),
    parameter("response-expires", ParameterKind::SignedQuery),
];

pub(super) const HEAD: &[Parameter] = &[URL, JSON, EXPIRES, SHARE, VERSION_ID, CHECKSUM_MODE];

pub(super) const DELETE: &[Parameter] = &[
    URL,
    JSON,
    EXPIRES,
    SHARE,
    VERSION_ID,
    // A header, because no recording shows that S3 reads this condition of a DELETE from the query. If S3 ignored it there, it
    // would delete another version of the object than the client expects.
    parameter("ifMatch", ParameterKind::SignedHeader("if-match")),
];

pub(super) const PUT: &[Parameter] = with_checksums![
    URL,
    JSON,
    EXPIRES,
    SHARE,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    CONTENT_MD5,
    SDK_CHECKSUM_ALGORITHM,
    IF_MATCH,
    IF_NONE_MATCH,
    METADATA,
    STORAGE_CLASS,
    SSE,
    SSE_KMS_KEY_ID,
    TAGGING,
];

pub(super) const CREATE_UPLOAD: &[Parameter] = &[
    UPLOADS,
    URL,
    JSON,
    EXPIRES,
    SHARE,
    // The length of the whole object: an object above the limit is rejected before its first part is uploaded.
    parameter("contentLength", ParameterKind::Own(OwnParameter::ObjectSize)),
    CONTENT_TYPE,
    parameter(
        "checksum-algorithm",
        ParameterKind::SignedHeader("x-amz-checksum-algorithm"),
    ),
    CHECKSUM_TYPE,
    METADATA,
    STORAGE_CLASS,
    SSE,
    SSE_KMS_KEY_ID,
    TAGGING,
];

pub(super) const UPLOAD_PART: &[Parameter] = with_checksums![
    PART_NUMBER,
    UPLOAD_ID,
    URL,
    JSON,
    EXPIRES,
    SHARE,
    CONTENT_LENGTH,
    CONTENT_MD5,
    SDK_CHECKSUM_ALGORITHM,
];

pub(super) const LIST_PARTS: &[Parameter] = &[
    UPLOAD_ID,
    URL,
    JSON,
    EXPIRES,
    SHARE,
    parameter("max-parts", ParameterKind::Number(1, 1000)),
    parameter("part-number-marker", ParameterKind::Number(0, MAX_PARTS)),
];

pub(super) const COMPLETE_UPLOAD: &[Parameter] = with_checksums![
    UPLOAD_ID,
    URL,
    JSON,
    EXPIRES,
    SHARE,
    CHECKSUM_TYPE,
    parameter("mp-object-size", ParameterKind::SignedHeader(OBJECT_SIZE)),
    IF_MATCH,
    IF_NONE_MATCH,
];

pub(super) const ABORT_UPLOAD: &[Parameter] = &[UPLOAD_ID, URL, JSON, EXPIRES, SHARE];

/// The query parameters and request headers that a client may set only if the rule lists them in `client_may_set`.
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
