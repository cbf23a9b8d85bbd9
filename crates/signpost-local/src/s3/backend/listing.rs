//! List operations: `ListObjects`, `ListObjectsV2` and `ListObjectVersions`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{
    ChecksumAlgorithm, CommonPrefix, DeleteMarkerEntry, ETag, EncodingType, ListObjectVersionsInput,
    ListObjectVersionsOutput, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, Object,
    ObjectStorageClass, ObjectVersion, ObjectVersionStorageClass,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::buckets::bucket_owner;
use super::digests::algorithm_name;
use super::{S3Backend, checksums, to_i64, to_timestamp};
use crate::s3::store::{ListEntry, ListMarker, ListPage, ListQuery};

const MAX_KEYS: i32 = 1000;
const URL_ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

impl S3Backend {
    pub(super) async fn handle_list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let after = match (&input.continuation_token, &input.start_after) {
            (Some(token), _) => Some(parse_continuation_token(token)?),
            (None, Some(key)) => Some(ListMarker::Key(key.clone())),
            (None, None) => None,
        };
        let limit = page_limit(input.max_keys)?;
        let query = list_query(input.prefix.as_ref(), input.delimiter.as_ref(), after, limit);
        let page = self.list_page(input.bucket.clone(), query).await?;
        let key_encoding = KeyEncoding::from_request(input.encoding_type.as_ref());
        let with_owner = input.fetch_owner.unwrap_or_default();
        Ok(S3Response::new(ListObjectsV2Output {
            key_count: i32::try_from(page.rows.len() + page.prefixes.len()).ok(),
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next.as_ref().map(continuation_token),
            common_prefixes: Some(common_prefix_elements(&page, &key_encoding)),
            contents: Some(
                page.rows
                    .into_iter()
                    .map(|row| to_object(row, &key_encoding, with_owner))
                    .collect(),
            ),
            name: Some(input.bucket),
            prefix: Some(key_encoding.encode_key(&input.prefix.unwrap_or_default())),
            delimiter: key_encoding.encode_delimiter(input.delimiter),
            max_keys: Some(limit),
            continuation_token: input.continuation_token,
            start_after: input.start_after.map(|key| key_encoding.encode_key(&key)),
            encoding_type: input.encoding_type,
            ..ListObjectsV2Output::default()
        }))
    }

    pub(super) async fn handle_list_objects(
        &self,
        request: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        let input = request.input;
        let limit = page_limit(input.max_keys)?;
        let has_delimiter = input.delimiter.as_ref().is_some_and(|delimiter| !delimiter.is_empty());
        let after = input.marker.clone().filter(|marker| !marker.is_empty());
        // A marker that ends with the delimiter is the last common prefix of the previous page.
        let after = after.map(|marker| match &input.delimiter {
            Some(delimiter) if !delimiter.is_empty() && marker.ends_with(delimiter.as_str()) => {
                ListMarker::Prefix(marker)
            }
            _ => ListMarker::Key(marker),
        });
        let query = list_query(input.prefix.as_ref(), input.delimiter.as_ref(), after, limit);
        let page = self.list_page(input.bucket.clone(), query).await?;
        let key_encoding = KeyEncoding::from_request(input.encoding_type.as_ref());
        Ok(S3Response::new(ListObjectsOutput {
            is_truncated: Some(page.next.is_some()),
            // S3 returns the marker only if there is a delimiter.
            next_marker: (page.next.as_ref())
                .filter(|_| has_delimiter)
                .map(|after| key_encoding.encode_key(marker_key(after))),
            common_prefixes: Some(common_prefix_elements(&page, &key_encoding)),
            contents: Some(
                page.rows
                    .into_iter()
                    .map(|row| to_object(row, &key_encoding, true))
                    .collect(),
            ),
            name: Some(input.bucket),
            prefix: Some(key_encoding.encode_key(&input.prefix.unwrap_or_default())),
            marker: Some(key_encoding.encode_key(&input.marker.unwrap_or_default())),
            delimiter: key_encoding.encode_delimiter(input.delimiter),
            max_keys: Some(limit),
            encoding_type: input.encoding_type,
            ..ListObjectsOutput::default()
        }))
    }

    pub(super) async fn handle_list_object_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        let input = request.input;
        let limit = page_limit(input.max_keys)?;
        let key = input.key_marker.clone().filter(|key| !key.is_empty());
        let version = input.version_id_marker.clone().filter(|version| !version.is_empty());
        let after = match (key, version, &input.delimiter) {
            (None, Some(_), _) => {
                let message = "A version-id marker cannot be specified without a key marker.";
                return Err(s3_error!(InvalidArgument, "{message}"));
            }
            (None, None, _) => None,
            (Some(key), Some(version), _) => Some(ListMarker::Version { key, version }),
            (Some(key), None, Some(delimiter)) if key.ends_with(delimiter.as_str()) => Some(ListMarker::Prefix(key)),
            (Some(key), None, _) => Some(ListMarker::Key(key)),
        };
        let query = ListQuery {
            versions: true,
            ..list_query(input.prefix.as_ref(), input.delimiter.as_ref(), after, limit)
        };
        let page = self.list_page(input.bucket.clone(), query).await?;
        let key_encoding = KeyEncoding::from_request(input.encoding_type.as_ref());
        let mut output = ListObjectVersionsOutput {
            is_truncated: Some(page.next.is_some()),
            next_key_marker: page
                .next
                .as_ref()
                .map(|after| key_encoding.encode_key(marker_key(after))),
            next_version_id_marker: match &page.next {
                Some(ListMarker::Version { version, .. }) => Some(version.clone()),
                Some(ListMarker::Key(_) | ListMarker::Prefix(_)) | None => None,
            },
            common_prefixes: Some(common_prefix_elements(&page, &key_encoding)),
            name: Some(input.bucket),
            prefix: Some(key_encoding.encode_key(&input.prefix.unwrap_or_default())),
            delimiter: key_encoding.encode_delimiter(input.delimiter),
            key_marker: Some(key_encoding.encode_key(&input.key_marker.unwrap_or_default())),
            version_id_marker: Some(input.version_id_marker.unwrap_or_default()),
            max_keys: Some(limit),
            encoding_type: input.encoding_type,
            ..ListObjectVersionsOutput::default()
        };
        let (markers, versions): (Vec<_>, Vec<_>) = page.rows.into_iter().partition(|row| row.version.object.is_none());
        output.delete_markers = Some(
            markers
                .into_iter()
                .map(|row| to_delete_marker(&row, &key_encoding))
                .collect(),
        );
        output.versions = Some(
            versions
                .into_iter()
                .map(|row| to_object_version(row, &key_encoding))
                .collect(),
        );
        Ok(S3Response::new(output))
    }

    async fn list_page(&self, bucket: String, query: ListQuery) -> S3Result<ListPage> {
        self.with_store(move |store| store.list_bucket(&bucket, &query)).await
    }
}

