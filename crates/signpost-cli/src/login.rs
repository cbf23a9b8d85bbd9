//! `signpost login`, `logout` and `whoami`.

use std::fmt::Write as _;
use std::io::IsTerminal as _;

use serde_json::json;
use signpost::wire::IdentityBody;

use crate::SystemAccess;
use crate::command_context::CommandContext;
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
use crate::terminal_text;
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
    let identity = request_identity(http, &service_url, &url, Some(credential)).await?;
    let message = format!("logged in to {url} as {}, saved as profile {name:?}\n", identity.caller);
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
    let (credential, source) = sourced.map(|sourced| (sourced.credential, sourced.source)).unzip();
    let http = HttpClients::new(context.system.variable)?;
    let identity = request_identity(http, &service_url, &url, credential).await?;
    let out = if connection.json {
        let IdentityBody {
            caller,
            user_id,
            groups,
            expires_at,
        } = identity;
        let line = json!({
            "url": url, "caller": caller, "user_id": user_id, "groups": groups, "expires_at": expires_at,
            "credential_source": source,
        });
        format!("{}\n", terminal_text::escape_json(&line.to_string()))
    } else {
        describe_identity(&url, &identity, source.as_deref())
    };
    Ok(CommandReport::success(out))
}

async fn request_identity(
    http: HttpClients,
    service_url: &ObjectUrl,
    base: &str,
    credential: Option<ServiceCredential>,
) -> Result<IdentityBody, OperationError> {
    let service = SigningService::new(http, credential, Some(base.to_owned()));
    service.identity(service_url, base).await
}

/// The lines that describe the caller. `source` is the source of its credential.
fn describe_identity(url: &str, identity: &IdentityBody, source: Option<&str>) -> String {
    let groups = match &identity.groups[..] {
        [] => "none".to_owned(),
        groups => groups.join(", "),
    };
    let end = identity.expires_at.as_deref();
    let lines = match source {
        None => vec![
            ("service", url.to_owned()),
            ("credential", format!("none: requests are sent as {}", identity.caller)),
        ],
        Some(source) => vec![
            ("service", url.to_owned()),
            ("credential", format!("from {source}")),
            ("caller", identity.caller.clone()),
            ("user id", identity.user_id.clone().unwrap_or_else(|| "none".to_owned())),
            ("groups", groups),
            (
                "ends",
                end.unwrap_or("when the operator removes or replaces it").to_owned(),
            ),
        ],
    };
    lines.iter().fold(String::new(), |mut text, (name, value)| {
        writeln!(text, "{name:<12}{}", terminal_text::sanitize_line(value)).expect("writing to a String cannot fail");
        text
    })
}
