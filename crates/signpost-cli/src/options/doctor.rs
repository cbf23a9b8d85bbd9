//! The options of `doctor`.

use std::path::PathBuf;

use clap::Args;

use super::ConnectionOptions;

/// Check a service or a share link, or explain a presigned URL or an error of Signpost, S3 or the gateway.
///
/// The command changes nothing, and prints no secret of a URL. If a check fails, the exit code is that of the error: 4 if
/// the service rejects the credential or the link, otherwise usually 1.
#[derive(Clone, Debug, Args)]
pub(crate) struct DoctorOptions {
    /// The URL of a service, a presigned URL or a share link; `-` reads a URL or the body of an error response from
    /// standard input. The default is standard input if it is a file or a pipe, then the service of `SIGNPOST_URL` or
    /// the profile.
    #[arg(value_name = "URL")]
    pub(crate) subject: Option<String>,
    /// A file with the body of an error response; `-` for standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) error: Option<PathBuf>,
    /// The rules file of the service. `doctor` then describes each mount of the rules, and checks its bucket.
    #[arg(long, value_name = "FILE", conflicts_with = "error")]
    pub(crate) rules: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,
}
