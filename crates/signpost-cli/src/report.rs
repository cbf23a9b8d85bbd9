//! What a command has to say, and how it ends.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;

use signpost::policy::RulesError;

use crate::plain;
use crate::problem::Problem;

/// What a command has to say. It may hold a secret that was just made, so it has no `Debug`.
#[expect(missing_debug_implementations, reason = "it may hold a secret")]
pub struct Report {
    /// For standard output.
    pub out: String,
    /// For standard error.
    pub notes: String,
    /// How it ends.
    pub ending: Ending,
}

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It did what was asked.
    Done,
    /// It did not.
    Failed,
    /// It was asked in a way that means nothing.
    Misused,
    /// There is no such object.
    NotFound,
    /// The caller may not do it.
    NotAllowed,
    /// Something stands in the way, or has changed meanwhile.
    Conflict,
    /// The bytes are not those that were sent.
    Checksum,
    /// The network or a server failed, and may not next time.
    Temporary,
    /// The user ended it.
    Interrupted,
}

/// Why a command could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0}")]
    Usage(String),
    #[error("can't read {file}")]
    Read {
        file: String,
        #[source]
        source: io::Error,
    },
    #[error("{file}")]
    Rules {
        file: String,
        #[source]
        source: RulesError,
    },
    #[error("{file}: {problem}")]
    File { file: String, problem: String },
    #[error("the system gives no randomness")]
    Random(#[source] io::Error),
    #[error(transparent)]
    Problem(#[from] Problem),
}

impl Report {
    /// All is well, and this is to be said.
    pub(crate) const fn done(out: String) -> Self {
        Self {
            out,
            notes: String::new(),
            ending: Ending::Done,
        }
    }

    /// All has been said already.
    pub(crate) const fn ended(ending: Ending) -> Self {
        Self {
            out: String::new(),
            notes: String::new(),
            ending,
        }
    }

    /// Says it, and gives the exit code. What is for standard error tells of the output, so it goes where that has gone.
    pub fn tell(&self, out: &mut dyn Write, notes: &mut dyn Write) -> ExitCode {
        match out
            .write_all(plain::lines(&self.out).as_bytes())
            .and_then(|()| out.flush())
        {
            Ok(()) => {
                // Without standard error there is nowhere left to complain.
                let _ = notes.write_all(plain::lines(&self.notes).as_bytes());
                self.ending.exit_code()
            }
            // The reader, such as `head`, has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.ending.exit_code(),
            Err(error) => {
                let _ = writeln!(notes, "error: can't write to standard output: {error}");
                Ending::Failed.exit_code()
            }
        }
    }
}

impl Ending {
    /// The code of the process: these numbers are for scripts, and stay.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Misused => 2,
            Self::NotFound => 3,
            Self::NotAllowed => 4,
            Self::Conflict => 5,
            Self::Checksum => 6,
            Self::Temporary => 7,
            Self::Interrupted => 130,
        }
    }

    fn exit_code(self) -> ExitCode {
        ExitCode::from(self.code())
    }
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let ending = match error {
            Error::Usage(_) => Ending::Misused,
            Error::Problem(ref problem) => problem.ending,
            Error::Read { .. } | Error::Rules { .. } | Error::File { .. } | Error::Random(_) => Ending::Failed,
        };
        let mut notes = format!("error: {error}");
        let mut source = error.source();
        while let Some(cause) = source {
            write!(notes, ": {cause}").expect("a String takes every write");
            source = cause.source();
        }
        Self {
            out: String::new(),
            notes: format!("{}\n", notes.trim_end()),
            ending,
        }
    }
}
