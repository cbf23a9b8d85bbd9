//! Converts errors to S3 errors with the messages of AWS.

use http::header::LAST_MODIFIED;
use http::{HeaderMap, HeaderValue, StatusCode};
use s3s::dto::TimestampFormat;
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};
use signpost::encoding::hex_decode;

use super::digests::algorithm_name;
use super::{checksums, to_timestamp};
use crate::s3::error_report;
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
        StoreError::DeleteMarkerVersion { version, modified } => {
            error_report::report_details([("ResourceType", "DeleteMarker".to_owned())]);
            let message = "The specified method is not allowed against this resource.";
            let mut error = with_delete_marker(s3_error!(MethodNotAllowed, "{message}"), &version);
            let mut headers = error.headers().cloned().unwrap_or_default();
            headers.insert(LAST_MODIFIED, http_date(modified));
            error.set_headers(headers);
            error
        }
        StoreError::BucketExists => s3_error!(
            BucketAlreadyOwnedByYou,
            "Your previous request to create the named bucket succeeded and you already own it."
        ),
        StoreError::PreconditionFailed { condition } => precondition_failed(condition),
        StoreError::ConditionalConflict { condition } => {
            error_report::report_details([("Condition", condition.to_owned())]);
            let mut error = S3Error::with_message(
                S3ErrorCode::Custom("ConditionalRequestConflict".into()),
                "The conditional request cannot succeed due to a conflicting operation against this resource.",
            );
            error.set_status_code(StatusCode::CONFLICT);
            error
        }
        StoreError::InvalidPart { number, etag } => {
            error_report::report_details([("PartNumber", number.to_string()), ("ETag", etag)]);
            s3_error!(
                InvalidPart,
                "One or more of the specified parts could not be found.  The part may not have been uploaded, or the \
                 specified entity tag may not match the part's entity tag."
            )
        }
        StoreError::InvalidPartOrder => s3_error!(
            InvalidPartOrder,
            "The list of parts was not in ascending order. Parts must be ordered by part number."
        ),
        StoreError::PartTooSmall { number, etag, size } => {
            error_report::report_details([
                ("ProposedSize", size.to_string()),
                ("MinSizeAllowed", "5242880".to_owned()),
                ("PartNumber", number.to_string()),
                ("ETag", etag),
            ]);
            s3_error!(
                EntityTooSmall,
                "Your proposed upload is smaller than the minimum allowed size"
            )
        }
        StoreError::MissingPartChecksums => s3_error!(
            InvalidRequest,
            "The upload was created with a checksum. The complete request must include the checksum for each part."
        ),
        StoreError::ChecksumMismatch { algorithm } => s3_error!(
            BadDigest,
            "The {} you specified did not match the calculated checksum.",
            algorithm_name(algorithm).to_lowercase()
        ),
        StoreError::ChecksumTypeMismatch { coverage } => s3_error!(
            InvalidRequest,
            "The upload was created using the {} checksum mode. The complete request must use the same checksum mode.",
            checksums::to_checksum_type(coverage).as_str()
        ),
        StoreError::PartChecksumMismatch { number, algorithm } => s3_error!(
            BadDigest,
            "The {} you specified for part {} did not match what we received.",
            algorithm_name(algorithm).to_lowercase(),
            number
        ),
        StoreError::SizeMismatch => s3_error!(
            InvalidRequest,
            "The provided x-amz-mp-object-size header does not match what was computed."
        ),
        StoreError::Index(_) | StoreError::Record(_) | StoreError::File(_) => internal_error(error),
    }
}

/// Returns the error of a failed precondition, which is the name of a header.
pub(super) fn precondition_failed(condition: &'static str) -> S3Error {
    error_report::report_details([("Condition", condition.to_owned())]);
    s3_error!(
        PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold"
    )
}

/// Returns the error of a body that differs from the signed hash.
pub(super) fn payload_hash_mismatch() -> S3Error {
    bad_request_error(
        "XAmzContentSHA256Mismatch",
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    )
}

/// Returns the error of an argument that S3 does not accept.
pub(super) fn invalid_argument(name: &'static str, value: &str, message: &'static str) -> S3Error {
    error_report::report_details([("ArgumentName", name.to_owned()), ("ArgumentValue", value.to_owned())]);
    s3_error!(InvalidArgument, "{message}")
}

/// Rejects a version id that this server cannot have created.
pub(super) fn check_version_id(version: Option<&String>) -> S3Result<()> {
    match version {
        Some(id) if id != "null" && hex_decode(id).is_none_or(|bytes| bytes.len() != 16) => {
            Err(invalid_argument("versionId", id, "Invalid version id specified"))
        }
        _ => Ok(()),
    }
}

/// Formats seconds since 1970 as an HTTP date.
pub(super) fn http_date(seconds: i64) -> HeaderValue {
    let mut date = Vec::new();
    let _ = to_timestamp(seconds).format(TimestampFormat::HttpDate, &mut date);
    HeaderValue::from_bytes(&date).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Returns an internal error without details for the client. The log receives the cause.
pub(super) fn internal_error(error: impl std::error::Error + Send + Sync + 'static) -> S3Error {
    error_report::report_cause(&error);
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
