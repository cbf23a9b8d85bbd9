//! The remedies for error codes of S3.

/// The remedy for an error code.
pub(crate) fn remedy_for_code(code: &str) -> Option<&'static str> {
    Some(match code {
        "AccessDenied" | "403" => {
            "For a download, check the key: S3 also returns 403 if the object does not exist and the service may not list the \
             bucket. Otherwise, the service lacks a permission. Contact the operator, who can use `signpost doctor`."
        }
        "RequestTimeTooSkewed" => "The clocks differ. Set the clock of this machine, or contact the operator.",
        "ExpiredToken" => "The credentials that signed the URL have expired. Run the command again.",
        "SignatureDoesNotMatch" => {
            "The request was changed after it was signed. Look for a proxy, then contact the operator."
        }
        "InvalidAccessKeyId" | "InvalidToken" => {
            "The credentials that signed the URL are invalid. Contact the operator."
        }
        "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException" => {
            "The service signs for a region that is not the region of the bucket. Contact the operator."
        }
        "BadDigest" | "XAmzContentChecksumMismatch" | "InvalidDigest" | "XAmzContentSHA256Mismatch" => {
            "The content changed during the transfer, or the file changed. Run the command again."
        }
        "EntityTooLarge" => "Upload it in parts, or contact the operator for a larger limit.",
        "ConditionalRequestConflict" => {
            "Another client changed or deleted the object during the upload. Run the command again."
        }
        "PreconditionFailed" | "412" => {
            "The object exists or has another version, so the condition of the upload is not met. If the rule does not allow \
             overwriting, use another name, or delete the object first. The operator can allow it with `overwrite = true`."
        }
        "MissingContentLength" => {
            "Declare the length of the upload: send a file, or add contentLength=BYTES to the query."
        }
        "NotImplemented" => {
            "S3 does not support a header of this request, often `Transfer-Encoding: chunked`. Send a file with a known length."
        }
        "InvalidRange" | "416" => {
            "The range begins after the end of the object. Download the object from the beginning."
        }
        "InvalidPart" | "InvalidPartOrder" => {
            "The list of parts does not match the uploaded parts. Run the upload again from the beginning."
        }
        "NoSuchVersion" => "This version of the object does not exist. List the versions, or omit `versionId`.",
        "MethodNotAllowed" => "Use the method for which the URL was signed.",
        "NoSuchUpload" => "The upload has been completed or aborted elsewhere. Run the command again.",
        "NoSuchKey" | "404" => "Check the key. Keys are case-sensitive.",
        "NoSuchBucket" => "The bucket of the service does not exist. Contact the operator.",
        "SlowDown" | "ServiceUnavailable" | "InternalError" => "S3 is busy. Run the command again later.",
        "InvalidObjectState" => "The object is archived. Its owner must restore it first.",
        "KMS.DisabledException" | "KMS.NotFoundException" => {
            "The encryption key of the object is not available. Contact the operator."
        }
        _ => return None,
    })
}
