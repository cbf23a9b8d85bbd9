//! The status codes of rejections and failures.

use http::StatusCode;

use super::failure::ServiceFailure;
use crate::plan::{PresignError, StorageError};
use crate::rejection::{LfsRejection, Rejection};

/// The status code of a rejection.
pub(super) const fn rejection_status(rejection: &Rejection) -> StatusCode {
    match rejection {
        Rejection::BadKey(_)
        | Rejection::BadQuery
        | Rejection::UnknownParameter { .. }
        | Rejection::RepeatedParameter { .. }
        | Rejection::DifferentHeader { .. }
        | Rejection::ExclusiveParameters { .. }
        | Rejection::BadValue { .. }
        | Rejection::UnsupportedHeader { .. }
        | Rejection::PartialUpload
        | Rejection::InstructionWithBody
        // A client does not regard 400 as an empty folder, and does not repeat the request.
        | Rejection::ListingTooLarge { .. }
        | Rejection::ResponseTooLarge => StatusCode::BAD_REQUEST,
        // Browsers discard a prefetch with this status, and send the request again when the user opens the link.
        Rejection::Prefetch => StatusCode::SERVICE_UNAVAILABLE,
        Rejection::BadCredential { .. } | Rejection::CredentialRequired => StatusCode::UNAUTHORIZED,
        Rejection::NotClientSettable { .. }
        | Rejection::AccessDenied { .. }
        | Rejection::DeniedByRule { .. }
        | Rejection::NotShareable { .. }
        | Rejection::NotGrantedByLink
        | Rejection::LinkForObjects
        | Rejection::ClaimsTooLong
        | Rejection::ExistenceHidden
        | Rejection::CrossSite
        | Rejection::ConditionRequiresRead
        | Rejection::FormCanOverwrite => StatusCode::FORBIDDEN,
        Rejection::UnknownReservedPath
        | Rejection::OutsideBasePath
        | Rejection::DialectOff { .. }
        | Rejection::SharingOff
        | Rejection::SignInOff
        | Rejection::NoMount
        | Rejection::NoSuchKey
        | Rejection::NoSuchUpload => StatusCode::NOT_FOUND,
        Rejection::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
        Rejection::NoLength | Rejection::LengthRequired { .. } | Rejection::ObjectSizeRequired { .. } => {
            StatusCode::LENGTH_REQUIRED
        }
        Rejection::TooLarge { .. }
        | Rejection::PartTooLarge { .. }
        | Rejection::PutTooLarge { .. }
        | Rejection::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Rejection::ObjectExists => StatusCode::CONFLICT,
        Rejection::Lfs(rejection) => lfs_status(rejection),
        Rejection::PathTooLong { .. } => StatusCode::URI_TOO_LONG,
        Rejection::MediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
    }
}

/// The status codes that the git-lfs API defines.
const fn lfs_status(rejection: &LfsRejection) -> StatusCode {
    match rejection {
        LfsRejection::HashAlgorithm { .. } => StatusCode::CONFLICT,
        LfsRejection::TooManyObjects { .. } | LfsRejection::NeedsAgent { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        LfsRejection::WrongSize { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        LfsRejection::LocksOff | LfsRejection::NoSuchLock => StatusCode::NOT_FOUND,
        LfsRejection::OtherOwner { .. } => StatusCode::FORBIDDEN,
        LfsRejection::TooManyLocks => StatusCode::INSUFFICIENT_STORAGE,
    }
}

/// The status code of a failure: 503 if the same request can succeed later.
pub(super) fn failure_status(failure: &ServiceFailure) -> StatusCode {
    match failure {
        ServiceFailure::Storage(error) if error.is_transient() => StatusCode::SERVICE_UNAVAILABLE,
        ServiceFailure::Presign(PresignError::CredentialsExpire | PresignError::MountUnavailable { .. })
        | ServiceFailure::Storage(StorageError::Presign(
            PresignError::CredentialsExpire | PresignError::MountUnavailable { .. },
        ))
        | ServiceFailure::KeysUnavailable
        | ServiceFailure::Timeout
        | ServiceFailure::IdTable(_)
        | ServiceFailure::NoPolicy => StatusCode::SERVICE_UNAVAILABLE,
        ServiceFailure::UnknownFront { .. }
        | ServiceFailure::Presign(
            PresignError::NoCredentials(_) | PresignError::SessionPolicy { .. } | PresignError::ClaimsTooLong { .. },
        )
        | ServiceFailure::Storage(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
