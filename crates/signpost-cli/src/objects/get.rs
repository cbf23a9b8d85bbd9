//! `signpost get` and `signpost cat`.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::listing::PrefixListing;
use super::object_download::{DownloadResult, ObjectDownload};
use super::partial_file::partial_path;
use super::{TransferSession, file_download, is_dash, parse_object_urls, parse_urls, run_each};
use crate::command_context::CommandContext;
use crate::console_output::ObjectOutcome;
use crate::exit_status::ExitStatus;
use crate::local_files;
use crate::object_url::ObjectUrl;
use crate::operation_error::OperationError;
use crate::options::{CredentialOptions, GetOptions};
use crate::output_path::OutputPath;
use crate::progress::ProgressMode;

/// An object and its local file.
struct DownloadJob {
    object_url: ObjectUrl,
    /// The local file, or the reason why the object cannot be stored in a file.
    file: Result<PathBuf, OperationError>,
    /// The expected length of the object.
    len: u64,
    /// True if the user named the object. Then the file can be a device, an open file or a symbolic link.
    is_named: bool,
}

/// The downloads of a command.
#[derive(Default)]
struct DownloadPlan {
    jobs: Vec<DownloadJob>,
    /// The prefixes that cannot be listed, and the error.
    failed: Vec<(ObjectUrl, OperationError)>,
}

pub(super) async fn get(
    options: &GetOptions,
    context: &mut CommandContext<'_, '_>,
) -> Result<ExitStatus, OperationError> {
    let object_urls = if options.recursive {
        parse_urls(&options.objects, &options.connection, context)?
    } else {
        parse_object_urls(&options.objects, &options.connection, context)?
    };
    let to_stdout = options.output.as_deref().is_some_and(is_dash);
    if to_stdout && options.recursive {
        return Err(OperationError::usage("-r cannot write to standard output"));
    }
    check_output_of_json(options)?;
    let target = download_target(&object_urls, options.output.as_deref(), options.recursive)?;
    let session = TransferSession::open(&object_urls, &options.connection, options.progress, context)?;
    if to_stdout {
        return Ok(copy_to_stdout(&session, &object_urls).await);
    }
    let DownloadPlan { jobs, failed } = plan_jobs(&session, &object_urls, target).await?;
    for job in &jobs {
        session.progress.add_file(job.len);
    }
    let process = async |job: DownloadJob| {
        let result = run_job(&session, &job, options).await;
        report_job(&session, &job, result)
    };
    let downloaded = run_each(jobs, process).await;
    let failed = failed.into_iter().map(|(prefix, error)| {
        let outcome = ObjectOutcome::new("get", prefix.url());
        let action = format!("failed to list {prefix}");
        session.console.report_failure(outcome, &action, &error)
    });
    let failed: Vec<_> = failed.collect();
    Ok(match downloaded {
        ExitStatus::Success => failed.into_iter().next().unwrap_or(ExitStatus::Success),
        failure => failure,
    })
}

/// Rejects an output that would contain both the bytes of the objects and JSON.
fn check_output_of_json(options: &GetOptions) -> Result<(), OperationError> {
    let Some(output) = options.output.as_deref().filter(|_| options.connection.json) else {
        return Ok(());
    };
    if is_dash(output) || OutputPath::resolve(output)? == OutputPath::STDOUT {
        return Err(OperationError::usage(
            "--json writes to standard output, so the object cannot be written there too",
        )
        .with_remedy("Write the object to a file with `-o FILE`, or run the command without --json."));
    }
    Ok(())
}

pub(super) async fn cat(
    texts: &[String],
    credential: &CredentialOptions,
    context: &mut CommandContext<'_, '_>,
) -> Result<ExitStatus, OperationError> {
    let connection = credential.clone().without_json();
    let object_urls = parse_object_urls(texts, &connection, context)?;
    let session = TransferSession::open(&object_urls, &connection, ProgressMode::None, context)?;
    Ok(copy_to_stdout(&session, &object_urls).await)
}

/// Writes objects to standard output. It stops at the first failure: the next object would look like the rest of the
/// failed one.
async fn copy_to_stdout(session: &TransferSession, object_urls: &[ObjectUrl]) -> ExitStatus {
    for _ in object_urls {
        session.progress.add_file(0);
    }
    for object_url in object_urls {
        let copied = ObjectDownload::new(session, object_url, 0).copy_to_stdout().await;
        if let Err(error) = copied {
            let outcome = ObjectOutcome::new("get", object_url.url());
            return session
                .console
                .report_failure(outcome, &format!("failed to download {object_url}"), &error);
        }
    }
    ExitStatus::Success
}

async fn run_job(
    session: &TransferSession,
    job: &DownloadJob,
    options: &GetOptions,
) -> Result<DownloadResult, OperationError> {
    let file = job.file.clone()?;
    let output = if job.is_named {
        OutputPath::resolve(&file)?
    } else {
        OutputPath::File(file.clone())
    };
    let download = ObjectDownload::new(session, &job.object_url, job.len);
    match output {
        OutputPath::STDOUT => download.copy_to_stdout().await,
        OutputPath::File(file) => {
            check_target(&file, options.no_clobber)?;
            file_download::download_file(session, &job.object_url, &file, job.len).await
        }
        stream => download.copy_to_stream(stream, &file).await,
    }
}

/// Rejects a folder, and an existing file if files must not be replaced.
fn check_target(file: &Path, no_clobber: bool) -> Result<(), OperationError> {
    let path = file.display();
    let problem = if file.is_dir() {
        format!("{path} is a folder; name a file")
    } else if no_clobber && file.exists() {
        format!("{path} exists")
    } else {
        return Ok(());
    };
    Err(OperationError::new(ExitStatus::Conflict, problem))
}

