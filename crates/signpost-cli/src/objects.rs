//! The commands for objects: the shared code, and one module for each command.

mod object_download;
mod instruction_cache;
mod get;
mod git;
mod lfs;
mod lfs_messages;
mod listing;
mod partial_file;
mod multipart_upload;
mod pending_upload;
mod put;
mod file_download;
mod file_upload;
mod remove;
mod share;
mod small_download;
mod stat;
mod stream_upload;
mod upload_target;
mod uploads;

use std::path::Path;

use futures::{Stream, StreamExt as _};
use reqwest::header::HeaderMap;
use tokio::sync::Semaphore;

use crate::command_context::CommandContext;
use crate::command_report::{CommandError, CommandReport};
use crate::concurrency_limit::{self, ConcurrencyLimit};
use crate::console_output::ConsoleOutput;
use crate::credential::ServiceCredential;
use crate::exit_status::ExitStatus;
use crate::http_client::HttpClients;
use crate::object_url::ObjectUrl;
use crate::operation_error::OperationError;
use crate::options::{ConnectionOptions, ObjectCommand};
use crate::progress::{ProgressMode, TransferProgress};
use crate::retry;
use crate::s3_client::S3Client;
use crate::signing_service::SigningService;
use crate::transfer_state::StateFolder;
use crate::{RandomSource, SystemAccess};

/// How many large files are transferred at the same time. After an interruption, only these few are incomplete.
const MAX_LARGE_FILES: usize = 2;

/// The clients, the console and the shared state of a command.
#[derive(Debug)]
pub(crate) struct TransferSession {
    pub(crate) service: SigningService,
    pub(crate) store: S3Client,
    pub(crate) console: ConsoleOutput,
    pub(crate) progress: TransferProgress,
    pub(crate) state: StateFolder,
    pub(crate) concurrency: ConcurrencyLimit,
    /// Limits the number of large files.
    pub(crate) large_files: Semaphore,
    random: RandomSource,
}

/// Runs a command for objects until it is done or the user interrupts it.
pub(crate) fn run(command: &ObjectCommand, system: &mut SystemAccess<'_>) -> Result<CommandReport, CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| OperationError::io("failed to start the runtime", &error))?;
    let state = StateFolder::of_user();
    let arguments = system.arguments.clone();
    let mut context = CommandContext::new(state.clone(), system)?;
    let output_failure = context.output_failure.clone();
    let exit_status = runtime.block_on(async {
        tokio::select! {
            exit_status = dispatch(command, &mut context) => exit_status,
            _ = tokio::signal::ctrl_c() => Ok(ExitStatus::Interrupted),
        }
    });
    // A blocking task, such as a read of standard input, can still be running. Its result is not needed.
    runtime.shutdown_background();
    let exit_status = exit_status?;
    if let Some(error) = output_failure.get()
        && exit_status == ExitStatus::Success
    {
        return Err(OperationError::io("failed to write to standard output", error).into());
    }
    let mut report = CommandReport::with_status(exit_status);
    if exit_status == ExitStatus::Interrupted && state.has_resumable() {
        report.stderr = format!(
            "interrupted; run this command to resume:\n  {}\n",
            shell_line(&arguments)
        );
    }
    Ok(report)
}

/// The command line in shell syntax, without the tokens of share links.
fn shell_line(arguments: &[String]) -> String {
    let is_plain = |char: char| char.is_alphanumeric() || "-_./:=,@%+".contains(char);
    let words = arguments.iter().map(|argument| match argument.split_once("?share=") {
        Some((url, _)) => format!("'{url}?share=…'"),
        None if !argument.is_empty() && argument.chars().all(is_plain) => argument.clone(),
        None => format!("'{}'", argument.replace('\'', "'\\''")),
    });
    words.collect::<Vec<_>>().join(" ")
}

async fn dispatch(command: &ObjectCommand, context: &mut CommandContext<'_, '_>) -> Result<ExitStatus, OperationError> {
    match command {
        ObjectCommand::Get(options) => get::get(options, context).await,
        ObjectCommand::Put(options) => put::put(options, context).await,
        ObjectCommand::Cat { objects, credential } => get::cat(objects, credential, context).await,
        ObjectCommand::Rm { objects, connection } => remove::remove(objects, connection, context).await,
        ObjectCommand::Ls(options) => listing::list(options, context).await,
        ObjectCommand::Share(options) => share::share(options, context).await,
        ObjectCommand::Uploads(options) => uploads::uploads(options, context).await,
        ObjectCommand::Stat(options) => stat::stat(options, context).await,
        ObjectCommand::Lfs(options) => lfs::lfs(options, context).await,
    }
}

impl TransferSession {
    /// Opens a session for these URLs. All of them must be at one service, because a token is for one service.
    fn open(
        object_urls: &[ObjectUrl],
        connection: &ConnectionOptions,
        mode: ProgressMode,
        context: &mut CommandContext<'_, '_>,
    ) -> Result<Self, OperationError> {
        let Some(origin) = object_urls.first().map(ObjectUrl::origin) else {
            return Err(OperationError::usage("no object given"));
        };
        if object_urls.iter().any(|object_url| object_url.origin() != origin) {
            return Err(OperationError::usage(
                "the objects are at different services; run the command once for each service",
            ));
        }
        let sourced = context.credential(connection, origin)?;
        Self::with_credential(
            object_urls,
            connection,
            mode,
            sourced.map(|sourced| sourced.credential),
            context,
        )
    }

