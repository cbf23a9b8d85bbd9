//! The commands for profiles.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ConnectionOptions;

#[derive(Debug, Subcommand)]
pub(crate) enum LoginCommand {
    /// Verify a token, and store it with the URL of the service in a profile.
    Login(LoginOptions),
    /// Delete a profile.
    Logout {
        /// The name of the profile; the default is `default`.
        #[arg(long, value_name = "NAME")]
        profile: Option<String>,
    },
    /// Print the caller, its groups and the end of its credential. A wrong credential is an error.
    Whoami {
        #[command(flatten)]
        connection: ConnectionOptions,
    },
}

#[derive(Clone, Debug, Args)]
pub(crate) struct LoginOptions {
    /// The URL of the service.
    pub(crate) url: String,
    /// The name of the profile; the default is `default`.
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// A file with the token (the secret, or `ID:SECRET`); `-` for standard input. The default is to prompt for the
    /// token.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}
