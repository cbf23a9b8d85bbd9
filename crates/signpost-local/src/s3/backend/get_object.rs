//! `GetObject` and `HeadObject`.

use std::collections::VecDeque;
use std::io;
use std::ops::Range as ByteRange;

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use http::{HeaderMap, HeaderValue};
use s3s::dto::{
    ETag, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, Range, ServerSideEncryption,
    StorageClass, StreamingBlob,
};
use s3s::{S3Error, S3Request, S3Response, S3Result, s3_error};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::conditions::{self, ReadCondition};
use super::{S3Backend, checksums, object_metadata, s3_errors, to_i64, to_timestamp};
use crate::s3::error_report;
use crate::s3::request_adapter::{RequestedRange, ResponseOverrides};
use crate::s3::store::StoreError;
use crate::s3::store::records::{ObjectRecord, StoredChecksum, VersionRecord};

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
    /// The range in the words of the client.
    range_text: Option<String>,
    if_range: Option<HeaderValue>,
    part: Option<i32>,
    condition: ReadCondition,
    checksum: bool,
}

/// The object to return and the requested byte range.
struct ReadTarget {
    version: VersionRecord,
    version_id: Option<String>,
    object: ObjectRecord,
    byte_range: ByteRange<u64>,
    is_partial: bool,
    checksum: Option<StoredChecksum>,
}

/// A byte range of one file.
struct FileRange {
    blob: String,
    byte_range: ByteRange<u64>,
    file: Option<std::fs::File>,
}

macro_rules! read_request {
    ($request:expr) => {{
        let input = &$request.input;
        let range_text = $request.extensions.get::<RequestedRange>().map(|range| range.0.clone());
        ReadRequest {
            bucket: input.bucket.clone(),
            key: input.key.clone(),
            version: input.version_id.clone(),
            range: input.range,
            range_text,
            if_range: $request.headers.get(http::header::IF_RANGE).cloned(),
            part: input.part_number,
            checksum: input.checksum_mode.is_some(),
            condition: ReadCondition {
                if_match: input.if_match.clone(),
                if_none_match: input.if_none_match.clone(),
                if_modified_since: input.if_modified_since.clone(),
                if_unmodified_since: input.if_unmodified_since.clone(),
            },
        }
    }};
}

macro_rules! object_output {
    ($kind:ident, $target:expr, $input:expr) => {{
        let (target, input) = (&$target, &$input);
        let description = &target.object.description;
        $kind {
            accept_ranges: Some("bytes".into()),
            content_length: Some(to_i64(target.byte_range.end - target.byte_range.start)),
            content_range: target.content_range(),
            e_tag: Some(ETag::Strong(target.object.etag.clone())),
            last_modified: Some(to_timestamp(target.version.modified)),
            metadata: Some(description.metadata.clone().into_iter().collect()),
            parts_count: parts_count(&target.object, input.part_number),
            server_side_encryption: Some(ServerSideEncryption::from(
                description.encryption.clone().unwrap_or_else(|| "AES256".into()),
            )),
            ssekms_key_id: description.encryption_key.clone(),
            storage_class: description.storage_class.clone().map(StorageClass::from),
            version_id: target.version_id.clone(),
            ..$kind::default()
        }
    }};
}

impl ReadTarget {
    fn content_range(&self) -> Option<String> {
        let (start, end, size) = (self.byte_range.start, self.byte_range.end, self.object.size);
        // The range of an empty object has no last byte.
        let last = end.checked_sub(1).filter(|_| self.is_partial)?;
        Some(format!("bytes {start}-{last}/{size}"))
    }

    /// Returns the headers that `s3s` cannot set: those with any text, the checksum, and the number of tags.
    fn headers(&self, overrides: Option<&ResponseOverrides>) -> HeaderMap {
        let mut headers = object_metadata::system_headers(&self.object.description);
        if let Some(overrides) = overrides {
            headers.extend(overrides.0.clone());
        }
        headers.extend(checksums::checksum_headers(self.checksum.as_ref(), true));
        let tags = self.object.description.tags.len();
        if tags > 0 {
            headers.insert("x-amz-tagging-count", HeaderValue::from(tags));
        }
        headers
    }
}

