//! The command `signpost`: objects in and out, and tools for the rules and their secrets.
//!
//! What was typed becomes [`Options`], these become a [`Report`], and `main` prints it. A rules file is read by the core
//! itself and decided on by [`Policy::explain`](signpost::policy::Policy::explain), which tells what the service does.
//!
//! Whatever is done to an object takes two hops, and redirects are never followed: `service` asks Signpost, with the
//! credential, for an `instruction`; `store` sends it to S3, without one. `retry` repeats the two together. How an object is
//! cut into parts and ranges is `plan`, which waits for nothing; what is kept of transfers under way is `state`.

mod buffers;
mod checksum;
mod console;
mod context;
mod credential;
mod doctor;
mod explain;
mod http;
mod instruction;
mod lanes;
mod login;
mod manual;
mod multipart;
mod objects;
mod options;
mod place;
mod plain;
mod plan;
mod problem;
mod profiles;
mod progress;
mod question;
mod report;
mod retry;
mod rules;
mod secret;
mod secrets;
mod service;
mod snapshot;
mod source;
mod state;
mod store;
mod tree;
mod writer;

use std::fmt;
use std::io::{self, Read};

pub use options::Options;
use options::{Command, KeyCommand, RulesCommand, TokenCommand};
pub use report::Report;

/// What the command takes from the system.
pub struct System<'a> {
    /// What was typed, the command's own name first.
    pub arguments: Vec<String>,
    /// Standard input.
    pub stdin: &'a mut dyn Read,
    /// Fills a buffer with the system's randomness.
    pub random: Random,
    /// Reads a variable of the environment.
    pub variable: Variables,
}

/// Fills a buffer with randomness.
pub type Random = fn(&mut [u8]) -> io::Result<()>;

/// Reads a variable of the environment; one that is not UTF-8 counts as unset.
pub type Variables = fn(&str) -> Option<String>;

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
        Command::Doctor(options) => doctor::run(options, &mut system),
        Command::Login(command) => login::run(command, &mut system),
        Command::Object(command) => objects::run(command, &mut system),
        Command::Completions { shell } => Ok(manual::completions(*shell)),
        Command::Man { command } => manual::page(command),
    };
    done.unwrap_or_else(Report::from)
}
