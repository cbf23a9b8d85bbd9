//! The command that examines.

use std::path::PathBuf;

use clap::Args;

use super::Connection;

/// Check a deployment, or explain a presigned URL or an error of S3's.
///
/// Nothing is stored, and no secret of the URL is told. Exit code 1 says that something is wrong.
#[derive(Clone, Debug, Args)]
pub(crate) struct DoctorOptions {
    /// The URL of a service, or a presigned URL; `-` reads it, or an error document, from standard input.
    #[arg(value_name = "URL")]
    pub(crate) subject: Option<String>,
    /// A file with the error document that S3 answered; `-` for standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) error: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}
