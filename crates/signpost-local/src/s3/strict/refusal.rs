//! Every refusal of the strict layer, with the status, code and words of AWS.

use http::StatusCode;

use crate::s3::errors::ErrorBody;

/// Why a request is not admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    Unsigned,
    TwoMechanisms,
    OldSignature,
    /// The authentication part of the query is incomplete or malformed.
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
    /// The canonical request and the string to sign are what this side calculated.
    SignatureDoesNotMatch {
        string_to_sign: String,
        canonical_request: String,
    },
    InvalidUri,
    InvalidQueryValue(String),
    TransferEncoding,
    MissingLength,
    InvalidLength,
    TooLarge,
}

impl Refusal {
    /// What the client is told.
    pub(crate) fn with_body<T>(&self, tell: impl FnOnce(ErrorBody<'_>) -> T) -> T {
        let (status, code) = self.status_and_code();
        tell(ErrorBody {
            status,
            code,
            message: &self.message(),
            details: &self.details(),
        })
    }

    fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Unsigned | Self::NotYetValid | Self::Expired { .. } | Self::HeadersNotSigned(_) => {
                (StatusCode::FORBIDDEN, "AccessDenied")
            }
            Self::TwoMechanisms | Self::InvalidQueryValue(_) => (StatusCode::BAD_REQUEST, "InvalidArgument"),
            Self::OldSignature | Self::MissingHeader(_) | Self::InvalidLength => {
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
            Self::TwoMechanisms => "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, \
                 Signature query string parameter or the Authorization header should be specified"
                .into(),
            Self::OldSignature => "The authorization mechanism you have provided is not supported. \
                 Please use AWS4-HMAC-SHA256."
                .into(),
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
