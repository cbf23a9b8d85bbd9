//! The commands for objects.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::progress::Mode;

#[derive(Debug, Subcommand)]
pub(crate) enum ObjectCommand {
    /// Download objects.
    Get(GetOptions),
    /// Upload files.
    Put(PutOptions),
    /// Write objects to standard output, one after the other.
    Cat {
        /// The objects: URLs, or keys at the service of `SIGNPOST_URL`.
        #[arg(required = true, value_name = "OBJECT")]
        objects: Vec<String>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Delete objects. One that does not exist is no error, as in S3 itself.
    Rm {
        /// The objects: URLs, or keys at the service of `SIGNPOST_URL`.
        #[arg(required = true, value_name = "OBJECT")]
        objects: Vec<String>,
        #[command(flatten)]
        connection: Connection,
    },
    /// List what is below prefixes.
    Ls(ListOptions),
    /// Make a link that lends an object, or a prefix, to whoever has it.
    Share(ShareOptions),
    /// List uploads in parts that have begun and not ended.
    Uploads(UploadsOptions),
    /// Tell what S3 knows of objects: size, type, checksum, metadata.
    Stat {
        /// The objects: URLs, or keys at the service of `SIGNPOST_URL`.
        #[arg(required = true, value_name = "OBJECT")]
        objects: Vec<String>,
        #[command(flatten)]
        connection: Connection,
    },
}

/// How the service is reached.
#[derive(Clone, Debug, Args)]
pub(crate) struct Connection {
    /// A file with the token; `-` for standard input. Otherwise `SIGNPOST_TOKEN`, the profile, then ~/.netrc.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// The profile of `signpost login` to use, instead of `SIGNPOST_URL` and `SIGNPOST_TOKEN`.
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Tell what is done on standard output as JSON, a line for each object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct GetOptions {
    /// The objects: URLs, or keys at the service of `SIGNPOST_URL`.
    #[arg(required = true, value_name = "OBJECT")]
    pub(crate) objects: Vec<String>,
    /// The file, or the folder, to write to; `-` for standard output. Otherwise the object's own name, here.
    #[arg(short, long, value_name = "PATH")]
    pub(crate) output: Option<PathBuf>,
    /// Take prefixes, and get everything below them.
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// Leave files alone that exist.
    #[arg(long)]
    pub(crate) no_clobber: bool,
    /// How progress is shown, on standard error.
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Mode::Auto)]
    pub(crate) progress: Mode,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ListOptions {
    /// The prefixes: URLs, or keys at the service of `SIGNPOST_URL`; everything there, where none is named.
    #[arg(default_value = "/", value_name = "PREFIX")]
    pub(crate) prefixes: Vec<String>,
    /// Tell size and time as well.
    #[arg(short, long)]
    pub(crate) long: bool,
    /// List what is in folders, too.
    #[arg(short, long)]
    pub(crate) recursive: bool,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ShareOptions {
    /// What to lend: an object, or with a slash at its end a prefix.
    #[arg(value_name = "OBJECT")]
    pub(crate) place: String,
    /// How long the link works: `90s`, `2d`; otherwise a day, or as long as the rule allows.
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Option<String>,
    /// What it lends: GET, HEAD, PUT, DELETE; otherwise GET and HEAD, or GET alone with `--uses`.
    #[arg(long = "method", value_delimiter = ',', value_name = "METHOD,…")]
    pub(crate) methods: Vec<String>,
    /// The most bytes that an upload by it may have.
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_bytes: Option<u64>,
    /// How often it works: 1 for a one-time link; otherwise as often as one likes until it ends.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) uses: Option<u32>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct UploadsOptions {
    /// The prefixes: URLs, or keys at the service of `SIGNPOST_URL`; everything there, where none is named.
    #[arg(default_value = "/", value_name = "PREFIX")]
    pub(crate) prefixes: Vec<String>,
    /// Abort them, which frees the storage of their parts. Whatever is still sending them fails.
    #[arg(long)]
    pub(crate) abort: bool,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct PutOptions {
    /// The files; `-` for standard input.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Where to: a URL, or a key at the service of `SIGNPOST_URL`. Below one that ends in `/` files keep their names.
    #[arg(value_name = "DESTINATION")]
    pub(crate) destination: String,
    /// Take folders, and put everything in them: under the folder's name, or without it where a slash follows.
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// Leave objects alone that exist.
    #[arg(long)]
    pub(crate) no_clobber: bool,
    /// How progress is shown, on standard error.
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Mode::Auto)]
    pub(crate) progress: Mode,
    /// The media type; otherwise the one that goes with the name.
    #[arg(long, value_name = "TYPE")]
    pub(crate) content_type: Option<String>,
    /// Metadata to keep with the object; repeat it for more.
    #[arg(long, value_name = "NAME=VALUE", value_parser = metadata)]
    pub(crate) metadata: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

fn metadata(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("must be NAME=VALUE".to_owned()),
    }
}
