//! `signpost put`.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file_upload::upload_file;
use super::stream_upload::ByteStream;
use super::upload_target::{ObjectAttributes, UploadGoal, UploadResult, UploadTarget};
use super::{TransferSession, is_dash, run_each};
use crate::command_context::CommandContext;
use crate::console_output::ObjectOutcome;
use crate::exit_status::ExitStatus;
use crate::local_files::{self, OpenedFile};
use crate::object_url::ObjectUrl;
use crate::operation_error::OperationError;
use crate::options::PutOptions;

/// A file, or standard input, and its destination.
struct UploadJob {
    file: PathBuf,
    object_url: ObjectUrl,
    /// The expected length of the file.
    len: u64,
}

/// The paths that are not uploaded.
#[derive(Default)]
struct OmittedPaths {
    /// The paths that `put -r` skips, and the reason.
    skipped: Vec<(PathBuf, &'static str)>,
    /// The paths that cannot be uploaded, and the error.
    failed: Vec<(PathBuf, OperationError)>,
}

impl UploadJob {
    fn new(file: PathBuf, object_url: ObjectUrl) -> Self {
        let len = file.metadata().ok().filter(|_| !is_dash(&file));
        Self {
            len: len.map_or(0, |metadata| metadata.len()),
            file,
            object_url,
        }
    }
}

pub(super) async fn put(
    options: &PutOptions,
    context: &mut CommandContext<'_, '_>,
) -> Result<ExitStatus, OperationError> {
    let base = context.base_url(&options.connection)?;
    let destination = ObjectUrl::parse(&options.destination, base.as_deref())?;
    let mut omitted = OmittedPaths::default();
    let jobs = plan_jobs(options, &destination, &mut omitted)?;
    let object_urls = [destination.clone()];
    let session = TransferSession::open(&object_urls, &options.connection, options.progress, context)?;
    for (path, why) in omitted.skipped {
        session
            .console
            .print_note(&format!("skipped {}: {why}", path.display()));
    }
    for job in &jobs {
        session.progress.add_file(job.len);
    }
    let process = async |job: UploadJob| {
        let result = run_job(&session, &job, options).await;
        report_job(&session, &job, result)
    };
    let uploaded = run_each(jobs, process).await;
    let failed = omitted.failed.into_iter().map(|(path, error)| {
        let outcome = ObjectOutcome::new("put", destination.url()).with_field("file", path.to_string_lossy());
        let action = format!("failed to upload {}", path.display());
        session.console.report_failure(outcome, &action, &error)
    });
    let failed: Vec<_> = failed.collect();
    Ok(match uploaded {
        ExitStatus::Success => failed.into_iter().next().unwrap_or(ExitStatus::Success),
        failure => failure,
    })
}

async fn run_job(
    session: &TransferSession,
    job: &UploadJob,
    options: &PutOptions,
) -> Result<UploadResult, OperationError> {
    let UploadJob { file, object_url, len } = job;
    let named_files = if is_dash(file) {
        object_url.last_segment().unwrap_or_default().into()
    } else {
        file.clone()
    };
    let attributes = ObjectAttributes {
        content_type: options.content_type.clone().or_else(|| guess_media_type(&named_files)),
        metadata: options.metadata.clone(),
        no_clobber: options.no_clobber,
    };
    let upload = UploadTarget {
        session,
        object_url: object_url.clone(),
        attributes: Arc::new(attributes),
        goal: if options.recursive {
            UploadGoal::Ensure
        } else {
            UploadGoal::Create
        },
    };
    if is_dash(file) {
        upload.upload_stream(ByteStream::Stdin).await
    } else if local_files::is_stream(file) {
        upload.upload_stream(ByteStream::open(file).await?).await
    } else {
        let opened = OpenedFile::open(file).await?;
        session.progress.correct_length(*len, opened.source.len());
        upload_file(&upload, &opened).await
    }
}

/// The media type for a file name.
fn guess_media_type(path: &Path) -> Option<String> {
    mime_guess::from_path(path).first().map(|media| media.to_string())
}

fn report_job(session: &TransferSession, job: &UploadJob, result: Result<UploadResult, OperationError>) -> ExitStatus {
    let UploadJob { file, object_url, .. } = job;
    let outcome = ObjectOutcome::new("put", object_url.url()).with_field("file", file.to_string_lossy());
    match result {
        Ok(result) => {
            let outcome = outcome
                .with_field("bytes", result.bytes)
                .with_field("bytes_skipped", result.bytes_skipped)
                .with_field("checksum", result.checksum.to_string())
                .with_optional("etag", result.etag);
            session.console.report_success(outcome, "");
            ExitStatus::Success
        }
        Err(error) => {
            let mut action = format!("failed to upload {}", file.display());
            // Some errors name the object themselves.
            if !error.message.contains(object_url.url()) {
                write!(action, " to {object_url}").expect("writing to a String cannot fail");
            }
            session.console.report_failure(outcome, &action, &error)
        }
    }
}

/// Chooses the URL of each file. Two files never have the same URL.
fn plan_jobs(
    options: &PutOptions,
    destination: &ObjectUrl,
    omitted: &mut OmittedPaths,
) -> Result<Vec<UploadJob>, OperationError> {
    if !destination.is_prefix() {
        return Ok(vec![single_job(options, destination)?]);
    }
    let mut seen = HashSet::new();
    let mut jobs = Vec::new();
    for (file, name) in named_files(options, omitted) {
        let object_url = match destination.join(&name) {
            Ok(object_url) => object_url,
            Err(error) => {
                omitted.failed.push((file, error));
                continue;
            }
        };
        if !seen.insert(name) {
            return Err(OperationError::usage(format!(
                "two of the files would be stored as {object_url}"
            )));
        }
        jobs.push(UploadJob::new(file, object_url));
    }
    Ok(jobs)
}

/// The upload to a destination that is an object.
fn single_job(options: &PutOptions, destination: &ObjectUrl) -> Result<UploadJob, OperationError> {
    match options.files.as_slice() {
        [file] if options.recursive && file.is_dir() => Err(OperationError::usage(
            "a folder needs a destination that ends in a slash",
        )),
        [file] => Ok(UploadJob::new(file.clone(), destination.clone())),
        _ => Err(OperationError::usage(
            "several files need a destination that ends in a slash",
        )),
    }
}

/// The files, including those in folders, and their names below the destination.
fn named_files(options: &PutOptions, omitted: &mut OmittedPaths) -> Vec<(PathBuf, String)> {
    let mut named_files = Vec::new();
    for file in &options.files {
        if options.recursive && file.is_dir() {
            let prefix = match folder_prefix(file) {
                Ok(prefix) => prefix,
                Err(error) => {
                    omitted.failed.push((file.clone(), error));
                    continue;
                }
            };
            let contents = local_files::list_folder(file);
            let files = contents.files.into_iter();
            named_files.extend(files.map(|(path, name)| (path, format!("{prefix}{name}"))));
            omitted.skipped.extend(contents.skipped);
            omitted.failed.extend(contents.failed);
        } else {
            match file_name(file) {
                Ok(name) => named_files.push((file.clone(), name.to_owned())),
                Err(error) => omitted.failed.push((file.clone(), error)),
            }
        }
    }
    named_files
}

fn file_name(file: &Path) -> Result<&str, OperationError> {
    let name = file.file_name().filter(|name| *name != "-");
    let name =
        name.ok_or_else(|| OperationError::usage(format!("{} has no file name for the object", file.display())))?;
    name.to_str().ok_or_else(local_files::not_utf8)
}

/// The prefix for the files of a folder: the name of the folder, or nothing if the path ends in a slash, as with `cp`.
fn folder_prefix(folder: &Path) -> Result<String, OperationError> {
    let is_content = folder.as_os_str().to_string_lossy().ends_with('/');
    match folder.file_name() {
        Some(name) if !is_content => {
            let name = name.to_str().ok_or_else(local_files::not_utf8)?;
            Ok(format!("{name}/"))
        }
        _ => Ok(String::new()),
    }
}
