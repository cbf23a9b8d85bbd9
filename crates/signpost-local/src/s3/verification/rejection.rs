//! The rejections of the verification, with the status, code and message of AWS.

use http::StatusCode;

use crate::s3::error_response::ErrorBody;

/// The reason for rejecting a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum S3Rejection {
    Unsigned,
    MultipleMechanisms,
    SignatureV2,
    SeveralHosts,
    /// The authentication parameters of the query are incomplete or malformed.
    QueryParameters(String),
    /// The `Authorization` header is malformed.
    AuthorizationHeader(String),
    MissingHeader(&'static str),
    UnknownAccessKey,
    InvalidToken,
    ExpiredToken,
    NotYetValid,
    Expired {
        expires: String,
        now: String,
    },
    TooSkewed,
    HeadersNotSigned(Vec<String>),
    /// Contains the canonical request and the string to sign that the server calculated.
    SignatureDoesNotMatch {
        string_to_sign: String,
        canonical_request: String,
    },
    /// A form does not meet this condition of its policy.
    PolicyCondition(String),
    InvalidUri,
    InvalidQueryValue(String),
    TransferEncoding,
    MissingLength,
    InvalidLength,
    TooLarge,
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
            | Self::PolicyCondition(_) => (StatusCode::FORBIDDEN, "AccessDenied"),
            Self::MultipleMechanisms | Self::InvalidQueryValue(_) => (StatusCode::BAD_REQUEST, "InvalidArgument"),
            Self::SignatureV2 | Self::SeveralHosts | Self::MissingHeader(_) | Self::InvalidLength => {
                (StatusCode::BAD_REQUEST, "InvalidRequest")
            }
            Self::QueryParameters(_) => (StatusCode::BAD_REQUEST, "AuthorizationQueryParametersError"),
            Self::AuthorizationHeader(_) => (StatusCode::BAD_REQUEST, "AuthorizationHeaderMalformed"),
            Self::UnknownAccessKey => (StatusCode::FORBIDDEN, "InvalidAccessKeyId"),
            Self::InvalidToken => (StatusCode::BAD_REQUEST, "InvalidToken"),
            Self::ExpiredToken => (StatusCode::BAD_REQUEST, "ExpiredToken"),
            Self::TooSkewed => (StatusCode::FORBIDDEN, "RequestTimeTooSkewed"),
            Self::SignatureDoesNotMatch { .. } => (StatusCode::FORBIDDEN, "SignatureDoesNotMatch"),
            Self::InvalidUri => (StatusCode::BAD_REQUEST, "InvalidURI"),
            Self::TransferEncoding => (StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
            Self::MissingLength => (StatusCode::LENGTH_REQUIRED, "MissingContentLength"),
            Self::TooLarge => (StatusCode::BAD_REQUEST, "EntityTooLarge"),
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Unsigned => "Access Denied".into(),
            Self::MultipleMechanisms => "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, \
                 Signature query string parameter or the Authorization header should be specified"
                .into(),
            Self::SignatureV2 => "The authorization mechanism you have provided is not supported. \
                 Please use AWS4-HMAC-SHA256."
                .into(),
            Self::SeveralHosts => "The request has more than one Host header.".into(),
            Self::QueryParameters(what) => what.clone(),
            Self::AuthorizationHeader(what) => {
                format!("The authorization header is malformed; {what}")
            }
            Self::MissingHeader(name) => {
                format!("Missing required header for this request: {name}")
            }
            Self::UnknownAccessKey => "The AWS Access Key Id you provided does not exist in our records.".into(),
            Self::InvalidToken => "The provided token is malformed or otherwise invalid.".into(),
            Self::ExpiredToken => "The provided token has expired.".into(),
            Self::NotYetValid => "Request is not valid yet".into(),
            Self::Expired { .. } => "Request has expired".into(),
            Self::TooSkewed => "The difference between the request time and the current time is too large.".into(),
            Self::HeadersNotSigned(_) => "There were headers present in the request which were not signed".into(),
            Self::SignatureDoesNotMatch { .. } => "The request signature we calculated does not match the signature \
                 you provided. Check your key and signing method."
                .into(),
            Self::PolicyCondition(condition) => {
                format!("Invalid according to Policy: Policy Condition failed: {condition}")
            }
            Self::InvalidUri => "Couldn't parse the specified URI.".into(),
            Self::InvalidQueryValue(name) => {
                format!("The value of the query parameter {name} is not valid")
            }
            Self::TransferEncoding => "A header you provided implies functionality that is not implemented".into(),
            Self::MissingLength => "You must provide the Content-Length HTTP header.".into(),
            Self::InvalidLength => "The Content-Length or x-amz-decoded-content-length header is not valid".into(),
            Self::TooLarge => "Your proposed upload exceeds the maximum allowed size".into(),
        }
    }

    fn details(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::HeadersNotSigned(names) => vec![("HeadersNotSigned", names.join(", "))],
            Self::Expired { expires, now } => {
                vec![("Expires", expires.clone()), ("ServerTime", now.clone())]
            }
            Self::TransferEncoding => vec![("Header", "Transfer-Encoding".into())],
            Self::SignatureDoesNotMatch {
                string_to_sign,
                canonical_request,
            } => {
                vec![
                    ("StringToSign", string_to_sign.clone()),
                    ("CanonicalRequest", canonical_request.clone()),
                ]
            }
            _ => Vec::new(),
        }
    }
}
