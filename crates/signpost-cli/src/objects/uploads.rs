//! `signpost uploads`: lists and aborts unfinished multipart uploads.

use reqwest::Method;
use signpost::wire::{UploadEntry, UploadsBody};

use super::listing::{PageCursor, check_prefix};
use super::{TransferSession, parse_urls, run_each};
use crate::command_context::CommandContext;
use crate::console_output::ObjectOutcome;
use crate::exit_status::ExitStatus;
use crate::object_url::ObjectUrl;
use crate::operation_error::OperationError;
use crate::options::UploadsOptions;
use crate::progress::ProgressMode;
use crate::signing_service::{InstructionRequest, QueryParameters, unexpected_response};

pub(super) async fn uploads(
    options: &UploadsOptions,
    context: &mut CommandContext<'_, '_>,
) -> Result<ExitStatus, OperationError> {
    let object_urls = parse_urls(&options.prefixes, &options.connection, context)?;
    let session = TransferSession::open(&object_urls, &options.connection, ProgressMode::None, context)?;
    let mut pending = Vec::new();
    let mut exit_statuses = Vec::new();
    for object_url in &object_urls {
        let prefix = object_url.as_prefix();
        match list(&session, &prefix).await {
            Ok(listed) => pending.extend(listed.into_iter().map(|listed| (prefix.clone(), listed))),
            Err(error) => {
                let outcome = ObjectOutcome::new("uploads", object_url.url());
                exit_statuses.push(session.console.report_failure(
                    outcome,
                    &format!("failed to list {object_url}"),
                    &error,
                ));
            }
        }
    }
    let process = async |(prefix, pending): (ObjectUrl, UploadEntry)| {
        process_upload(&session, &prefix, &pending, options.abort).await
    };
    exit_statuses.push(run_each(pending, process).await);
    Ok(run_each(exit_statuses, async |exit_status| exit_status).await)
}

async fn list(session: &TransferSession, prefix: &ObjectUrl) -> Result<Vec<UploadEntry>, OperationError> {
    let mut pending = Vec::new();
    let mut pages = PageCursor::default();
    loop {
        let mut query: QueryParameters = vec![("uploads".to_owned(), String::new())];
        query.extend(pages.query());
        let body = session
            .with_retries(async |_| session.service.get_json(prefix, &query).await)
            .await?;
        let page: UploadsBody = serde_json::from_slice(&body).map_err(|_| unexpected_response(prefix))?;
        check_prefix(&session.service, prefix, &page.prefix)?;
        pending.extend(page.uploads);
        if !pages.advance(page.next)? {
            return Ok(pending);
        }
    }
}

async fn process_upload(
    session: &TransferSession,
    prefix: &ObjectUrl,
    pending: &UploadEntry,
    abort: bool,
) -> ExitStatus {
    let outcome = ObjectOutcome::new("uploads", prefix.url())
        .with_field("key", pending.key.clone())
        .with_field("upload_id", pending.upload_id.clone())
        .with_optional("initiated", pending.initiated.clone());
    let initiated = pending.initiated.as_deref().unwrap_or("-");
    if !abort {
        session
            .console
            .report_success(outcome, &format!("{initiated:<20}  {}", pending.name));
        return ExitStatus::Success;
    }
    match abort_upload(session, prefix, pending).await {
        Ok(()) => {
            session.console.report_success(
                outcome.with_field("aborted", true),
                &format!("aborted  {}", pending.name),
            );
            ExitStatus::Success
        }
        Err(error) => session.console.report_failure(
            outcome,
            &format!("failed to abort the upload of {}", pending.name),
            &error,
        ),
    }
}

async fn abort_upload(
    session: &TransferSession,
    prefix: &ObjectUrl,
    pending: &UploadEntry,
) -> Result<(), OperationError> {
    let request = InstructionRequest {
        method: Method::DELETE,
        object_url: prefix.join(&pending.name)?,
        query: vec![("uploadId".to_owned(), pending.upload_id.clone())],
    };
    let aborted = session.with_retries(async |_| {
        let instruction = session.service.request_instruction(request.clone()).await?;
        session.store.send(&instruction, &[]).await
    });
    aborted.await.map(drop)
}
