//! `GetObject` and `HeadObject`.

use std::collections::VecDeque;
use std::io;
use std::ops::Range as ByteRange;

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use http::{HeaderMap, HeaderValue};
use s3s::dto::{
    Checksum, ETag, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, Range, ServerSideEncryption,
    StorageClass, StreamingBlob,
};
use s3s::{S3Error, S3Request, S3Response, S3Result, s3_error};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::conditions::ReadCondition;
use super::{S3Backend, checksums, s3_errors, to_i64, to_timestamp};
use crate::s3::store::StoreError;
use crate::s3::store::records::{ObjectRecord, VersionRecord};

const CHUNK_BYTES: usize = 256 * 1024;

/// Number of files to open before the response starts, so that a concurrent overwrite cannot remove them.
const MAX_OPENED_FILES: usize = 16;

/// Maximum number of attempts if the object is replaced between reading the index and opening its files.
const MAX_ATTEMPTS: usize = 5;

/// The common parameters of `GetObject` and `HeadObject`.
struct ReadRequest {
    bucket: String,
    key: String,
    version: Option<String>,
    range: Option<Range>,
    part: Option<i32>,
    condition: ReadCondition,
    checksum: bool,
}

/// The object to return and the requested byte range.
struct ReadTarget {
    version: VersionRecord,
    object: ObjectRecord,
    byte_range: ByteRange<u64>,
    is_partial: bool,
    checksum: Checksum,
}

/// A byte range of one file.
struct FileRange {
    blob: String,
    byte_range: ByteRange<u64>,
    file: Option<std::fs::File>,
}

macro_rules! read_request {
    ($input:expr) => {
        ReadRequest {
            bucket: $input.bucket.clone(),
            key: $input.key.clone(),
            version: $input.version_id.clone(),
            range: $input.range,
            part: $input.part_number,
            checksum: $input.checksum_mode.is_some(),
            condition: ReadCondition {
                if_match: $input.if_match.clone(),
                if_none_match: $input.if_none_match.clone(),
                if_modified_since: $input.if_modified_since.clone(),
                if_unmodified_since: $input.if_unmodified_since.clone(),
            },
        }
    };
}

macro_rules! object_output {
    ($kind:ident, $target:expr, $input:expr) => {{
        let (target, input) = (&$target, &$input);
        let description = &target.object.description;
        let size = target.object.size;
        $kind {
            accept_ranges: Some("bytes".into()),
            cache_control: input
                .response_cache_control
                .clone()
                .or_else(|| description.cache_control.clone()),
            checksum_crc32: target.checksum.checksum_crc32.clone(),
            checksum_crc32c: target.checksum.checksum_crc32c.clone(),
            checksum_crc64nvme: target.checksum.checksum_crc64nvme.clone(),
            checksum_sha1: target.checksum.checksum_sha1.clone(),
            checksum_sha256: target.checksum.checksum_sha256.clone(),
            checksum_type: target.checksum.checksum_type.clone(),
            content_disposition: (input.response_content_disposition.clone())
                .or_else(|| description.content_disposition.clone()),
            content_encoding: (input.response_content_encoding.clone())
                .or_else(|| description.content_encoding.clone()),
            content_language: (input.response_content_language.clone())
                .or_else(|| description.content_language.clone()),
            content_length: Some(to_i64(target.byte_range.end - target.byte_range.start)),
            content_range: (target.is_partial).then(|| {
                format!(
                    "bytes {}-{}/{size}",
                    target.byte_range.start,
                    target.byte_range.end.saturating_sub(1)
                )
            }),
            content_type: (input.response_content_type.clone())
                .or_else(|| description.content_type.clone())
                .or_else(|| Some("binary/octet-stream".into())),
            e_tag: Some(ETag::Strong(target.object.etag.clone())),
            expires: input
                .response_expires
                .clone()
                .or_else(|| description.expires.map(to_timestamp)),
            last_modified: Some(to_timestamp(target.version.modified)),
            metadata: Some(description.metadata.clone().into_iter().collect()),
            parts_count: parts_count(&target.object, input.part_number),
            server_side_encryption: Some(ServerSideEncryption::from(
                description.encryption.clone().unwrap_or_else(|| "AES256".into()),
            )),
            ssekms_key_id: description.encryption_key.clone(),
            storage_class: description.storage_class.clone().map(StorageClass::from),
            version_id: target.version.id.clone(),
            ..$kind::default()
        }
    }};
}

