//! The `signpost` command: transfers objects, and manages rules files, tokens and keys.
//!
//! The command line is parsed into [`CommandOptions`]. [`run`] executes it and returns a [`CommandReport`], which
//! `main` prints. The core library parses a rules file, and [`Policy::explain`](signpost::policy::Policy::explain)
//! makes the same decision as the service.
//!
//! Every operation on an object takes two requests, and redirects are never followed. First, `signing_service`
//! requests an `instruction` from Signpost, with the credential. Then `s3_client` sends the signed request to S3,
//! without a credential. `retry` repeats both together. `part_layout` calculates the parts and ranges of an object.
//! `transfer_state` stores the state of transfers that can be resumed.

mod blocking_task;
mod buffer_pool;
mod checksum;
mod console_output;
mod command_context;
mod credential;
mod doctor;
mod s3_remedies;
mod http_client;
mod instruction;
mod concurrency_limit;
mod login;
mod manual_pages;
mod multipart_xml;
mod objects;
mod options;
mod object_url;
mod terminal_text;
mod part_layout;
mod platform;
mod operation_error;
mod output_path;
mod profile_store;
mod progress;
mod access_query;
mod command_report;
mod retry;
mod rules;
mod secret_text;
mod secret_generation;
mod editable_rules;
mod new_token;
mod token_rotation;
mod signing_service;
mod progress_snapshot;
mod upload_source;
mod transfer_state;
mod s3_client;
mod local_files;
mod exit_status;
mod file_writer;
mod gateway_error;

use std::fmt;
use std::io::{self, Read};

pub use command_report::CommandReport;
pub use exit_status::ExitStatus;
pub use options::CommandOptions;
use options::{KeyCommand, RulesCommand, SignpostCommand, TokenCommand};

/// The system interfaces that the command uses.
pub struct SystemAccess<'a> {
    /// The command line, starting with the name of the command.
    pub arguments: Vec<String>,
    /// Standard input.
    pub stdin: &'a mut dyn Read,
    /// Fills a buffer with random bytes from the system.
    pub random: RandomSource,
    /// Reads an environment variable.
    pub variable: VariableReader,
}

/// Fills a buffer with random bytes.
pub type RandomSource = fn(&mut [u8]) -> io::Result<()>;

/// Reads an environment variable. A variable that is not UTF-8 is treated as unset.
pub type VariableReader = fn(&str) -> Option<String>;

impl fmt::Debug for SystemAccess<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("System")
    }
}

/// Executes the command.
pub fn run(options: &CommandOptions, mut system: SystemAccess<'_>) -> CommandReport {
    let done = match &options.command {
        SignpostCommand::Rules(RulesCommand::Check { file }) => rules::check(file, &mut system),
        SignpostCommand::Rules(RulesCommand::Explain(explain)) => rules::explain(explain, &mut system),
        SignpostCommand::Rules(RulesCommand::Test { file, cases }) => rules::test(file, cases, &mut system),
        SignpostCommand::Rules(RulesCommand::Prove(options)) => rules::prove(options, &mut system),
        SignpostCommand::Token(TokenCommand::New { id, file, groups }) => {
            new_token::new_token(id, groups, file.as_deref(), &system)
        }
        SignpostCommand::Token(TokenCommand::Rotate { id, file }) => token_rotation::rotate(id, file, &system),
        SignpostCommand::Token(TokenCommand::Retire { id, file }) => token_rotation::retire(id, file),
        SignpostCommand::Key(KeyCommand::New) => secret_generation::new_key(&system),
        SignpostCommand::Doctor(options) => doctor::run(options, &mut system),
        SignpostCommand::Login(command) => login::run(command, &mut system),
        SignpostCommand::Object(command) => objects::run(command, &mut system),
        SignpostCommand::Completions { shell } => Ok(manual_pages::completions(*shell)),
        SignpostCommand::Man { command } => manual_pages::man_page(command),
    };
    done.unwrap_or_else(|error| CommandReport::of_failure(&error, options.command.json_name()))
}
