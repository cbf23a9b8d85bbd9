//! Signpost on your own machine: the redirect API and an S3 server in one process.
//!
//! ```text
//! curl ─ http_server ─ redirect_api ─ fronts ───── signpost::lambda ─ Handler
//!                      buffers the    HTTP to the                              │
//!                      body           front's event, and back         presigned URL
//!                                                                              │
//! curl ─────────────────────────────────────────── s3 (or a real bucket) <─────┘
//! ```

mod redirect_api;
mod request_body;
mod connections;
mod credentials;
mod environment;
mod fronts;
mod logging;
mod options;
mod private_files;
pub mod s3;
mod http_server;
mod shutdown;
mod startup;
mod welcome;

use std::process::ExitCode;

pub use crate::fronts::EmulatedFront;
pub use crate::options::ServerOptions;
pub use crate::startup::StartupError;

/// Runs the server. Writes an error that prevents the start to standard error.
pub async fn run(options: &ServerOptions) -> ExitCode {
    match startup::run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            logging::print_line(format_args!("signpost: {}", signpost::error::chain(&error)));
            ExitCode::FAILURE
        }
    }
}
