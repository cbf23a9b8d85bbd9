//! `signpost lfs`: a custom transfer agent of git-lfs, which transfers objects in parts and resumes them.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use signpost::dialect::lfs::{is_oid, object_path};
use signpost::encoding::hex;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::file_download::download_file;
use super::file_upload::upload_file;
use super::lfs_messages::{LfsMessage, TransferRequest, send_complete, send_progress, send_ready};
use super::upload_target::{ObjectAttributes, UploadGoal, UploadTarget};
use super::{TransferSession, git, header};
use crate::blocking_task::run_blocking;
use crate::command_context::CommandContext;
use crate::credential::{has_origin, is_secure_origin};
use crate::exit_status::ExitStatus;
use crate::local_files::OpenedFile;
use crate::object_url::ObjectUrl;
use crate::operation_error::OperationError;
use crate::options::{ConnectionOptions, CredentialOptions, LfsOptions};
use crate::platform;
use crate::progress::ProgressMode;

/// The time between two progress messages.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// The folder for downloads, below that of git-lfs. Interrupted downloads remain in it.
const DOWNLOADS: &str = "signpost";

/// A transfer agent.
struct TransferAgent {
    connection: ConnectionOptions,
    /// The prefix of the objects in standalone mode.
    prefix: Option<ObjectUrl>,
    /// The session for the service of the previous object.
    session: Option<(String, TransferSession)>,
}

/// Handles the messages of git-lfs until it ends.
pub(super) async fn lfs(
    options: &LfsOptions,
    context: &mut CommandContext<'_, '_>,
) -> Result<ExitStatus, OperationError> {
    let mut agent = TransferAgent::new(options, context)?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let read_error = |error: io::Error| OperationError::io("failed to read the messages of git-lfs", &error);
    while let Some(line) = lines.next_line().await.map_err(read_error)? {
        let sent = match LfsMessage::parse(&line)? {
            LfsMessage::Init {} => send_ready(),
            LfsMessage::Upload(request) => {
                let result = agent.upload(&request, context).await;
                send_complete(&request.oid, result.as_ref().map(|()| None))
            }
            LfsMessage::Download(request) => {
                let result = agent.download(&request, context).await;
                send_complete(&request.oid, result.as_ref().map(|file| Some(file.as_path())))
            }
            LfsMessage::Terminate {} => break,
        };
        sent.map_err(|error| OperationError::io("failed to write to git-lfs", &error))?;
    }
    Ok(ExitStatus::Success)
}

impl TransferAgent {
    fn new(options: &LfsOptions, context: &CommandContext<'_, '_>) -> Result<Self, OperationError> {
        let credential = CredentialOptions {
            token_file: options.token_file.clone(),
            profile: options.profile.clone(),
        };
        let connection = credential.without_json();
        let base = context.base_url(&connection)?;
        let prefix = options.prefix.as_ref();
        let prefix = prefix
            .map(|prefix| ObjectUrl::parse(prefix, base.as_deref()))
            .transpose()?;
        if let Some(prefix) = prefix.as_ref().filter(|prefix| !prefix.is_prefix()) {
            return Err(OperationError::usage(format!("{prefix} does not end in a slash")));
        }
        Ok(Self {
            connection,
            prefix,
            session: None,
        })
    }

    async fn upload(
        &mut self,
        request: &TransferRequest,
        context: &mut CommandContext<'_, '_>,
    ) -> Result<(), OperationError> {
        let object_url = self.object_url(request)?;
        let session = self.session(&object_url, context).await?;
        let path = request.path.as_ref();
        let path = path.ok_or_else(|| OperationError::usage("git-lfs named no file"))?;
        let start = session.progress.bytes();
        with_progress(session, request, start, store(session, &object_url, request, path)).await
    }

    /// Downloads an object to a file, which git-lfs verifies and moves.
    async fn download(
        &mut self,
        request: &TransferRequest,
        context: &mut CommandContext<'_, '_>,
    ) -> Result<PathBuf, OperationError> {
        let object_url = self.object_url(request)?;
        let session = self.session(&object_url, context).await?;
        let folder = git::lfs_folder().await?.join(DOWNLOADS);
        platform::create_private_folder(&folder)
            .map_err(|error| OperationError::io(format_args!("failed to create {}", folder.display()), &error))?;
        let file = folder.join(&request.oid);
        let start = session.progress.bytes();
        let download = async {
            session.progress.add_file(request.size);
            download_file(session, &object_url, &file, request.size).await
        };
        with_progress(session, request, start, download).await?;
        Ok(file)
    }

    /// The URL of an object at the service.
    fn object_url(&self, request: &TransferRequest) -> Result<ObjectUrl, OperationError> {
        let oid = &request.oid;
        if !is_oid(oid) {
            return Err(OperationError::usage(format!("{oid:?} is not the id of an object")));
        }
        match (&request.action, &self.prefix) {
            (Some(action), _) => {
                let object_url = ObjectUrl::parse(&action.href, None)?;
                // Another server can choose the URL. Without this check, it could have any key overwritten or read.
                if !object_url.url().ends_with(&format!("/{}", object_path(oid))) {
                    return Err(OperationError::usage(format!("the server names a URL that is not that of the object {oid}"))
                        .with_remedy("Check the URL of the git-lfs server with `git lfs env`."));
                }
                Ok(object_url)
            }
            (None, Some(prefix)) => prefix.join(&object_path(oid)),
            (None, None) => Err(OperationError::usage("git-lfs named no URL for the object").with_remedy(
                "With lfs.standalonetransferagent, lfs.customtransfer.signpost.args must also contain the prefix of the objects.",
            )),
        }
    }

