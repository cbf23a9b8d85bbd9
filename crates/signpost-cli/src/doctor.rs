//! `signpost doctor`: checks a deployment or a share link, or explains a presigned URL or an error.

mod clock_skew;
mod check_result;
mod error_document;
mod front_headers;
mod link_check;
mod mount_check;
mod presigned_details;
mod s3_error_details;
mod service_check;

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;
use std::time::SystemTime;

use serde_json::json;
use signpost::auth::share::ShareLink;
use signpost::policy::Policy;

use self::check_result::{CheckResult, CheckStatus};
use self::error_document::ErrorDocument;
use self::presigned_details::PresignedDetails;
use self::service_check::ServiceCheck;
use crate::SystemAccess;
use crate::command_context::CommandContext;
use crate::command_report::{CommandError, CommandReport};
use crate::exit_status::ExitStatus;
use crate::http_client::HttpClients;
use crate::object_url::ObjectUrl;
use crate::operation_error::OperationError;
use crate::options::DoctorOptions;
use crate::platform;
use crate::signing_service::SigningService;
use crate::transfer_state::StateFolder;

pub(crate) fn run(options: &DoctorOptions, system: &mut SystemAccess<'_>) -> Result<CommandReport, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| OperationError::io("failed to start the runtime", &error))?;
    let mut context = CommandContext::new(StateFolder::of_user(), system)?;
    let results = runtime.block_on(examine(options, &mut context))?;
    Ok(report(&results, options.connection.json))
}

fn report(results: &[CheckResult], as_json: bool) -> CommandReport {
    let mut out = String::new();
    for check_result in results {
        let CheckResult {
            status,
            message,
            remedy,
            exit_status: _,
        } = check_result;
        let line = if as_json {
            json!({"status": status.name(), "message": message, "remedy": remedy}).to_string()
        } else {
            check_result.to_string()
        };
        writeln!(out, "{line}").expect("writing to a String cannot fail");
    }
    let failed = results
        .iter()
        .find(|check_result| check_result.status == CheckStatus::Failed);
    CommandReport {
        exit_status: failed.map_or(ExitStatus::Success, |check_result| check_result.exit_status),
        ..CommandReport::success(out)
    }
}

async fn examine(
    options: &DoctorOptions,
    context: &mut CommandContext<'_, '_>,
) -> Result<Vec<CheckResult>, OperationError> {
    let now = SystemTime::now();
    let subject = read_subject(options, context)?;
    let policy = read_rules(options, context)?;
    let error = match &options.error {
        Some(file) => Some(parse_error(&read_text(file, context)?)?),
        None => subject.as_deref().and_then(ErrorDocument::parse),
    };
    let url = subject.as_deref().and_then(PresignedDetails::parse);
    if url.is_some() || error.is_some() {
        check_no_rules(options)?;
        let mut results = url.as_ref().map_or_else(Vec::new, |url| url.findings(now));
        results.extend(error.iter().flat_map(|error| error.findings(url.as_ref())));
        return Ok(results);
    }
    let base = match subject {
        Some(subject) if is_url(&subject) => subject,
        Some(text) => return Err(unknown_text(&text)),
        None => context.base_url(&options.connection)?.ok_or_else(|| {
            OperationError::usage("no service, URL or error document given")
                .with_remedy("Give the URL of a service, a presigned URL, a share link, or an error document.")
        })?,
    };
    let service_url = ObjectUrl::parse(&base, None)?;
    if let Some(link) = service_url.share_link() {
        check_no_rules(options)?;
        return examine_link(&service_url, &link, context, now).await;
    }
    let credential = context.credential(&options.connection, service_url.origin())?;
    let service = ServiceCheck {
        http: HttpClients::new(context.system.variable)?,
        url: service_url.url().trim_end_matches('/').to_owned(),
        origin: service_url.origin().to_owned(),
        credential,
        nonce: nonce(context)?,
    };
    service.examine(policy.as_ref(), now).await
}

/// The rules of the service, if the options name their file.
fn read_rules(options: &DoctorOptions, context: &mut CommandContext<'_, '_>) -> Result<Option<Policy>, OperationError> {
    let Some(file) = &options.rules else { return Ok(None) };
    let policy = Policy::parse(&read_text(file, context)?);
    let policy = policy.map_err(|error| OperationError::usage(format!("{}: {error}", file.display())))?;
    Ok(Some(policy))
}

fn check_no_rules(options: &DoctorOptions) -> Result<(), OperationError> {
    match &options.rules {
        Some(_) => Err(OperationError::usage("--rules requires the URL of a service")),
        None => Ok(()),
    }
}

/// The text to examine: the argument, or standard input if it is a file or a pipe that is not empty.
fn read_subject(
    options: &DoctorOptions,
    context: &mut CommandContext<'_, '_>,
) -> Result<Option<String>, OperationError> {
    let reads_token = options.connection.credential.token_file.as_deref() == Some(Path::new("-"));
    match options.subject.as_deref() {
        Some("-") => read_text(Path::new("-"), context).map(Some),
        Some(subject) => Ok(Some(subject.to_owned())),
        None if options.error.is_some() || reads_token || !platform::has_piped_input() => Ok(None),
        None => Ok(Some(read_text(Path::new("-"), context)?).filter(|text| !text.is_empty())),
    }
}

fn is_url(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

fn parse_error(text: &str) -> Result<ErrorDocument, OperationError> {
    ErrorDocument::parse(text).ok_or_else(|| unknown_text(text))
}

fn unknown_text(text: &str) -> OperationError {
    let problem = if text.is_empty() {
        "the text is empty"
    } else {
        "the text is neither a URL nor an error response of Signpost, S3 or a gateway"
    };
    OperationError::usage(problem)
        .with_remedy("Give a complete URL, or the complete body of an error response, such as that of `curl -s URL`.")
}

/// Checks a share link.
async fn examine_link(
    object_url: &ObjectUrl,
    link: &ShareLink,
    context: &CommandContext<'_, '_>,
    now: SystemTime,
) -> Result<Vec<CheckResult>, OperationError> {
    let mut results = link_check::describe(link, now);
    if results.iter().all(|result| result.status != CheckStatus::Failed) {
        let service = SigningService::new(HttpClients::new(context.system.variable)?, None, None);
        let probe = format!("signpost-doctor-{}", nonce(context)?);
        results.push(link_check::verify(&service, object_url, link, &probe).await?);
    }
    Ok(results)
}

/// Reads a file, or standard input.
fn read_text(file: &Path, context: &mut CommandContext<'_, '_>) -> Result<String, OperationError> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        context.system.stdin.read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|mut open| open.read_to_string(&mut text))
    };
    read.map_err(|error| OperationError::io(format_args!("failed to read {}", file.display()), &error))?;
    Ok(text.trim().to_owned())
}

fn nonce(context: &CommandContext<'_, '_>) -> Result<String, OperationError> {
    let mut bytes = [0; 8];
    (context.system.random)(&mut bytes)
        .map_err(|error| OperationError::io("the system's random number generator failed", &error))?;
    Ok(format!("{:016x}", u64::from_be_bytes(bytes)))
}
