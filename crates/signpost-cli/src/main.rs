//! The `signpost` command.

use std::io;
use std::process::ExitCode;

use clap::Parser as _;
use signpost_cli::{CommandOptions, SystemAccess};

fn main() -> ExitCode {
    let system = SystemAccess {
        arguments: std::env::args_os()
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect(),
        stdin: &mut io::stdin(),
        random: |bytes| getrandom::fill(bytes).map_err(io::Error::from),
        variable: |name| std::env::var(name).ok().filter(|value| !value.is_empty()),
    };
    signpost_cli::run(&CommandOptions::parse(), system).print(&mut io::stdout(), &mut io::stderr())
}
