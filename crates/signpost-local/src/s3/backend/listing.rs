//! The listings of a bucket: objects (both versions of the operation) and versions.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{
    ChecksumAlgorithm, CommonPrefix, DeleteMarkerEntry, ETag, EncodingType, ListObjectVersionsInput,
    ListObjectVersionsOutput, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output,
    Object as ToldObject, ObjectStorageClass, ObjectVersion, ObjectVersionStorageClass,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::buckets::owner;
use super::{Backend, checksums, signed, timestamp};
use crate::s3::store::{After, ListQuery, Listed, Row};

const MOST_KEYS: i32 = 1000;
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

impl Backend {
    pub(super) async fn list_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let after = match (&input.continuation_token, &input.start_after) {
            (Some(token), _) => Some(parse_token(token)?),
            (None, Some(key)) => Some(After::Key(key.clone())),
            (None, None) => None,
        };
        let limit = limit(input.max_keys)?;
        let query = query(input.prefix.as_ref(), input.delimiter.as_ref(), after, limit);
        let page = self.page(input.bucket.clone(), query).await?;
        let spell = Spelling::of(input.encoding_type.as_ref());
        let with_owner = input.fetch_owner.unwrap_or_default();
        Ok(S3Response::new(ListObjectsV2Output {
            key_count: i32::try_from(page.rows.len() + page.prefixes.len()).ok(),
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next.as_ref().map(token),
            common_prefixes: Some(common(&page, &spell)),
            contents: Some(page.rows.into_iter().map(|row| told(row, &spell, with_owner)).collect()),
            name: Some(input.bucket),
            prefix: Some(spell.write(&input.prefix.unwrap_or_default())),
            delimiter: input.delimiter.map(|delimiter| spell.write(&delimiter)),
            max_keys: Some(limit),
            continuation_token: input.continuation_token,
            start_after: input.start_after.map(|key| spell.write(&key)),
            encoding_type: input.encoding_type,
            ..ListObjectsV2Output::default()
        }))
    }

    pub(super) async fn list_v1(
        &self,
        request: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        let input = request.input;
        let limit = limit(input.max_keys)?;
        let after = input.marker.clone().filter(|marker| !marker.is_empty());
        // A marker that ends in the delimiter is the common prefix that an earlier page ended with.
        let after = after.map(|marker| match &input.delimiter {
            Some(delimiter) if !delimiter.is_empty() && marker.ends_with(delimiter.as_str()) => After::Prefix(marker),
            _ => After::Key(marker),
        });
        let query = query(input.prefix.as_ref(), input.delimiter.as_ref(), after, limit);
        let page = self.page(input.bucket.clone(), query).await?;
        let spell = Spelling::of(input.encoding_type.as_ref());
        Ok(S3Response::new(ListObjectsOutput {
            is_truncated: Some(page.next.is_some()),
            next_marker: page.next.as_ref().map(|after| spell.write(name(after))),
            common_prefixes: Some(common(&page, &spell)),
            contents: Some(page.rows.into_iter().map(|row| told(row, &spell, true)).collect()),
            name: Some(input.bucket),
            prefix: Some(spell.write(&input.prefix.unwrap_or_default())),
            marker: Some(spell.write(&input.marker.unwrap_or_default())),
            delimiter: input.delimiter.map(|delimiter| spell.write(&delimiter)),
            max_keys: Some(limit),
            encoding_type: input.encoding_type,
            ..ListObjectsOutput::default()
        }))
    }

    pub(super) async fn list_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        let input = request.input;
        let limit = limit(input.max_keys)?;
        let key = input.key_marker.clone().filter(|key| !key.is_empty());
        let version = input.version_id_marker.clone().filter(|version| !version.is_empty());
        let after = match (key, version, &input.delimiter) {
            (None, Some(_), _) => {
                let message = "A version-id marker cannot be specified without a key marker.";
                return Err(s3_error!(InvalidArgument, "{message}"));
            }
            (None, None, _) => None,
            (Some(key), Some(version), _) => Some(After::Version { key, version }),
            (Some(key), None, Some(delimiter)) if key.ends_with(delimiter.as_str()) => Some(After::Prefix(key)),
            (Some(key), None, _) => Some(After::Key(key)),
        };
        let query = ListQuery {
            versions: true,
            ..query(input.prefix.as_ref(), input.delimiter.as_ref(), after, limit)
        };
        let page = self.page(input.bucket.clone(), query).await?;
        let spell = Spelling::of(input.encoding_type.as_ref());
        let mut output = ListObjectVersionsOutput {
            is_truncated: Some(page.next.is_some()),
            next_key_marker: page.next.as_ref().map(|after| spell.write(name(after))),
            next_version_id_marker: match &page.next {
                Some(After::Version { version, .. }) => Some(version.clone()),
                Some(After::Key(_) | After::Prefix(_)) | None => None,
            },
            common_prefixes: Some(common(&page, &spell)),
            name: Some(input.bucket),
            prefix: Some(spell.write(&input.prefix.unwrap_or_default())),
            delimiter: input.delimiter.map(|delimiter| spell.write(&delimiter)),
            key_marker: Some(spell.write(&input.key_marker.unwrap_or_default())),
            version_id_marker: Some(input.version_id_marker.unwrap_or_default()),
            max_keys: Some(limit),
            encoding_type: input.encoding_type,
            ..ListObjectVersionsOutput::default()
        };
        let (markers, versions): (Vec<_>, Vec<_>) = page.rows.into_iter().partition(|row| row.version.object.is_none());
        output.delete_markers = Some(markers.into_iter().map(|row| told_marker(&row, &spell)).collect());
        output.versions = Some(versions.into_iter().map(|row| told_version(row, &spell)).collect());
        Ok(S3Response::new(output))
    }

    async fn page(&self, bucket: String, query: ListQuery) -> S3Result<Listed> {
        self.ask(move |store| store.list(&bucket, &query)).await
    }
}

