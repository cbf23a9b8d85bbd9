//! Every way in which a request can be the client's fault: what is wrong, and what to do.

use http::Method;

use crate::key::KeyError;
use crate::operation::Parameter;

/// The largest body of one `PutObject`
/// ([Amazon S3 multipart upload limits](https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html)).
pub const MAX_PUT_BYTES: u64 = 5 * 1024 * 1024 * 1024;

/// The largest object that S3 keeps: one of as many parts as it takes, each as large as it takes.
pub const MAX_OBJECT_BYTES: u64 = 10_000 * MAX_PUT_BYTES;

/// A refusal that the client can mend. `Display` tells what is wrong; [`Rejection::remedy`] what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The path is not an object key.
    #[error("{0}")]
    BadKey(#[from] KeyError),
    /// The query string does not decode.
    #[error("the query string is not percent-encoded UTF-8")]
    BadQuery,
    /// A query parameter that the operation does not take.
    #[error("unknown query parameter {name:?}")]
    UnknownParameter {
        /// The name that was sent.
        name: String,
        /// What was asked for, by its name in the S3 API.
        operation: &'static str,
        /// What that takes.
        takes: &'static [Parameter],
    },
    /// A query parameter that stands twice, or that says other than the header it stands for.
    #[error("query parameter {name:?} is given twice, or differs from the header that it stands for")]
    ConflictingParameter {
        /// Its name.
        name: String,
    },
    /// A value that cannot be used.
    #[error("{}: {problem}", name.escape_debug())]
    BadValue {
        /// The query parameter or header.
        name: String,
        /// A fragment that says what is wrong and what would be right.
        problem: String,
    },
    /// An `x-amz-` header that Signpost does not sign, so that S3 would refuse the request.
    #[error("request header {name:?} can't be part of this request")]
    UnsupportedHeader {
        /// Its name.
        name: String,
    },
    /// A parameter or header that the rule does not let the client choose.
    #[error("the rule does not let the client choose {name:?}")]
    NotAccepted {
        /// The name that a rule's `client_may_set` would have to hold.
        name: &'static str,
    },
    /// No operation goes by that method here.
    #[error("no operation goes by this method on this path")]
    MethodNotAllowed {
        /// The methods that do.
        allow: Vec<Method>,
    },
    /// Nothing lives at this path below the reserved segment.
    #[error("nothing is served at this path; `/-/` is reserved")]
    UnknownReservedPath,
    /// The path lies outside `SIGNPOST_BASE_PATH`.
    #[error("the path lies outside the base path of this service")]
    OutsideBasePath,
    /// A PUT in chunks or without any length, which S3 does not take.
    #[error("an upload in chunks or without a length can't be stored, since S3 needs to know the length")]
    NoLength,
    /// A PUT that declares no length where the rule limits it.
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
    /// A declared length that S3 does not take in one PUT.
    #[error("the upload has {length} bytes, and S3 takes {MAX_PUT_BYTES} in one PUT")]
    PutTooLarge {
        /// The declared length.
        length: u64,
    },
    /// An upload in parts that does not say how large the object is, where the rule limits it.
    #[error("the rule limits objects to {max_bytes} bytes, so the end of an upload in parts must say how many it has")]
    ObjectSizeRequired {
        /// The rule's limit.
        max_bytes: u64,
    },
    /// A body that the front itself cannot take in.
    #[error("the request body is above the {max_bytes} bytes that this front takes")]
    BodyTooLarge {
        /// The front's limit.
        max_bytes: u64,
    },
    /// The media type is missing, or not among those of the rule.
    #[error("the media type is not one that the rule takes")]
    MediaType {
        /// The media types of the rule.
        content_types: Vec<String>,
    },
    /// A credential that is wrong, malformed, or one too many.
    #[error("{problem}")]
    BadCredential {
        /// A fragment that never holds the credential.
        problem: &'static str,
    },
    /// A page of another site, or what does not say that it is ours, uses a session to change something.
    #[error("a session changes nothing unless a page of this service asks for it")]
    CrossSite,
    /// Nobody can sign in here.
    #[error("there is no sign-in here")]
    SignInOff,
    /// Nobody is signed in, and no rule lets everybody.
    #[error("this request needs a credential")]
    CredentialRequired,
    /// A share link that does not lend this.
    #[error("the share link does not lend this method on this key")]
    NotLent,
    /// No share link can be made here.
    #[error("share links are switched off here")]
    SharingOff,
    /// A form for one key, where the rule lets nothing be replaced: S3 knows no create-only forms.
    #[error("a form can't be kept from replacing the object, and the rule lets none be replaced")]
    FormWouldReplace,
    /// The table has no id for this key, so there is no object.
    #[error("there is no object under this key")]
    NoSuchKey,
    /// The table has no id for this key, so no upload to it has begun.
    #[error("no upload in parts has begun under this key")]
    NoSuchUpload,
    /// Perhaps there is no object, but that is not for this caller to know.
    #[error("whether there is an object under this key is told to those alone who may list it")]
    NotTold,
    /// A known caller, and no rule that allows it.
    #[error("no rule lets this caller {action} this key")]
    AccessDenied {
        /// The name of the action.
        action: &'static str,
    },
}

