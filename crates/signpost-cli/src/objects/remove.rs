//! `signpost rm`.

use reqwest::Method;

use super::{TransferSession, parse_object_urls, run_each};
use crate::command_context::CommandContext;
use crate::console_output::ObjectOutcome;
use crate::exit_status::ExitStatus;
use crate::object_url::ObjectUrl;
use crate::operation_error::OperationError;
use crate::options::ConnectionOptions;
use crate::progress::ProgressMode;
use crate::signing_service::InstructionRequest;

pub(super) async fn remove(
    texts: &[String],
    connection: &ConnectionOptions,
    context: &mut CommandContext<'_, '_>,
) -> Result<ExitStatus, OperationError> {
    let object_urls = parse_object_urls(texts, connection, context)?;
    let session = TransferSession::open(&object_urls, connection, ProgressMode::None, context)?;
    let delete = async |object_url: &ObjectUrl| {
        let outcome = ObjectOutcome::new("rm", object_url.url());
        match delete(&session, object_url).await {
            Ok(()) => {
                session.console.report_success(outcome, "");
                ExitStatus::Success
            }
            Err(error) => session
                .console
                .report_failure(outcome, &format!("failed to delete {object_url}"), &error),
        }
    };
    Ok(run_each(&object_urls, delete).await)
}

async fn delete(session: &TransferSession, object_url: &ObjectUrl) -> Result<(), OperationError> {
    session
        .with_retries(async |_| {
            let request = InstructionRequest {
                method: Method::DELETE,
                object_url: object_url.clone(),
                query: Vec::new(),
            };
            let instruction = session.service.request_instruction(request).await?;
            session.store.send(&instruction, &[]).await?;
            Ok(())
        })
        .await
}
