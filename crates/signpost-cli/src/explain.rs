//! What to do about the codes that S3 answers with.

/// What to do about one, as far as the code alone tells.
pub(crate) fn remedy(code: &str) -> Option<&'static str> {
    Some(match code {
        "AccessDenied" | "403" => {
            "The URL may have expired, or the credentials that signed it may not do this: run the command again, and \
             if it stays so, tell the operator."
        }
        "RequestTimeTooSkewed" => "The clocks differ: set the clock of this machine, or tell the operator.",
        "ExpiredToken" => "The credentials that signed the URL have ended: run the command again.",
        "SignatureDoesNotMatch" => {
            "Something on the way changed the request after it was signed: look for a proxy, then tell the operator."
        }
        "InvalidAccessKeyId" | "InvalidToken" => {
            "The credentials that signed the URL are not valid: tell the operator."
        }
        "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException" => {
            "The service signs for another region than the bucket's: tell the operator."
        }
        "BadDigest" | "XAmzContentChecksumMismatch" | "InvalidDigest" | "XAmzContentSHA256Mismatch" => {
            "The bytes that arrived are not those that were sent, or the file changed meanwhile: run the command again."
        }
        "EntityTooLarge" => "Send it in parts, or ask the operator for a larger limit.",
        "NoSuchUpload" => "The upload has been completed or aborted elsewhere: run the command again.",
        "NoSuchKey" | "404" => "Check the key: S3 tells upper and lower case apart.",
        "NoSuchBucket" => "The service names a bucket that does not exist: tell the operator.",
        "SlowDown" | "ServiceUnavailable" | "InternalError" => "S3 is busy: run the command again later.",
        "InvalidObjectState" => "The object is archived: ask its owner to restore it first.",
        "KMS.DisabledException" | "KMS.NotFoundException" => {
            "The key that encrypts the object is gone: tell the operator."
        }
        _ => return None,
    })
}
