//! The exit status of a command.

use std::process::ExitCode;

/// The exit status of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// The command succeeded.
    Success,
    /// The command failed.
    Failure,
    /// The command line is invalid.
    Usage,
    /// The object does not exist.
    NotFound,
    /// The caller is not allowed to do this.
    NotAllowed,
    /// The object exists already, or it changed during the transfer.
    Conflict,
    /// The checksum does not match.
    WrongChecksum,
    /// A temporary failure of the network or a server.
    Temporary,
    /// The user interrupted the command.
    Interrupted,
}

impl ExitStatus {
    /// The exit code of the process. Scripts rely on these numbers, so they must not change.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::NotAllowed => 4,
            Self::Conflict => 5,
            Self::WrongChecksum => 6,
            Self::Temporary => 7,
            Self::Interrupted => 130,
        }
    }

    pub(crate) fn exit_code(self) -> ExitCode {
        ExitCode::from(self.code())
    }
}