    /// Opens a session with this credential.
    fn with_credential(
        object_urls: &[ObjectUrl],
        connection: &ConnectionOptions,
        mode: ProgressMode,
        credential: Option<ServiceCredential>,
        context: &CommandContext<'_, '_>,
    ) -> Result<Self, OperationError> {
        let base = context
            .base_url(connection)?
            .map(|base| base.trim_end_matches('/').to_owned());
        let base = base.filter(|base| object_urls.iter().all(|object_url| object_url.is_at_service(base)));
        let http = HttpClients::new(context.system.variable)?;
        let progress = TransferProgress::start(mode);
        Ok(Self {
            service: SigningService::new(http.clone(), credential, base),
            store: S3Client::new(http),
            console: ConsoleOutput::new(connection.json, progress.clone(), context.output_failure.clone()),
            progress,
            state: context.state.clone(),
            concurrency: ConcurrencyLimit::new(),
            large_files: Semaphore::new(MAX_LARGE_FILES),
            random: context.system.random,
        })
    }

    /// Repeats an attempt that fails for a transient reason.
    pub(crate) async fn with_retries<T>(
        &self,
        attempt: impl AsyncFnMut(u32) -> Result<T, OperationError>,
    ) -> Result<T, OperationError> {
        retry::with_retries(self.random, attempt).await
    }

    /// The metadata of an object, including its checksum.
    pub(crate) async fn head_object(&self, object_url: &ObjectUrl) -> Result<HeaderMap, OperationError> {
        let wanted = vec![checksum_mode()];
        self.with_retries(async |_| {
            let instruction = self.service.request_metadata(object_url, &wanted).await?;
            Ok(self.store.send(&instruction, &[]).await?.headers().clone())
        })
        .await
    }
}

/// The parameter that requests the stored checksum from S3.
fn checksum_mode() -> (String, String) {
    ("x-amz-checksum-mode".to_owned(), "ENABLED".to_owned())
}

/// Parses URLs of objects or prefixes.
fn parse_urls(
    texts: &[String],
    connection: &ConnectionOptions,
    context: &CommandContext<'_, '_>,
) -> Result<Vec<ObjectUrl>, OperationError> {
    let base = context.base_url(connection)?;
    texts
        .iter()
        .map(|text| ObjectUrl::parse(text, base.as_deref()))
        .collect()
}

/// Parses URLs of objects; prefixes are rejected.
fn parse_object_urls(
    texts: &[String],
    connection: &ConnectionOptions,
    context: &CommandContext<'_, '_>,
) -> Result<Vec<ObjectUrl>, OperationError> {
    let object_urls = parse_urls(texts, connection, context)?;
    match object_urls.iter().find(|object_url| object_url.is_prefix()) {
        Some(object_url) => Err(OperationError::usage(format!(
            "{object_url} ends in a slash, so it is a folder and not an object"
        ))
        .with_remedy("Name an object. `get -r` and `rm -r` also accept a folder.")),
        None => Ok(object_urls),
    }
}

/// Processes all items concurrently. The exit status is the status of the first item, in the given order, that failed.
/// All failures are reported.
async fn run_each<T>(things: impl IntoIterator<Item = T>, act: impl AsyncFn(T) -> ExitStatus) -> ExitStatus {
    let act = &act;
    let acts = things
        .into_iter()
        .enumerate()
        .map(|(index, thing)| async move { (index, act(thing).await) });
    first_failure(futures::stream::iter(acts).buffer_unordered(concurrency_limit::concurrent_files())).await
}

async fn first_failure(exit_statuses: impl Stream<Item = (usize, ExitStatus)>) -> ExitStatus {
    let failures = exit_statuses.filter(|(_, exit_status)| futures::future::ready(*exit_status != ExitStatus::Success));
    let first = failures.fold(None, |first: Option<(usize, ExitStatus)>, next| async move {
        Some(first.filter(|first| first.0 < next.0).unwrap_or(next))
    });
    first.await.map_or(ExitStatus::Success, |(_, exit_status)| exit_status)
}

fn is_dash(path: &Path) -> bool {
    path == Path::new("-")
}

/// A response header, as text.
fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resume_command_can_be_pasted_and_contains_no_secret() {
        let arguments = ["signpost", "put", "it's here", "a b", "https://h/k?share=s3cret", ""];
        assert_eq!(
            shell_line(&arguments.map(str::to_owned)),
            "signpost put 'it'\\''s here' 'a b' 'https://h/k?share=…' ''"
        );
    }

    #[tokio::test]
    async fn the_first_failure_in_order_is_the_exit_status() {
        use ExitStatus::{Conflict, NotFound, Success};
        let exit_status = async |exit_statuses: &[ExitStatus]| {
            run_each(exit_statuses.to_vec(), async |exit_status| exit_status).await
        };
        assert_eq!(exit_status(&[Success, NotFound, Conflict]).await, NotFound);
        assert_eq!(exit_status(&[Success, Success]).await, Success);
    }
}
