//! Uploads a file in parts. Parts that S3 has already are not sent again.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::Method;

use super::instruction_cache::PrefetchedInstruction;
use super::pending_upload::{PendingUpload, is_final_conflict, upload_part};
use super::upload_target::{UploadGoal, UploadResult, UploadTarget, parameter};
use super::{TransferSession, header};
use crate::checksum::{ContentChecksum, combine_checksums};
use crate::exit_status::ExitStatus;
use crate::local_files::OpenedFile;
use crate::multipart_xml::{ALGORITHM, ListedPart, UploadedPart};
use crate::operation_error::OperationError;
use crate::part_layout::{Part, PartLayout};
use crate::transfer_state::{ResumableUpload, TransferRecord};

/// How many parts are prepared before a permit is available.
const MAX_PREPARED_PARTS: usize = 6;

/// How many parts are sent at the same time. The concurrency limit can allow fewer.
const MAX_CONCURRENT_PARTS: usize = 8;

/// A multipart upload of a file.
pub(super) struct MultipartUpload<'a> {
    upload: &'a UploadTarget<'a>,
    opened: &'a OpenedFile,
    record: TransferRecord,
}

/// A part that is ready to be sent, or that an earlier command has sent.
enum PreparedPart<'a> {
    Send(Part, ContentChecksum, PrefetchedInstruction<'a>),
    Stored(Part, UploadedPart),
}

/// An upload that is in progress.
struct UploadPlan {
    pending: PendingUpload,
    layout: PartLayout,
    stored: BTreeMap<u32, ListedPart>,
}

impl<'a> MultipartUpload<'a> {
    pub(super) fn new(upload: &'a UploadTarget<'a>, opened: &'a OpenedFile) -> Self {
        let state = &upload.session.state;
        Self {
            upload,
            opened,
            record: state.upload(upload.object_url.url(), &opened.path),
        }
    }

    /// Uploads the file. If another client changed the object during the upload, S3 never completes it, so a new upload starts,
    /// once.
    pub(super) async fn run(&self) -> Result<UploadResult, OperationError> {
        match self.attempt().await {
            Err(error) if is_final_conflict(&error) => {
                self.session().progress.remove_bytes(self.len());
                self.session().console.print_note(&format!(
                    "{} changed during the upload; uploading the file again",
                    self.upload.object_url
                ));
                self.attempt().await
            }
            uploaded => uploaded,
        }
    }

    async fn attempt(&self) -> Result<UploadResult, OperationError> {
        let start = match self.resume().await? {
            Some(start) => start,
            None => self.begin().await?,
        };
        let plan = match start {
            UploadStart::Pending(plan) => plan,
            UploadStart::Completed(stored) => return Ok(stored),
        };
        let mut bytes_skipped = 0;
        let sent = self.send(&plan, &mut bytes_skipped).await;
        let completed = match sent {
            Ok(parts) => self.complete(&plan, &parts).await,
            Err(error) => Err(error),
        };
        match completed {
            Ok((checksum, etag)) => {
                self.record.delete();
                Ok(UploadResult {
                    bytes: self.len(),
                    checksum,
                    etag,
                    bytes_skipped,
                })
            }
            Err(error) => Err(self.clean_up(&plan, error).await),
        }
    }

