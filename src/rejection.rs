//! Rejections: the errors that a client can correct, each with a message and a remedy.

mod credential_remedy;
mod curl_target;
mod lfs;
mod name;

use http::Method;

use crate::key::KeyError;
use crate::operation::{MAX_ENTRIES, MAX_KEYS, Parameter};
pub use credential_remedy::CredentialRemedy;
pub use curl_target::{CurlCredential, CurlTarget};
pub use lfs::LfsRejection;

/// The maximum size of the body of one `PutObject`
/// ([Amazon S3 multipart upload limits](https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html)).
pub const MAX_PUT_BYTES: u64 = 5 * 1024 * 1024 * 1024;

/// The maximum size of an object in S3: the maximum number of parts, each of the maximum size.
pub const MAX_OBJECT_BYTES: u64 = 10_000 * MAX_PUT_BYTES;

/// The minimum size of every part of a multipart upload except the last
/// ([Amazon S3 multipart upload limits](https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html)).
pub const MIN_PART_BYTES: u64 = 5 * 1024 * 1024;

/// The maximum number of characters of a name in an error. Clients choose names, and a bulk response contains 100 errors.
const MAX_NAME: usize = 200;

/// The maximum number of characters of the problem of a value. It can contain names of the client.
const MAX_PROBLEM: usize = 500;

