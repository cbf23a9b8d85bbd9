//! Dialects: the protocols of tools that cannot be configured to use plain URLs. The objects of a dialect are ordinary
//! objects below a prefix, and ordinary rules decide about them.
//!
//! A module imports only from modules above it in this list:
//!
//! 1. `name`: the names in paths.
//! 2. [`prefixes`]: the prefixes of the objects.
//! 3. [`turborepo`]: the paths of Turborepo.
//! 4. [`lfs`]: the paths of git-lfs.

pub mod lfs;
mod name;
pub mod prefixes;
pub mod turborepo;

use http::Method;

use crate::rejection::Rejection;
pub use lfs::{LfsPath, LfsResource};
use name::check_name;
pub use prefixes::DialectPrefixes;
pub use turborepo::TurborepoPath;

/// A tool with its own protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// [Turborepo's remote cache](https://turborepo.com/docs/openapi).
    Turborepo,
    /// [Nx's self-hosted remote cache](https://nx.dev/recipes/running-tasks/self-hosted-caching).
    Nx,
    /// [git-lfs](https://github.com/git-lfs/git-lfs/tree/main/docs/api).
    Lfs,
}

/// A path of a dialect, below `/-/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialectPath {
    /// A path below `/-/turbo/`.
    Turborepo(TurborepoPath),
    /// `/-/nx/v1/cache/{hash}`.
    Nx {
        /// The hash of the task.
        hash: String,
    },
    /// A path below `/-/lfs/`.
    Lfs(LfsPath),
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 3] = [Self::Turborepo, Self::Nx, Self::Lfs];

    /// The name in log lines, and of the table in the rules file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Turborepo => "turborepo",
            Self::Nx => "nx",
            Self::Lfs => "lfs",
        }
    }

    /// The dialect of a path below `/-/`, without that prefix. Returns the rest of the path too.
    pub fn split_path(path: &str) -> Option<(Self, &str)> {
        Self::ALL
            .into_iter()
            .find_map(|dialect| Some((dialect, path.strip_prefix(dialect.path_prefix())?)))
    }

    const fn path_prefix(self) -> &'static str {
        match self {
            Self::Turborepo => "turbo/",
            Self::Nx => "nx/",
            Self::Lfs => "lfs/",
        }
    }
}

impl DialectPath {
    /// Parses the rest of a path of `dialect`.
    pub fn parse(dialect: Dialect, path: &str) -> Result<Self, Rejection> {
        match dialect {
            Dialect::Turborepo => TurborepoPath::parse(path).map(Self::Turborepo),
            Dialect::Nx => {
                let hash = path.strip_prefix("v1/cache/").ok_or(Rejection::UnknownReservedPath)?;
                check_name("hash", hash)?;
                Ok(Self::Nx { hash: hash.to_owned() })
            }
            Dialect::Lfs => LfsPath::parse(path).map(Self::Lfs),
        }
    }

    /// The methods that the path supports, without `OPTIONS`.
    pub const fn methods(&self) -> &'static [Method] {
        match self {
            Self::Turborepo(TurborepoPath::Artifact { .. }) => &[Method::GET, Method::HEAD, Method::PUT],
            Self::Turborepo(TurborepoPath::Status) => &[Method::GET],
            Self::Nx { .. } => &[Method::GET, Method::PUT],
            Self::Lfs(LfsPath {
                resource: LfsResource::Locks,
                ..
            }) => &[Method::GET, Method::POST],
            Self::Turborepo(TurborepoPath::Events) | Self::Lfs(_) => &[Method::POST],
        }
    }
}