/// The encoding of keys in the response: none, or percent-encoding, because XML cannot represent every key.
pub(super) struct KeyEncoding {
    url_encoded: bool,
}

impl KeyEncoding {
    pub(super) fn from_request(encoding: Option<&EncodingType>) -> Self {
        Self {
            url_encoded: encoding.is_some_and(|encoding| encoding.as_str() == EncodingType::URL),
        }
    }

    /// Returns the element of a delimiter. S3 omits an empty one.
    pub(super) fn encode_delimiter(&self, delimiter: Option<String>) -> Option<String> {
        let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty());
        delimiter.map(|delimiter| self.encode_key(&delimiter))
    }

    pub(super) fn encode_key(&self, key: &str) -> String {
        if self.url_encoded {
            utf8_percent_encode(key, URL_ENCODED).to_string()
        } else {
            key.to_owned()
        }
    }
}

/// Returns the maximum number of keys on a page.
pub(super) fn page_limit(requested: Option<i32>) -> S3Result<i32> {
    match requested {
        None => Ok(MAX_KEYS),
        Some(requested) if requested < 0 => Err(s3_error!(
            InvalidArgument,
            "Argument maxKeys must be an integer between 0 and 2147483647"
        )),
        Some(requested) => Ok(requested.min(MAX_KEYS)),
    }
}

