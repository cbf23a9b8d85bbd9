//! The commands for objects.

use std::path::PathBuf;

use clap::{Args, Subcommand};

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
    /// A file with the token; `-` for standard input. Otherwise `SIGNPOST_TOKEN`, then ~/.netrc.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
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
    /// Leave files alone that exist.
    #[arg(long)]
    pub(crate) no_clobber: bool,
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
    /// Leave objects alone that exist.
    #[arg(long)]
    pub(crate) no_clobber: bool,
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
