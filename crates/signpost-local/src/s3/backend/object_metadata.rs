//! Converts the metadata of an upload request to the record in the index.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use s3s::dto::{CreateMultipartUploadInput, PutObjectInput};
use s3s::{S3Result, s3_error};

use super::{s3_errors, to_unix_seconds};
use crate::s3::store::records::ObjectMetadata;

const MAX_METADATA_BYTES: usize = 2048;
const MAX_TAGS: usize = 10;

/// Rejects parameters that this server does not support, instead of ignoring them.
macro_rules! reject_unsupported {
    ($input:expr; $($field:ident),* $(,)?) => {$(
        if $input.$field.is_some() {
            let name = stringify!($field).replace('_', "-");
            return Err(s3_error!(NotImplemented, "the embedded S3 does not support {}", name));
        }
    )*};
}

macro_rules! object_metadata {
    ($input:expr) => {{
        let input = $input;
        reject_unsupported!(input;
            grant_full_control, grant_read, grant_read_acp, grant_write_acp, object_lock_legal_hold_status,
            object_lock_mode, object_lock_retain_until_date, sse_customer_algorithm, sse_customer_key,
            sse_customer_key_md5, website_redirect_location,
        );
        reject_public_acl(input.acl.as_ref().map(|acl| acl.as_str()))?;
        Ok(ObjectMetadata {
            content_type: input.content_type.clone(),
            content_disposition: input.content_disposition.clone(),
            content_encoding: input.content_encoding.as_deref().and_then(without_aws_chunked),
            content_language: input.content_language.clone(),
            cache_control: input.cache_control.clone(),
            expires: input.expires.as_ref().map(to_unix_seconds),
            storage_class: storage_class(input.storage_class.as_ref().map(|class| class.as_str()))?,
            encryption: input.server_side_encryption.as_ref().map(|one| one.as_str().to_owned()),
            encryption_key: input.ssekms_key_id.clone(),
            metadata: user_metadata(input.metadata.as_ref())?,
            tags: input.tagging.as_deref().map(parse_tags).transpose()?.unwrap_or_default(),
        })
    }};
}

/// Returns the metadata in a `PutObject` request.
pub(super) fn from_put_object(input: &PutObjectInput) -> S3Result<ObjectMetadata> {
    reject_unsupported!(input; write_offset_bytes);
    object_metadata!(input)
}

/// Returns the metadata in a `CreateMultipartUpload` request.
pub(super) fn from_create_upload(input: &CreateMultipartUploadInput) -> S3Result<ObjectMetadata> {
    object_metadata!(input)
}

fn reject_public_acl(acl: Option<&str>) -> S3Result<()> {
    match acl {
        None | Some("private" | "bucket-owner-full-control") => Ok(()),
        Some(_) => Err(s3_error!(
            AccessControlListNotSupported,
            "The bucket does not allow ACLs"
        )),
    }
}

fn storage_class(class: Option<&str>) -> S3Result<Option<String>> {
    const KNOWN: [&str; 9] = [
        "STANDARD",
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER",
        "DEEP_ARCHIVE",
        "GLACIER_IR",
        "EXPRESS_ONEZONE",
    ];
    match class {
        Some(class) if !KNOWN.contains(&class) => Err(s3_error!(
            InvalidStorageClass,
            "The storage class you specified is not valid"
        )),
        // S3 does not return the default storage class.
        Some("STANDARD") | None => Ok(None),
        Some(class) => Ok(Some(class.to_owned())),
    }
}

/// Removes `aws-chunked`, which is an encoding of the request, not of the object.
fn without_aws_chunked(encoding: &str) -> Option<String> {
    let encodings: Vec<_> = encoding
        .split(',')
        .map(str::trim)
        .filter(|one| *one != "aws-chunked")
        .collect();
    (!encodings.is_empty()).then(|| encodings.join(","))
}

fn user_metadata(given: Option<&s3s::dto::Metadata>) -> S3Result<BTreeMap<String, String>> {
    let metadata: BTreeMap<_, _> = given
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let size: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > MAX_METADATA_BYTES {
        let message = "Your metadata headers exceed the maximum allowed metadata size";
        return Err(s3_error!(MetadataTooLarge, "{message}"));
    }
    Ok(metadata)
}

/// Parses tags in the format of a query string.
pub(super) fn parse_tags(text: &str) -> S3Result<BTreeMap<String, String>> {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced)
            .decode_utf8()
            .map(String::from)
            .map_err(|_| invalid_tag())
    };
    let mut tags = Vec::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        tags.push((decode(name)?, decode(value)?));
    }
    check_tags(tags)
}

/// Rejects tags that S3 does not allow.
pub(super) fn check_tags(tags: Vec<(String, String)>) -> S3Result<BTreeMap<String, String>> {
    if tags.len() > MAX_TAGS {
        return Err(s3_errors::bad_request_error(
            "BadRequest",
            "Object tags cannot be greater than 10",
        ));
    }
    let count = tags.len();
    let tags: BTreeMap<_, _> = tags.into_iter().collect();
    let fits =
        |(name, value): (&String, &String)| (1..=128).contains(&name.chars().count()) && value.chars().count() <= 256;
    if tags.len() < count || !tags.iter().all(fits) {
        return Err(invalid_tag());
    }
    Ok(tags)
}

fn invalid_tag() -> s3s::S3Error {
    s3_error!(InvalidTag, "The tag provided was not a valid tag")
}