impl S3Backend {
    pub(super) async fn handle_get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        for _ in 1..MAX_ATTEMPTS {
            if let Some(response) = self.try_get_object(&request).await? {
                return Ok(response);
            }
        }
        Err(s3_error!(
            SlowDown,
            "The object was replaced repeatedly during the read; try again"
        ))
    }

    async fn try_get_object(
        &self,
        request: &S3Request<GetObjectInput>,
    ) -> S3Result<Option<S3Response<GetObjectOutput>>> {
        let input = &request.input;
        let target = self.find_object(read_request!(request)).await?;
        reject_archived(&target.object)?;
        let ranges = file_ranges(&target.object, target.byte_range.clone());
        let opened = self
            .with_store(move |store| open_files(ranges, |id| store.blobs.read(id)))
            .await;
        let Some(ranges) = opened? else {
            return Ok(None);
        };
        let mut output = object_output!(GetObjectOutput, target, input);
        output.body = Some(StreamingBlob::wrap(self.stream_ranges(ranges)));
        let headers = target.headers(request.extensions.get());
        Ok(Some(S3Response::with_headers(output, headers)))
    }

    pub(super) async fn handle_head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let target = self.find_object(read_request!(request)).await?;
        let output = object_output!(HeadObjectOutput, target, request.input);
        let headers = target.headers(request.extensions.get());
        Ok(S3Response::with_headers(output, headers))
    }

    async fn find_object(&self, request: ReadRequest) -> S3Result<ReadTarget> {
        s3_errors::check_version_id(request.version.as_ref())?;
        let (bucket, key, name) = (request.bucket.clone(), request.key.clone(), request.version.clone());
        let (mut version, versioning) = self
            .with_store(move |store| store.find_version(&bucket, &key, name.as_deref()))
            .await?;
        let object = version.object.take().ok_or_else(|| s3_error!(NoSuchKey))?;
        request.condition.check(&version, &object)?;
        let byte_range = request.byte_range(&version, &object)?;
        let checksum = request.covered_checksum(&object, byte_range.as_ref());
        Ok(ReadTarget {
            version_id: versioning.has_versions().then(|| version.version_id().to_owned()),
            is_partial: byte_range.is_some(),
            byte_range: byte_range.unwrap_or(0..object.size),
            version,
            object,
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

impl ReadRequest {
    /// Returns the byte range of a range or part number, or `None` for the complete object.
    fn byte_range(&self, version: &VersionRecord, object: &ObjectRecord) -> S3Result<Option<ByteRange<u64>>> {
        let if_range = self.if_range.as_ref();
        let is_stale = if_range.is_some_and(|expected| !conditions::range_applies(expected, version, object));
        match (self.range.filter(|_| !is_stale), self.part) {
            (Some(_), Some(_)) => Err(s3_error!(
                InvalidRequest,
                "Cannot specify both Range header and partNumber query parameter"
            )),
            (Some(range), None) => match range.check(object.size) {
                Ok(range) if object.size > 0 => Ok(Some(range)),
                _ => Err(self.range_not_satisfiable(object.size)),
            },
            (None, Some(number)) => part_range(object, number).map(Some),
            (None, None) => Ok(None),
        }
    }

    fn range_not_satisfiable(&self, size: u64) -> S3Error {
        error_report::report_details([
            ("RangeRequested", self.range_text.clone().unwrap_or_default()),
            ("ActualObjectSize", size.to_string()),
        ]);
        let mut error = s3_error!(InvalidRange, "The requested range is not satisfiable");
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
            headers.insert(http::header::CONTENT_RANGE, value);
        }
        error.set_headers(headers);
        error
    }

    /// Returns the checksum of the object if the range covers it, or of the requested part.
    fn covered_checksum(&self, object: &ObjectRecord, range: Option<&ByteRange<u64>>) -> Option<StoredChecksum> {
        if !self.checksum {
            return None;
        }
        match (self.part.and_then(|number| usize::try_from(number).ok()), range) {
            (Some(number), _) if object.multipart => {
                let mut part = object.segments.get(number.checked_sub(1)?)?.checksum.clone()?;
                part.coverage = object.checksum.as_ref()?.coverage;
                Some(part)
            }
            (_, Some(range)) if *range != (0..object.size) => None,
            _ => object.checksum.clone(),
        }
    }
}

/// Rejects the content of an archived object, which must be restored first.
fn reject_archived(object: &ObjectRecord) -> S3Result<()> {
    match object.description.storage_class.as_deref() {
        Some(class @ ("GLACIER" | "DEEP_ARCHIVE")) => {
            error_report::report_details([("StorageClass", class.to_owned())]);
            Err(s3_error!(
                InvalidObjectState,
                "The operation is not valid for the object's storage class"
            ))
        }
        _ => Ok(()),
    }
}

fn part_range(object: &ObjectRecord, number: i32) -> S3Result<ByteRange<u64>> {
    if !(1..=10_000).contains(&number) {
        let message = "Part number must be an integer between 1 and 10000, inclusive";
        return Err(s3_errors::invalid_argument("partNumber", &number.to_string(), message));
    }
    let index = usize::try_from(number - 1).unwrap_or_default();
    let Some(part) = object.segments.get(index) else {
        return Err(no_such_part(object, number));
    };
    let start: u64 = object.segments[..index].iter().map(|part| part.size).sum();
    Ok(start..start + part.size)
}

fn no_such_part(object: &ObjectRecord, number: i32) -> S3Error {
    error_report::report_details([
        ("ActualPartCount", object.segments.len().to_string()),
        ("PartNumberRequested", number.to_string()),
    ]);
    let mut error = s3_errors::bad_request_error("InvalidPartNumber", "The requested partnumber is not satisfiable");
    error.set_status_code(http::StatusCode::RANGE_NOT_SATISFIABLE);
    error
}

fn parts_count(object: &ObjectRecord, part: Option<i32>) -> Option<i32> {
    let count = i32::try_from(object.segments.len()).ok()?;
    (object.multipart && part.is_some()).then_some(count)
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
