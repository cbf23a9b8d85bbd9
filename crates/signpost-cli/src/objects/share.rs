//! `signpost share`.

use serde_json::{Value, json};
use signpost::wire::ShareLinkBody;

use super::{TransferSession, parse_urls};
use crate::command_context::CommandContext;
use crate::console_output::ObjectOutcome;
use crate::exit_status::ExitStatus;
use crate::object_url::ObjectUrl;
use crate::operation_error::OperationError;
use crate::options::ShareOptions;
use crate::progress::ProgressMode;
use crate::signing_service::unexpected_response;

pub(super) async fn share(
    options: &ShareOptions,
    context: &mut CommandContext<'_, '_>,
) -> Result<ExitStatus, OperationError> {
    let object_urls = parse_urls(std::slice::from_ref(&options.object), &options.connection, context)?;
    let session = TransferSession::open(&object_urls, &options.connection, ProgressMode::None, context)?;
    let object_url = &object_urls[0];
    let outcome = ObjectOutcome::new("share", object_url.url());
    Ok(match request_link(&session, object_url, options).await {
        Ok(shared) => {
            session.console.print_result_note(&format!(
                "the id of the link is {}, and it expires at {}; to revoke it, add the id to `revoked` in the table [share] of the rules",
                shared.id, shared.expires_at
            ));
            let outcome = outcome
                .with_field("link", shared.url.clone())
                .with_field("id", shared.id)
                .with_field("methods", shared.methods)
                .with_field("expires_at", shared.expires_at);
            let outcome = match shared.uses {
                Some(uses) => outcome.with_field("uses", uses),
                None => outcome,
            };
            session.console.report_success(outcome, &shared.url);
            ExitStatus::Success
        }
        Err(error) => session
            .console
            .report_failure(outcome, &format!("failed to share {object_url}"), &error),
    })
}

async fn request_link(
    session: &TransferSession,
    object_url: &ObjectUrl,
    options: &ShareOptions,
) -> Result<ShareLinkBody, OperationError> {
    let base = session
        .with_retries(async |_| session.service.base_url(object_url).await)
        .await?;
    let key = object_url
        .key_at(&base)
        .ok_or_else(|| OperationError::usage("the whole bucket cannot be shared; share a prefix"))?;
    let mut body = if object_url.is_prefix() {
        json!({"prefix": key})
    } else {
        json!({"key": key})
    };
    let mut add = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body[name] = value;
        }
    };
    add("expires", options.expires.clone().map(Value::from));
    add(
        "methods",
        (!options.methods.is_empty()).then(|| options.methods.clone().into()),
    );
    add("max_bytes", options.max_bytes.map(Value::from));
    add("uses", options.uses.map(Value::from));
    let body = session
        .with_retries(async |_| session.service.post_json(&base, "/-/share", &body).await)
        .await?;
    serde_json::from_slice(&body).map_err(|_| unexpected_response(object_url))
}
