//! What an uploader says about an object, from the request into the record.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use s3s::dto::{CreateMultipartUploadInput, PutObjectInput};
use s3s::{S3Result, s3_error};

use super::{failure, seconds};
use crate::s3::store::records::Description;

const MOST_METADATA: usize = 2048;
const MOST_TAGS: usize = 10;

/// Refuses what this server cannot honour, rather than dropping it.
macro_rules! refuse_unsupported {
    ($input:expr; $($field:ident),* $(,)?) => {$(
        if $input.$field.is_some() {
            let name = stringify!($field).replace('_', "-");
            return Err(s3_error!(NotImplemented, "the embedded S3 does not implement {}", name));
        }
    )*};
}

macro_rules! description {
    ($input:expr) => {{
        let input = $input;
        refuse_unsupported!(input;
            grant_full_control, grant_read, grant_read_acp, grant_write_acp, object_lock_legal_hold_status,
            object_lock_mode, object_lock_retain_until_date, sse_customer_algorithm, sse_customer_key,
            sse_customer_key_md5, website_redirect_location,
        );
        refuse_public(input.acl.as_ref().map(|acl| acl.as_str()))?;
        Ok(Description {
            content_type: input.content_type.clone(),
            content_disposition: input.content_disposition.clone(),
            content_encoding: input.content_encoding.as_deref().and_then(without_aws_chunked),
            content_language: input.content_language.clone(),
            cache_control: input.cache_control.clone(),
            expires: input.expires.as_ref().map(seconds),
            storage_class: storage_class(input.storage_class.as_ref().map(|class| class.as_str()))?,
            encryption: input.server_side_encryption.as_ref().map(|one| one.as_str().to_owned()),
            encryption_key: input.ssekms_key_id.clone(),
            metadata: metadata(input.metadata.as_ref())?,
            tags: input.tagging.as_deref().map(parse_tags).transpose()?.unwrap_or_default(),
        })
    }};
}

/// The description in a `PutObject` request.
pub(super) fn of_put(input: &PutObjectInput) -> S3Result<Description> {
    refuse_unsupported!(input; write_offset_bytes);
    description!(input)
}

/// The description in a `CreateMultipartUpload` request.
pub(super) fn of_upload(input: &CreateMultipartUploadInput) -> S3Result<Description> {
    description!(input)
}

fn refuse_public(acl: Option<&str>) -> S3Result<()> {
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
        // S3 does not repeat the default.
        Some("STANDARD") | None => Ok(None),
        Some(class) => Ok(Some(class.to_owned())),
    }
}

/// `aws-chunked` describes the request and not the object.
fn without_aws_chunked(encoding: &str) -> Option<String> {
    let kept: Vec<_> = encoding
        .split(',')
        .map(str::trim)
        .filter(|one| *one != "aws-chunked")
        .collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

fn metadata(given: Option<&s3s::dto::Metadata>) -> S3Result<BTreeMap<String, String>> {
    let metadata: BTreeMap<_, _> = given
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let size: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > MOST_METADATA {
        let message = "Your metadata headers exceed the maximum allowed metadata size";
        return Err(s3_error!(MetadataTooLarge, "{message}"));
    }
    Ok(metadata)
}

/// Parses tags in the form of a query string.
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

/// Refuses tags that S3 would not keep.
pub(super) fn check_tags(tags: Vec<(String, String)>) -> S3Result<BTreeMap<String, String>> {
    if tags.len() > MOST_TAGS {
        return Err(failure::bad_request(
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