/// An error that the client can correct. `Display` says what is wrong, and [`Rejection::remedy`] what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The path is not an object key.
    #[error("{0}")]
    BadKey(#[from] KeyError),
    /// The query string cannot be decoded.
    #[error("the query string is not percent-encoded UTF-8")]
    BadQuery,
    /// The operation does not accept this query parameter.
    #[error("unknown query parameter {}", quoted(name))]
    UnknownParameter {
        /// The name that was sent.
        name: String,
        /// The requested operation, by its name in the S3 API.
        operation: &'static str,
        /// The parameters that the operation accepts.
        allowed: &'static [Parameter],
    },
    /// A parameter is repeated.
    #[error("parameter {} is repeated", quoted(name))]
    RepeatedParameter {
        /// The name.
        name: String,
    },
    /// A query parameter has another value than the header that it represents, or than another parameter for this header.
    #[error(
        "query parameter {} has another value than the header that it represents",
        quoted(name)
    )]
    DifferentHeader {
        /// The name.
        name: String,
    },
    /// Two query parameters that cannot be in one request.
    #[error("the query parameters `{first}` and `{second}` exclude each other")]
    ExclusiveParameters {
        /// One of the names.
        first: &'static str,
        /// The other name.
        second: &'static str,
    },
    /// A value is invalid.
    #[error("invalid {}: {}", shortened(&name.escape_debug().to_string(), MAX_NAME), shortened(problem, MAX_PROBLEM))]
    BadValue {
        /// The query parameter or header.
        name: String,
        /// A fragment that says what is wrong, or which values are valid.
        problem: String,
    },
    /// An `x-amz-` header that Signpost does not sign. S3 would reject the request.
    #[error("request header {} is not supported for this request", quoted(name))]
    UnsupportedHeader {
        /// The name.
        name: String,
    },
    /// An upload with `Content-Range`. S3 would store the part of the file as the whole object.
    #[error("an upload must contain the whole object, and this request has a Content-Range (RFC 9110, section 14.5)")]
    PartialUpload,
    /// A browser loads the URL of a share link in advance, and each request consumes one of the link's uses.
    #[error("the share link has a limited number of uses, and a prefetch does not consume one")]
    Prefetch,
    /// A request for an instruction that has a body.
    #[error("nothing has been stored: the request has a body, but the response to it would be only an instruction")]
    InstructionWithBody,
    /// A listing that must be complete, but is too long.
    #[error("the listing {problem}, so this response would be incomplete")]
    ListingTooLarge {
        /// A fragment that says what is too long.
        problem: ListingProblem,
    },
    /// A response above the limit of the front.
    #[error("the response is larger than this front can return")]
    ResponseTooLarge,
    /// A parameter or header that the rule does not allow the client to set.
    #[error("the rule does not allow the client to set {name:?}")]
    NotClientSettable {
        /// The name that the rule's `client_may_set` does not contain.
        name: &'static str,
    },
    /// The path does not support this method.
    #[error("method not allowed on this path")]
    MethodNotAllowed {
        /// The methods that it supports.
        allow: Vec<Method>,
    },
    /// There is nothing at this path below `/-/`.
    #[error("not found: paths below `/-/` are reserved for the service")]
    UnknownReservedPath,
    /// The path belongs to a dialect that is disabled.
    #[error("the rules file has no table [{table}], so this path is disabled")]
    DialectOff {
        /// The name of the table that enables it.
        table: &'static str,
    },
    /// The object exists, and the rule does not allow overwriting.
    #[error("the object exists, and the rule does not allow overwriting")]
    ObjectExists,
    /// A rejection of a git-lfs request.
    #[error(transparent)]
    Lfs(#[from] LfsRejection),
    /// The path is outside `SIGNPOST_BASE_PATH`.
    #[error("the path is outside the base path of this service")]
    OutsideBasePath,
    /// A PUT that is chunked or has no length, which S3 does not accept.
    #[error("S3 requires the length of an upload, and this upload is chunked or has no length")]
    NoLength,
    /// A PUT without a declared length, although the rule limits the length.
    #[error("the rule limits uploads to {max_bytes} bytes, so the length must be declared")]
    LengthRequired {
        /// The rule's limit.
        max_bytes: u64,
    },
    /// A declared length above the limit.
    #[error("the upload has {length} bytes, and the limit is {max_bytes}")]
    TooLarge {
        /// The declared length.
        length: u64,
        /// The rule's limit.
        max_bytes: u64,
    },
    /// A part that would make the object larger than the rule allows, because each part before it has at least
    /// [`MIN_PART_BYTES`].
    #[error(
        "part {number} has {length} bytes, and the rule limits objects to {max_bytes} bytes: all parts except the last \
         have at least 5 MiB"
    )]
    PartTooLarge {
        /// The number of the part.
        number: u64,
        /// The declared length of the part.
        length: u64,
        /// The rule's limit.
        max_bytes: u64,
    },
    /// A declared length above the limit of S3 for one PUT.
    #[error("the upload has {length} bytes, and S3 allows {MAX_PUT_BYTES} bytes in one PUT")]
    PutTooLarge {
        /// The declared length.
        length: u64,
    },
    /// A multipart upload is completed without the size of the object, although the rule limits the size.
    #[error(
        "the rule limits objects to {max_bytes} bytes, so completing a multipart upload requires the size of the object"
    )]
    ObjectSizeRequired {
        /// The rule's limit.
        max_bytes: u64,
    },
    /// A path above the limit of the front.
    #[error("the path is longer than the {max_bytes} bytes that this front accepts, with percent-encoding")]
    PathTooLong {
        /// The front's limit.
        max_bytes: usize,
    },
    /// A body above the limit of the front.
    #[error("the request body is larger than the {max_bytes} bytes that this front accepts")]
    BodyTooLarge {
        /// The front's limit.
        max_bytes: u64,
    },
    /// The media type is missing, or the rule does not allow it.
    #[error("the rule does not allow this media type")]
    MediaType {
        /// The media types that the rule allows.
        content_types: Vec<String>,
    },
    /// A credential is wrong or malformed, or the request contains more than one.
    #[error("{problem}")]
    BadCredential {
        /// A fragment that never contains the credential.
        problem: &'static str,
        /// What the client can do.
        remedy: CredentialRemedy,
    },
    /// A page of another site sent the request, or a request with a session does not prove that it comes from a page of
    /// this service.
    #[error("the request changes something, and it does not come from a page of this service")]
    CrossSite,
    /// The service has no sign-in.
    #[error("sign-in is disabled")]
    SignInOff,
    /// An anonymous request, and no rule allows it for everyone.
    #[error("this request requires a credential")]
    CredentialRequired,
    /// The share link does not allow this request.
    #[error("the share link does not allow this method on this key")]
    NotGrantedByLink,
    /// A share link in the URL of a folder.
    #[error("the URL ends in a slash, and a share link grants access only to single objects")]
    LinkForObjects,
    /// The service has no share links.
    #[error("share links are disabled")]
    SharingOff,
    /// The rule does not allow share links for this action.
    #[error("the rule does not allow share links to {action} this key")]
    NotShareable {
        /// The name of the action.
        action: &'static str,
    },
    /// A condition on the `ETag`, for a session that may not read.
    #[error("S3 compares if-match only for callers who may read the object, and the rule does not allow reading")]
    ConditionRequiresRead,
    /// A form for one key, although the rule forbids overwriting. S3 has no create-only forms.
    #[error("HTML form uploads can overwrite objects, and this rule forbids overwriting")]
    FormCanOverwrite,
    /// The key is in no mount, and the service has no bucket for all other keys.
    #[error("no bucket of this service stores this key")]
    NoMount,
    /// The id table has no id for this key, so there is no object.
    #[error("the object does not exist")]
    NoSuchKey,
    /// The id table has no id for this key, so there is no upload to it.
    #[error("no multipart upload is in progress for this key")]
    NoSuchUpload,
    /// The patterns of the rule, with the claims of this caller, are too long for the session policy of STS.
    #[error("the claims of this caller are too long for the rule: its permissions do not fit into a session policy")]
    ClaimsTooLong,
    /// There may be no object, but this caller may not find out.
    #[error("not found, or you may not list this prefix")]
    ExistenceHidden,
    /// No rule allows the action, and the caller has a credential.
    #[error("no rule allows this caller to {action} {}", target_of(action))]
    AccessDenied {
        /// The name of the action.
        action: &'static str,
    },
    /// A deny rule applies, and the caller has a credential.
    #[error("a rule denies this caller permission to {action} {}", target_of(action))]
    DeniedByRule {
        /// The name of the action.
        action: &'static str,
    },
}

