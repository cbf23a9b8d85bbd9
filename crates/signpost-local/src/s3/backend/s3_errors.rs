//! Converts errors to S3 errors with the messages of AWS.

use http::{HeaderMap, HeaderValue, StatusCode};
use s3s::{S3Error, S3ErrorCode, s3_error};

use crate::s3::error_cause;
use crate::s3::store::StoreError;

/// Converts an error of the store to an S3 error.
pub(super) fn from_store_error(error: StoreError) -> S3Error {
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
            with_delete_marker(s3_error!(NoSuchKey, "The specified key does not exist."), &version)
        }
        StoreError::DeleteMarkerVersion { version } => {
            let message = "The specified method is not allowed against this resource.";
            with_delete_marker(s3_error!(MethodNotAllowed, "{message}"), &version)
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
        StoreError::MissingPartChecksums => s3_error!(
            InvalidRequest,
            "The upload was created with a checksum. The complete request must include the checksum for each part."
        ),
        StoreError::ChecksumMismatch => {
            s3_error!(
                BadDigest,
                "The checksum you specified did not match the calculated checksum."
            )
        }
        StoreError::SizeMismatch => s3_error!(
            InvalidRequest,
            "The provided x-amz-mp-object-size header does not match what was computed."
        ),
        StoreError::Index(_) | StoreError::Record(_) | StoreError::File(_) => internal_error(error),
    }
}

/// Returns the error of a failed precondition.
pub(super) fn precondition_failed() -> S3Error {
    s3_error!(
        PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold"
    )
}

/// Returns an internal error without details for the client. The log receives the cause.
pub(super) fn internal_error(error: impl std::error::Error + Send + Sync + 'static) -> S3Error {
    error_cause::report_cause(&error);
    s3_error!(
        error,
        InternalError,
        "We encountered an internal error. Please try again."
    )
}

/// Returns the response 304, which has no body.
pub(super) fn not_modified(headers: HeaderMap) -> S3Error {
    let mut error = S3Error::new(S3ErrorCode::Custom("NotModified".into()));
    error.set_status_code(StatusCode::NOT_MODIFIED);
    error.set_headers(headers);
    error
}

fn with_delete_marker(mut error: S3Error, version: &str) -> S3Error {
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-delete-marker", HeaderValue::from_static("true"));
    if let Ok(version) = HeaderValue::from_str(version) {
        headers.insert("x-amz-version-id", version);
    }
    error.set_headers(headers);
    error
}

/// Returns an error 400 with a code that `s3s` does not define.
pub(super) fn bad_request_error(code: &'static str, message: &'static str) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(StatusCode::BAD_REQUEST);
    error
}
