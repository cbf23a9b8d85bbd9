//! The commands for objects.

use std::path::PathBuf;

use bytesize::ByteSize;
use clap::{Args, Subcommand};

use crate::progress::ProgressMode;

#[derive(Debug, Subcommand)]
pub(crate) enum ObjectCommand {
    /// Download objects.
    Get(GetOptions),
    /// Upload files.
    Put(PutOptions),
    /// Write objects to standard output, one after the other.
    Cat {
        /// The objects: URLs, or keys at the service of `SIGNPOST_URL` or the profile.
        #[arg(required = true, value_name = "OBJECT")]
        objects: Vec<String>,
        #[command(flatten)]
        credential: CredentialOptions,
    },
    /// Delete objects. As in S3, it is not an error if an object does not exist.
    Rm {
        /// The objects: URLs, or keys at the service of `SIGNPOST_URL` or the profile.
        #[arg(required = true, value_name = "OBJECT")]
        objects: Vec<String>,
        #[command(flatten)]
        connection: ConnectionOptions,
    },
    /// List the objects below prefixes.
    Ls(ListOptions),
    /// Create a share link to an object or a prefix. Everyone who has the link can use it.
    ///
    /// The link is printed to standard output, and its id and its end to standard error. The operator can revoke the link
    /// by its id. `signpost doctor LINK` shows both later.
    Share(ShareOptions),
    /// List unfinished multipart uploads.
    Uploads(UploadsOptions),
    /// Print the metadata that S3 stores for objects: size, type, checksum, user metadata.
    Stat(StatOptions),
    /// Transfer git-lfs objects in parts and resume interrupted transfers. git-lfs runs this command.
    ///
    /// To use it for a repository: git config lfs.customtransfer.signpost.path signpost, and git config
    /// lfs.customtransfer.signpost.args lfs.
    Lfs(LfsOptions),
}

