//! The command line, as parsed from the arguments.

use std::path::PathBuf;

use clap::{Args, ColorChoice, Parser, Subcommand};
use clap_complete::Shell;

use crate::access_query::{ClaimArgument, QueryCaller, RequestMethod};

mod doctor;
mod login;
mod objects;

pub(crate) use doctor::DoctorOptions;
pub(crate) use login::{LoginCommand, LoginOptions};
pub(crate) use objects::{
    ConnectionOptions, CredentialOptions, GetOptions, LfsOptions, ListOptions, ObjectCommand, PutOptions, ShareOptions,
    StatOptions, UploadsOptions,
};

const EXIT_CODE_HELP: &str = "Exit codes: 0 success, 1 failure, 2 invalid usage, 3 not found, 4 not allowed, 5 conflict or changed \
                          object, 6 wrong checksum, 7 temporary failure, 130 interrupted.";

/// Plain URLs for a private S3 bucket: transfer objects, and manage rules files, tokens and keys.
#[derive(Debug, Parser)]
#[command(name = "signpost", version = signpost::BUILD_VERSION, color = ColorChoice::Never, max_term_width = 100, after_help = EXIT_CODE_HELP)]
pub struct CommandOptions {
    #[command(subcommand)]
    pub(crate) command: SignpostCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SignpostCommand {
    #[command(flatten)]
    Object(ObjectCommand),
    #[command(flatten)]
    Login(LoginCommand),
    Doctor(DoctorOptions),
    /// Check, explain or test a rules file.
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Create tokens for callers, and replace their secrets.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Create keys that sign share links.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Print completions for a shell.
    Completions {
        /// The name of the shell.
        shell: Shell,
    },
    /// Print a manual page: `signpost man rules explain | man -l -`.
    Man {
        /// The command; without it, the page of `signpost` itself.
        command: Vec<String>,
    },
}

impl SignpostCommand {
    /// The name of the command, if its output is JSON.
    pub(crate) fn json_name(&self) -> Option<&'static str> {
        let (name, is_json) = match self {
            Self::Object(command) => return command.json_name(),
            Self::Login(LoginCommand::Whoami { connection }) => ("whoami", connection.json),
            Self::Doctor(options) => ("doctor", options.connection.json),
            Self::Rules(RulesCommand::Explain(options)) => ("rules explain", options.json),
            Self::Rules(RulesCommand::Prove(options)) => ("rules prove", options.json),
            Self::Login(LoginCommand::Login(_) | LoginCommand::Logout { .. })
            | Self::Rules(RulesCommand::Check { .. } | RulesCommand::Test { .. })
            | Self::Token(_)
            | Self::Key(_)
            | Self::Completions { .. }
            | Self::Man { .. } => return None,
        };
        is_json.then_some(name)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Check whether the service would start with these rules.
    Check {
        /// The rules file; `-` for standard input.
        file: PathBuf,
    },
    /// Explain which rule decides about a request, and why.
    ///
    /// The exit code is 0 for every decision. To check decisions in a script, use `rules test`.
    Explain(ExplainOptions),
    /// Compare the decisions of the rules with expected decisions.
    ///
    /// CASES is a TOML file. Each request is a `[[case]]` table with `as`, `method`, `key` and `expect`, and
    /// optionally `rule`, `claims`, `groups`, `length` and `content_type`. `expect` is `allow`, `reject` (the request
    /// is not allowed, for any reason) or `deny` (a rule with `effect = "deny"` rejects it).
    Test {
        /// The rules file; `-` for standard input.
        file: PathBuf,
        /// The file with the cases; `-` for standard input.
        cases: PathBuf,
    },
    /// Prove statements about all requests, or print a request that contradicts them.
    Prove(ProveOptions),
}

/// The grammar is in `after_help`, because only a preformatted text preserves its columns.
#[derive(Debug, Args)]
#[command(after_help = STATEMENT_HELP)]
pub(crate) struct ProveOptions {
    /// The rules file; `-` for standard input.
    pub(crate) file: PathBuf,
    /// The statements, for example "anyone cannot write **".
    #[arg(required = true, value_name = "STATEMENT")]
    pub(crate) statements: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

const STATEMENT_HELP: &str = "\
Statements:
  CALLERS can ACTIONS PATTERN        each of these callers may perform each action on each key
  CALLERS cannot ACTIONS PATTERN     none of these callers may perform any of the actions on any key
  only CALLERS can ACTIONS PATTERN   no other caller may perform any of the actions on any key
  nobody can ACTIONS PATTERN         the same as `everyone cannot`
  no rule is shadowed                each rule decides about at least one request

Callers, separated by ` or `:
  anyone                             a caller without a credential
  authenticated                      every user
  everyone                           every caller, with or without a credential
  token:ID, group:NAME, group:ISSUER/NAME, issuer:NAME, user:ISSUER/SUBJECT
                                     the same callers as in `who` of a rule
  CALLER with CLAIM=VALUE            those users of an issuer whose claim has this value; can be repeated
  link                               the holder of a share link, whoever created it; only with `cannot`

ACTIONS are read, write, delete and list, separated by commas. PATTERN is a pattern as in `on` of a rule. If it contains
a claim, such as users/{user_id}/**, the statement is about the keys of each caller.

Examples:
  signpost rules prove rules.toml \"anyone cannot write,delete **\" \"no rule is shadowed\"
  signpost rules prove rules.toml \"only group:ops or token:ci can delete archive/**\"
  signpost rules prove rules.toml \"issuer:github with ref=refs/heads/main can write releases/**\"

Exit codes: 0 all statements are true, 1 a statement is false, 2 invalid usage.";

#[derive(Debug, Args)]
pub(crate) struct ExplainOptions {
    /// The rules file; `-` for standard input.
    pub(crate) file: PathBuf,
    /// The caller: `anyone`, `token:ID` or `issuer:NAME/SUBJECT`.
    #[arg(long = "as", value_name = "WHO")]
    pub(crate) who: QueryCaller,
    /// GET, HEAD, PUT or DELETE; or LIST to list a prefix.
    pub(crate) method: RequestMethod,
    /// The key, without a leading `/` and without percent-encoding. For LIST, the prefix: it is empty or ends in a
    /// slash.
    pub(crate) key: String,
    /// A claim of the issuer's token; repeat the option for more claims.
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    pub(crate) claims: Vec<ClaimArgument>,
    /// A group from the issuer's token; repeat the option for more groups. The groups of a static token are in the
    /// rules file.
    #[arg(long = "group", value_name = "GROUP")]
    pub(crate) groups: Vec<String>,
    /// The length of the upload, in bytes.
    #[arg(long, value_name = "BYTES")]
    pub(crate) length: Option<u64>,
    /// The media type of the upload.
    #[arg(long, value_name = "TYPE")]
    pub(crate) content_type: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Create a token: add its `[[token]]` table to a rules file, and print the secret to standard output, once.
    ///
    /// For example, `secret=$(signpost token new ci rules.toml)`. If the command fails, the file does not change.
    New {
        /// The public id of the token in the rules file, and the user name of `curl -u ID:SECRET`.
        id: String,
        /// The rules file, which is changed. Without it, the table is printed to standard error.
        file: Option<PathBuf>,
        /// The groups of the token.
        #[arg(long, value_delimiter = ',', value_name = "GROUP,…")]
        groups: Vec<String>,
    },
    /// Add a new secret to a token in a rules file, and print it. The previous secret stays valid.
    ///
    /// This is the first step of a rotation. The id, the `user_id` and the rules of the token stay the same. After the
    /// user has the new secret, `signpost token retire` ends the previous one.
    Rotate {
        /// The id of the token.
        id: String,
        /// The rules file, which is changed.
        file: PathBuf,
    },
    /// Remove all secrets of a token except the newest one from a rules file.
    ///
    /// This is the last step of a rotation. It also ends the sessions and share links that were created with the older
    /// secrets.
    Retire {
        /// The id of the token.
        id: String,
        /// The rules file, which is changed.
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Create a key for share links and sign-in sessions, in the format of `SIGNPOST_KEYS`: `ID:KEY`.
    New,
}
