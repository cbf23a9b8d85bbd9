//! The formats of values that S3 checks itself, so that Signpost can reject a value that S3 would reject later.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;

use super::Operation;

/// The storage classes of objects in buckets
/// ([PutObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html)).
const STORAGE_CLASSES: &[&str] = &[
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "DEEP_ARCHIVE",
    "GLACIER_IR",
];

const ENCRYPTIONS: &[&str] = &["AES256", "aws:kms", "aws:kms:dsse"];

/// The encryptions that use a KMS key.
const KMS_ENCRYPTIONS: &[&str] = &["aws:kms", "aws:kms:dsse"];

const CHECKSUM_ALGORITHMS: &[&str] = &[
    "CRC32",
    "CRC32C",
    "CRC64NVME",
    "SHA1",
    "SHA256",
    "SHA512",
    "MD5",
    "XXHASH64",
    "XXHASH3",
    "XXHASH128",
];

const CHECKSUM_TYPES: &[&str] = &["COMPOSITE", "FULL_OBJECT"];

/// The headers and query parameters with a checksum, and its length in bytes.
const CHECKSUM_BYTES: &[(&str, usize)] = &[
    ("content-md5", 16),
    ("x-amz-checksum-crc32", 4),
    ("x-amz-checksum-crc32c", 4),
    ("x-amz-checksum-crc64nvme", 8),
    ("x-amz-checksum-sha1", 20),
    ("x-amz-checksum-sha256", 32),
    ("x-amz-checksum-sha512", 64),
    ("x-amz-checksum-md5", 16),
    ("x-amz-checksum-xxhash64", 8),
    ("x-amz-checksum-xxhash3", 8),
    ("x-amz-checksum-xxhash128", 16),
];

/// S3's limits on the tags of an object
/// ([object tagging](https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html)).
const MAX_TAGS: usize = 10;
const MAX_TAG_KEY: usize = 128;
const MAX_TAG_VALUE: usize = 256;

/// The maximum number of parts, which follows the checksum of checksums.
const MAX_PARTS: u32 = 10_000;

/// Checks the value of the header or query parameter `name` of S3 in a request for `operation`. The error says what is
/// wrong, or which values are valid. Values that S3 does not check are always valid.
pub fn check_value(operation: Operation, name: &str, value: &str) -> Result<(), String> {
    if let Some((_, bytes)) = CHECKSUM_BYTES.iter().find(|(checksum, _)| *checksum == name) {
        return check_checksum(operation, value, *bytes);
    }
    match name {
        "x-amz-checksum-mode" => one_of(value, &["ENABLED"]),
        "x-amz-checksum-algorithm" | "x-amz-sdk-checksum-algorithm" => {
            one_of(&value.to_ascii_uppercase(), CHECKSUM_ALGORITHMS)
        }
        "x-amz-checksum-type" => one_of(value, CHECKSUM_TYPES),
        "x-amz-storage-class" => one_of(value, STORAGE_CLASSES),
        "x-amz-server-side-encryption" => one_of(value, ENCRYPTIONS),
        "x-amz-server-side-encryption-aws-kms-key-id" => check_kms_key(value),
        "x-amz-tagging" => check_tags(value),
        "response-expires" => check_date(value),
        "versionId" | "uploadId" => check_opaque_id(value),
        _ => Ok(()),
    }
}

/// Checks the values of a rule for every upload.
pub fn check_upload_value(name: &str, value: &str) -> Result<(), String> {
    check_value(Operation::PutObject, name, value)
}

/// Returns true if objects with this encryption can name a KMS key.
pub fn uses_kms_key(encryption: &str) -> bool {
    KMS_ENCRYPTIONS.contains(&encryption)
}

fn one_of(value: &str, allowed: &[&str]) -> Result<(), String> {
    if allowed.contains(&value) {
        return Ok(());
    }
    Err(match allowed {
        [only] => format!("must be {only}"),
        _ => format!("must be one of {}", allowed.join(", ")),
    })
}

/// The checksum of a completed multipart upload can be followed by the number of its parts.
fn check_checksum(operation: Operation, value: &str, bytes: usize) -> Result<(), String> {
    let digest = match value.split_once('-') {
        Some((digest, parts)) if operation == Operation::CompleteMultipartUpload && is_part_count(parts) => digest,
        _ => value,
    };
    if BASE64_STANDARD.decode(digest).is_ok_and(|digest| digest.len() == bytes) {
        return Ok(());
    }
    let hint = if value.contains(' ') {
        "; a query decodes `+` to a space, so write it as %2B"
    } else {
        ""
    };
    Err(format!("must be the Base64 encoding of {bytes} bytes{hint}"))
}

fn is_part_count(text: &str) -> bool {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits && text.parse().is_ok_and(|parts| (1..=MAX_PARTS).contains(&parts))
}

/// A key id, the ARN of a key, or an alias.
fn check_kms_key(value: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":/_-".contains(&byte);
    if value.bytes().all(plain) && value.len() <= 2048 {
        return Ok(());
    }
    Err("must be the id, the alias or the ARN of a KMS key".into())
}

/// Ids that S3 has assigned.
fn check_opaque_id(value: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-+/=".contains(&byte);
    if value.bytes().all(plain) && value.len() <= 1024 {
        return Ok(());
    }
    Err("is not an id that S3 assigned".into())
}

fn check_date(value: &str) -> Result<(), String> {
    match httpdate::parse_http_date(value) {
        Ok(_) => Ok(()),
        Err(_) => Err("must be an HTTP date such as Sun, 06 Nov 1994 08:49:37 GMT".into()),
    }
}

fn check_tags(value: &str) -> Result<(), String> {
    let pairs: Vec<&str> = value.split('&').collect();
    if pairs.len() > MAX_TAGS {
        return Err(format!("has {} tags, and the limit is {MAX_TAGS}", pairs.len()));
    }
    let mut keys = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let key = check_tag_text(key, MAX_TAG_KEY)?;
        check_tag_text(value, MAX_TAG_VALUE)?;
        if key.is_empty() {
            return Err("must be tags as KEY=VALUE, separated by &; a key must not be empty".into());
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err("must not contain a key that begins with `aws:`".into());
        }
        if keys.contains(&key) {
            return Err("must not contain the same key twice".into());
        }
        keys.push(key);
    }
    Ok(())
}

/// Returns the decoded key or value of a tag.
fn check_tag_text(encoded: &str, max_chars: usize) -> Result<String, String> {
    let spaced = encoded.replace('+', " ");
    let text = percent_decode_str(&spaced).decode_utf8();
    let text = text.map_err(|_| "must be percent-encoded UTF-8".to_owned())?;
    if text.chars().count() > max_chars {
        return Err(format!("has a key or value with more than {max_chars} characters"));
    }
    let is_allowed = |char: char| {
        char.is_alphanumeric() || (char.is_whitespace() && !char.is_control()) || "+-=._:/@".contains(char)
    };
    if !text.chars().all(is_allowed) {
        return Err("may contain only letters, digits, spaces and + - = . _ : / @".into());
    }
    Ok(text.into_owned())
}
