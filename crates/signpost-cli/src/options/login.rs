//! The commands for profiles.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Connection;

#[derive(Debug, Subcommand)]
pub(crate) enum LoginCommand {
    /// Keep the URL of a service and a token for it, once the service has taken the token.
    Login(LoginOptions),
    /// Forget a profile.
    Logout {
        /// The profile; otherwise `default`.
        #[arg(long, value_name = "NAME")]
        profile: Option<String>,
    },
    /// Tell which service is asked, as whom, and whether it takes the credential.
    Whoami {
        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Clone, Debug, Args)]
pub(crate) struct LoginOptions {
    /// The URL of the service.
    pub(crate) url: String,
    /// The name to keep it under; otherwise `default`.
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// A file with the token; `-` for standard input. Otherwise it is asked for. It is the secret alone, or `ID:SECRET`.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}
