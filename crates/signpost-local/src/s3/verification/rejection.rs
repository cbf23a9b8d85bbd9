//! The rejections in front of `s3s`, with the status, code and message of AWS.

use http::StatusCode;

use crate::s3::error_response::ErrorBody;

/// The reason for rejecting a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum S3Rejection {
    Unsigned,
    MultipleMechanisms,
    SignatureV2,
    /// The `Authorization` header has another scheme.
    UnsupportedAuthorization,
    SeveralHosts,
    /// The authentication parameters of the query are incomplete or malformed.
    QueryParameters(String),
    /// The `Authorization` header is malformed.
    AuthorizationHeader(String),
    /// The credential contains another region than the expected one.
    WrongRegion {
        rejection: Box<S3Rejection>,
        region: String,
    },
    MissingHeader(&'static str),
    UnknownAccessKey(String),
    InvalidToken,
    ExpiredToken,
    NotYetValid,
    Expired {
        lifetime: u64,
        expires: String,
        now: String,
    },
    TooSkewed,
    HeadersNotSigned(Vec<String>),
    /// Contains the texts that the server calculated. A form has no canonical request.
    SignatureDoesNotMatch {
        access_key: String,
        signature: String,
        string_to_sign: String,
        canonical_request: Option<String>,
    },
    PayloadHashMismatch,
    InvalidUri,
    InvalidQueryValue(String),
    /// A `response-*` parameter cannot be a header.
    NotLatin1 {
        parameter: String,
        value: String,
    },
    MethodNotAllowed {
        method: String,
    },
    TransferEncoding,
    MissingLength,
    InvalidLength,
    TooLarge {
        size: u64,
        max: u64,
    },
    IncompleteBody,
    DocumentTooLong,
    MalformedXml,
    NotImplementedHeader(&'static str),
    KeyTooLong(usize),
    OtherBucketOwner,
    /// A list has an encoding type other than `url`.
    InvalidEncodingType(String),
    // Form uploads.
    NotMultipart,
    MalformedForm,
    FieldsTooLong,
    MissingFile,
    MissingField(&'static str),
    RepeatedField(String),
    InvalidField(String),
    EmptyKey,
    InvalidPolicy(String),
    PolicyExpired,
    /// A form does not meet this condition of its policy.
    PolicyCondition(String),
    ExtraField(String),
    FileTooLarge {
        size: u64,
        max: u64,
    },
    FileTooSmall {
        size: u64,
        min: u64,
    },
}

impl S3Rejection {
    /// Calls `render` with the content of the error response.
    pub(crate) fn with_body<T>(&self, render: impl FnOnce(ErrorBody<'_>) -> T) -> T {
        let (status, code) = self.status_and_code();
        render(ErrorBody {
            status,
            code,
            message: &self.message(),
            details: &self.details(),
        })
    }

    fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Unsigned
            | Self::NotYetValid
            | Self::Expired { .. }
            | Self::HeadersNotSigned(_)
            | Self::OtherBucketOwner
            | Self::PolicyExpired
            | Self::PolicyCondition(_)
            | Self::ExtraField(_) => (StatusCode::FORBIDDEN, "AccessDenied"),
            Self::MultipleMechanisms
            | Self::UnsupportedAuthorization
            | Self::InvalidQueryValue(_)
            | Self::NotLatin1 { .. }
            | Self::InvalidEncodingType(_)
            | Self::MissingFile
            | Self::MissingField(_)
            | Self::RepeatedField(_)
            | Self::InvalidField(_)
            | Self::EmptyKey => (StatusCode::BAD_REQUEST, "InvalidArgument"),
            Self::SignatureV2 | Self::SeveralHosts | Self::MissingHeader(_) | Self::InvalidLength => {
                (StatusCode::BAD_REQUEST, "InvalidRequest")
            }
            Self::WrongRegion { rejection, .. } => rejection.status_and_code(),
            Self::QueryParameters(_) => (StatusCode::BAD_REQUEST, "AuthorizationQueryParametersError"),
            Self::AuthorizationHeader(_) => (StatusCode::BAD_REQUEST, "AuthorizationHeaderMalformed"),
            Self::UnknownAccessKey(_) => (StatusCode::FORBIDDEN, "InvalidAccessKeyId"),
            Self::InvalidToken => (StatusCode::BAD_REQUEST, "InvalidToken"),
            Self::ExpiredToken => (StatusCode::BAD_REQUEST, "ExpiredToken"),
            Self::TooSkewed => (StatusCode::FORBIDDEN, "RequestTimeTooSkewed"),
            Self::SignatureDoesNotMatch { .. } => (StatusCode::FORBIDDEN, "SignatureDoesNotMatch"),
            Self::PayloadHashMismatch => (StatusCode::BAD_REQUEST, "XAmzContentSHA256Mismatch"),
            Self::InvalidUri => (StatusCode::BAD_REQUEST, "InvalidURI"),
            Self::MethodNotAllowed { .. } => (StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
            Self::TransferEncoding | Self::NotImplementedHeader(_) => (StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
            Self::MissingLength => (StatusCode::LENGTH_REQUIRED, "MissingContentLength"),
            Self::TooLarge { .. } | Self::FileTooLarge { .. } => (StatusCode::BAD_REQUEST, "EntityTooLarge"),
            Self::FileTooSmall { .. } => (StatusCode::BAD_REQUEST, "EntityTooSmall"),
            Self::IncompleteBody => (StatusCode::BAD_REQUEST, "IncompleteBody"),
            Self::DocumentTooLong => (StatusCode::BAD_REQUEST, "MaxMessageLengthExceeded"),
            Self::MalformedXml => (StatusCode::BAD_REQUEST, "MalformedXML"),
            Self::KeyTooLong(_) => (StatusCode::BAD_REQUEST, "KeyTooLongError"),
            Self::NotMultipart => (StatusCode::PRECONDITION_FAILED, "PreconditionFailed"),
            Self::MalformedForm => (StatusCode::BAD_REQUEST, "MalformedPOSTRequest"),
            Self::FieldsTooLong => (StatusCode::BAD_REQUEST, "MaxPostPreDataLengthExceededError"),
            Self::InvalidPolicy(_) => (StatusCode::BAD_REQUEST, "InvalidPolicyDocument"),
        }
    }

    fn message(&self) -> String {
        match self {
            Self::QueryParameters(text) | Self::InvalidPolicy(text) => text.clone(),
            Self::WrongRegion { rejection, .. } => rejection.message(),
            Self::AuthorizationHeader(what) => {
                format!("The authorization header is malformed; {what}")
            }
            Self::MissingHeader(name) => {
                format!("Missing required header for this request: {name}")
            }
            Self::PolicyCondition(condition) => {
                format!("Invalid according to Policy: Policy Condition failed: {condition}")
            }
            Self::ExtraField(name) => {
                format!("Invalid according to Policy: Extra input fields: {name}")
            }
            Self::InvalidQueryValue(name) => {
                format!("The value of the query parameter {name} is not valid")
            }
            Self::MissingField(name) => {
                format!(
                    "Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of \
                     the fields."
                )
            }
            Self::RepeatedField(name) => format!("The form contains the field '{name}' more than once."),
            Self::InvalidField(name) => format!("The value of the field '{name}' is not valid."),
            _ => self.fixed_message().into(),
        }
    }

    /// Returns the message of a rejection whose message has no parameters.
    fn fixed_message(&self) -> &'static str {
        match self {
            Self::MultipleMechanisms => {
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string \
                 parameter or the Authorization header should be specified"
            }
            Self::SignatureV2 => {
                "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
            }
            Self::UnsupportedAuthorization => "Unsupported Authorization Type",
            Self::SeveralHosts => "The request has more than one Host header.",
            Self::UnknownAccessKey(_) => "The AWS Access Key Id you provided does not exist in our records.",
            Self::InvalidToken => "The provided token is malformed or otherwise invalid.",
            Self::ExpiredToken => "The provided token has expired.",
            Self::NotYetValid => "Request is not valid yet",
            Self::Expired { .. } => "Request has expired",
            Self::TooSkewed => "The difference between the request time and the current time is too large.",
            Self::HeadersNotSigned(_) => "There were headers present in the request which were not signed",
            Self::SignatureDoesNotMatch { .. } => {
                "The request signature we calculated does not match the signature you provided. Check your key and \
                 signing method."
            }
            Self::PayloadHashMismatch => "The provided 'x-amz-content-sha256' header does not match what was computed.",
            Self::InvalidUri => "Couldn't parse the specified URI.",
            Self::NotLatin1 { .. } => "Header value cannot be represented using ISO-8859-1.",
            Self::MethodNotAllowed { .. } => "The specified method is not allowed against this resource.",
            Self::TransferEncoding | Self::NotImplementedHeader(_) => {
                "A header you provided implies functionality that is not implemented"
            }
            Self::MissingLength => "You must provide the Content-Length HTTP header.",
            Self::InvalidLength => "The Content-Length or x-amz-decoded-content-length header is not valid",
            Self::TooLarge { .. } | Self::FileTooLarge { .. } => {
                "Your proposed upload exceeds the maximum allowed size"
            }
            Self::FileTooSmall { .. } => "Your proposed upload is smaller than the minimum allowed size",
            Self::IncompleteBody => {
                "You did not provide the number of bytes specified by the Content-Length HTTP header"
            }
            Self::DocumentTooLong => "Your request was too big.",
            Self::MalformedXml => {
                "The XML you provided was not well-formed or did not validate against our published schema"
            }
            Self::KeyTooLong(_) => "Your key is too long",
            Self::InvalidEncodingType(_) => "Invalid Encoding Method specified in Request",
            Self::NotMultipart => "At least one of the pre-conditions you specified did not hold",
            Self::MalformedForm => "The body of your POST request is not well-formed multipart/form-data.",
            Self::FieldsTooLong => "Your POST request fields preceding the upload file were too large.",
            Self::MissingFile => "POST requires exactly one file upload per request.",
            Self::EmptyKey => "User key must have a length greater than 0.",
            Self::PolicyExpired => "Invalid according to Policy: Policy expired.",
            _ => "Access Denied",
        }
    }

    fn details(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::HeadersNotSigned(names) => vec![("HeadersNotSigned", names.join(", "))],
            Self::Expired { lifetime, expires, now } => vec![
                ("X-Amz-Expires", lifetime.to_string()),
                ("Expires", expires.clone()),
                ("ServerTime", now.clone()),
            ],
            Self::WrongRegion { region, .. } => vec![("Region", region.clone())],
            Self::UnknownAccessKey(key) => vec![("AWSAccessKeyId", key.clone())],
            Self::TransferEncoding => vec![("Header", "Transfer-Encoding".into())],
            Self::NotImplementedHeader(name) => vec![("Header", (*name).into())],
            Self::NotLatin1 { parameter, value } => argument(parameter, value),
            Self::InvalidEncodingType(value) => argument("encoding-type", value),
            Self::MissingFile => argument("file", "0"),
            Self::MissingField(name) => argument(name, ""),
            Self::EmptyKey => argument("key", ""),
            Self::MethodNotAllowed { method } => {
                vec![("Method", method.clone()), ("ResourceType", "OBJECT".into())]
            }
            Self::KeyTooLong(size) => vec![("Size", size.to_string()), ("MaxSizeAllowed", "1024".into())],
            Self::TooLarge { size, max } | Self::FileTooLarge { size, max } => {
                vec![("ProposedSize", size.to_string()), ("MaxSizeAllowed", max.to_string())]
            }
            Self::FileTooSmall { size, min } => {
                vec![("ProposedSize", size.to_string()), ("MinSizeAllowed", min.to_string())]
            }
            Self::NotMultipart => {
                let condition = "Bucket POST must be of the enclosure-type multipart/form-data";
                vec![("Condition", condition.into())]
            }
            Self::SignatureDoesNotMatch {
                access_key,
                signature,
                string_to_sign,
                canonical_request,
            } => {
                let mut details = vec![
                    ("AWSAccessKeyId", access_key.clone()),
                    ("StringToSign", string_to_sign.clone()),
                    ("SignatureProvided", signature.clone()),
                    ("StringToSignBytes", spaced_hex(string_to_sign)),
                ];
                if let Some(request) = canonical_request {
                    details.push(("CanonicalRequest", request.clone()));
                    details.push(("CanonicalRequestBytes", spaced_hex(request)));
                }
                details
            }
            _ => Vec::new(),
        }
    }
}

fn argument(name: &str, value: &str) -> Vec<(&'static str, String)> {
    vec![("ArgumentName", name.to_owned()), ("ArgumentValue", value.to_owned())]
}

/// Formats the bytes of a text as S3 does: `41 57 53`.
fn spaced_hex(text: &str) -> String {
    let bytes: Vec<_> = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(" ")
}