fn list_query(prefix: Option<&String>, delimiter: Option<&String>, after: Option<ListMarker>, limit: i32) -> ListQuery {
    ListQuery {
        prefix: prefix.cloned().unwrap_or_default(),
        delimiter: delimiter.cloned().filter(|delimiter| !delimiter.is_empty()),
        after,
        limit: usize::try_from(limit).unwrap_or_default(),
        versions: false,
    }
}

fn marker_key(after: &ListMarker) -> &str {
    match after {
        ListMarker::Key(key) | ListMarker::Version { key, .. } => key,
        ListMarker::Prefix(prefix) => prefix,
    }
}

/// Returns a continuation token, which distinguishes a key from a common prefix.
fn continuation_token(after: &ListMarker) -> String {
    let kind = if matches!(after, ListMarker::Prefix(_)) {
        'p'
    } else {
        'k'
    };
    URL_SAFE_NO_PAD.encode(format!("{kind}{}", marker_key(after)))
}

fn parse_continuation_token(token: &str) -> S3Result<ListMarker> {
    let invalid_token = || s3_error!(InvalidArgument, "The continuation token provided is incorrect");
    let text = URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(invalid_token)?;
    match (text.strip_prefix('k'), text.strip_prefix('p')) {
        (Some(key), _) => Ok(ListMarker::Key(key.to_owned())),
        (None, Some(prefix)) => Ok(ListMarker::Prefix(prefix.to_owned())),
        (None, None) => Err(invalid_token()),
    }
}

fn common_prefix_elements(page: &ListPage, key_encoding: &KeyEncoding) -> Vec<CommonPrefix> {
    let prefixes = page.prefixes.iter().map(|prefix| Some(key_encoding.encode_key(prefix)));
    prefixes.map(|prefix| CommonPrefix { prefix }).collect()
}

fn to_object(row: ListEntry, key_encoding: &KeyEncoding, with_owner: bool) -> Object {
    let mut object_element = Object {
        key: Some(key_encoding.encode_key(&row.key)),
        last_modified: Some(to_timestamp(row.version.modified)),
        owner: with_owner.then(bucket_owner),
        ..Object::default()
    };
    if let Some(object) = row.version.object {
        if let Some(checksum) = &object.checksum {
            let algorithm = ChecksumAlgorithm::from_static(algorithm_name(checksum.algorithm));
            object_element.checksum_algorithm = Some(vec![algorithm]);
            object_element.checksum_type = Some(checksums::to_checksum_type(checksum.coverage));
        }
        let class = object.description.storage_class.unwrap_or_else(|| "STANDARD".into());
        object_element.e_tag = Some(ETag::Strong(object.etag));
        object_element.size = Some(to_i64(object.size));
        object_element.storage_class = Some(ObjectStorageClass::from(class));
    }
    object_element
}

fn to_object_version(row: ListEntry, key_encoding: &KeyEncoding) -> ObjectVersion {
    let version_id = Some(row.version.version_id().to_owned());
    let newest = row.newest;
    let object_element = to_object(row, key_encoding, true);
    ObjectVersion {
        e_tag: object_element.e_tag,
        is_latest: Some(newest),
        key: object_element.key,
        last_modified: object_element.last_modified,
        owner: object_element.owner,
        size: object_element.size,
        storage_class: object_element
            .storage_class
            .map(|class| ObjectVersionStorageClass::from(class.as_str().to_owned())),
        checksum_algorithm: object_element.checksum_algorithm,
        checksum_type: object_element.checksum_type,
        version_id,
        ..ObjectVersion::default()
    }
}

fn to_delete_marker(row: &ListEntry, key_encoding: &KeyEncoding) -> DeleteMarkerEntry {
    DeleteMarkerEntry {
        is_latest: Some(row.newest),
        key: Some(key_encoding.encode_key(&row.key)),
        last_modified: Some(to_timestamp(row.version.modified)),
        owner: Some(bucket_owner()),
        version_id: Some(row.version.version_id().to_owned()),
    }
}