impl S3Backend {
    pub(super) async fn handle_get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        for _ in 1..MAX_ATTEMPTS {
            if let Some(response) = self.try_get_object(&input).await? {
                return Ok(response);
            }
        }
        Err(s3_error!(
            SlowDown,
            "The object was replaced repeatedly during the read; try again"
        ))
    }

    async fn try_get_object(&self, input: &GetObjectInput) -> S3Result<Option<S3Response<GetObjectOutput>>> {
        let target = self.find_object(read_request!(input)).await?;
        let ranges = file_ranges(&target.object, target.byte_range.clone());
        let opened = self
            .with_store(move |store| open_files(ranges, |id| store.blobs.read(id)))
            .await;
        let Some(ranges) = opened? else {
            return Ok(None);
        };
        let mut output = object_output!(GetObjectOutput, target, input);
        output.tag_count = tag_count(&target.object);
        output.body = Some(StreamingBlob::wrap(self.stream_ranges(ranges)));
        Ok(Some(S3Response::new(output)))
    }

    pub(super) async fn handle_head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        let target = self.find_object(read_request!(input)).await?;
        let mut response = S3Response::new(object_output!(HeadObjectOutput, target, input));
        if target.is_partial {
            response.status = Some(http::StatusCode::PARTIAL_CONTENT);
        }
        Ok(response)
    }

    async fn find_object(&self, request: ReadRequest) -> S3Result<ReadTarget> {
        let (bucket, key, name) = (request.bucket.clone(), request.key.clone(), request.version.clone());
        let mut version = self
            .with_store(move |store| store.find_version(&bucket, &key, name.as_deref()))
            .await?;
        let object = version.object.take().ok_or_else(|| s3_error!(NoSuchKey))?;
        request.condition.check(&version, &object)?;
        let byte_range = requested_range(&object, request.range, request.part)?;
        let is_complete = byte_range.is_none();
        let all = 0..object.size;
        let checksum = object.checksum.as_ref().filter(|_| request.checksum && is_complete);
        let checksum = checksums::to_s3_checksum(checksum);
        Ok(ReadTarget {
            version,
            byte_range: byte_range.unwrap_or(all),
            object,
            is_partial: !is_complete,
            checksum,
        })
    }

    fn stream_ranges(
        &self,
        ranges: VecDeque<FileRange>,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + Sync + use<> {
        let store = self.store.clone();
        stream::iter(ranges)
            .then(move |range| {
                let store = store.clone();
                async move {
                    let mut file = match range.file {
                        Some(file) => File::from_std(file),
                        None => File::from_std(store.blobs.read(&range.blob)?),
                    };
                    file.seek(io::SeekFrom::Start(range.byte_range.start)).await?;
                    Ok::<_, io::Error>(ReaderStream::with_capacity(
                        file.take(range.byte_range.end - range.byte_range.start),
                        CHUNK_BYTES,
                    ))
                }
            })
            .try_flatten()
    }
}

/// Returns the byte range of a range or part number, or `None` for the complete object.
fn requested_range(object: &ObjectRecord, range: Option<Range>, part: Option<i32>) -> S3Result<Option<ByteRange<u64>>> {
    match (range, part) {
        (Some(_), Some(_)) => Err(s3_error!(
            InvalidRequest,
            "Cannot specify both Range header and partNumber query parameter"
        )),
        (Some(_), None) if object.size == 0 => Err(range_not_satisfiable(0)),
        (Some(range), None) => range
            .check(object.size)
            .map(Some)
            .map_err(|_| range_not_satisfiable(object.size)),
        (None, Some(number)) => part_range(object, number).map(Some),
        (None, None) => Ok(None),
    }
}

fn range_not_satisfiable(size: u64) -> S3Error {
    let mut error = s3_error!(InvalidRange, "The requested range is not satisfiable");
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
        headers.insert(http::header::CONTENT_RANGE, value);
    }
    error.set_headers(headers);
    error
}

fn part_range(object: &ObjectRecord, number: i32) -> S3Result<ByteRange<u64>> {
    let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    let part = index.and_then(|index| object.segments.get(index).map(|part| (index, part)));
    let (index, part) = part.ok_or_else(|| {
        s3_errors::bad_request_error("InvalidPartNumber", "The requested partnumber is not satisfiable")
    })?;
    let start: u64 = object.segments[..index].iter().map(|part| part.size).sum();
    Ok(start..start + part.size)
}

fn parts_count(object: &ObjectRecord, part: Option<i32>) -> Option<i32> {
    let count = i32::try_from(object.segments.len()).ok()?;
    (object.multipart && part.is_some()).then_some(count)
}

fn tag_count(object: &ObjectRecord) -> Option<i32> {
    i32::try_from(object.description.tags.len())
        .ok()
        .filter(|count| *count > 0)
}

fn file_ranges(object: &ObjectRecord, request: ByteRange<u64>) -> VecDeque<FileRange> {
    let mut begin = 0;
    let mut ranges = VecDeque::new();
    for segment in &object.segments {
        let here = begin..begin + segment.size;
        begin = here.end;
        let (start, end) = (request.start.max(here.start), request.end.min(here.end));
        if start < end {
            let byte_range = start - here.start..end - here.start;
            ranges.push_back(FileRange {
                blob: segment.blob.clone(),
                byte_range,
                file: None,
            });
        }
    }
    ranges
}

/// Opens the first files. Returns `None` if one of them was removed after the index was read.
fn open_files(
    mut ranges: VecDeque<FileRange>,
    open: impl Fn(&str) -> io::Result<std::fs::File>,
) -> Result<Option<VecDeque<FileRange>>, StoreError> {
    for range in ranges.iter_mut().take(MAX_OPENED_FILES) {
        match open(&range.blob) {
            Ok(file) => range.file = Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Some(ranges))
}
