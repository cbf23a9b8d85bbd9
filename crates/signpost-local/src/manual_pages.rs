//! The manual page and the shell completions, generated from the definition of the command line.

use std::io::{self, Write as _};

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::options::ServerOptions;

/// Writes the manual page to standard output.
pub(crate) fn print_man_page() -> io::Result<()> {
    clap_mangen::Man::new(ServerOptions::command()).render(&mut io::stdout())
}

/// Writes the completions for a shell to standard output.
pub(crate) fn print_completions(shell: Shell) -> io::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut ServerOptions::command(), "signpost-local", &mut script);
    io::stdout().write_all(&script)
}
