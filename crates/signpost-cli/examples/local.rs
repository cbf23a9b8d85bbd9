//! The local server, built with the tests of the command, which find it beside the command.

use std::process::ExitCode;

use clap::Parser as _;
use signpost_local::ServerOptions;

#[tokio::main]
async fn main() -> ExitCode {
    signpost_local::run(&ServerOptions::parse()).await
}
