//! The requests of a multipart upload: create, list parts, upload a part, complete and abort.

use std::collections::BTreeMap;

use reqwest::Method;

use super::instruction_cache::PrefetchedInstruction;
use super::upload_target::{UploadTarget, checksum_parameter, parameter};
use super::{TransferSession, header};
use crate::checksum::ContentChecksum;
use crate::exit_status::ExitStatus;
use crate::multipart_xml::{self, ListedPart, UploadedPart};
use crate::operation_error::{OperationError, RetryAdvice};
use crate::s3_client;
use crate::signing_service::QueryParameters;
use crate::upload_source::UploadSource;

/// The maximum number of parts in a page.
const PAGE_SIZE: u32 = 1000;

/// A multipart upload in S3.
#[derive(Clone, Debug)]
pub(super) struct PendingUpload {
    pub(super) id: String,
}

impl PendingUpload {
    /// Creates a multipart upload.
    pub(super) async fn begin(target: &UploadTarget<'_>, len: Option<u64>) -> Result<Self, OperationError> {
        let mut query = vec![
            parameter("uploads", ""),
            parameter("checksum-algorithm", "CRC64NVME"),
            parameter("checksum-type", "FULL_OBJECT"),
        ];
        query.extend(len.map(|len| parameter("contentLength", &len)));
        query.extend(target.attributes.query());
        let body = send_document(target, Method::POST, &query, "").await?;
        let id = multipart_xml::parse_upload_id(&body);
        let id = id.ok_or_else(|| OperationError::new(ExitStatus::Failure, "the response of S3 has no upload id"))?;
        Ok(Self { id })
    }

    /// Requests the instruction for a part.
    pub(super) async fn prefetch_part<'a>(
        &self,
        target: &UploadTarget<'a>,
        number: u32,
        len: u64,
        checksum: &ContentChecksum,
    ) -> PrefetchedInstruction<'a> {
        let query = vec![
            parameter("partNumber", &number),
            parameter("uploadId", &self.id),
            parameter("contentLength", &len),
            checksum_parameter(checksum),
        ];
        PrefetchedInstruction::prefetch(target.session, target.instruction_request(Method::PUT, query)).await
    }

    /// Lists the stored parts.
    pub(super) async fn parts(&self, target: &UploadTarget<'_>) -> Result<BTreeMap<u32, ListedPart>, OperationError> {
        let mut parts = BTreeMap::new();
        let mut marker = None;
        loop {
            let mut query = vec![parameter("uploadId", &self.id), parameter("max-parts", &PAGE_SIZE)];
            query.extend(marker.map(|marker: u32| parameter("part-number-marker", &marker)));
            let body = send_document(target, Method::GET, &query, "").await?;
            let page = multipart_xml::parse_parts_page(&body);
            let page = page
                .ok_or_else(|| OperationError::new(ExitStatus::Failure, "the response of S3 is not a list of parts"))?;
            marker = page.next_marker();
            parts.extend(page.parts.into_iter().map(|part| (part.part_number, part)));
            if marker.is_none() {
                return Ok(parts);
            }
        }
    }

    /// Completes the upload; S3 compares the checksum of the object.
    pub(super) async fn complete(
        &self,
        target: &UploadTarget<'_>,
        parts: &[UploadedPart],
        checksum: &ContentChecksum,
        len: u64,
    ) -> Result<Option<String>, OperationError> {
        let mut query: QueryParameters = vec![
            parameter("uploadId", &self.id),
            checksum_parameter(checksum),
            parameter("checksum-type", "FULL_OBJECT"),
            parameter("mp-object-size", &len),
        ];
        query.extend(target.attributes.no_clobber.then(|| parameter("ifNoneMatch", "*")));
        let document = multipart_xml::completion_body(parts);
        let session = target.session;
        let completed = session.with_retries(async |failures| {
            let request = target.instruction_request(Method::POST, query.clone());
            let instruction = session.service.request_instruction(request).await?;
            let completed = session.store.send_document(&instruction, document.clone()).await;
            let completed = completed
                .and_then(|body| parse_completion(&body))
                .map_err(final_conflict);
            match completed {
                // An earlier attempt, whose response was lost, may have completed the upload.
                Err(error)
                    if failures > 0 && matches!(error.exit_status, ExitStatus::Conflict | ExitStatus::NotFound) =>
                {
                    target.find_stored(checksum).await.ok_or(error)
                }
                completed => completed,
            }
        });
        completed.await.map_err(|error| target.exists_error(error))
    }

    /// Aborts an upload that no command will complete. If this fails, the parts remain stored until they are cleaned
    /// up.
    pub(super) async fn abort(&self, target: &UploadTarget<'_>) {
        let request = target.instruction_request(Method::DELETE, vec![parameter("uploadId", &self.id)]);
        if let Ok(instruction) = target.session.service.request_instruction(request).await {
            let _ = target.session.store.send(&instruction, &[]).await;
        }
    }
}

/// Uploads one part.
pub(super) async fn upload_part(
    session: &TransferSession,
    source: &UploadSource,
    number: u32,
    checksum: ContentChecksum,
    mut prefetched: PrefetchedInstruction<'_>,
) -> Result<UploadedPart, OperationError> {
    let _permit = session.concurrency.acquire(source.len()).await;
    let etag = session
        .with_retries(async |_| {
            let instruction = prefetched.take().await?;
            let response = session.store.upload(&instruction, source, &session.progress).await?;
            let etag = header(response.headers(), "etag");
            etag.ok_or_else(|| OperationError::new(ExitStatus::Failure, "the response of S3 has no ETag"))
        })
        .await?;
    Ok(UploadedPart { number, etag, checksum })
}

/// Marks a conflict as final: S3 would reject every further attempt to complete the same upload. A conflict of another operation
/// can be retried
/// ([CompleteMultipartUpload](https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html)).
fn final_conflict(error: OperationError) -> OperationError {
    if !is_final_conflict(&error) {
        return error;
    }
    OperationError {
        exit_status: ExitStatus::Conflict,
        ..error.with_retry(RetryAdvice::Never)
    }
}

/// Returns true if only a new upload can succeed.
pub(super) fn is_final_conflict(error: &OperationError) -> bool {
    error.code.as_deref() == Some("ConditionalRequestConflict")
}

/// S3 can return a success status and then an error in the body
/// ([CompleteMultipartUpload](https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html)).
fn parse_completion(body: &[u8]) -> Result<Option<String>, OperationError> {
    match multipart_xml::parse_completed_etag(body) {
        Some(etag) => Ok(Some(etag)),
        None => Err(s3_client::error_in_success_response(body)),
    }
}

async fn send_document(
    target: &UploadTarget<'_>,
    method: Method,
    query: &QueryParameters,
    document: &str,
) -> Result<bytes::Bytes, OperationError> {
    let session = target.session;
    session
        .with_retries(async |_| {
            let request = target.instruction_request(method.clone(), query.clone());
            let instruction = session.service.request_instruction(request).await?;
            session.store.send_document(&instruction, document.to_owned()).await
        })
        .await
}