/// How keys are written: as they are, or percent-encoded because XML cannot hold every key.
pub(super) struct Spelling {
    encoded: bool,
}

impl Spelling {
    pub(super) fn of(encoding: Option<&EncodingType>) -> Self {
        Self {
            encoded: encoding.is_some_and(|encoding| encoding.as_str() == EncodingType::URL),
        }
    }

    pub(super) fn write(&self, key: &str) -> String {
        if self.encoded {
            utf8_percent_encode(key, ESCAPED).to_string()
        } else {
            key.to_owned()
        }
    }
}

/// The number of keys that a page may hold.
pub(super) fn limit(asked: Option<i32>) -> S3Result<i32> {
    match asked {
        None => Ok(MOST_KEYS),
        Some(asked) if asked < 0 => Err(s3_error!(
            InvalidArgument,
            "Argument maxKeys must be an integer between 0 and 2147483647"
        )),
        Some(asked) => Ok(asked.min(MOST_KEYS)),
    }
}

fn query(prefix: Option<&String>, delimiter: Option<&String>, after: Option<After>, limit: i32) -> ListQuery {
    ListQuery {
        prefix: prefix.cloned().unwrap_or_default(),
        delimiter: delimiter.cloned().filter(|delimiter| !delimiter.is_empty()),
        after,
        limit: usize::try_from(limit).unwrap_or_default(),
        versions: false,
    }
}

fn name(after: &After) -> &str {
    match after {
        After::Key(key) | After::Version { key, .. } => key,
        After::Prefix(prefix) => prefix,
    }
}

/// A continuation token; it tells a key from a common prefix.
fn token(after: &After) -> String {
    let kind = if matches!(after, After::Prefix(_)) { 'p' } else { 'k' };
    URL_SAFE_NO_PAD.encode(format!("{kind}{}", name(after)))
}

fn parse_token(token: &str) -> S3Result<After> {
    let refuse = || s3_error!(InvalidArgument, "The continuation token provided is incorrect");
    let text = URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(refuse)?;
    match (text.strip_prefix('k'), text.strip_prefix('p')) {
        (Some(key), _) => Ok(After::Key(key.to_owned())),
        (None, Some(prefix)) => Ok(After::Prefix(prefix.to_owned())),
        (None, None) => Err(refuse()),
    }
}

fn common(page: &Listed, spell: &Spelling) -> Vec<CommonPrefix> {
    let spelled = page.prefixes.iter().map(|prefix| Some(spell.write(prefix)));
    spelled.map(|prefix| CommonPrefix { prefix }).collect()
}

fn told(row: Row, spell: &Spelling, with_owner: bool) -> ToldObject {
    let mut told = ToldObject {
        key: Some(spell.write(&row.key)),
        last_modified: Some(timestamp(row.version.modified)),
        owner: with_owner.then(owner),
        ..ToldObject::default()
    };
    if let Some(object) = row.version.object {
        if let Some(checksum) = &object.checksum {
            let algorithm = ChecksumAlgorithm::from_static(checksums::name(checksum.algorithm));
            told.checksum_algorithm = Some(vec![algorithm]);
            told.checksum_type = Some(checksums::coverage_type(checksum.coverage));
        }
        let class = object.description.storage_class.unwrap_or_else(|| "STANDARD".into());
        told.e_tag = Some(ETag::Strong(object.etag));
        told.size = Some(signed(object.size));
        told.storage_class = Some(ObjectStorageClass::from(class));
    }
    told
}

fn told_version(row: Row, spell: &Spelling) -> ObjectVersion {
    let version_id = Some(row.version.name().to_owned());
    let newest = row.newest;
    let told = told(row, spell, true);
    ObjectVersion {
        e_tag: told.e_tag,
        is_latest: Some(newest),
        key: told.key,
        last_modified: told.last_modified,
        owner: told.owner,
        size: told.size,
        storage_class: Some(ObjectVersionStorageClass::from_static(
            ObjectVersionStorageClass::STANDARD,
        )),
        version_id,
        ..ObjectVersion::default()
    }
}

fn told_marker(row: &Row, spell: &Spelling) -> DeleteMarkerEntry {
    DeleteMarkerEntry {
        is_latest: Some(row.newest),
        key: Some(spell.write(&row.key)),
        last_modified: Some(timestamp(row.version.modified)),
        owner: Some(owner()),
        version_id: Some(row.version.name().to_owned()),
    }
}
