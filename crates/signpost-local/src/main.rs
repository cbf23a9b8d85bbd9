//! The program `signpost-local`.

use std::process::ExitCode;

use clap::Parser as _;
use signpost_local::ServerOptions;

#[tokio::main]
async fn main() -> ExitCode {
    signpost_local::run(&ServerOptions::parse()).await
}
