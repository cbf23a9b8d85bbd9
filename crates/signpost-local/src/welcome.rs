//! The text that the server prints when it is ready: addresses, storage, and commands to copy.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::environment::EMBEDDED_BUCKET;
use crate::fronts::EmulatedFront;
use crate::policy_summary::PolicySummary;
use signpost::rejection::{CurlCredential, CurlTarget};

/// The values that the text contains.
#[derive(Debug)]
pub(crate) struct WelcomeText {
    /// The address that the API listens on.
    pub(crate) local: SocketAddr,
    /// The path prefix in front of the public keys.
    pub(crate) base_path: String,
    /// The storage location of the objects.
    pub(crate) storage: StorageLocation,
    /// The emulated front.
    pub(crate) front: EmulatedFront,
    /// True if no rules are configured, so that every request is allowed.
    pub(crate) allows_all: bool,
    /// The rules file, if the rules are in a file.
    pub(crate) rules_file: Option<String>,
    /// The summary of the rules, if they have been read.
    pub(crate) summary: Option<PolicySummary>,
}

/// The storage location of the objects.
#[derive(Debug)]
pub(crate) enum StorageLocation {
    /// The S3 server of this process.
    Embedded {
        /// The data directory.
        data_dir: PathBuf,
        /// The address that the S3 server listens on.
        address: SocketAddr,
        /// The region.
        region: String,
        /// The id of the key pair, if the user specified one.
        key_id: Option<String>,
    },
    /// An external bucket.
    Bucket {
        /// The name of the bucket.
        name: String,
        /// The origin of the S3 server, if it is not AWS.
        endpoint: Option<String>,
    },
}

impl fmt::Display for WelcomeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = format!("http://{}", self.local);
        writeln!(f, "signpost: listening on {url}")?;
        writeln!(f, "  objects     {}", self.storage)?;
        if let Some(usage) = self.storage.s3_usage() {
            writeln!(f, "  S3          {usage}")?;
        }
        writeln!(f, "  front       {}", self.front.name())?;
        if self.allows_all {
            writeln!(
                f,
                "  rules       none: ANYONE who can reach this address can read, create, list and delete objects;"
            )?;
            writeln!(f, "              specify --rules FILE to restrict access")?;
        } else {
            writeln!(f, "  rules       {}", self.rules_text())?;
        }
        if let Some(summary) = &self.summary {
            writeln!(f, "  links       {}", summary.links)?;
            writeln!(f, "  sign-in     {}", summary.sign_in)?;
        }
        let url = format!("{url}{}", self.base_path);
        writeln!(f, "  page        {url}/")?;
        let credential = if self.allows_all {
            CurlCredential::None
        } else {
            CurlCredential::Token
        };
        let target = CurlTarget::new(format!("{url}/FILE"), credential);
        writeln!(f, "  upload      {}", target.follow("-T FILE"))?;
        writeln!(f, "  download    {}", target.follow("-O"))?;
        writeln!(f, "  delete      {}", target.follow("-X DELETE"))?;
        if !self.allows_all {
            writeln!(
                f,
                "  token       `signpost token new ID FILE` adds a token to a rules file, and prints its secret"
            )?;
        }
        write!(f, "  up to 5 GiB {}", target.two_steps())
    }
}

impl WelcomeText {
    fn rules_text(&self) -> String {
        let counts = self.summary.as_ref().map(PolicySummary::counts);
        match (&self.rules_file, counts) {
            (Some(file), Some(counts)) => format!("{file}: {counts}; changes take effect at once"),
            (None, Some(counts)) => format!("from SIGNPOST_RULES: {counts}"),
            (_, None) => "from SIGNPOST_RULES_SOURCE, read at the first request".to_owned(),
        }
    }
}

impl fmt::Display for StorageLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded { data_dir, address, .. } => {
                write!(
                    f,
                    "in the directory {}, served by the embedded S3 on http://{address}",
                    data_dir.display()
                )
            }
            Self::Bucket {
                name,
                endpoint: Some(endpoint),
            } => write!(f, "in the bucket {name} at {endpoint}"),
            Self::Bucket { name, endpoint: None } => write!(f, "in the bucket {name} on AWS"),
        }
    }
}

impl StorageLocation {
    /// Returns how other programs use the embedded S3. The text never contains the secret.
    fn s3_usage(&self) -> Option<String> {
        match self {
            Self::Embedded {
                address,
                region,
                key_id: Some(id),
                ..
            } => Some(format!(
                "AWS_ACCESS_KEY_ID={id} AWS_SECRET_ACCESS_KEY=… AWS_DEFAULT_REGION={region} \
                 aws --endpoint-url http://{address} s3 ls s3://{EMBEDDED_BUCKET}"
            )),
            Self::Embedded { key_id: None, .. } => Some(
                "--s3-access-key-id and --s3-secret-access-key let other programs use it, such as aws --endpoint-url"
                    .to_owned(),
            ),
            Self::Bucket { .. } => None,
        }
    }
}
