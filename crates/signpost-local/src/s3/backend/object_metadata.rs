//! Converts the metadata of an upload request to the record in the index.

use std::collections::BTreeMap;

use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, EXPIRES};
use s3s::dto::{CreateMultipartUploadInput, PutObjectInput};
use s3s::{S3Request, S3Result, s3_error};

use super::{object_tags, s3_errors};
use crate::s3::error_report;
use crate::s3::latin1;
use crate::s3::request_adapter::SystemHeaders;
use crate::s3::store::records::ObjectMetadata;

const MAX_METADATA_BYTES: usize = 2048;

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
    ($request:expr, $region:expr) => {{
        let input = &$request.input;
        reject_unsupported!(input;
            grant_full_control, grant_read, grant_read_acp, grant_write_acp, object_lock_legal_hold_status,
            object_lock_mode, object_lock_retain_until_date, sse_customer_algorithm, sse_customer_key,
            sse_customer_key_md5, website_redirect_location,
        );
        reject_acl(input.acl.as_ref().map(|acl| acl.as_str()))?;
        let system = $request.extensions.get::<SystemHeaders>().cloned().unwrap_or_default();
        let text = |name| system.0.get(name).map(|value| latin1::decode(value.as_bytes()));
        let encryption = encryption(
            input.server_side_encryption.as_ref().map(|one| one.as_str()),
            input.ssekms_key_id.as_deref(),
            $region,
        )?;
        let (encryption, encryption_key) = encryption.unzip();
        Ok(ObjectMetadata {
            content_type: text(CONTENT_TYPE),
            content_disposition: text(CONTENT_DISPOSITION),
            content_encoding: text(CONTENT_ENCODING).as_deref().and_then(without_aws_chunked),
            content_language: text(CONTENT_LANGUAGE),
            cache_control: text(CACHE_CONTROL),
            expires: text(EXPIRES),
            storage_class: storage_class(input.storage_class.as_ref().map(|class| class.as_str()))?,
            encryption,
            encryption_key: encryption_key.flatten(),
            metadata: user_metadata(input.metadata.as_ref())?,
            tags: input.tagging.as_deref().map(object_tags::from_header).transpose()?.unwrap_or_default(),
        })
    }};
}

/// Returns the metadata in a `PutObject` request.
pub(super) fn from_put_object(request: &S3Request<PutObjectInput>, region: &str) -> S3Result<ObjectMetadata> {
    let input = &request.input;
    reject_unsupported!(input; write_offset_bytes);
    object_metadata!(request, region)
}

/// Returns the metadata in a `CreateMultipartUpload` request.
pub(super) fn from_create_upload(
    request: &S3Request<CreateMultipartUploadInput>,
    region: &str,
) -> S3Result<ObjectMetadata> {
    object_metadata!(request, region)
}

/// Returns the stored system headers for a response.
pub(super) fn system_headers(stored: &ObjectMetadata) -> HeaderMap {
    let content_type = stored.content_type.as_deref().unwrap_or("binary/octet-stream");
    let stored = [
        (CACHE_CONTROL, stored.cache_control.as_deref()),
        (CONTENT_DISPOSITION, stored.content_disposition.as_deref()),
        (CONTENT_ENCODING, stored.content_encoding.as_deref()),
        (CONTENT_LANGUAGE, stored.content_language.as_deref()),
        (CONTENT_TYPE, Some(content_type)),
        (EXPIRES, stored.expires.as_deref()),
    ];
    let headers = stored.into_iter();
    headers
        .filter_map(|(name, value)| Some((name, latin1::encode_header(value?)?)))
        .collect()
}

/// Rejects ACLs. A bucket without ACLs accepts only the one that changes nothing.
fn reject_acl(acl: Option<&str>) -> S3Result<()> {
    match acl {
        None | Some("bucket-owner-full-control") => Ok(()),
        Some(_) => Err(s3_error!(
            AccessControlListNotSupported,
            "The bucket does not allow ACLs"
        )),
    }
}

/// Returns the encryption and its key. S3 uses its own key if the request selects KMS without a key.
fn encryption(algorithm: Option<&str>, key: Option<&str>, region: &str) -> S3Result<Option<(String, Option<String>)>> {
    const HEADER: &str = "x-amz-server-side-encryption";
    match (algorithm, key) {
        (None, None) => Ok(None),
        (Some("AES256"), None) => Ok(Some(("AES256".into(), None))),
        (Some(algorithm @ ("aws:kms" | "aws:kms:dsse")), key) => {
            let key = key.map_or_else(|| super::default_kms_key(region), str::to_owned);
            Ok(Some((algorithm.into(), Some(key))))
        }
        (Some("AES256") | None, Some(_)) => Err(s3_errors::invalid_argument(
            HEADER,
            algorithm.unwrap_or("null"),
            "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms",
        )),
        (Some(other), _) => Err(s3_errors::invalid_argument(
            HEADER,
            other,
            "The encryption method specified is not supported",
        )),
    }
}

fn storage_class(class: Option<&str>) -> S3Result<Option<String>> {
    const KNOWN: [&str; 8] = [
        "STANDARD",
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER",
        "DEEP_ARCHIVE",
        "GLACIER_IR",
    ];
    match class {
        Some(class) if !KNOWN.contains(&class) => {
            error_report::report_details([("StorageClassRequested", class.to_owned())]);
            Err(s3_error!(
                InvalidStorageClass,
                "The storage class you specified is not valid"
            ))
        }
        // S3 does not return the default storage class.
        Some("STANDARD") | None => Ok(None),
        Some(class) => Ok(Some(class.to_owned())),
    }
}

/// Removes `aws-chunked`, which is an encoding of the request, not of the object.
fn without_aws_chunked(encoding: &str) -> Option<String> {
    if !encoding.contains("aws-chunked") {
        return Some(encoding.to_owned());
    }
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
        error_report::report_details([
            ("Size", size.to_string()),
            ("MaxSizeAllowed", MAX_METADATA_BYTES.to_string()),
        ]);
        return Err(s3_error!(MetadataTooLarge, "{message}"));
    }
    Ok(metadata)
}