    fn session(&self) -> &'a TransferSession {
        self.upload.session
    }

    fn len(&self) -> u64 {
        self.opened.source.len()
    }

    /// Resumes an upload of the same file, if there is one.
    async fn resume(&self) -> Result<Option<UploadStart>, OperationError> {
        let Some(resumable_upload) = self.record.load_upload() else {
            return Ok(None);
        };
        let pending = PendingUpload {
            id: resumable_upload.upload_id.clone(),
        };
        let layout = PartLayout::with_part_size(self.len(), resumable_upload.part_size)
            .filter(|_| resumable_upload == self.upload_state(&pending, resumable_upload.part_size));
        let Some(layout) = layout else {
            // The file or its attributes have changed, so the stored parts are not usable.
            pending.abort(self.upload).await;
            self.record.delete();
            return Ok(None);
        };
        match pending.parts(self.upload).await {
            Ok(stored) => {
                self.record.mark_resumable();
                Ok(Some(UploadStart::Pending(UploadPlan {
                    pending,
                    layout,
                    stored,
                })))
            }
            Err(error) if error.code.as_deref() == Some("NoSuchUpload") => {
                self.record.delete();
                // The upload may be gone because an earlier command completed it.
                Ok(self.find_stored(layout).await?.map(UploadStart::Completed))
            }
            Err(error) => Err(error),
        }
    }

    /// The object at the URL, if it has the bytes of the file.
    async fn find_stored(&self, layout: PartLayout) -> Result<Option<UploadResult>, OperationError> {
        let Ok(headers) = self.session().head_object(&self.upload.object_url).await else {
            return Ok(None);
        };
        if header(&headers, "content-length") != Some(self.len().to_string()) {
            return Ok(None);
        }
        let hashes = stream::iter(layout.parts()).map(|part| async move {
            let checksum = self.opened.part_source(part).checksum(ALGORITHM).await?;
            Ok::<_, OperationError>((part, checksum))
        });
        let hashes: Vec<_> = hashes.buffered(2).try_collect().await?;
        let checksum = combine_checksums(hashes.iter().map(|(part, checksum)| (*part, checksum)));
        let Some(checksum) = checksum.filter(|actual| ContentChecksum::from_headers(&headers).as_ref() == Some(actual))
        else {
            return Ok(None);
        };
        self.session().progress.add_existing_bytes(self.len());
        Ok(Some(UploadResult {
            bytes: self.len(),
            checksum,
            etag: header(&headers, "etag"),
            bytes_skipped: self.len(),
        }))
    }

    async fn begin(&self) -> Result<UploadStart, OperationError> {
        let layout = PartLayout::for_length(self.len());
        if self.is_blocked().await? {
            let stored = match self.upload.goal {
                UploadGoal::Ensure => self.find_stored(layout).await?,
                UploadGoal::Create => None,
            };
            let exists_error = || {
                let rejection = OperationError::new(ExitStatus::Conflict, "").with_code("PreconditionFailed");
                self.upload.exists_error(rejection)
            };
            return stored.map(UploadStart::Completed).ok_or_else(exists_error);
        }
        let pending = PendingUpload::begin(self.upload, Some(self.len())).await?;
        if let Err(error) = self
            .record
            .save_upload(&self.upload_state(&pending, layout.part_size()))
        {
            self.session()
                .console
                .print_note(&format!("this upload cannot be resumed after an interruption: {error}"));
        }
        Ok(UploadStart::Pending(UploadPlan {
            pending,
            layout,
            stored: BTreeMap::new(),
        }))
    }

    fn upload_state(&self, pending: &PendingUpload, part_size: u64) -> ResumableUpload {
        ResumableUpload {
            url: self.upload.object_url.url().to_owned(),
            file: self.opened.path.clone(),
            identity: self.opened.identity.clone(),
            content_type: self.upload.attributes.content_type.clone(),
            metadata: self.upload.attributes.metadata.clone(),
            upload_id: pending.id.clone(),
            part_size,
        }
    }

    /// Returns true if the object exists and must not be replaced. Otherwise only the completion, after all parts are
    /// sent, would report this.
    async fn is_blocked(&self) -> Result<bool, OperationError> {
        let upload = self.upload;
        let query = [parameter("contentLength", &1)]
            .into_iter()
            .chain(upload.attributes.query())
            .collect();
        let probe = upload.instruction_request(Method::PUT, query);
        let put = self
            .session()
            .with_retries(async |_| self.session().service.request_instruction(probe.clone()).await)
            .await?;
        let only_creates = upload.attributes.no_clobber || put.headers.contains_key("if-none-match");
        Ok(only_creates && self.session().head_object(&upload.object_url).await.is_ok())
    }

    /// Sends the parts that S3 does not have.
    async fn send(&self, plan: &UploadPlan, bytes_skipped: &mut u64) -> Result<Vec<UploadedPart>, OperationError> {
        let parts = stream::iter(plan.layout.parts())
            .map(|part| self.prepare(plan, part))
            .buffered(MAX_PREPARED_PARTS)
            .map(|ready| async {
                match ready? {
                    PreparedPart::Stored(part, uploaded) => Ok((part.len, uploaded)),
                    PreparedPart::Send(part, checksum, instruction) => {
                        let source = self.opened.part_source(part);
                        let uploaded = upload_part(self.session(), &source, part.number, checksum, instruction).await?;
                        Ok((0, uploaded))
                    }
                }
            })
            .buffer_unordered(MAX_CONCURRENT_PARTS);
        let parts: Vec<_> = parts.try_collect::<Vec<(u64, UploadedPart)>>().await?;
        *bytes_skipped = parts.iter().map(|(bytes_skipped, _)| bytes_skipped).sum();
        let mut parts: Vec<_> = parts.into_iter().map(|(_, part)| part).collect();
        parts.sort_by_key(|part| part.number);
        Ok(parts)
    }

    async fn prepare(&self, plan: &UploadPlan, part: Part) -> Result<PreparedPart<'a>, OperationError> {
        let checksum = self.opened.part_source(part).checksum(ALGORITHM).await?;
        let listed = plan.stored.get(&part.number);
        if let Some(listed) = listed.filter(|listed| listed.matches_content(part.len, &checksum)) {
            self.session().progress.add_existing_bytes(part.len);
            let uploaded = UploadedPart {
                number: part.number,
                etag: listed.etag.clone(),
                checksum,
            };
            return Ok(PreparedPart::Stored(part, uploaded));
        }
        let instruction = plan
            .pending
            .prefetch_part(self.upload, part.number, part.len, &checksum)
            .await;
        Ok(PreparedPart::Send(part, checksum, instruction))
    }

    async fn complete(
        &self,
        plan: &UploadPlan,
        parts: &[UploadedPart],
    ) -> Result<(ContentChecksum, Option<String>), OperationError> {
        if !self.opened.is_unchanged() {
            return Err(OperationError::new(
                ExitStatus::Conflict,
                format!("{} changed during the upload", self.opened.path.display()),
            )
            .with_remedy("Run the command again to upload the current file."));
        }
        let checksum = combine_checksums(plan.layout.parts().zip(parts.iter().map(|part| &part.checksum)));
        let checksum = checksum.expect("all checksums have the same algorithm");
        let etag = plan.pending.complete(self.upload, parts, &checksum, self.len()).await?;
        Ok((checksum, etag))
    }

    /// Preserves an upload that another command can resume, and aborts any other.
    async fn clean_up(&self, plan: &UploadPlan, error: OperationError) -> OperationError {
        match error.exit_status {
            ExitStatus::Conflict => {
                plan.pending.abort(self.upload).await;
                self.record.delete();
                error
            }
            ExitStatus::Temporary if self.session().state.has_resumable() => {
                error.with_remedy("Run the same command again to resume.")
            }
            _ => error,
        }
    }
}

/// How the upload starts.
enum UploadStart {
    Pending(UploadPlan),
    Completed(UploadResult),
}
