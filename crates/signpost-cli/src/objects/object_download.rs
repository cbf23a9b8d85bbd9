//! Downloads one object in one stream, which resumes after a broken connection.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::{CONTENT_LENGTH, ETAG, HeaderMap, IF_MATCH, RANGE};
use reqwest::{Method, Response, StatusCode};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::SemaphorePermit;

use super::instruction_cache::CachedInstruction;
use super::{TransferSession, checksum_mode, header};
use crate::blocking_task::run_blocking;
use crate::checksum::{ChecksumAlgorithm, ChecksumHasher, ContentChecksum};
use crate::exit_status::ExitStatus;
use crate::file_writer::PartWriter;
use crate::http_client;
use crate::object_url::ObjectUrl;
use crate::operation_error::OperationError;
use crate::output_path::OutputPath;
use crate::part_layout::{Part, PartLayout};
use crate::signing_service::InstructionRequest;
use crate::transfer_state::RemoteObject;

/// A download of an object.
pub(super) struct ObjectDownload<'a> {
    pub(super) session: &'a TransferSession,
    /// The expected length.
    expected_len: u64,
    /// One URL is valid for all ranges.
    url: CachedInstruction<'a>,
}

/// The response to the first request.
pub(super) struct FirstResponse<'a> {
    pub(super) object: RemoteObject,
    pub(super) response: Response,
    pub(super) permit: SemaphorePermit<'a>,
}

/// The result of a download.
pub(super) struct DownloadResult {
    pub(super) bytes: u64,
    /// The verified checksum, if S3 returned one.
    pub(super) verified: Option<ContentChecksum>,
    /// The bytes that an earlier command downloaded.
    pub(super) bytes_skipped: u64,
}

/// A part of the object that can take several connections.
pub(super) struct PartStream<'a> {
    pub(super) object: &'a RemoteObject,
    pub(super) part: Part,
    /// The number of bytes that have been received.
    pub(super) received: u64,
}

impl<'a> ObjectDownload<'a> {
    pub(super) fn new(session: &'a TransferSession, object_url: &ObjectUrl, expected_len: u64) -> Self {
        let request = InstructionRequest {
            method: Method::GET,
            object_url: object_url.clone(),
            query: vec![checksum_mode()],
        };
        Self {
            session,
            expected_len,
            url: CachedInstruction::new(session, request),
        }
    }

    /// Reports the actual length to the progress display.
    pub(super) fn set_length(&self, len: u64) {
        self.session.progress.correct_length(self.expected_len, len);
    }

