//! The command line: what the user typed, before anything is done about it.

use std::path::PathBuf;

use clap::{Args, ColorChoice, Parser, Subcommand};
use clap_complete::Shell;

use crate::question::{Claim, Method, Who};

mod doctor;
mod login;
mod objects;

pub(crate) use doctor::DoctorOptions;
pub(crate) use login::{LoginCommand, LoginOptions};
pub(crate) use objects::{
    Connection, GetOptions, ListOptions, ObjectCommand, PutOptions, ShareOptions, UploadsOptions,
};

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 misused, 3 not found, 4 not allowed, 5 in conflict or changed \
                          meanwhile, 6 wrong checksum, 7 temporary, 130 interrupted.";

/// Plain URLs for a private S3 bucket: objects in and out, and tools for the rules and their secrets.
#[derive(Debug, Parser)]
#[command(name = "signpost", version, color = ColorChoice::Never, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Options {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Object(ObjectCommand),
    #[command(flatten)]
    Login(LoginCommand),
    Doctor(DoctorOptions),
    /// Check, explain or test a rules file.
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Tokens that callers send.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Keys that sign share links.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print a manual page: `signpost man rules explain | man -l -`.
    Man {
        /// The command that the page is about; none for `signpost` itself.
        command: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Say whether the service would start with these rules.
    Check {
        /// The rules file; `-` for standard input.
        file: PathBuf,
    },
    /// Tell which rule decides about a request, and why.
    ///
    /// The exit code tells whether there was an answer, not what it is; `rules test` is for that.
    Explain(Explain),
    /// Hold the rules to the decisions that are wanted of them.
    ///
    /// CASES is TOML: for each request a table `[[case]]` with `as`, `method`, `key` and `expect`, and where they are
    /// wanted `rule`, `claims`, `groups`, `length` and `content_type`. `expect` is `allow`; or `refuse`, however it comes
    /// about; or `deny`, a refusal by a rule with `effect = "deny"`.
    Test {
        /// The rules file; `-` for standard input.
        file: PathBuf,
        /// The file with the cases; `-` for standard input.
        cases: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The rules file; `-` for standard input.
    pub(crate) file: PathBuf,
    /// Who asks: `anyone`, `token:ID` or `issuer:NAME/SUBJECT`.
    #[arg(long = "as", value_name = "WHO")]
    pub(crate) who: Who,
    /// GET, HEAD, PUT or DELETE; or LIST, for the keys below a prefix.
    pub(crate) method: Method,
    /// The key that the URL names: without the `/` before it, and not percent-encoded. Of LIST a prefix, which is empty or
    /// ends in a slash.
    pub(crate) key: String,
    /// A claim that the issuer makes; repeat it for more.
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    pub(crate) claims: Vec<Claim>,
    /// A group that the issuer tells; repeat it for more. Those of a token stand in the rules.
    #[arg(long = "group", value_name = "GROUP")]
    pub(crate) groups: Vec<String>,
    /// The length of the upload, in bytes.
    #[arg(long, value_name = "BYTES")]
    pub(crate) length: Option<u64>,
    /// The media type of the upload.
    #[arg(long, value_name = "TYPE")]
    pub(crate) content_type: Option<String>,
    /// Tell it as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token: its secret goes to standard output, once, and its `[[token]]` table to standard error.
    ///
    /// So `secret=$(signpost token new ci 2>>rules.toml)` keeps the one and adds the other to the rules.
    New {
        /// The token's public name in the rules, and the user name of `curl -u ID:SECRET`.
        id: String,
        /// The groups of its bearer.
        #[arg(long, value_delimiter = ',', value_name = "GROUP,…")]
        groups: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key for share links and sign-in sessions, as `SIGNPOST_KEYS` takes it: `ID:KEY`.
    New,
}
