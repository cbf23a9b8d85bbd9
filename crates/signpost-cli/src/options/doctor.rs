//! The options of `doctor`.

use std::path::PathBuf;

use clap::Args;

use super::ConnectionOptions;

/// Check a deployment, or explain a presigned URL or an S3 error.
///
/// Nothing is changed, and no secret of the URL is printed. The exit code is 1 if a check fails.
#[derive(Clone, Debug, Args)]
pub(crate) struct DoctorOptions {
    /// The URL of a service, or a presigned URL; `-` reads a URL or an error document from standard input.
    #[arg(value_name = "URL")]
    pub(crate) subject: Option<String>,
    /// A file with an S3 error document; `-` for standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) error: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,
}
