//! The paths of Turborepo, below `/-/turbo/`.

use super::name::check_name;
use crate::rejection::Rejection;

/// A path of Turborepo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TurborepoPath {
    /// `v8/artifacts/{hash}`.
    Artifact {
        /// The hash of the task.
        hash: String,
    },
    /// `v8/artifacts/status`.
    Status,
    /// `v8/artifacts/events`.
    Events,
}

impl TurborepoPath {
    pub(super) fn parse(path: &str) -> Result<Self, Rejection> {
        match path.strip_prefix("v8/artifacts/") {
            None => Err(Rejection::UnknownReservedPath),
            Some("status") => Ok(Self::Status),
            Some("events") => Ok(Self::Events),
            Some(hash) => {
                check_name("hash", hash)?;
                Ok(Self::Artifact { hash: hash.to_owned() })
            }
        }
    }
}

/// The key of an artifact. `team` is the team of the request, if it names one.
pub(crate) fn artifact_key(at: &str, team: Option<&str>, hash: &str) -> Result<String, Rejection> {
    let team = team.filter(|team| !team.is_empty()).unwrap_or("-");
    check_name("team", team)?;
    Ok(format!("{at}{team}/{hash}"))
}
