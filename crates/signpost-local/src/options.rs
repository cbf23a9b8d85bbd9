//! The command-line options, parsed but not yet applied.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Parser;
use clap_complete::Shell;
use signpost::policy::check_mount;

use crate::fronts::EmulatedFront;

/// Runs Signpost on your own machine: the redirect API, in front of an S3 server inside this process.
///
/// Every `SIGNPOST_` setting of the Lambda function also works here, as an environment variable. An option overrides
/// its setting.
#[derive(Parser)]
#[command(name = "signpost-local", version = signpost::BUILD_VERSION, max_term_width = 100)]
pub struct ServerOptions {
    /// Address that the redirect API listens on; port 0 lets the system choose a port.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", value_parser = parse_address)]
    pub listen: SocketAddr,

    /// Front to emulate, with its request processing and limits.
    #[arg(long, value_enum, default_value_t = EmulatedFront::Rest)]
    pub front: EmulatedFront,

    /// Rules file (TOML), which the server reads again when it changes. Without it, anyone who can reach the
    /// address can read, create, list and delete objects.
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,

    /// Directory for the data of the embedded S3.
    #[arg(long, value_name = "DIR", default_value = "signpost-data", conflicts_with_all = ["bucket", "endpoint"])]
    pub data: PathBuf,

    /// Address that the embedded S3 listens on; port 0 lets the system choose a port.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", value_parser = parse_address,
        conflicts_with_all = ["bucket", "endpoint"])]
    pub s3_listen: SocketAddr,

    /// Origin of the embedded S3 in presigned URLs, if clients cannot use the address of `--s3-listen`, for example in
    /// a container.
    ///
    /// The server must be able to reach this origin too.
    #[arg(long, value_name = "ORIGIN", conflicts_with_all = ["bucket", "endpoint"])]
    pub s3_url: Option<String>,

    /// Access key id of the embedded S3, for other programs that use it; without it, the server generates a key pair. Or
    /// set `SIGNPOST_LOCAL_S3_ACCESS_KEY_ID`.
    #[arg(long, value_name = "ID", conflicts_with_all = ["bucket", "endpoint"])]
    pub s3_access_key_id: Option<String>,

    /// Secret access key of the embedded S3. Other users of this machine can see options; to hide the secret, set
    /// `SIGNPOST_LOCAL_S3_SECRET_ACCESS_KEY` instead.
    #[arg(long, value_name = "SECRET", conflicts_with_all = ["bucket", "endpoint"])]
    pub s3_secret_access_key: Option<String>,

    /// Mounts a real bucket at these public keys, with the credentials and the region of the AWS SDK's default chain, as
    /// `AT=BUCKET`, for example `archive/=acme-archive`. Repeatable. It replaces a mount of the rules with the same keys.
    #[arg(long, value_name = "AT=BUCKET")]
    pub mount: Vec<MountArgument>,

    /// Bucket to use instead of the embedded S3, with the credentials from the AWS SDK's default chain.
    #[arg(long, value_name = "NAME")]
    pub bucket: Option<String>,

    /// Origin of the S3 server to use instead of the embedded one, for example `https://s3.example.com`.
    #[arg(long, value_name = "ORIGIN")]
    pub endpoint: Option<String>,

    /// Region of the bucket.
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,

    /// Check whether a server responds at this URL, and exit; for health checks in containers without other programs.
    #[arg(long, value_name = "URL", exclusive = true)]
    pub check_health: Option<String>,

    /// Print the manual page, and exit.
    #[arg(long, hide = true, exclusive = true)]
    pub print_man_page: bool,

    /// Print completions for a shell, and exit.
    #[arg(long, value_name = "SHELL", hide = true, exclusive = true)]
    pub print_completions: Option<Shell>,
}

/// The argument of `--mount`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountArgument {
    /// The prefix of the public keys.
    pub at: String,
    /// The bucket.
    pub bucket: String,
}

impl FromStr for MountArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (at, bucket) = text.rsplit_once('=').ok_or("it must be AT=BUCKET")?;
        check_mount(at, bucket)?;
        Ok(Self {
            at: at.to_owned(),
            bucket: bucket.to_owned(),
        })
    }
}

impl ServerOptions {
    /// Returns the option that sets a variable, if the user specified it.
    pub(crate) fn option_for_setting(&self, var: &str) -> Option<&'static str> {
        let (option, given) = match var {
            "SIGNPOST_RULES_FILE" => ("--rules", self.rules.is_some()),
            "SIGNPOST_BUCKET" => ("--bucket", self.bucket.is_some()),
            "SIGNPOST_ENDPOINT" if self.s3_url.is_some() => ("--s3-url", true),
            "SIGNPOST_ENDPOINT" => ("--endpoint", self.endpoint.is_some()),
            "AWS_REGION" => ("--region", self.region.is_some()),
            _ => return None,
        };
        given.then_some(option)
    }
}

fn parse_address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_| "write an address and a port, such as 127.0.0.1:8080")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        ServerOptions::command().debug_assert();
    }

    #[test]
    fn options_of_the_embedded_s3_conflict_with_an_external_bucket() {
        let parse = |args: &[&str]| ServerOptions::try_parse_from([&["signpost-local"], args].concat());
        assert!(parse(&["--bucket", "files", "--region", "eu-central-1"]).is_ok());
        assert!(parse(&["--bucket", "files", "--data", "elsewhere"]).is_err());
        assert!(
            parse(&[
                "--mount",
                "archive/=acme-archive",
                "--mount",
                "b/=arn:aws:s3:eu-west-1:1:accesspoint/x"
            ])
            .is_ok()
        );
        for mount in [
            "archive/",
            "archive=acme-archive",
            "archive/=",
            "/archive/=acme-archive",
            "=acme-archive",
            "-/=acme",
        ] {
            assert!(parse(&["--mount", mount]).is_err(), "{mount}");
        }
        assert!(parse(&["--endpoint", "http://127.0.0.1:9000", "--s3-listen", "127.0.0.1:1"]).is_err());
    }
}
