//! What the server says once it listens: where everything is, and what to paste.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::fronts::Front;

/// Everything that the text tells.
#[derive(Debug)]
pub(crate) struct Welcome {
    /// Where the API listens.
    pub(crate) local: SocketAddr,
    /// What stands before the keys.
    pub(crate) base_path: String,
    /// What it stands in front of.
    pub(crate) storage: Storage,
    /// The front that is emulated.
    pub(crate) front: Front,
    /// Whether anyone may do everything.
    pub(crate) open: bool,
}

/// Where the objects are.
#[derive(Debug)]
pub(crate) enum Storage {
    /// In the S3 of this process.
    Embedded {
        /// The folder of the data.
        data: PathBuf,
        /// Where that S3 listens.
        address: SocketAddr,
    },
    /// In a bucket elsewhere.
    Bucket {
        /// Its name.
        name: String,
        /// Its server, where it is not AWS.
        endpoint: Option<String>,
    },
}

impl fmt::Display for Welcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = format!("http://{}", self.local);
        writeln!(f, "signpost: listening on {url}")?;
        writeln!(f, "  objects     {}", self.storage)?;
        writeln!(f, "  front       {}", self.front.name())?;
        if self.open {
            writeln!(
                f,
                "  rules       none: ANYONE who reaches this address may read, write, delete and list everything;"
            )?;
            writeln!(f, "              --rules FILE changes that")?;
        }
        let url = format!("{url}{}", self.base_path);
        writeln!(f, "  upload      curl -fL -T FILE {url}/FILE")?;
        writeln!(f, "  download    curl -fL -O {url}/FILE")?;
        writeln!(f, "  delete      curl -fL -X DELETE {url}/FILE")?;
        write!(
            f,
            "  any size    curl -fT FILE \"$(curl -fsS -X PUT '{url}/FILE?url')\""
        )
    }
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded { data, address } => {
                write!(
                    f,
                    "in {}, kept by an S3 of this process on http://{address}",
                    data.display()
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