/// The reason why a listing cannot be complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListingProblem {
    /// There are more than [`MAX_ENTRIES`].
    #[error("has more than {MAX_ENTRIES} entries")]
    Entries,
    /// The response would exceed the limit of the front.
    #[error("is larger than this front can return")]
    Size,
    /// S3 cannot return all entries within the time limit of a request.
    #[error("takes too long to read")]
    Time,
}

impl Rejection {
    /// The error code: the code of S3, if S3 has one for the error
    /// ([Error responses](https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html)).
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BadKey(KeyError::TooLong { .. }) | Self::PathTooLong { .. } => "KeyTooLongError",
            Self::BadKey(_) => "InvalidURI",
            Self::BadQuery
            | Self::UnknownParameter { .. }
            | Self::RepeatedParameter { .. }
            | Self::DifferentHeader { .. }
            | Self::ExclusiveParameters { .. }
            | Self::BadValue { .. }
            | Self::UnsupportedHeader { .. }
            | Self::PartialUpload => "InvalidArgument",
            Self::Prefetch => "ServiceUnavailable",
            Self::InstructionWithBody => "InvalidRequest",
            Self::ListingTooLarge { .. } | Self::ResponseTooLarge => "ResponseTooLarge",
            Self::NotClientSettable { .. }
            | Self::AccessDenied { .. }
            | Self::DeniedByRule { .. }
            | Self::NotShareable { .. }
            | Self::NotGrantedByLink
            | Self::LinkForObjects
            | Self::ClaimsTooLong
            | Self::ExistenceHidden
            | Self::ConditionRequiresRead
            | Self::FormCanOverwrite => "AccessDenied",
            Self::MethodNotAllowed { .. } => "MethodNotAllowed",
            Self::UnknownReservedPath
            | Self::OutsideBasePath
            | Self::DialectOff { .. }
            | Self::SharingOff
            | Self::SignInOff
            | Self::NoSuchKey => "NoSuchKey",
            Self::NoMount => "NoSuchBucket",
            Self::NoSuchUpload => "NoSuchUpload",
            Self::ObjectExists => "PreconditionFailed",
            Self::Lfs(rejection) => rejection.code(),
            Self::NoLength | Self::LengthRequired { .. } | Self::ObjectSizeRequired { .. } => "MissingContentLength",
            Self::TooLarge { .. }
            | Self::PartTooLarge { .. }
            | Self::PutTooLarge { .. }
            | Self::BodyTooLarge { .. } => "EntityTooLarge",
            Self::MediaType { .. } => "UnsupportedMediaType",
            Self::CrossSite => "CrossSiteRequest",
            Self::BadCredential { .. } => "InvalidCredential",
            Self::CredentialRequired => "CredentialRequired",
        }
    }

    /// How the client can correct the request to `target`.
    #[expect(clippy::too_many_lines, reason = "one arm for each variant")]
    pub fn remedy(&self, target: &CurlTarget) -> String {
        match self {
            Self::BadKey(KeyError::Reserved) => "Use a key that does not begin with `-/`.".into(),
            Self::BadKey(_) => "Send a key of 1 to 1,024 bytes of UTF-8, percent-encoded once, without control \
                characters and without `.` or `..` segments."
                .into(),
            Self::BadQuery => "Percent-encode the query string once, as UTF-8.".into(),
            Self::UnknownParameter { operation, allowed, .. } => format!("{operation} accepts: {}.", names(allowed)),
            Self::RepeatedParameter { .. } => "Send it once.".into(),
            Self::DifferentHeader { .. } => "Send the value only once, as a header or as a parameter.".into(),
            Self::ExclusiveParameters { first, second } => format!("Send `{first}` or `{second}`, but not both."),
            Self::BadValue { .. } => "Correct the value and send the request again.".into(),
            Self::UnsupportedHeader { .. } => "Remove the header. A client that signs its requests should \
                add `?json` to the URL, and then send only the headers in the response to S3."
                .into(),
            Self::PartialUpload => format!(
                "Send the whole file without Content-Range (curl: without -C). An upload that can be resumed consists of \
                parts: start it with POST {}, or use `signpost put`.",
                target.url("uploads")
            ),
            Self::Prefetch => "Open the link without a prefetch.".into(),
            Self::InstructionWithBody => format!(
                "Send the file without `url`, `json` and `Accept: application/vnd.signpost+json` in the request ({}), \
                or in two steps, the first one without a body: {}",
                target.follow("-T FILE"),
                target.two_steps()
            ),
            Self::ListingTooLarge { .. } => format!(
                "Request it in pages: begin with '{}', and follow the URL in the `Link` header with rel=\"next\" until a \
                response has none. Or list the subfolders one by one.",
                target.url(&format!("max-keys={MAX_KEYS}"))
            ),
            Self::ResponseTooLarge => "Request less at once.".into(),
            Self::NotClientSettable { name } => {
                format!("Remove it, or ask the operator to add {name:?} to the rule's `client_may_set`.")
            }
            Self::MethodNotAllowed { allow } => format!("Use one of {}.", method_list(allow)),
            Self::UnknownReservedPath => "See /-/docs.".into(),
            Self::OutsideBasePath => "Begin the path with the base path.".into(),
            Self::DialectOff { table } => {
                format!("The operator can enable it with the table [{table}] in the rules file.")
            }
            Self::ObjectExists => "Use the existing object, or ask the operator for `overwrite = true`.".into(),
            Self::Lfs(rejection) => rejection.remedy().into(),
            Self::NoLength => format!(
                "Send a file with a known length. This works for files up to 5 GiB: {}",
                target.two_steps()
            ),
            Self::LengthRequired { .. } => format!(
                "Send the file with its length ({}), or declare it in the first of two steps: {}",
                target.follow("-T FILE"),
                target.two_steps()
            ),
            Self::PutTooLarge { .. } => {
                let (object, uploads) = (target.url(""), target.url("uploads"));
                format!("Use a multipart upload: signpost put FILE '{object}', or start with POST '{uploads}'")
            }
            Self::ObjectSizeRequired { .. } => {
                "Declare the length of the whole object, which S3 then checks. Send the header x-amz-mp-object-size, or add \
                &mp-object-size=BYTES and send the headers in the JSON response."
                    .into()
            }
            Self::TooLarge { .. } => "Send a smaller file, or ask the operator to raise the rule's `max_bytes`.".into(),
            Self::PathTooLong { .. } => {
                "Use a shorter key. A function URL, an HTTP API and a load balancer accept longer paths.".into()
            }
            Self::PartTooLarge { .. } => {
                "Number the parts from 1 without gaps, send a smaller file, or ask the operator to \
                 raise the rule's `max_bytes`."
                    .into()
            }
            Self::BodyTooLarge { .. } => format!(
                "Upload in two steps, which works for files up to 5 GiB: {}",
                target.two_steps()
            ),
            Self::MediaType { content_types } => format!(
                "Send a media type that matches one of: {}. With curl, add -H 'Content-Type: …'; with two steps, also add \
                 &contentType=… to the first one.",
                content_types.join(", ")
            ),
            Self::BadCredential { remedy, .. } => remedy.text().into(),
            Self::CredentialRequired => {
                "Send a token: curl -u ID:SECRET, or the header Authorization: Bearer SECRET.".into()
            }
            Self::CrossSite => {
                "Use the page of this service, or send a token in the header Authorization without a browser. \
                The operator can allow pages of another site with SIGNPOST_CORS_ORIGINS."
                    .into()
            }
            Self::SignInOff => {
                "The operator can enable it with SIGNPOST_KEYS, and a [[token]] or an [[issuer]] with client_id.".into()
            }
            Self::NotGrantedByLink => "Ask the creator of the link for one that allows it.".into(),
            Self::LinkForObjects => format!(
                "Insert the name of a file before the `?` of the link. To upload FILE: {}",
                target.in_folder("FILE").follow("-T FILE")
            ),
            Self::ConditionRequiresRead => {
                "Send the request without if-match, or ask the operator for a rule that also allows you to read.".into()
            }
            Self::FormCanOverwrite => {
                "Request a form at a path that ends in /, which uploads each file to a new folder, or \
                ask the operator for `overwrite = true`."
                    .into()
            }
            Self::ClaimsTooLong => {
                "Ask the operator for a rule with shorter patterns, or for shorter claims at the issuer.".into()
            }
            Self::NoMount => {
                "Use a key below one of the folders in the listing of /. The operator can add a [[mount]] for this key, or set \
                SIGNPOST_BUCKET."
                    .into()
            }
            Self::NoSuchKey => "Check the key, or upload the object first.".into(),
            Self::NoSuchUpload => format!("Start one with POST {}", target.url("uploads")),
            Self::ExistenceHidden => "Check the key, or ask the operator for a rule that allows you to list it.".into(),
            Self::SharingOff => "The operator can enable them with SIGNPOST_KEYS.".into(),
            Self::AccessDenied { .. } => "Ask the operator for a rule that allows it.".into(),
            Self::DeniedByRule { .. } => {
                "The operator forbids this with a deny rule, which another rule cannot override.".into()
            }
            Self::NotShareable { action } => {
                format!("Ask the operator to add {action:?} to `share` of the rule.")
            }
        }
    }
}

/// Returns what a caller performs the action on.
fn target_of(action: &str) -> &'static str {
    if action == "list" { "this prefix" } else { "this key" }
}

/// A name in quotation marks, escaped and shortened.
fn quoted(name: &str) -> String {
    shortened(&format!("{name:?}"), MAX_NAME)
}

/// The beginning of a text, with an ellipsis if the text is longer.
fn shortened(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The methods as a comma-separated list, for the `Allow` header.
pub(crate) fn method_list(methods: &[Method]) -> String {
    methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ")
}

fn names(parameters: &[Parameter]) -> String {
    let names: Vec<_> = parameters.iter().map(|parameter| parameter.name).collect();
    names.join(", ")
}
