//! The program `signpost-local`.

use std::process::ExitCode;

use clap::Parser as _;
use signpost_local::ServerOptions;

#[tokio::main]
async fn main() -> ExitCode {
    match ServerOptions::try_parse() {
        Ok(options) => signpost_local::run(&options).await,
        Err(message) => print_message(&message),
    }
}

/// Prints the help, the version, or an error of the command line. Fails if it cannot be written.
fn print_message(message: &clap::Error) -> ExitCode {
    if let Err(error) = message.print() {
        eprintln!("signpost: failed to write to standard output: {error}");
        return ExitCode::FAILURE;
    }
    u8::try_from(message.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}