impl Rejection {
    /// The code, as S3 names it where S3 knows the case
    /// ([Error responses](https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html)).
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BadKey(KeyError::TooLong { .. }) => "KeyTooLongError",
            Self::BadKey(_) => "InvalidURI",
            Self::BadQuery
            | Self::UnknownParameter { .. }
            | Self::ConflictingParameter { .. }
            | Self::BadValue { .. }
            | Self::UnsupportedHeader { .. } => "InvalidArgument",
            Self::NotAccepted { .. }
            | Self::AccessDenied { .. }
            | Self::NotLent
            | Self::NotTold
            | Self::FormWouldReplace => "AccessDenied",
            Self::MethodNotAllowed { .. } => "MethodNotAllowed",
            Self::UnknownReservedPath
            | Self::OutsideBasePath
            | Self::SharingOff
            | Self::SignInOff
            | Self::NoSuchKey => "NoSuchKey",
            Self::NoSuchUpload => "NoSuchUpload",
            Self::NoLength | Self::LengthRequired { .. } | Self::ObjectSizeRequired { .. } => "MissingContentLength",
            Self::TooLarge { .. } | Self::PutTooLarge { .. } | Self::BodyTooLarge { .. } => "EntityTooLarge",
            Self::MediaType { .. } => "UnsupportedMediaType",
            Self::CrossSite => "CrossSiteRequest",
            Self::BadCredential { .. } => "InvalidCredential",
            Self::CredentialRequired => "CredentialRequired",
        }
    }

    /// What the client can do about it. `url` is the URL of the request without its query.
    pub fn remedy(&self, url: &str) -> String {
        match self {
            Self::BadKey(KeyError::Reserved) => "Use a key that does not begin with `-/`.".into(),
            Self::BadKey(_) => "Send a key of 1 to 1,024 bytes of UTF-8, percent-encoded once, without control \
                characters and without `.` or `..` segments."
                .into(),
            Self::BadQuery => "Percent-encode the query string once, as UTF-8.".into(),
            Self::UnknownParameter { operation, takes, .. } => format!("{operation} takes: {}.", names(takes)),
            Self::ConflictingParameter { .. } => "Say it once.".into(),
            Self::BadValue { .. } => "Correct the value and send the request again.".into(),
            Self::UnsupportedHeader { .. } => "Leave the header out. A client that signs requests itself should ask \
                with `Accept: application/json` and send only the headers of the answer."
                .into(),
            Self::NotAccepted { name } => {
                format!("Leave it out, or ask the operator to add {name:?} to the rule's `client_may_set`.")
            }
            Self::MethodNotAllowed { allow } => format!("Use one of {}.", methods(allow)),
            Self::UnknownReservedPath => "See /-/docs.".into(),
            Self::OutsideBasePath => "Begin the path with the base path.".into(),
            Self::NoLength => format!(
                "Send a file of known length; this works at any size: {}",
                two_steps(url)
            ),
            Self::LengthRequired { .. } => format!(
                "Send the file with its length (curl -fL -T FILE {url}), or declare it in the first of two steps: \
                curl -fT FILE \"$(curl -fsS -X PUT '{url}?url&contentLength=BYTES')\""
            ),
            Self::PutTooLarge { .. } => {
                format!("Upload it in parts (S3 multipart upload): begin with POST {url}?uploads")
            }
            Self::ObjectSizeRequired { .. } => {
                "Declare the length of the whole object, which S3 then checks: send the \
                header x-amz-mp-object-size, or add &mp-object-size=BYTES and send the headers of the JSON answer."
                    .into()
            }
            Self::TooLarge { .. } => "Send a smaller file, or ask the operator to raise the rule's `max_bytes`.".into(),
            Self::BodyTooLarge { .. } => format!("Upload in two steps, at any size: {}", two_steps(url)),
            Self::MediaType { content_types } => format!(
                "Send a Content-Type that matches one of: {} (curl: -H 'Content-Type: …'; in two steps also as ?contentType=).",
                content_types.join(", ")
            ),
            Self::BadCredential { .. } => "Send exactly one valid credential, or none.".into(),
            Self::CredentialRequired => {
                "Send a token: curl -u ID:SECRET, or the header Authorization: Bearer SECRET.".into()
            }
            Self::CrossSite => "Use the page of this service, or send a token in the header Authorization.".into(),
            Self::SignInOff => {
                "The operator switches it on with SIGNPOST_KEYS, and a [[token]] or an [[issuer]] with client_id."
                    .into()
            }
            Self::NotLent => "Use the link for what it was made for, or ask its maker for another.".into(),
            Self::FormWouldReplace => {
                "Ask for a form at a path that ends in /, which stores each file in a new folder; or \
                ask the operator for `overwrite = true`."
                    .into()
            }
            Self::NoSuchKey => "Check the key, or upload the object first.".into(),
            Self::NoSuchUpload => format!("Begin one with POST {url}?uploads"),
            Self::NotTold => "Check the key, or ask the operator for a rule that lets you list it.".into(),
            Self::SharingOff => "The operator switches them on with SIGNPOST_KEYS.".into(),
            Self::AccessDenied { .. } => "Ask the operator for a rule that allows it.".into(),
        }
    }
}

/// The upload that works at any size: ask without a body, then send the file to the answer.
pub(crate) fn two_steps(url: &str) -> String {
    format!("curl -fT FILE \"$(curl -fsS -X PUT '{url}?url')\"")
}

/// A list of methods as the `Allow` header wants it.
pub(crate) fn methods(allow: &[Method]) -> String {
    allow.iter().map(Method::as_str).collect::<Vec<_>>().join(", ")
}

fn names(parameters: &[Parameter]) -> String {
    let names: Vec<_> = parameters.iter().map(|parameter| parameter.name).collect();
    names.join(", ")
}
