//! `GetObject` and `HeadObject`: one description of what is read, and the bytes for the former.

use std::collections::VecDeque;
use std::io;
use std::ops::Range as Span;

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
use super::{Backend, checksums, failure, signed, timestamp};
use crate::s3::store::StoreError;
use crate::s3::store::records::{Object, Version};

const CHUNK: usize = 256 * 1024;

/// Files that are opened before the answer begins, so that an overwrite meanwhile cannot take them away.
const OPENED_AHEAD: usize = 16;

/// How often a read starts anew when the object was replaced between the index and its file.
const ATTEMPTS: usize = 5;

/// The part of a request that a GET and a HEAD have in common.
struct Wanted {
    bucket: String,
    key: String,
    version: Option<String>,
    range: Option<Range>,
    part: Option<i32>,
    condition: ReadCondition,
    checksum: bool,
}

/// What a read found, and which of its bytes are asked for.
struct Found {
    version: Version,
    object: Object,
    span: Span<u64>,
    partial: bool,
    checksum: Checksum,
}

/// A run of bytes of one file.
struct Piece {
    blob: String,
    span: Span<u64>,
    file: Option<std::fs::File>,
}

macro_rules! wanted {
    ($input:expr) => {
        Wanted {
            bucket: $input.bucket.clone(),
            key: $input.key.clone(),
            version: $input.version_id.clone(),
            range: $input.range,
            part: $input.part_number,
            checksum: $input.checksum_mode.is_some(),
            condition: ReadCondition {
                matches: $input.if_match.clone(),
                none_match: $input.if_none_match.clone(),
                modified_since: $input.if_modified_since.clone(),
                unmodified_since: $input.if_unmodified_since.clone(),
            },
        }
    };
}

macro_rules! output {
    ($kind:ident, $found:expr, $input:expr) => {{
        let (found, input) = (&$found, &$input);
        let description = &found.object.description;
        let size = found.object.size;
        $kind {
            accept_ranges: Some("bytes".into()),
            cache_control: input
                .response_cache_control
                .clone()
                .or_else(|| description.cache_control.clone()),
            checksum_crc32: found.checksum.checksum_crc32.clone(),
            checksum_crc32c: found.checksum.checksum_crc32c.clone(),
            checksum_crc64nvme: found.checksum.checksum_crc64nvme.clone(),
            checksum_sha1: found.checksum.checksum_sha1.clone(),
            checksum_sha256: found.checksum.checksum_sha256.clone(),
            checksum_type: found.checksum.checksum_type.clone(),
            content_disposition: (input.response_content_disposition.clone())
                .or_else(|| description.content_disposition.clone()),
            content_encoding: (input.response_content_encoding.clone())
                .or_else(|| description.content_encoding.clone()),
            content_language: (input.response_content_language.clone())
                .or_else(|| description.content_language.clone()),
            content_length: Some(signed(found.span.end - found.span.start)),
            content_range: (found.partial)
                .then(|| format!("bytes {}-{}/{size}", found.span.start, found.span.end.saturating_sub(1))),
            content_type: (input.response_content_type.clone())
                .or_else(|| description.content_type.clone())
                .or_else(|| Some("binary/octet-stream".into())),
            e_tag: Some(ETag::Strong(found.object.etag.clone())),
            expires: input
                .response_expires
                .clone()
                .or_else(|| description.expires.map(timestamp)),
            last_modified: Some(timestamp(found.version.modified)),
            metadata: Some(description.metadata.clone().into_iter().collect()),
            parts_count: parts_count(&found.object, input.part_number),
            server_side_encryption: Some(ServerSideEncryption::from(
                description.encryption.clone().unwrap_or_else(|| "AES256".into()),
            )),
            ssekms_key_id: description.encryption_key.clone(),
            storage_class: description.storage_class.clone().map(StorageClass::from),
            version_id: found.version.id.clone(),
            ..$kind::default()
        }
    }};
}

impl Backend {
    pub(super) async fn get(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        for _ in 1..ATTEMPTS {
            if let Some(answer) = self.try_get(&input).await? {
                return Ok(answer);
            }
        }
        Err(s3_error!(SlowDown, "The object is replaced faster than it can be read"))
    }

    async fn try_get(&self, input: &GetObjectInput) -> S3Result<Option<S3Response<GetObjectOutput>>> {
        let found = self.look_up(wanted!(input)).await?;
        let pieces = pieces(&found.object, found.span.clone());
        let opened = self
            .ask(move |store| open_ahead(pieces, |id| store.blobs.read(id)))
            .await;
        let Some(pieces) = opened? else {
            return Ok(None);
        };
        let mut output = output!(GetObjectOutput, found, input);
        output.tag_count = tag_count(&found.object);
        output.body = Some(StreamingBlob::wrap(self.stream(pieces)));
        Ok(Some(S3Response::new(output)))
    }

