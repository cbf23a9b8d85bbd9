//! The store's errors in the words of S3, in one place.

use http::{HeaderMap, HeaderValue, StatusCode};
use s3s::{S3Error, S3ErrorCode, s3_error};

use crate::s3::fault;
use crate::s3::store::StoreError;

/// What the client is told when the store did not do as asked.
pub(super) fn of_store(error: StoreError) -> S3Error {
    match error {
        StoreError::NoSuchBucket => s3_error!(NoSuchBucket, "The specified bucket does not exist"),
        StoreError::NoSuchKey => s3_error!(NoSuchKey, "The specified key does not exist."),
        StoreError::NoSuchVersion => {
            s3_error!(NoSuchVersion, "The specified version does not exist.")
        }
        StoreError::NoSuchUpload => s3_error!(
            NoSuchUpload,
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted \
             or completed."
        ),
        StoreError::DeleteMarker { version } => {
            marked(s3_error!(NoSuchKey, "The specified key does not exist."), &version)
        }
        StoreError::MarkerNamed { version } => {
            let message = "The specified method is not allowed against this resource.";
            marked(s3_error!(MethodNotAllowed, "{message}"), &version)
        }
        StoreError::BucketExists => s3_error!(
            BucketAlreadyOwnedByYou,
            "Your previous request to create the named bucket succeeded and you already own it."
        ),
        StoreError::PreconditionFailed => precondition_failed(),
        StoreError::InvalidPart => s3_error!(
            InvalidPart,
            "One or more of the specified parts could not be found. The part may not have been uploaded, or the \
             specified entity tag may not match the part's entity tag."
        ),
        StoreError::InvalidPartOrder => s3_error!(
            InvalidPartOrder,
            "The list of parts was not in ascending order. Parts must be ordered by part number."
        ),
        StoreError::PartTooSmall => {
            s3_error!(
                EntityTooSmall,
                "Your proposed upload is smaller than the minimum allowed size"
            )
        }
        StoreError::PartChecksums => s3_error!(
            InvalidRequest,
            "The upload was created with a checksum. The complete request must include the checksum for each part."
        ),
        StoreError::ChecksumDiffers => {
            s3_error!(
                BadDigest,
                "The checksum you specified did not match the calculated checksum."
            )
        }
        StoreError::SizeDiffers => s3_error!(
            InvalidRequest,
            "The provided x-amz-mp-object-size header does not match what was computed."
        ),
        StoreError::Index(_) | StoreError::Record(_) | StoreError::File(_) => internal(error),
    }
}

/// The refusal of a condition.
pub(super) fn precondition_failed() -> S3Error {
    s3_error!(
        PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold"
    )
}

/// An error of this machine: opaque to the client, whole in the log.
pub(super) fn internal(error: impl std::error::Error + Send + Sync + 'static) -> S3Error {
    fault::report(&error);
    s3_error!(
        error,
        InternalError,
        "We encountered an internal error. Please try again."
    )
}

/// An answer without a body, which S3 gives where nothing has changed.
pub(super) fn not_modified(headers: HeaderMap) -> S3Error {
    let mut error = S3Error::new(S3ErrorCode::Custom("NotModified".into()));
    error.set_status_code(StatusCode::NOT_MODIFIED);
    error.set_headers(headers);
    error
}

fn marked(mut error: S3Error, version: &str) -> S3Error {
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-delete-marker", HeaderValue::from_static("true"));
    if let Ok(version) = HeaderValue::from_str(version) {
        headers.insert("x-amz-version-id", version);
    }
    error.set_headers(headers);
    error
}

/// A refusal whose code `s3s` does not know.
pub(super) fn bad_request(code: &'static str, message: &'static str) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(StatusCode::BAD_REQUEST);
    error
}
