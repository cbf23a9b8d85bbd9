//! The command `signpost`: tools for the rules and their secrets.
//!
//! What was typed becomes [`Options`], these become a [`Report`], and `main` prints it. A rules file is read by the core
//! itself and decided on by [`Policy::explain`](signpost::policy::Policy::explain), which tells what the service does.

mod manual;
mod options;
mod question;
mod report;
mod rules;
mod secrets;

use std::fmt;
use std::io::{self, Read};

pub use options::Options;
use options::{Command, KeyCommand, RulesCommand, TokenCommand};
pub use report::Report;

/// What the command takes from the system.
pub struct System<'a> {
    /// Standard input.
    pub stdin: &'a mut dyn Read,
    /// Fills a buffer with the system's randomness.
    pub random: fn(&mut [u8]) -> io::Result<()>,
}

impl fmt::Debug for System<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("System")
    }
}

/// Does what was typed.
pub fn run(options: &Options, mut system: System<'_>) -> Report {
    let done = match &options.command {
        Command::Rules(RulesCommand::Check { file }) => rules::check(file, &mut system),
        Command::Rules(RulesCommand::Explain(explain)) => rules::explain(explain, &mut system),
        Command::Rules(RulesCommand::Test { file, cases }) => rules::test(file, cases, &mut system),
        Command::Token(TokenCommand::New { id, groups }) => secrets::new_token(id, groups, &system),
        Command::Key(KeyCommand::New) => secrets::new_key(&system),
        Command::Completions { shell } => Ok(manual::completions(*shell)),
        Command::Man { command } => manual::page(command),
    };
    done.unwrap_or_else(Report::from)
}
