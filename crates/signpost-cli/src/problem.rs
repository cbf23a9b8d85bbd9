//! Why a request or a transfer failed: what kind of failure it is, why, what to do, and whether trying again helps.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::report::Ending;

/// Why something failed. It never holds a presigned URL or a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// How a command ends that fails for this.
    pub(crate) ending: Ending,
    /// The code that Signpost or S3 gave.
    pub(crate) code: Option<String>,
    /// A fragment that says what is wrong.
    pub(crate) why: String,
    /// A sentence that says what to do, where there is more to say than the fragment says.
    pub(crate) remedy: Option<String>,
    /// Whether to try again.
    pub(crate) retry: Retry,
}

/// Whether a request is worth repeating.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// It would fail again.
    Never,
    /// After a while; the server may have said how long.
    Later(Option<Duration>),
    /// Once, with a fresh URL: S3 refused this one.
    FreshUrl,
}

impl Problem {
    pub(crate) fn new(ending: Ending, why: impl Into<String>) -> Self {
        Self {
            ending,
            code: None,
            why: why.into(),
            remedy: None,
            retry: Retry::Never,
        }
    }

    /// What was typed means nothing.
    pub(crate) fn usage(why: impl Into<String>) -> Self {
        Self::new(Ending::Misused, why)
    }

    /// The network or a server may do better in a while.
    pub(crate) fn temporary(why: impl Into<String>) -> Self {
        Self::new(Ending::Temporary, why).retrying(Retry::Later(None))
    }

    /// The system refuses to read or write something here.
    pub(crate) fn io(what: impl fmt::Display, error: &std::io::Error) -> Self {
        Self::new(Ending::Failed, format!("{what}: {error}"))
    }

    /// What reqwest met, without the URL, which may be a secret.
    pub(crate) fn network(error: reqwest::Error) -> Self {
        let host = error.url().and_then(|url| url.host_str().map(str::to_owned));
        let error = error.without_url();
        // The outermost text says no more than that a request failed; the innermost says why.
        let mut cause: &dyn Error = &error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let cause = cause.to_string();
        let why = match host {
            Some(host) => format!("no answer from {host}: {cause}"),
            None => cause,
        };
        Self::temporary(why).advising("Check the network and the address, and run the command again.")
    }

    pub(crate) fn advising(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    pub(crate) fn coded(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    pub(crate) const fn retrying(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n{remedy}"),
            None => Ok(()),
        }
    }
}

impl Error for Problem {}
