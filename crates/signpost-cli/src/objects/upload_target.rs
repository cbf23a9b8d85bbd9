//! An upload of one object, and the upload in one request.

use std::sync::Arc;

use reqwest::Method;

use super::instruction_cache::PrefetchedInstruction;
use super::{TransferSession, header};
use crate::checksum::ContentChecksum;
use crate::exit_status::ExitStatus;
use crate::multipart_xml::ALGORITHM;
use crate::object_url::ObjectUrl;
use crate::operation_error::OperationError;
use crate::signing_service::{InstructionRequest, QueryParameters};
use crate::upload_source::UploadSource;

/// An upload of an object.
#[derive(Clone)]
pub(super) struct UploadTarget<'a> {
    pub(super) session: &'a TransferSession,
    pub(super) object_url: ObjectUrl,
    pub(super) attributes: Arc<ObjectAttributes>,
    pub(super) goal: UploadGoal,
}

/// When an upload has succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UploadGoal {
    /// This upload has created the object.
    Create,
    /// The object exists with these bytes, so that a folder can be uploaded again.
    Ensure,
}

/// The attributes of the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ObjectAttributes {
    pub(super) content_type: Option<String>,
    pub(super) metadata: Vec<(String, String)>,
    pub(super) no_clobber: bool,
}

/// The result of an upload.
pub(super) struct UploadResult {
    pub(super) bytes: u64,
    /// The checksum that S3 has verified.
    pub(super) checksum: ContentChecksum,
    pub(super) etag: Option<String>,
    /// The bytes that were stored before.
    pub(super) bytes_skipped: u64,
}

impl UploadTarget<'_> {
    /// Uploads the bytes in one request.
    pub(super) async fn upload_single(&self, source: &UploadSource) -> Result<UploadResult, OperationError> {
        let session = self.session;
        let checksum = source.checksum(ALGORITHM).await?;
        let request = self.instruction_request(Method::PUT, self.put_parameters(source.len(), &checksum));
        let mut prefetched = PrefetchedInstruction::prefetch(session, request).await;
        let _permit = session.concurrency.acquire(source.len()).await;
        let mut bytes_skipped = 0;
        let etag = session
            .with_retries(async |failures| {
                let instruction = prefetched.take().await?;
                match session.store.upload(&instruction, source, &session.progress).await {
                    Ok(response) => Ok(header(response.headers(), "etag")),
                    // An earlier attempt, whose response was lost, may have created the object.
                    Err(error) if error.exit_status == ExitStatus::Conflict && failures > 0 => {
                        self.find_stored(&checksum).await.ok_or(error)
                    }
                    Err(error) if self.goal == UploadGoal::Ensure && is_existing_object(&error) => {
                        let etag = self.find_stored(&checksum).await.ok_or(error)?;
                        session.progress.add_existing_bytes(source.len());
                        bytes_skipped = source.len();
                        Ok(etag)
                    }
                    Err(error) => Err(error),
                }
            })
            .await
            .map_err(|error| self.exists_error(error))?;
        Ok(UploadResult {
            bytes: source.len(),
            checksum,
            etag,
            bytes_skipped,
        })
    }

    pub(super) fn instruction_request(&self, method: Method, query: QueryParameters) -> InstructionRequest {
        InstructionRequest {
            method,
            object_url: self.object_url.clone(),
            query,
        }
    }

    fn put_parameters(&self, len: u64, checksum: &ContentChecksum) -> QueryParameters {
        let mut query = vec![parameter("contentLength", &len), checksum_parameter(checksum)];
        query.extend(self.attributes.no_clobber.then(|| parameter("ifNoneMatch", "*")));
        query.extend(self.attributes.query());
        query
    }

    /// The `ETag` of the existing object, if it has the same bytes.
    pub(super) async fn find_stored(&self, checksum: &ContentChecksum) -> Option<Option<String>> {
        let headers = self.session.head_object(&self.object_url).await.ok()?;
        let is_same = ContentChecksum::from_headers(&headers).as_ref() == Some(checksum);
        is_same.then(|| header(&headers, "etag"))
    }

    /// Converts a failed `If-None-Match`: the object exists.
    pub(super) fn exists_error(&self, error: OperationError) -> OperationError {
        if !is_existing_object(&error) {
            return error;
        }
        let exists = OperationError::new(ExitStatus::Conflict, format!("{} exists", self.object_url));
        if self.attributes.no_clobber {
            return exists;
        }
        exists
            .with_remedy("The rules of the service do not allow objects to be replaced. Delete the object first, or use another name.")
    }
}

/// Returns true if the object exists: a condition has failed. Other conflicts have other reasons.
fn is_existing_object(error: &OperationError) -> bool {
    matches!(error.code.as_deref(), Some("PreconditionFailed" | "412"))
}

impl ObjectAttributes {
    /// The query parameters for the attributes.
    pub(super) fn query(&self) -> QueryParameters {
        let media = self
            .content_type
            .as_deref()
            .map(|media| parameter("contentType", media));
        let metadata = self.metadata.iter();
        let metadata = metadata.map(|(name, value)| (format!("meta-{name}"), value.clone()));
        media.into_iter().chain(metadata).collect()
    }
}

pub(super) fn parameter(name: &str, value: &(impl ToString + ?Sized)) -> (String, String) {
    (name.to_owned(), value.to_string())
}

pub(super) fn checksum_parameter(checksum: &ContentChecksum) -> (String, String) {
    (
        format!("checksum-{}", checksum.algorithm.name()),
        checksum.value.clone(),
    )
}
