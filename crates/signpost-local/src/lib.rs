//! Signpost on a laptop: the redirect API and an S3 server to redirect to, in one process.
//!
//! ```text
//! curl ─ server ─ buffer ─ fronts ──────────── signpost::lambda ─ Handler
//!                          HTTP to the front's                                 │
//!                          event, and back                             signed URL
//!                                                                              │
//! curl ─────────────────────────────────────────── s3 (or a real bucket) <─────┘
//! ```

mod api;
mod buffer;
mod credentials;
mod environment;
mod fronts;
mod log;
mod options;
pub mod s3;
mod server;
mod shutdown;
mod start;
mod welcome;

use std::process::ExitCode;

pub use crate::fronts::Front;
pub use crate::options::Options;
pub use crate::start::StartError;

/// Runs the server; what stops the start-up is told on standard error.
pub async fn run(options: &Options) -> ExitCode {
    match start::run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::line(format_args!("signpost: {}", chain(&error)));
            ExitCode::FAILURE
        }
    }
}

/// An error with all its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