    /// Requests the whole object, and reads its properties from the response.
    pub(super) async fn start(&self) -> Result<FirstResponse<'a>, OperationError> {
        let session = self.session;
        let started = session.with_retries(async |_| {
            // The instruction is requested before the permit, so that no permit is held while the command waits for
            // it.
            self.url.current().await?;
            let permit = session.concurrency.acquire(0).await;
            let instruction = self.url.current().await?;
            let sent = session.store.send(&instruction, &[]).await;
            Ok((self.url.check_sent(sent).await?, permit))
        });
        let (response, permit) = started.await?;
        Ok(FirstResponse {
            object: object_from_headers(response.headers())?,
            response,
            permit,
        })
    }

    /// Requests the missing bytes of a part.
    pub(super) async fn request_rest(&self, stream: &PartStream<'_>) -> Result<Response, OperationError> {
        let PartStream { object, part, received } = stream;
        let instruction = self.url.current().await?;
        let range = format!("bytes={}-{}", part.start + received, part.end() - 1);
        let unchanged = [(RANGE.as_str(), range.as_str()), (IF_MATCH.as_str(), &object.etag)];
        let sent = self.session.store.send(&instruction, &unchanged).await;
        let response = self.url.check_sent(sent).await.map_err(changed_error)?;
        // A store that ignores `If-Match` still returns another `ETag`.
        if header(response.headers(), ETAG.as_str()).as_deref() != Some(&object.etag) {
            return Err(changed_error(OperationError::new(ExitStatus::Conflict, "")));
        }
        if response.status() != StatusCode::PARTIAL_CONTENT {
            return Err(OperationError::new(
                ExitStatus::Failure,
                "S3 does not support ranges for this object",
            ));
        }
        Ok(response)
    }

    /// Passes the bytes of a part to `consume`, starting with an existing response.
    pub(super) async fn stream_part(
        &self,
        stream: &mut PartStream<'_>,
        mut first: Option<Response>,
        mut take: impl AsyncFnMut(Bytes) -> Result<(), OperationError>,
    ) -> Result<(), OperationError> {
        let session = self.session;
        session
            .with_retries(async |_| {
                while stream.received < stream.part.len {
                    let mut response = match first.take() {
                        Some(response) => response,
                        None => self.request_rest(stream).await?,
                    };
                    let before = stream.received;
                    // The first response can extend beyond the part; other requests download the rest.
                    while stream.received < stream.part.len
                        && let Some(mut bytes) = http_client::next_chunk(&mut response).await?
                    {
                        let missing = stream.part.len - stream.received;
                        bytes.truncate(usize::try_from(missing).unwrap_or(usize::MAX));
                        let len = bytes.len() as u64;
                        take(bytes).await?;
                        session.progress.add_bytes(len);
                        stream.received += len;
                    }
                    if stream.received == before {
                        return Err(OperationError::temporary("the response of S3 ended early"));
                    }
                }
                Ok(())
            })
            .await
    }

    /// Writes the object to standard output.
    pub(super) async fn copy_to_stdout(&self) -> Result<DownloadResult, OperationError> {
        let mut stdout = tokio::io::stdout();
        let io_error = |error| OperationError::io("failed to write to standard output", &error);
        let result = self
            .copy_to(async |bytes| stdout.write_all(&bytes).await.map_err(io_error))
            .await?;
        stdout.flush().await.map_err(io_error)?;
        Ok(result)
    }

    /// Writes the object to an open file, a device or a FIFO, in order. Errors contain the path that the user named.
    pub(super) async fn copy_to_stream(
        &self,
        output: OutputPath,
        path: &Path,
    ) -> Result<DownloadResult, OperationError> {
        let io_error =
            |error: io::Error| OperationError::io(format_args!("failed to write to {}", path.display()), &error);
        let opened = run_blocking(move || output.open()).await;
        let file = Arc::new(opened.map_err(io_error)?);
        self.copy_to(async |bytes| {
            let file = Arc::clone(&file);
            run_blocking(move || (&*file).write_all(&bytes)).await.map_err(io_error)
        })
        .await
    }

    async fn copy_to(
        &self,
        mut write: impl AsyncFnMut(Bytes) -> Result<(), OperationError>,
    ) -> Result<DownloadResult, OperationError> {
        let FirstResponse {
            object,
            response,
            permit,
        } = self.start().await?;
        self.set_length(object.len);
        let mut hasher = object.checksum.as_ref().map(|expected| expected.algorithm.hasher());
        let mut stream = PartStream::whole(&object);
        self.stream_part(&mut stream, Some(response), async |bytes| {
            if let Some(hasher) = &mut hasher {
                hasher.update(&bytes);
            }
            write(bytes).await
        })
        .await?;
        drop(permit);
        self.session.progress.finish_file();
        DownloadResult::checked(&object, hasher.map(ChecksumHasher::finish))
    }

    /// Writes the object to an open file.
    pub(super) async fn copy_to_file(
        &self,
        object: &RemoteObject,
        response: Response,
        file: File,
    ) -> Result<DownloadResult, OperationError> {
        let algorithm = object.checksum.as_ref().map(|expected| expected.algorithm);
        let mut writer = PartWriter::new(file, 0, algorithm.unwrap_or(ChecksumAlgorithm::Crc64Nvme));
        let mut stream = PartStream::whole(object);
        self.stream_part(&mut stream, Some(response), async |bytes| writer.append(bytes).await)
            .await?;
        let checksum = writer.finish().await?;
        DownloadResult::checked(object, algorithm.and(Some(checksum)))
    }
}

impl<'a> PartStream<'a> {
    pub(super) fn whole(object: &'a RemoteObject) -> Self {
        Self::of_part(
            object,
            Part {
                number: 1,
                start: 0,
                len: object.len,
            },
        )
    }

    pub(super) const fn of_part(object: &'a RemoteObject, part: Part) -> Self {
        Self {
            object,
            part,
            received: 0,
        }
    }
}

impl DownloadResult {
    /// Compares the checksum with the checksum from S3.
    pub(super) fn checked(object: &RemoteObject, actual: Option<ContentChecksum>) -> Result<Self, OperationError> {
        match (&object.checksum, actual) {
            (Some(expected), Some(actual)) if *expected != actual => Err(OperationError::new(
                ExitStatus::WrongChecksum,
                format!("the checksum is {actual}, but S3 returned {expected}"),
            )
            .with_remedy(
                "The download was discarded. Run the command again. If the error persists, the object is damaged.",
            )),
            (expected, actual) => Ok(Self {
                bytes: object.len,
                verified: expected.clone().filter(|_| actual.is_some()),
                bytes_skipped: 0,
            }),
        }
    }
}

fn object_from_headers(headers: &HeaderMap) -> Result<RemoteObject, OperationError> {
    let len = header(headers, CONTENT_LENGTH.as_str()).and_then(|len| len.parse().ok());
    let (Some(len), Some(etag)) = (len, header(headers, ETAG.as_str())) else {
        return Err(OperationError::new(
            ExitStatus::Failure,
            "the response of S3 has no Content-Length or no ETag",
        ));
    };
    let layout = PartLayout::with_part_size(len, PartLayout::for_length(len).part_size()).ok_or_else(|| {
        OperationError::new(
            ExitStatus::Failure,
            format!("S3 returned a length of {len} bytes, which exceeds the maximum object size"),
        )
    })?;
    Ok(RemoteObject {
        etag,
        len,
        checksum: ContentChecksum::from_headers(headers),
        range_size: layout.part_size(),
    })
}

/// Converts a failed `If-Match`: the object has changed.
fn changed_error(error: OperationError) -> OperationError {
    if error.exit_status != ExitStatus::Conflict {
        return error;
    }
    OperationError::new(ExitStatus::Conflict, "the object changed during the download")
        .with_remedy("Run the command again to download the current object.")
}