/// The connection to the service, for a command with results.
#[derive(Clone, Debug, Args)]
pub(crate) struct ConnectionOptions {
    #[command(flatten)]
    pub(crate) credential: CredentialOptions,
    /// Print results to standard output as JSON, one line for each object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The source of the credential.
#[derive(Clone, Debug, Args)]
pub(crate) struct CredentialOptions {
    /// A file with the token; `-` for standard input. The default is `SIGNPOST_TOKEN`, then the profile, then
    /// ~/.netrc.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// The profile of `signpost login` to use instead of `SIGNPOST_URL` and `SIGNPOST_TOKEN`.
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
}

impl CredentialOptions {
    /// The connection for a command whose output is not JSON.
    pub(crate) fn without_json(self) -> ConnectionOptions {
        ConnectionOptions {
            credential: self,
            json: false,
        }
    }
}

#[derive(Clone, Debug, Args)]
pub(crate) struct GetOptions {
    /// The objects: URLs, or keys at the service of `SIGNPOST_URL` or the profile.
    #[arg(required = true, value_name = "OBJECT")]
    pub(crate) objects: Vec<String>,
    /// The file or folder to write to; `-` for standard output. The default is the name of the object, in the current
    /// folder.
    #[arg(short, long, value_name = "PATH")]
    pub(crate) output: Option<PathBuf>,
    /// Accept prefixes, and download all objects below them.
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// Do not replace existing files.
    #[arg(long)]
    pub(crate) no_clobber: bool,
    /// How to show progress on standard error.
    #[arg(long, value_enum, value_name = "HOW", default_value_t = ProgressMode::Auto)]
    pub(crate) progress: ProgressMode,
    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ListOptions {
    /// The prefixes: URLs, or keys at the service of `SIGNPOST_URL` or the profile. The default is the root of the service.
    #[arg(default_value = "/", value_name = "PREFIX")]
    pub(crate) prefixes: Vec<String>,
    /// Print the size and the time of each object.
    #[arg(short, long)]
    pub(crate) long: bool,
    /// List the objects in subfolders too.
    #[arg(short, long)]
    pub(crate) recursive: bool,
    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ShareOptions {
    /// The object, or the prefix if it ends in a slash.
    #[arg(value_name = "OBJECT")]
    pub(crate) object: String,
    /// The lifetime of the link, for example `90s` or `2d`. The default is one day, or less if the rule requires it.
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Option<String>,
    /// The methods that the link allows: GET, HEAD, PUT, DELETE. The default is GET and HEAD, or only GET with
    /// `--uses`.
    #[arg(long = "method", value_delimiter = ',', value_name = "METHOD,…")]
    pub(crate) methods: Vec<String>,
    /// The maximum size of an upload with the link, in bytes or with a unit: 5MiB.
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) max_bytes: Option<u64>,
    /// The maximum number of uses: 1 for a one-time link. The default is no limit until the link expires.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) uses: Option<u32>,
    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct LfsOptions {
    /// The prefix of the objects, for `lfs.standalonetransferagent`: a URL, or a key at the service of `SIGNPOST_URL`, that
    /// ends in a slash. Without it, the service names the URL of each object.
    #[arg(value_name = "PREFIX")]
    pub(crate) prefix: Option<String>,
    /// A file with the token; `-` is not possible. The default is `SIGNPOST_TOKEN`, then the profile, then ~/.netrc, then
    /// the credential helper of git.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// The profile of `signpost login` to use instead of `SIGNPOST_URL` and `SIGNPOST_TOKEN`.
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct StatOptions {
    /// The objects: URLs, or keys at the service of `SIGNPOST_URL` or the profile.
    #[arg(required = true, value_name = "OBJECT")]
    pub(crate) objects: Vec<String>,
    /// Accept a share link with a limited number of uses, and consume one of them.
    #[arg(long)]
    pub(crate) consume_use: bool,
    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct UploadsOptions {
    /// The prefixes: URLs, or keys at the service of `SIGNPOST_URL` or the profile. The default is the root of the service.
    #[arg(default_value = "/", value_name = "PREFIX")]
    pub(crate) prefixes: Vec<String>,
    /// Abort the uploads, which frees the storage of their parts. Commands that are still sending parts fail.
    #[arg(long)]
    pub(crate) abort: bool,
    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct PutOptions {
    /// The files; `-` for standard input.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The destination: a URL, or a key at the service of `SIGNPOST_URL` or the profile. If it ends in `/`, files keep their names
    /// below it.
    #[arg(value_name = "DESTINATION")]
    pub(crate) destination: String,
    /// Accept folders, and upload all files in them. The folder's name is part of the keys, unless the path ends in a
    /// slash.
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// Do not replace existing objects.
    #[arg(long)]
    pub(crate) no_clobber: bool,
    /// How to show progress on standard error.
    #[arg(long, value_enum, value_name = "HOW", default_value_t = ProgressMode::Auto)]
    pub(crate) progress: ProgressMode,
    /// The media type. The default depends on the file name.
    #[arg(long, value_name = "TYPE")]
    pub(crate) content_type: Option<String>,
    /// User metadata of the object; repeat the option for more.
    #[arg(long, value_name = "NAME=VALUE", value_parser = metadata)]
    pub(crate) metadata: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,
}

fn metadata(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("must be NAME=VALUE".to_owned()),
    }
}

fn parse_size(text: &str) -> Result<u64, &'static str> {
    let size: Result<ByteSize, _> = text.parse();
    size.map(|size| size.as_u64())
        .map_err(|_| "write a number of bytes, or a size with a unit such as 5MiB")
}

impl ObjectCommand {
    /// The name of the command, if its output is JSON.
    pub(super) fn json_name(&self) -> Option<&'static str> {
        let (name, connection) = match self {
            Self::Get(options) => ("get", &options.connection),
            Self::Put(options) => ("put", &options.connection),
            Self::Rm { connection, .. } => ("rm", connection),
            Self::Ls(options) => ("ls", &options.connection),
            Self::Share(options) => ("share", &options.connection),
            Self::Uploads(options) => ("uploads", &options.connection),
            Self::Stat(options) => ("stat", &options.connection),
            Self::Cat { .. } | Self::Lfs(_) => return None,
        };
        connection.json.then_some(name)
    }
}
