//! The `signpost` command.

use std::io;
use std::process::ExitCode;

use clap::Parser as _;
use signpost_cli::{CommandOptions, CommandReport, SystemAccess};

fn main() -> ExitCode {
    let options = match CommandOptions::try_parse() {
        Ok(options) => options,
        Err(message) => return print_message(&message),
    };
    let system = SystemAccess {
        arguments: std::env::args_os()
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect(),
        stdin: &mut io::stdin(),
        random: |bytes| getrandom::fill(bytes).map_err(io::Error::from),
        variable: |name| std::env::var(name).ok().filter(|value| !value.is_empty()),
    };
    signpost_cli::run(&options, system).print(&mut io::stdout(), &mut io::stderr())
}

/// Prints the help, the version, or an error of the command line. Fails if it cannot be written.
fn print_message(message: &clap::Error) -> ExitCode {
    if message.use_stderr() {
        return CommandReport::of_invalid_usage(message).print(&mut io::stdout(), &mut io::stderr());
    }
    if let Err(error) = message.print() {
        eprintln!("error: failed to write to standard output: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