    /// Returns true if the user has named the service: by the prefix, by `SIGNPOST_URL`, or by a profile. The
    /// configuration of a foreign repository can name any other one.
    fn is_named_by_user(&self, origin: &str, context: &CommandContext<'_, '_>) -> Result<bool, OperationError> {
        let is_prefix = self.prefix.as_ref().is_some_and(|prefix| prefix.origin() == origin);
        let base = context.base_url(&self.connection)?;
        Ok(is_prefix || base.is_some_and(|url| has_origin(&url, origin)))
    }

    /// The session for the service of an object.
    async fn session(
        &mut self,
        object_url: &ObjectUrl,
        context: &mut CommandContext<'_, '_>,
    ) -> Result<&TransferSession, OperationError> {
        let origin = object_url.origin().to_owned();
        if self.session.as_ref().is_none_or(|(open, _)| *open != origin) {
            let found = if self.is_named_by_user(&origin, context)? {
                context.credential(&self.connection, &origin)?
            } else {
                context.stored_credential(&origin)?
            };
            let credential = match found {
                Some(sourced) => Some(sourced.credential),
                None if is_secure_origin(&origin) => git::stored_credential(&origin).await,
                None => None,
            };
            let urls = std::slice::from_ref(object_url);
            let session =
                TransferSession::with_credential(urls, &self.connection, ProgressMode::None, credential, context)?;
            self.session = Some((origin, session));
        }
        let (_, session) = self.session.as_ref().expect("a session has been opened");
        Ok(session)
    }
}

/// Stores an object, unless it is stored already. S3 verifies the bytes of each part. The agent verifies the digest of the
/// file, because S3 does not compute the SHA-256 digest of an object that consists of parts.
async fn store(
    session: &TransferSession,
    object_url: &ObjectUrl,
    request: &TransferRequest,
    path: &Path,
) -> Result<(), OperationError> {
    if is_stored(session, object_url, request.size).await {
        session.progress.add_existing_bytes(request.size);
        return Ok(());
    }
    check_digest(path, request).await?;
    let target = UploadTarget {
        session,
        object_url: object_url.clone(),
        attributes: Arc::new(ObjectAttributes {
            content_type: Some("application/octet-stream".to_owned()),
            metadata: Vec::new(),
            no_clobber: true,
        }),
        goal: UploadGoal::Ensure,
    };
    session.progress.add_file(request.size);
    let opened = OpenedFile::open(path).await?;
    match upload_file(&target, &opened).await {
        Ok(_) => Ok(()),
        // Another client has stored the same object in the meantime.
        Err(error) if error.exit_status == ExitStatus::Conflict => {
            if is_stored(session, object_url, request.size).await {
                Ok(())
            } else {
                Err(error)
            }
        }
        Err(error) => Err(error),
    }
}

/// Returns true if the object exists with this size. Its key is its digest, so it has the same bytes.
async fn is_stored(session: &TransferSession, object_url: &ObjectUrl, size: u64) -> bool {
    let headers = session.head_object(object_url).await;
    headers.is_ok_and(|headers| header(&headers, "content-length") == Some(size.to_string()))
}

/// Rejects a file that is not the object.
async fn check_digest(path: &Path, request: &TransferRequest) -> Result<(), OperationError> {
    let file = path.to_owned();
    let digest = run_blocking(move || digest(&file)).await;
    let digest =
        digest.map_err(|error| OperationError::io(format_args!("failed to read {}", path.display()), &error))?;
    if digest == request.oid {
        return Ok(());
    }
    let message = format!("{} is damaged: its digest is {digest}", path.display());
    Err(OperationError::new(ExitStatus::WrongChecksum, message)
        .with_remedy("Check the repository with `git lfs fsck`."))
}

fn digest(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1024 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

/// Awaits a transfer, and reports its progress to git-lfs. `start` is the progress of the session before it.
async fn with_progress<T>(
    session: &TransferSession,
    request: &TransferRequest,
    start: u64,
    transfer: impl Future<Output = Result<T, OperationError>>,
) -> Result<T, OperationError> {
    tokio::pin!(transfer);
    let mut reported = 0;
    let mut ticks = tokio::time::interval(PROGRESS_INTERVAL);
    let mut report = |bytes: u64| {
        if bytes > reported {
            let sent = send_progress(&request.oid, bytes, bytes - reported);
            reported = bytes;
            return sent.map_err(|error| OperationError::io("failed to write to git-lfs", &error));
        }
        Ok(())
    };
    loop {
        tokio::select! {
            result = &mut transfer => {
                let value = result?;
                report(request.size)?;
                return Ok(value);
            }
            _ = ticks.tick() => report(session.progress.bytes().saturating_sub(start).min(request.size))?,
        }
    }
}
