//! `signpost login`, `logout` and `whoami`.

use std::io::IsTerminal as _;

use serde_json::json;

use crate::SystemAccess;
use crate::command_context::{CommandContext, SourcedCredential};
use crate::command_report::{CommandError, CommandReport};
use crate::credential::{ServiceCredential, is_secure_origin, parse_token};
use crate::exit_status::ExitStatus;
use crate::http_client::HttpClients;
use crate::object_url::ObjectUrl;
use crate::operation_error::OperationError;
use crate::options::{ConnectionOptions, LoginCommand, LoginOptions};
use crate::profile_store::{DEFAULT_PROFILE, ServiceProfile};
use crate::secret_text::SecretText;
use crate::signing_service::SigningService;
use crate::transfer_state::StateFolder;

pub(crate) fn run(command: &LoginCommand, system: &mut SystemAccess<'_>) -> Result<CommandReport, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| OperationError::io("failed to start the runtime", &error))?;
    let mut context = CommandContext::new(StateFolder::of_user(), system)?;
    Ok(match command {
        LoginCommand::Login(options) => runtime.block_on(login(options, &mut context))?,
        LoginCommand::Logout { profile } => logout(profile.as_deref().unwrap_or(DEFAULT_PROFILE), &mut context)?,
        LoginCommand::Whoami { connection } => runtime.block_on(whoami(connection, &mut context))?,
    })
}

async fn login(options: &LoginOptions, context: &mut CommandContext<'_, '_>) -> Result<CommandReport, OperationError> {
    let service_url = ObjectUrl::parse(&options.url, None)
        .map_err(|_| OperationError::usage("the URL must be the URL of a service"))?;
    if service_url.share_token.is_some() {
        return Err(OperationError::usage(
            "the URL must be the URL of a service, not a share link",
        ));
    }
    if !is_secure_origin(service_url.origin()) {
        return Err(OperationError::usage(format!(
            "the token would be sent unencrypted to {}",
            service_url.origin()
        ))
        .with_remedy("Use an https URL."));
    }
    let token = match &options.token_file {
        Some(file) => ServiceCredential::read_token(file, context.system.stdin)?,
        None => prompt_token(&service_url)?,
    };
    let credential = parse_token(token.expose())?;
    let name = options.profile.clone().unwrap_or_else(|| DEFAULT_PROFILE.to_owned());
    let url = service_url.url().trim_end_matches('/').to_owned();
    let http = HttpClients::new(context.system.variable)?;
    verify_credential(http, &service_url, &url, Some(credential.clone())).await?;
    let message = format!(
        "logged in to {url} {}, saved as profile {name:?}\n",
        describe_identity(Some(&credential))
    );
    context.profiles.0.insert(name, ServiceProfile { url, token });
    context.profiles.save()?;
    Ok(CommandReport {
        stdout: String::new(),
        stderr: message,
        exit_status: ExitStatus::Success,
    })
}

fn prompt_token(service_url: &ObjectUrl) -> Result<SecretText, OperationError> {
    if !std::io::stdin().is_terminal() {
        return Err(OperationError::usage("there is no terminal to enter the token")
            .with_remedy("Use `--token-file FILE`, or `--token-file -` for standard input."));
    }
    let input = rpassword::prompt_password(format!("Token for {}: ", service_url.origin()));
    let token = input.map_err(|error| OperationError::io("failed to read the token from the terminal", &error))?;
    Ok(SecretText::new(token.trim()))
}

fn logout(name: &str, context: &mut CommandContext<'_, '_>) -> Result<CommandReport, OperationError> {
    context.profiles.get_named(name)?;
    context.profiles.0.remove(name);
    context.profiles.save()?;
    Ok(CommandReport::success(String::new()))
}

async fn whoami(
    connection: &ConnectionOptions,
    context: &mut CommandContext<'_, '_>,
) -> Result<CommandReport, OperationError> {
    let base = context.base_url(connection)?.ok_or_else(|| {
        OperationError::usage("no service is configured")
            .with_remedy("Log in with `signpost login URL`, or set SIGNPOST_URL.")
    })?;
    let service_url = ObjectUrl::parse(&base, None)?;
    let sourced = context.credential(connection, service_url.origin())?;
    let url = service_url.url().trim_end_matches('/').to_owned();
    let credential = sourced.as_ref().map(|sourced| sourced.credential.clone());
    let (id, source) = (
        token_id(credential.as_ref()),
        sourced
            .as_ref()
            .map(|sourced: &SourcedCredential| sourced.source.clone()),
    );
    let message = format!("{url} {}", describe_identity(credential.as_ref()));
    let http = HttpClients::new(context.system.variable)?;
    verify_credential(http, &service_url, &url, credential.clone()).await?;
    let out = if connection.json {
        json!({"url": url, "token_id": id, "credential_source": source, "accepted": true}).to_string()
    } else {
        source.map_or(message.clone(), |source| format!("{message}, from {source}"))
    };
    Ok(CommandReport::success(format!("{out}\n")))
}

/// Sends an empty signing request. The service accepts it from every caller with a valid credential.
async fn verify_credential(
    http: HttpClients,
    service_url: &ObjectUrl,
    base: &str,
    credential: Option<ServiceCredential>,
) -> Result<(), OperationError> {
    let service = SigningService::new(http, credential, Some(base.to_owned()));
    let body = service.post_json(base, "/-/sign", &json!([])).await?;
    match serde_json::from_slice::<Vec<serde_json::Value>>(&body) {
        Ok(none) if none.is_empty() => Ok(()),
        _ => Err(crate::signing_service::unexpected_response(service_url)),
    }
}

fn describe_identity(credential: Option<&ServiceCredential>) -> String {
    match credential {
        None => "without a credential".to_owned(),
        Some(ServiceCredential::Bearer(_)) => "with a token".to_owned(),
        Some(ServiceCredential::Basic { user, .. }) => format!("as {user}"),
    }
}

fn token_id(credential: Option<&ServiceCredential>) -> Option<&str> {
    match credential {
        Some(ServiceCredential::Basic { user, .. }) => Some(user),
        Some(ServiceCredential::Bearer(_)) | None => None,
    }
}
