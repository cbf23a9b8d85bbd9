//! Uploads a file: in one request, or in parts if it is large.

use super::multipart_upload::MultipartUpload;
use super::upload_target::{UploadResult, UploadTarget};
use crate::local_files::OpenedFile;
use crate::operation_error::OperationError;
use crate::part_layout::MAX_SINGLE_UPLOAD;

/// Uploads a file.
pub(super) async fn upload_file(
    target: &UploadTarget<'_>,
    opened: &OpenedFile,
) -> Result<UploadResult, OperationError> {
    let session = target.session;
    let result = if opened.source.len() < MAX_SINGLE_UPLOAD {
        target.upload_single(&opened.source).await
    } else {
        let _permit = session
            .large_files
            .acquire()
            .await
            .expect("the semaphore is never closed");
        MultipartUpload::new(target, opened).run().await
    };
    if result.is_ok() {
        session.progress.finish_file();
    }
    result
}
