//! Signpost on your own machine: the redirect API and an S3 server in one process.
//!
//! ```text
//! curl ─ http_server ─ redirect_api ─ fronts ───── signpost::lambda ─ Handler
//!                      buffers the    HTTP to the                              │
//!                      body           front's event, and back         presigned URL
//!                                                                              │
//! curl ─────────────────────────────────────────── s3 (or a real bucket) <─────┘
//! ```

mod access_log;
mod redirect_api;
mod request_body;
mod connections;
mod credentials;
mod environment;
mod fronts;
mod health_check;
mod logging;
mod manual_pages;
mod options;
mod policy_summary;
mod private_files;
pub mod s3;
mod http_server;
mod rules_reload;
mod shutdown;
mod startup;
mod welcome;

use std::process::ExitCode;

pub use crate::fronts::EmulatedFront;
pub use crate::options::ServerOptions;
pub use crate::startup::StartupError;

/// Runs the server, or does what an option requests instead. Writes an error to standard error.
pub async fn run(options: &ServerOptions) -> ExitCode {
    if let Some(url) = &options.check_health {
        exit_code(health_check::check_health(url).await)
    } else if let Some(shell) = options.print_completions {
        exit_code(manual_pages::print_completions(shell))
    } else if options.print_man_page {
        exit_code(manual_pages::print_man_page())
    } else {
        exit_code(startup::run(options).await)
    }
}

fn exit_code<E: std::error::Error>(result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            logging::print_line(format_args!("signpost: {}", signpost::error::chain(&error)));
            ExitCode::FAILURE
        }
    }
}
