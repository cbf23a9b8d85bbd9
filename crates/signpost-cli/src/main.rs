//! The command.

use std::io;
use std::process::ExitCode;

use clap::Parser as _;
use signpost_cli::{Options, System};

fn main() -> ExitCode {
    let system = System {
        arguments: std::env::args_os()
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect(),
        stdin: &mut io::stdin(),
        random: |bytes| getrandom::fill(bytes).map_err(io::Error::from),
        variable: |name| std::env::var(name).ok().filter(|value| !value.is_empty()),
    };
    signpost_cli::run(&Options::parse(), system).tell(&mut io::stdout(), &mut io::stderr())
}