fn report_job(
    session: &TransferSession,
    job: &DownloadJob,
    result: Result<DownloadResult, OperationError>,
) -> ExitStatus {
    let object_url = &job.object_url;
    let file = job.file.as_ref().ok().map(|file| file.to_string_lossy());
    let outcome = ObjectOutcome::new("get", object_url.url()).with_optional("file", file);
    match result {
        Ok(result) => {
            let outcome = outcome
                .with_field("bytes", result.bytes)
                .with_field("bytes_skipped", result.bytes_skipped)
                .with_optional("checksum", result.verified.map(|checksum| checksum.to_string()));
            session.console.report_success(outcome, "");
            ExitStatus::Success
        }
        Err(error) => session
            .console
            .report_failure(outcome, &format!("failed to download {object_url}"), &error),
    }
}

/// The destination of the files.
enum DownloadTarget {
    Folder(PathBuf),
    File(PathBuf),
}

fn download_target(
    object_urls: &[ObjectUrl],
    output: Option<&Path>,
    recursive: bool,
) -> Result<DownloadTarget, OperationError> {
    match output {
        None => Ok(DownloadTarget::Folder(".".into())),
        Some(path) if path.is_dir() || recursive || path.as_os_str().to_string_lossy().ends_with('/') => {
            Ok(DownloadTarget::Folder(path.to_owned()))
        }
        Some(file) if object_urls.len() == 1 => Ok(DownloadTarget::File(file.to_owned())),
        Some(path) => Err(OperationError::usage(format!(
            "{} is not a folder, but there are several objects",
            path.display()
        ))),
    }
}

/// Chooses the local file of each object. Two objects never have the same file.
async fn plan_jobs(
    session: &TransferSession,
    object_urls: &[ObjectUrl],
    target: DownloadTarget,
) -> Result<DownloadPlan, OperationError> {
    let folder = match target {
        DownloadTarget::Folder(folder) => folder,
        DownloadTarget::File(file) => {
            let object_url = object_urls[0].clone();
            let job = DownloadJob {
                object_url,
                file: Ok(file),
                len: 0,
                is_named: true,
            };
            return Ok(DownloadPlan {
                jobs: vec![job],
                failed: Vec::new(),
            });
        }
    };
    let DownloadPlan { mut jobs, mut failed } = DownloadPlan::default();
    for object_url in object_urls {
        if object_url.is_prefix() {
            match jobs_below(session, object_url, &folder).await {
                Ok(below) => jobs.extend(below),
                Err(error) => failed.push((object_url.clone(), error)),
            }
            continue;
        }
        let name = object_url.last_segment().filter(|name| !name.contains('/'));
        let name = name.ok_or_else(|| {
            OperationError::usage(format!("the name of {object_url} cannot be a file name"))
                .with_remedy("Name the file with -o.")
        })?;
        let file = local_files::file_below(&folder, &name)?;
        jobs.push(DownloadJob {
            object_url: object_url.clone(),
            file: Ok(file),
            len: 0,
            is_named: true,
        });
    }
    reject_collisions(&mut jobs)?;
    Ok(DownloadPlan { jobs, failed })
}

/// Rejects two objects with the same file, and an object whose file is the partial file of another object.
fn reject_collisions(jobs: &mut [DownloadJob]) -> Result<(), OperationError> {
    let mut seen = HashSet::new();
    for file in jobs.iter().filter_map(|job| job.file.as_ref().ok()) {
        if !seen.insert(file) {
            return Err(OperationError::usage(format!(
                "two of the objects would be written to {}",
                file.display()
            )));
        }
    }
    let parts: HashMap<_, _> = seen
        .into_iter()
        .map(|file| (partial_path(file), file.clone()))
        .collect();
    for job in jobs {
        let other = job.file.as_ref().ok().and_then(|file| Some((file, parts.get(file)?)));
        if let Some((file, other)) = other {
            let (file, other) = (file.display(), other.display());
            let error = OperationError::new(ExitStatus::Conflict, format!("{file} is the partial file of {other}"));
            job.file = Err(error.with_remedy("Download this object separately, with -o FILE."));
        }
    }
    Ok(())
}

/// The objects below a prefix, and their files below the folder.
async fn jobs_below(
    session: &TransferSession,
    prefix: &ObjectUrl,
    folder: &Path,
) -> Result<Vec<DownloadJob>, OperationError> {
    let names = PrefixListing::new(session, prefix, true).object_names().await?;
    let jobs = names.into_iter().filter_map(|(name, len)| {
        // Some consoles represent a folder by an object. It does not become a file.
        if name.is_empty() || name.ends_with('/') {
            return None;
        }
        let file = local_files::file_below(folder, &name).and_then(|file| {
            local_files::check_replaceable(folder, &file)?;
            Ok(file)
        });
        // If no URL can contain the key, the job reports that error.
        let (object_url, file) = match prefix.join(&name) {
            Ok(object_url) => (object_url, file),
            Err(error) => (prefix.clone(), file.and(Err(error))),
        };
        Some(DownloadJob {
            object_url,
            file,
            len,
            is_named: false,
        })
    });
    let jobs: Vec<_> = jobs.collect();
    if jobs.is_empty() {
        return Err(OperationError::new(
            ExitStatus::NotFound,
            format!("no objects below {prefix}"),
        ));
    }
    Ok(jobs)
}