    pub(super) async fn head(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        let found = self.look_up(wanted!(input)).await?;
        let mut response = S3Response::new(output!(HeadObjectOutput, found, input));
        if found.partial {
            response.status = Some(http::StatusCode::PARTIAL_CONTENT);
        }
        Ok(response)
    }

    async fn look_up(&self, wanted: Wanted) -> S3Result<Found> {
        let (bucket, key, name) = (wanted.bucket.clone(), wanted.key.clone(), wanted.version.clone());
        let mut version = self
            .ask(move |store| store.find(&bucket, &key, name.as_deref()))
            .await?;
        let object = version.object.take().ok_or_else(|| s3_error!(NoSuchKey))?;
        wanted.condition.check(&version, &object)?;
        let span = span(&object, wanted.range, wanted.part)?;
        let whole = span.is_none();
        let all = 0..object.size;
        let checksum = object.checksum.as_ref().filter(|_| wanted.checksum && whole);
        let checksum = checksums::told(checksum);
        Ok(Found {
            version,
            span: span.unwrap_or(all),
            object,
            partial: !whole,
            checksum,
        })
    }

    fn stream(&self, pieces: VecDeque<Piece>) -> impl Stream<Item = io::Result<Bytes>> + Send + Sync + use<> {
        let store = self.store.clone();
        stream::iter(pieces)
            .then(move |piece| {
                let store = store.clone();
                async move {
                    let mut file = match piece.file {
                        Some(file) => File::from_std(file),
                        None => File::from_std(store.blobs.read(&piece.blob)?),
                    };
                    file.seek(io::SeekFrom::Start(piece.span.start)).await?;
                    Ok::<_, io::Error>(ReaderStream::with_capacity(
                        file.take(piece.span.end - piece.span.start),
                        CHUNK,
                    ))
                }
            })
            .try_flatten()
    }
}

/// The bytes that a range or part number asks for; `None` is all of them.
fn span(object: &Object, range: Option<Range>, part: Option<i32>) -> S3Result<Option<Span<u64>>> {
    match (range, part) {
        (Some(_), Some(_)) => Err(s3_error!(
            InvalidRequest,
            "Cannot specify both Range header and partNumber query parameter"
        )),
        (Some(_), None) if object.size == 0 => Err(unsatisfiable(0)),
        (Some(range), None) => range
            .check(object.size)
            .map(Some)
            .map_err(|_| unsatisfiable(object.size)),
        (None, Some(number)) => part_span(object, number).map(Some),
        (None, None) => Ok(None),
    }
}

fn unsatisfiable(size: u64) -> S3Error {
    let mut error = s3_error!(InvalidRange, "The requested range is not satisfiable");
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
        headers.insert(http::header::CONTENT_RANGE, value);
    }
    error.set_headers(headers);
    error
}

fn part_span(object: &Object, number: i32) -> S3Result<Span<u64>> {
    let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    let part = index.and_then(|index| object.segments.get(index).map(|part| (index, part)));
    let (index, part) =
        part.ok_or_else(|| failure::bad_request("InvalidPartNumber", "The requested partnumber is not satisfiable"))?;
    let start: u64 = object.segments[..index].iter().map(|part| part.size).sum();
    Ok(start..start + part.size)
}

fn parts_count(object: &Object, part: Option<i32>) -> Option<i32> {
    let count = i32::try_from(object.segments.len()).ok()?;
    (object.multipart && part.is_some()).then_some(count)
}

fn tag_count(object: &Object) -> Option<i32> {
    i32::try_from(object.description.tags.len())
        .ok()
        .filter(|count| *count > 0)
}

fn pieces(object: &Object, wanted: Span<u64>) -> VecDeque<Piece> {
    let mut begin = 0;
    let mut pieces = VecDeque::new();
    for segment in &object.segments {
        let here = begin..begin + segment.size;
        begin = here.end;
        let (start, end) = (wanted.start.max(here.start), wanted.end.min(here.end));
        if start < end {
            let span = start - here.start..end - here.start;
            pieces.push_back(Piece {
                blob: segment.blob.clone(),
                span,
                file: None,
            });
        }
    }
    pieces
}

/// Opens the first files; `None` when one of them has been replaced since the index was read.
fn open_ahead(
    mut pieces: VecDeque<Piece>,
    open: impl Fn(&str) -> io::Result<std::fs::File>,
) -> Result<Option<VecDeque<Piece>>, StoreError> {
    for piece in pieces.iter_mut().take(OPENED_AHEAD) {
        match open(&piece.blob) {
            Ok(file) => piece.file = Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Some(pieces))
}
