//! The command line: what the user typed, before anything is done about it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

use crate::fronts::Front;

/// Signpost on a laptop: the redirect API, in front of an S3 server inside this process.
///
/// Every `SIGNPOST_` setting of the Lambda function works here as well, from the environment; an option goes before
/// its setting.
#[derive(Debug, Parser)]
#[command(name = "signpost-local", version, max_term_width = 100)]
pub struct Options {
    /// Where the redirect API listens; port 0 lets the system choose.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// The front whose handling of requests, and whose limits, are emulated.
    #[arg(long, value_enum, default_value_t = Front::Rest)]
    pub front: Front,

    /// The rules, as TOML; without them anyone on this machine may do everything.
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,

    /// The folder in which the embedded S3 keeps its data.
    #[arg(long, value_name = "DIR", default_value = "signpost-data", conflicts_with_all = ["bucket", "endpoint"])]
    pub data: PathBuf,

    /// Where the embedded S3 listens; port 0 lets the system choose.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", conflicts_with_all = ["bucket", "endpoint"])]
    pub s3_listen: SocketAddr,

    /// A real bucket instead of the embedded S3, with the credentials of the SDK's default chain.
    #[arg(long, value_name = "NAME")]
    pub bucket: Option<String>,

    /// Another S3 server instead of the embedded one: its origin, such as `https://s3.example.com`.
    #[arg(long, value_name = "ORIGIN")]
    pub endpoint: Option<String>,

    /// The region of the bucket.
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
}

impl Options {
    /// The option that stands for a setting, if the user gave it.
    pub(crate) fn given_for(&self, var: &str) -> Option<&'static str> {
        let (option, given) = match var {
            "SIGNPOST_RULES_FILE" => ("--rules", self.rules.is_some()),
            "SIGNPOST_BUCKET" => ("--bucket", self.bucket.is_some()),
            "SIGNPOST_ENDPOINT" => ("--endpoint", self.endpoint.is_some()),
            "AWS_REGION" => ("--region", self.region.is_some()),
            _ => return None,
        };
        given.then_some(option)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Options::command().debug_assert();
    }

    #[test]
    fn an_embedded_s3_and_another_one_exclude_each_other() {
        let parse = |args: &[&str]| Options::try_parse_from([&["signpost-local"], args].concat());
        assert!(parse(&["--bucket", "files", "--region", "eu-central-1"]).is_ok());
        assert!(parse(&["--bucket", "files", "--data", "elsewhere"]).is_err());
        assert!(parse(&["--endpoint", "http://127.0.0.1:9000", "--s3-listen", "127.0.0.1:1"]).is_err());
    }
}
